"""The nightly graph: what is done, after what, and what to do when it fails.

Both ``goldenlake nightly`` and the Airflow DAG are made from ``NIGHT``, so they cannot drift apart.
Standard library only: Airflow's environment has no Spark and imports this module.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of the night; with ``each``, once for every source or destination."""

    name: str
    after: tuple[str, ...] = ()
    each: Literal["", "source", "destination"] = ""
    goes_on: bool = False
    """Runs even though something before it failed or was left out."""
    summary: str
    runbook: str


NIGHT: tuple[Stage, ...] = (
    Stage(
        name="collect",
        each="source",
        summary="Land new files, ingest them to bronze, conform them to silver.",
        runbook="The other sources went on, and the night uses yesterday's slice of this one. "
        "The log names the file and what is wrong with it. Mend the file or the contract under "
        "conf/sources, then clear this task; quarantined rows come back with "
        "`goldenlake replay SOURCE --as-of DAY`.",
    ),
    Stage(
        name="resolve",
        after=("collect",),
        goes_on=True,
        summary="Link the records that changed and give every one of them its customer id.",
        runbook="Nothing is published yet and readers keep yesterday's generation. Clear the task: "
        "it starts again from the last publication.",
    ),
    Stage(
        name="golden",
        after=("resolve",),
        summary="Build the golden tables of the customers that were touched.",
        runbook="Nothing is published yet and readers keep yesterday's generation. Clear the task; "
        "or resolve with downstream, where the log says to run the night again from there: another "
        "generation was published in between, as by a rollback.",
    ),
    Stage(
        name="publish",
        after=("golden",),
        summary="Audit the staged tables and publish them as one generation.",
        runbook="Exit code 4: an expectation or the blast-radius gate refused the new generation; "
        "the log and the Data Docs name which. Yesterday's generation stays in place. Mend the "
        "cause and clear resolve, golden and publish; or, when the change is wanted, run "
        "`goldenlake publish --as-of DAY --accept-blast-radius` and clear this task with "
        "downstream: it finds nothing left to publish, and the rest goes on. Any other code: clear "
        "the task, or resolve with downstream where the log says to run the night again from "
        "there.",
    ),
    Stage(
        name="segments",
        after=("publish",),
        summary="Judge every customer for every segment, in one pass.",
        runbook="No export has started. Clear the task.",
    ),
    Stage(
        name="activate",
        after=("segments",),
        each="destination",
        summary="Send what changed to a destination, and note each acknowledgement.",
        runbook="Exit code 4: a guard held the export and nothing was sent. Look with "
        "`goldenlake plan DESTINATION --as-of DAY`, approve with "
        "`goldenlake approve DESTINATION --plan HASH --as-of DAY --reason …`, clear the task. Any "
        "other code: clear the task; it goes on after the last acknowledged batch.",
    ),
    Stage(
        name="report",
        after=("activate",),
        goes_on=True,
        summary="Write the page that says how the night went.",
        runbook="The data is not touched by this task. Clear it.",
    ),
)


def stage(name: str) -> Stage:
    """The stage of that name. Raises KeyError."""
    return {each.name: each for each in NIGHT}[name]


def unheard(ended: Iterable[tuple[str, str, str]], **declared: Collection[str]) -> list[str]:
    """Stages before the report whose turn it was and that left no word, as one that is killed does.

    What comes after a stage that did not end well may have been left out, and is not told. Where no
    stage left any, there was no night.

    Args:
        ended: step, subject and status of what left word.
        declared: each ``source`` and ``destination``; one alone that left none is told by its name.
    """
    heard: dict[str, dict[str, str]] = {}
    for step, subject, status in ended:
        heard.setdefault(step, {})[subject] = status
    stages = [each for each in NIGHT if each.name != "report"]
    if heard.keys().isdisjoint(each.name for each in stages):
        return []
    found: list[str] = []
    stopped: set[str] = set()
    for each in stages:
        own = heard.get(each.name, {})
        is_left_out = not each.goes_on and not stopped.isdisjoint(each.after)
        absent = [] if is_left_out else _absent(each, own, declared.get(each.each, ("",)))
        found += absent
        if is_left_out or absent or not {"done", "skipped"}.issuperset(own.values()):
            stopped.add(each.name)
    return found


def _absent(of: Stage, own: Collection[str], subjects: Collection[str]) -> list[str]:
    """The stage, where nothing of it left word; else those of its subjects that left none."""
    if subjects and not own:
        return [of.name]
    return [] if "" in own else [f"{of.name} {each}" for each in subjects if each not in own]
