"""``make bench-identity``: our matching beside Splink, one JSON line a figure on stdout."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from math import log
from operator import attrgetter
from pathlib import Path

from benchmarks.figures import Figure, machine
from benchmarks.homes import temporary_home
from benchmarks.identity import nights
from benchmarks.identity.contenders import (
    CONTENDERS,
    RIVAL,
    YARDSTICK,
    Result,
    figure_beside_rival,
    figures,
    figures_of_training,
    resolve,
    train,
)
from benchmarks.identity.ours import ON_SPARK, SAME_RULES
from benchmarks.identity.problems import PUBLIC, Problem, generated_to_train, public
from benchmarks.identity_data import DataMissing
from benchmarks.parts import say
from benchmarks.processes import Finished
from goldenlake.errors import GoldenlakeError

RECORDS = 100_000
FULL: Mapping[int, Sequence[str]] = {
    50_000: (YARDSTICK, RIVAL, SAME_RULES, ON_SPARK),
    1_000_000: (YARDSTICK, RIVAL, SAME_RULES, ON_SPARK),
    4_000_000: (ON_SPARK,),
}
"""Sizes of made-up people that ``docs/guides/benchmarks.md`` tells besides, and of whom."""
FULL_NIGHTS = (1_000_000,)
_FEWEST = 1_000
_AIM_OF_GROWTH = 1.1


def main() -> int:
    """Measure what the arguments name; gives 1 where something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.identity", description=__doc__)
    parser.add_argument(
        "--sets", nargs="*", choices=PUBLIC, default=list(PUBLIC), help="public sets; may be empty"
    )
    parser.add_argument(
        "--records", nargs="*", type=int, default=[RECORDS], help="of made-up people; may be empty"
    )
    parser.add_argument(
        "--nights",
        nargs="*",
        type=int,
        default=[],
        help="of made-up people in lakes where a hundredth comes in a second night",
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help=f"records {', '.join(f'{size:,}' for size in FULL)}, of which the last by {ON_SPARK} "
        f"alone, and nights {', '.join(f'{size:,}' for size in FULL_NIGHTS)}, too",
    )
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", action="store_true", help="leave the folder where it is")
    given = parser.parse_args()
    if any(records < _FEWEST for records in [*given.records, *given.nights]):
        parser.error(f"--records, --nights: nothing is learnt from fewer than {_FEWEST:,}")
    nightly = {*given.nights, *(FULL_NIGHTS if given.full else ())}
    sizes = {
        size: [name for name in given.contenders if name in able]
        for size, able in FULL.items()
        if given.full
    } | dict.fromkeys(given.records, given.contenders)
    with temporary_home(given.keep) as home:
        contests = {name: partial(of_set, home / name, given.contenders) for name in given.sets} | {
            f"people_{size}": partial(of_people, home / f"people_{size}", size, given.seed, who)
            for size, who in sorted(sizes.items())
            if who
        }
        figures_of = {
            f"nights_{size}": partial(nights.measured, home / f"nights_{size}", size, given.seed)
            for size in sorted(nightly)
        }
        return measure(contests) | tell(figures_of)


@dataclass(frozen=True, kw_only=True)
class Contest:
    """One problem in its folder, the folder of what is trained on, and what is known so far."""

    home: Path
    problem: Problem
    training: Path
    contenders: Sequence[str]
    """Who takes part, where the problem has the rules that they need."""
    results: dict[str, Result] = field(default_factory=dict, init=False)
    """By contender."""
    _models: dict[str, Finished | None] = field(default_factory=dict, init=False)
    """By trainer; None after one that failed."""

    def run(self, name: str) -> Iterator[Figure]:
        """The figures of one contender, and those of its training where it is the first."""
        trainer, prefix = CONTENDERS[name].trainer, self.home.name
        folder = self.home / f"model_of_{trainer}"
        if trainer not in self._models:
            self._models[trainer] = None
            say(f"{prefix}: training of {trainer}")
            trained = train(folder, trainer, self.training, self.problem.records)
            self._models[trainer] = trained
            yield from figures_of_training(f"{prefix}.{trainer}", trained)
        if self._models[trainer] is None:
            raise GoldenlakeError(f"the training of {trainer} failed before.")
        say(f"{prefix}: {name}")
        result = resolve(self.home / name, name, self.home / "problem", folder / "model.json")
        self.results[name] = result
        against = None if name == YARDSTICK else self.results.get(YARDSTICK)
        yield from figures(prefix, result, against)
        if name == ON_SPARK and RIVAL in self.results:
            yield figure_beside_rival(prefix, self.problem.records, result, self.results[RIVAL])


def of_set(home: Path, contenders: Sequence[str]) -> Contest:
    """The public set of the folder's name, trained on and resolved. Raises DataMissing."""
    folder = home / "problem"
    problem = public(folder, home.name)
    return Contest(home=home, problem=problem, training=folder, contenders=contenders)


def of_people(home: Path, records: int, seed: int, contenders: Sequence[str]) -> Contest:
    """Made-up people; training is on others."""
    say(f"{home.name}: generating")
    problem = generated_to_train(home, records, seed)
    return Contest(home=home, problem=problem, training=home / "training", contenders=contenders)


def measure(contests: Mapping[str, Callable[[], Contest]]) -> int:
    """Print the figures of all contests; what fails stops nothing else."""
    failed = 0
    made: list[Contest] = []
    for name, make in contests.items():
        try:
            contest = make()
        except DataMissing as missing:
            say(f"{name} was not measured: {missing}")
            failed = 1
            continue
        made.append(contest)
        for contender, told in CONTENDERS.items():
            if contender not in contest.contenders:
                continue
            if told.needs_rules and not contest.problem.rules:
                continue
            failed |= tell({f"{name}: {contender}": partial(contest.run, contender)})
    return failed | tell({"growth": partial(growth, made)})


def growth(contests: Iterable[Contest]) -> Iterator[Figure]:
    """How the seconds of ours on Spark grow from each number of records to the next, as the power
    to which they grow with it.
    """
    run = [each for each in contests if ON_SPARK in each.results]
    for smaller, larger in pairwise(sorted(run, key=attrgetter("problem.records"))):
        few, many = smaller.problem.records, larger.problem.records
        before, after = (each.results[ON_SPARK].measured["seconds"] for each in (smaller, larger))
        yield Figure(
            figure=f"{larger.home.name}.{ON_SPARK}.growth",
            value=log(after / before) / log(many / few),
            unit="exponent",
            aim=_AIM_OF_GROWTH,
            details={"since": few},
        )


def tell(figures_of: Mapping[str, Callable[[], Iterator[Figure]]]) -> int:
    """Print the figures of each; what fails stops nothing else."""
    failed = 0
    for name, measured in figures_of.items():
        try:
            for figure in measured():
                print(figure.line(machine()), flush=True)
        except GoldenlakeError as error:
            say(f"{name} was not measured: {error}")
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
