"""The drop folder, and the ledger of what lies in it and when it arrived."""

import csv
import os
import shutil
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

from goldenlake.errors import SetupError

ARRIVALS = "arrivals.csv"


class Drops:
    """Files under ``out/drops``, each with the day on which it arrived."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.rows: Counter[str] = Counter()
        self.files = 0
        self.size_bytes = 0
        self._arrivals: list[tuple[str, str]] = []
        if (out / "drops").exists():
            raise SetupError(
                f"{out} already holds a sample.", mend="Remove it, or choose another folder."
            )

    def place(self, relative: str) -> Path:
        """Where to write a file."""
        path = self.out / "drops" / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def record(
        self, source: str, relative: str, rows: int, day: date, *, days_late: int = 0
    ) -> None:
        """Enter a finished file: its source, its records, and when it arrived."""
        self.rows[source] += rows
        self.files += 1
        self.size_bytes += self.place(relative).stat().st_size
        arrives_on = day + timedelta(days=days_late)
        self._arrivals.append((f"drops/{relative}", arrives_on.isoformat()))

    def write_arrivals(self) -> None:
        """Write ``arrivals.csv``: path relative to ``out``, and the date of arrival."""
        in_order = sorted(self._arrivals, key=lambda entry: (entry[1], entry[0]))
        with (self.out / ARRIVALS).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["path", "arrives_on"])
            writer.writerows(in_order)


def arrived(out: Path, until: date, into: Path) -> list[Path]:
    """Put every file that had arrived by the end of ``until`` into the folder ``into``.

    ``into`` gets the layout of ``out/drops``. Files are hard links where the file system
    allows, else copies; those already there are left alone, so that consecutive nights can
    be played by calling this with consecutive dates. Returns the files that are new,
    sorted.
    """
    new = []
    with (out / ARRIVALS).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if date.fromisoformat(row["arrives_on"]) > until:
                continue
            target = into / Path(row["path"]).relative_to("drops")
            if target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(out / row["path"], target)
            except OSError:
                shutil.copyfile(out / row["path"], target)
            new.append(target)
    return sorted(new)
