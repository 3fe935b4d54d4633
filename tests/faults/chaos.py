"""Real nights, killed at random moments and run again: ``make chaos MINUTES=10 SEED=7``.

The company's days follow one another twice: once undisturbed, and once in processes that are killed
whole (SIGKILL to their group), then run again, and whose help desk fails one call of ten. After
each day both lakes are compared, and what tells of the nights is searched for people. Meanwhile a
reader looks at the published generation over and over: all its tables must be of one generation.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from goldenlake.cli.installation import PROJECT
from support.campaign import table
from support.company import PERSONAL, day, open_company
from support.contents import contents, difference, is_mixed
from support.telling import told_of_the_work
from support.vendors import serving
from support.vendors.desk import Desk

_MOST_DAYS = 40
_LONGEST = 1_200


@dataclass
class Reader:
    """Looks at a lake from outside until it is told to stop."""

    lake: Path
    polls: int = 0
    mixed: int = 0
    _ends: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """A look every tenth of a second."""
        while not self._ends.wait(0.1):
            found = is_mixed(self.lake)
            self.polls += found is not None
            self.mixed += bool(found)

    def stop(self) -> None:
        """After the look that is being taken."""
        self._ends.set()


def night(home: Path, number: int, *, killed_after: float | None = None) -> tuple[bool, float]:
    """One night as a process; whether it came to a good end, and how long it took."""
    run = [sys.executable, str(Path(sys.executable).with_name("goldenlake")), "nightly"]
    options = ["--as-of", day(number).isoformat(), "--conf", str(home / "conf"), "--env", "local"]
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "jobs")}
    begun = time.monotonic()
    with (home / "night.log").open("ab") as log:
        process = subprocess.Popen(
            [*run, *options], env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            code = process.wait(killed_after or _LONGEST)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
    if code > 0:
        sys.exit(f"night {number} ended with code {code}; {home / 'night.log'} tells why")
    return code == 0, time.monotonic() - begun


def campaign(folder: Path, *, minutes: float, seed: int) -> dict[str, int]:
    """Days until the time is over, at least one; gives the row of the table."""
    calm, disturbed, desk = folder / "undisturbed", folder / "killed", Desk()
    desk.shaky[disturbed] = random.Random(seed)
    reader = Reader(disturbed / "lake")
    with serving(desk) as address, ThreadPoolExecutor(1) as pool:
        for home in (calm, disturbed):
            open_company(home, days=_MOST_DAYS, desk=address + desk.account(home))
        reading = pool.submit(reader.run)
        try:
            row = _days(calm, disturbed, minutes=minutes, chance=random.Random(seed))
        finally:
            reader.stop()
        reading.result()
    row.update(mixed=reader.mixed, polls=reader.polls)
    failed = sum(status >= 500 for _, _, status in desk.calls)
    _say(f"the help desk was called {len(desk.calls)} times, and failed {failed} of them")
    _say(f"the published generation was looked at {reader.polls} times")
    return row


def _days(calm: Path, disturbed: Path, *, minutes: float, chance: random.Random) -> Counter[str]:
    row: Counter[str] = Counter()
    until = time.monotonic() + 60 * minutes
    for number in range(1, _MOST_DAYS + 1):
        _, seconds = night(calm, number)
        for _ in range(chance.randint(1, 3)):
            after = chance.uniform(0, seconds)
            is_done, _ = night(disturbed, number, killed_after=after)
            row["injected"] += not is_done
            _say(f"day {number}: {'done' if is_done else f'killed after {after:.1f} s'}")
        night(disturbed, number)
        found = difference(contents(disturbed), contents(calm))
        told = told_of_the_work(disturbed, PERSONAL)
        _say("\n".join([f"day {number}: {'differs' if found else 'the same'}", *found.where]))
        row.update(lost=found.lost, doubled=found.doubled, told=len(told))
        row["ids changed"] += found.ids_changed
        if found or told:
            _say("\n".join(f"{name} tells of people" for name in told))
            break
        row["survived"] = row["injected"]
        if time.monotonic() > until:
            break
    return row


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def main() -> int:
    """Gives 1 where anything was lost, doubled, mixed or told of people."""
    parser = argparse.ArgumentParser(description=__doc__, prog="make chaos")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    given = parser.parse_args()
    _say(f"SEED={given.seed}")
    folder = Path(tempfile.mkdtemp(prefix="goldenlake-chaos-"))
    row = campaign(folder, minutes=given.minutes, seed=given.seed)
    _say("\n".join(table({"night": row})))
    is_bad = row["survived"] < row["injected"] or row["mixed"] or row["told"] or not row["polls"]
    _say(f"left for you to look at: {folder}" if is_bad else "nothing lost, doubled, mixed or told")
    return int(bool(is_bad))


if __name__ == "__main__":
    sys.exit(main())
