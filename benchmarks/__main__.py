"""``make bench``: measure on larger data, one JSON line a figure on stdout, progress on stderr."""

from __future__ import annotations

import argparse
import sys

from benchmarks.figures import machine
from benchmarks.homes import temporary_home
from benchmarks.parts import PARTS, Bench, chosen, say
from goldenlake.errors import GoldenlakeError


def main() -> int:
    """Measure what the arguments name; gives 1 where a part could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("part", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all if none")
    parser.add_argument("--scale", type=float, default=1.0, help="1: 100,000 customers")
    parser.add_argument("--rounds", type=int, default=3, help="of ingest and spark_start")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--memory", help="of the JVM, such as 6g; else that of conf/env/local.yml")
    parser.add_argument("--no-fast-start", action="store_true", help="let the JVM optimise fully")
    parser.add_argument("--keep", action="store_true", help="leave the folder where it is")
    given = parser.parse_args()
    unknown = [name for name in given.part if not chosen([name])]
    if unknown or given.scale <= 0 or given.rounds < 1:
        parser.error(f"no such part: {', '.join(unknown)}" if unknown else "a number is too small")
    spark: dict[str, object] = {"memory": given.memory} if given.memory else {}
    if given.no_fast_start:
        spark["fast_start"] = False
    with temporary_home(given.keep) as home:
        bench = Bench(
            home=home, scale=given.scale, rounds=given.rounds, seed=given.seed, spark=spark
        )
        return measure(bench, chosen(given.part) if given.part else list(PARTS))


def measure(bench: Bench, names: list[str]) -> int:
    """Print the figures of the parts; one that fails stops no other."""
    failed = 0
    for name, part in PARTS.items():
        if name not in names:
            continue
        try:
            for figure in part(bench):
                print(figure.line(machine()), flush=True)
        except GoldenlakeError as error:
            say(f"{name} was not measured: {error}")
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
