"""What an export of many members costs, and what a kill half way leaves behind.

Each export is a process of its own, with a lake of its own, and speaks to a vendor's contract
server in another process: ``benchmarks.vendor_server``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from benchmarks.figures import Figure
from benchmarks.homes import connect, declare_export, make_home
from benchmarks.made_up import digest, people
from benchmarks.processes import Finished, Worker, kill_worker, run_worker
from goldenlake.cli.installation import PROJECT
from goldenlake.errors import GoldenlakeError

TOKEN = "a-token-of-nothing"
"""Of the accounts of the contract servers."""
EXPORTS = Worker(environment={"GOLDENLAKE_BENCH_TOKEN": TOKEN})
DRT = Worker(
    module="benchmarks.drt_sync",
    python=PROJECT / ".venv-drt" / "bin" / "python",
    environment=EXPORTS.environment,
)
SMALL = 0.1
"""Share of the members whose memory is beside that of all."""


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """An account that is exported to, and how many members at full size."""

    name: str
    members: int
    judges_every: int
    field: str
    """What a given name is called there."""
    prefix: str = "Bearer "
    limit: tuple[int, float] | None = None
    """Calls in seconds, as published, where they are few enough to wait for them."""


VENDORS = (
    Vendor(name="hubspot", members=100_000, judges_every=20, field="firstname", limit=(190, 10.0)),
    Vendor(name="sendgrid", members=1_000_000, judges_every=50, field="first_name"),
    Vendor(
        name="klaviyo",
        members=1_000_000,
        judges_every=50,
        field="first_name",
        prefix="Klaviyo-API-Key ",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Account:
    """A contract server that runs."""

    url: str

    def ask(self, path: str) -> Any:
        """What it tells of itself."""
        with urlopen(self.url + path) as reply:
            return json.load(reply)

    @property
    def people(self) -> int:
        """How many it holds."""
        return int(self.ask("/bench/people"))


@contextmanager
def account_of(vendor: Vendor) -> Iterator[Account]:
    """A fresh account of the vendor, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.vendor_server"]
    with subprocess.Popen(
        [*command, vendor.name, str(vendor.judges_every)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            if not (url := server.stdout.readline().strip()):
                raise GoldenlakeError(f"The server of {vendor.name} did not start; see above.")
            yield Account(url=url)
        finally:
            server.stdin.close()


@dataclass(frozen=True, kw_only=True)
class Exported:
    """One export that was carried out, and what the account told afterwards."""

    finished: Finished
    told: Mapping[str, Any]

    @property
    def sending(self) -> float:
        """Seconds from the first call to the last."""
        return sending(self.told)

    @property
    def calls(self) -> int:
        """All that were made."""
        return len(self.told["times"])


@dataclass(frozen=True, kw_only=True)
class Exports:
    """All exports to one vendor."""

    home: Path
    vendor: Vendor
    members: int
    spark: Mapping[str, object]
    say: Callable[[str], None]
    _expected: dict[int, str] = field(default_factory=dict)
    """Hashes over so many people."""

    def figures(self) -> Iterator[Figure]:
        """Everything that is measured of the vendor."""
        small = self._export("small", self._share)
        whole = self._export("whole", self.members)
        yield self._whole(whole)
        yield self._memory(whole, small)
        yield self._resumed(whole)
        if self.vendor.limit is not None:
            yield self._limited(*self.vendor.limit)
        if self.vendor.name == "hubspot":
            yield from self._beside_drt(small)

    @property
    def _share(self) -> int:
        return max(1, round(self.members * SMALL))

    def _whole(self, done: Exported) -> Figure:
        return self._figure(
            "",
            done.finished.seconds,
            "s",
            details={
                "members": self.members,
                "members_per_second": round(self.members / done.sending),
                "sending": round(done.sending, 1),
                "export": round(done.finished.answer["seconds"], 1),
                "spark_start": round(done.finished.answer["spark_start"], 1),
                "calls": done.told["calls"],
                "judges_every": self.vendor.judges_every,
            },
        )

    def _memory(self, done: Exported, small: Exported) -> Figure:
        peak, beside = done.finished.peak, small.finished.peak
        return self._figure(
            ".memory",
            peak.total,
            "MiB",
            against=beside.total,
            details={
                "java": [round(peak.java), round(beside.java)],
                "python": [round(peak.python), round(beside.python)],
            },
        )

    def _resumed(self, whole: Exported) -> Figure:
        half = self.members // 2
        with account_of(self.vendor) as account:
            home = self._home("killed", self.members, account)
            self.say(f"{self.vendor.name}: killed at {half:,} of {self.members:,} members")
            kill_worker(
                home,
                "export",
                self.vendor.name,
                worker=EXPORTS,
                when=lambda: account.people >= half,
            )
            held = account.people
            done = self._carried_out(home, self.members, account)
        return self._figure(
            ".resume",
            done.finished.seconds,
            "s",
            against=whole.finished.seconds,
            details={
                "held_after_the_kill": held,
                "sent_again": done.told["received"] - self.members,
            },
        )

    def _limited(self, calls: int, seconds: float) -> Figure:
        """Against the least time in which so many calls are allowed, from the first to the last."""
        done = self._export("limited", self.members, is_limited=True)
        return self._figure(
            ".limit",
            done.sending,
            "s",
            against=(done.calls - 1) // calls * seconds,
            aim=1.05,
            details={
                "calls": done.calls,
                "most_at_once": most_within(seconds, done.told["times"]),
                "allowed_at_once": calls,
            },
        )

    def _beside_drt(self, small: Exported) -> Iterator[Figure]:
        """The small export beside drt's of the same people; left out where drt is not there."""
        if not DRT.python.exists():
            self.say("drt is left out: make setup-drt")
            return
        members = self._share
        home = self.home / "drt"
        home.mkdir()
        rows = (
            json.dumps({"email": address, self.vendor.field: name})
            for address, name in people(members)
        )
        (home / "people.jsonl").write_text("\n".join(rows))
        self.say(f"hubspot: drt, {members:,} members")
        # What it sends lacks a property that the specification requires, and HubSpot does not.
        with account_of(replace(self.vendor, judges_every=0)) as account:
            theirs = run_worker(home, "hubspot", account.url, home / "people.jsonl", worker=DRT)
            told = account.ask("/bench")
        yield self._figure(
            ".beside_drt",
            small.finished.seconds,
            "s",
            against=theirs.seconds,
            details={
                "members": members,
                "people": [small.told["people"], told["people"]],
                "in_a_list": [small.told["members"], told["members"]],
                "calls": [small.calls, len(told["times"])],
                "sending": [round(small.sending, 1), round(sending(told), 1)],
            },
        )

    def _figure(self, name: str, value: float, unit: str, **others: Any) -> Figure:
        return Figure(figure=f"exports.{self.vendor.name}{name}", value=value, unit=unit, **others)

    def _export(self, name: str, members: int, *, is_limited: bool = False) -> Exported:
        with account_of(self.vendor) as account:
            home = self._home(name, members, account, is_limited=is_limited)
            self.say(f"{self.vendor.name}: {name}, {members:,} members")
            return self._carried_out(home, members, account)

    def _carried_out(self, home: Path, members: int, account: Account) -> Exported:
        """Export; the account must hold the members then, each of them once, and nobody else."""
        finished = run_worker(home, "export", self.vendor.name, worker=EXPORTS)
        told = account.ask("/bench")
        held = (told["people"], told["members"], told["digest"])
        if held != (members, members, self._digest(members)):
            raise GoldenlakeError(
                f"{self.vendor.name} holds {told['people']:,} people, {told['members']:,} of them "
                f"members, and should hold exactly {members:,} with their names."
            )
        if told["violations"] or told["refused"]:
            raise GoldenlakeError(
                f"{self.vendor.name} was called wrongly: {told['violations'] or told['refused']}"
            )
        return Exported(finished=finished, told=told)

    def _digest(self, members: int) -> str:
        if members not in self._expected:
            self._expected[members] = digest(people(members))
        return self._expected[members]

    def _home(
        self,
        name: str,
        members: int,
        account: Account,
        *,
        is_limited: bool = False,
    ) -> Path:
        """A folder with a lake of its own, whose files are those of the lake made once."""
        home = self.home / name
        make_home(home, self.spark)
        declare_export(home, self.vendor.name, {self.vendor.field: "given_name"})
        auth = {"value": {"env": "GOLDENLAKE_BENCH_TOKEN"}, "prefix": self.vendor.prefix}
        declared = {"base_url": account.url, "system": self.vendor.name}
        declared |= {"auth": {"kind": "header", **auth}}
        declared |= {} if is_limited else {"rates": []}
        connect(home, self.vendor.name, declared)
        lake = Path("var", "lake")
        shutil.copytree(self._lake(members) / lake, home / lake, copy_function=os.link)
        return home

    def _lake(self, members: int) -> Path:
        home = self.home.parent / f"members_{members}"
        if not home.exists():
            self.say(f"a lake with {members:,} members")
            make_home(home, self.spark)
            run_worker(home, "members", members)
        return home


def sending(told: Mapping[str, Any]) -> float:
    """Seconds from the first call to the last, of what an account told."""
    return float(told["times"][-1] - told["times"][0])


def most_within(seconds: float, times: list[float]) -> int:
    """The most calls that came in any stretch of so many seconds."""
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
