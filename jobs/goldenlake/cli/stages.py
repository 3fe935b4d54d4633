"""Each stage of ``night.NIGHT`` wired to its adapters, for single commands and the night alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from rich.markup import escape

from goldenlake.cli.installation import Installation, failure
from goldenlake.declarations.base import parse_duration
from goldenlake.errors import (
    ExitCode,
    GenerationMoved,
    GoldenlakeError,
    ModelUnfit,
    described,
    with_options,
)
from goldenlake.night import NIGHT, Stage
from goldenlake.ports import StepResult

if TYPE_CHECKING:
    from goldenlake.identity.trained import TrainedModel
    from goldenlake.steps.plan import PlanExport

#: Work of which a lake has one at a time, however many processes the stages are.
NIGHT_WORK, BUILD = "night", "build"


def collect(installation: Installation, sources: Sequence[str]) -> list[StepResult]:
    """Land, ingest and conform sources; a broken one stops only itself."""
    from goldenlake.steps.collect import Collect

    night = installation.catalogue.environment.night
    step = Collect(
        sources=[installation.catalogue.sources[name] for name in sources],
        as_of=installation.as_of,
        run_id=installation.run_id,
        settle=parse_duration(night.settle),
        parallel=night.parallel_sources,
        destinations=installation.catalogue.destinations,
        privacy_key=installation.catalogue.environment.privacy.key,
    )
    with installation.timed("collect") as results:
        found = step.run(
            tables=installation.tables,
            maintenance=installation.tables,
            landing=installation.landing,
            outside=installation,
            clock=installation.clock,
            progress=installation.progress,
        )
        results += (
            replace(each, error=with_options(each.error, installation.options)) for each in found
        )
        return list(results)


def resolve(installation: Installation) -> list[StepResult]:
    """Records to customers."""
    from goldenlake.steps.resolve import Resolve

    with installation.timed("resolve") as results, installation.claimed(BUILD):
        step = Resolve(
            sources=installation.catalogue.sources,
            rules=installation.catalogue.identity,
            as_of=installation.as_of,
            run_id=installation.run_id,
            matching=installation.catalogue.matching,
            trained=installation.model,
            decisions=installation.catalogue.decisions,
        )
        results.append(step.run(installation.tables, installation.progress))
        return list(results)


def golden(installation: Installation) -> list[StepResult]:
    """The golden tables, staged."""
    from goldenlake.steps.golden import Golden

    step = Golden(
        sources=list(installation.catalogue.sources.values()),
        declared=installation.catalogue.tables,
        rules=installation.catalogue.identity,
        groups=list(installation.catalogue.groups.values()),
        as_of=installation.as_of,
        run_id=installation.run_id,
    )
    with installation.timed("golden") as results, installation.claimed(BUILD):
        results.append(step.run(installation.tables, installation.progress))
        return list(results)


def publish(installation: Installation, *, accept_blast_radius: bool = False) -> list[StepResult]:
    """Audit the staged tables and publish them."""
    from goldenlake.steps.publish import Publish

    catalogue = installation.catalogue
    step = Publish(
        declared=catalogue.tables,
        blast_radius=catalogue.environment.blast_radius,
        sources=list(catalogue.sources.values()),
        consent=catalogue.consent,
        as_of=installation.as_of,
        run_id=installation.run_id,
        docs=installation.reports / "data_docs",
        accept_blast_radius=accept_blast_radius,
    )
    with installation.timed("publish") as results, installation.claimed(BUILD):
        results.append(step.run(installation.tables, installation.clock, installation.progress))
        return list(results)


def segments(installation: Installation) -> list[StepResult]:
    """Members of every segment."""
    from goldenlake.steps.segments import BuildSegments

    step = BuildSegments(
        segments=list(installation.catalogue.segments.values()),
        as_of=installation.as_of,
        run_id=installation.run_id,
    )
    with installation.timed("segments") as results:
        results.append(step.run(installation.tables, installation.progress))
        return list(results)


def activate(installation: Installation, destinations: Sequence[str]) -> list[StepResult]:
    """Exports; one that is held or fails does not stop the others."""
    from goldenlake.destinations import open_destination
    from goldenlake.steps.activate import Activate

    tables = installation.tables

    def export(name: str) -> list[StepResult]:
        try:
            with (
                installation.timed("activate", name) as found,
                installation.claimed(f"export-{name}"),
            ):
                planner = planner_of(installation, name)
                step = Activate(planner=planner, run_id=installation.run_id)
                kind = open_destination(planner.destination, installation)
                found.append(step.run(tables, kind, installation.progress))
                return list(found)
        except Exception as error:  # noqa: BLE001 - one destination must not stop the others
            return [failure("activate", name, error)]

    with ThreadPoolExecutor(installation.catalogue.environment.night.parallel_destinations) as pool:
        return [result for results in pool.map(export, destinations) for result in results]


def planner_of(installation: Installation, destination: str) -> PlanExport:
    """The plan of a declared destination, of the installation's day and of this instant."""
    from goldenlake.steps.plan import PlanExport

    return PlanExport.of(
        installation.catalogue,
        destination,
        as_of=installation.as_of,
        now=installation.clock.now(),
    )


def report(installation: Installation) -> list[StepResult]:
    """The night's page."""
    from goldenlake.steps.report import WriteReport

    step = WriteReport(
        catalogue=installation.catalogue,
        as_of=installation.as_of,
        run_id=installation.run_id,
        folder=installation.reports,
        trained=_model(installation),
    )
    with installation.timed("report") as results:
        results.append(step.run(installation.tables, installation.clock))
        return list(results)


def _model(installation: Installation) -> TrainedModel | None:
    """For the page, which resolve has told already where the model is unfit."""
    try:
        return installation.model
    except ModelUnfit:
        return None


def maintain(installation: Installation) -> list[StepResult]:
    """Upkeep of all tables; not part of the night."""
    from goldenlake.steps.expire import Expire
    from goldenlake.steps.generations import refuse_a_leap
    from goldenlake.steps.maintain import Maintain

    expire = Expire(
        sources=list(installation.catalogue.sources.values()),
        retention=installation.catalogue.environment.retention,
        as_of=installation.as_of,
        run_id=installation.run_id,
    )
    step = Maintain(
        sources=list(installation.catalogue.sources),
        retention=installation.catalogue.environment.retention,
        as_of=installation.as_of,
        run_id=installation.run_id,
    )
    with installation.claimed(BUILD):
        tables, progress = installation.tables, installation.progress
        with installation.timed("expire") as expired:
            refuse_a_leap(tables, installation.as_of)
            expired.append(expire.run(tables, installation.landing, progress))
        with installation.timed("maintain") as results:
            results.append(step.run(tables, tables, installation.clock, progress))
    return [*expired, *results]


def rollback(installation: Installation, to: int) -> list[StepResult]:
    """An earlier generation, published again; not part of the night."""
    from goldenlake.steps.generations import roll_back
    from goldenlake.steps.reading import generation_of, write_pointer

    tables = installation.tables
    with installation.timed("rollback") as results, installation.claimed(BUILD):
        generation = roll_back(
            tables,
            generation_of(tables, to),
            run_id=installation.run_id,
            published_at=installation.clock.now(),
        )
        write_pointer(tables, generation)
        counts = {"generation": generation.generation, "returns_to": to}
        results.append(StepResult(step="rollback", counts=counts))
        return list(results)


def runs_of(stage: Stage, installation: Installation) -> Callable[[], list[StepResult]]:
    """What carries out a stage for all its sources or destinations."""
    whole: dict[str, Callable[[], list[StepResult]]] = {
        "collect": partial(collect, installation, installation.chosen_sources(None)),
        "resolve": partial(resolve, installation),
        "golden": partial(golden, installation),
        "publish": partial(publish, installation),
        "segments": partial(segments, installation),
        "activate": partial(activate, installation, installation.chosen_destinations(None)),
        "report": partial(report, installation),
    }
    return whole[stage.name]


def carried_out(stage: Stage, installation: Installation) -> list[StepResult]:
    """Carry out a stage for all its sources or destinations. Where another generation has overtaken
    what the stages before it built, such as a rollback, they are carried out once more.
    """
    try:
        return runs_of(stage, installation)()
    except GenerationMoved as error:
        installation.say(f"[yellow]{stage.name}: {escape(described(error))}[/yellow]")
    names = [each.name for each in NIGHT]
    for again in NIGHT[names.index("resolve") : names.index(stage.name)]:
        runs_of(again, installation)()
    return runs_of(stage, installation)()


def night(installation: Installation, *, until: str = "") -> ExitCode:
    """Run the whole graph in this process; gives the worst of the codes that its stages gave.

    A stage is left out when one that it comes after failed or was left out, unless it goes on
    regardless. With ``until``, stages after that one are not run either. What was done is noted in
    ``ops.runs``, also where it is interrupted. Raises LakeBusy while another process runs a night
    of this lake.
    """
    with installation.claimed(NIGHT_WORK), installation.kept_runs():
        return _night(installation, until)


def _night(installation: Installation, until: str) -> ExitCode:
    worst = ExitCode.OK
    failed: set[str] = set()
    for stage in NIGHT:
        if failed.intersection(stage.after) and not stage.goes_on:
            failed.add(stage.name)
            installation.say(f"[dim]{stage.name} is left out[/dim]")
        else:
            code = _code_of_stage(stage, installation)
            if code not in (ExitCode.OK, ExitCode.DEGRADED):
                failed.add(stage.name)
            worst = worse(worst, code)
        if stage.name == until:
            break
    return worst


def _code_of_stage(stage: Stage, installation: Installation) -> ExitCode:
    try:
        if stage.name == "report":
            installation.write_runs()
        if stage.name == "activate":
            # An export may take hours, and be killed. Where this fails, the report tells.
            with suppress(Exception):
                installation.write_runs()
        return code_of(carried_out(stage, installation))
    except Exception as error:  # noqa: BLE001 - the report must be written whatever happens
        installation.say(f"[red]{stage.name}: {escape(described(error))}[/red]")
        return error.exit_code if isinstance(error, GoldenlakeError) else ExitCode.FAILED


#: From best to worst.
_SEVERITY = (
    ExitCode.OK,
    ExitCode.DEGRADED,
    ExitCode.HELD,
    ExitCode.TRANSIENT,
    ExitCode.DECLARATION,
    ExitCode.FAILED,
)


def worse(left: ExitCode, right: ExitCode) -> ExitCode:
    """The one that needs more attention."""
    return max(left, right, key=_SEVERITY.index)


def code_of(results: Sequence[StepResult]) -> ExitCode:
    """The code that the results of a stage add up to."""
    by_status = {
        "done": ExitCode.OK,
        "skipped": ExitCode.OK,
        "degraded": ExitCode.DEGRADED,
        "held": ExitCode.HELD,
        "failed": ExitCode.DEGRADED,
    }
    code = ExitCode.OK
    for result in results:
        found = ExitCode(int(str(result.details.get("exit_code", by_status[result.status]))))
        code = worse(code, found)
    return code
