"""Commands by which people's rights are met: to be forgotten, and to know what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from goldenlake.cli import stages
from goldenlake.cli.finishing import finish
from goldenlake.cli.installation import Installation, SystemClock, failure
from goldenlake.cli.looking import login
from goldenlake.cli.options import CONF, ENV, AsOfOrNewest, Conf, Env, Lake, RunId
from goldenlake.errors import ErasureUnfinished, ExitCode, PlaceUnreachable, SetupError
from goldenlake.night import NIGHT
from goldenlake.ports import FilePlace, StepResult

if TYPE_CHECKING:
    from goldenlake.steps.erase import Erase, Request
    from goldenlake.steps.subjects import Subject

PANEL = "Privacy"
privacy = typer.Typer()

WHOM_HELP = "A customer id, a record id such as crm:42, or an identifier: email=ann@example.com."


@privacy.command(rich_help_panel=PANEL)
def erase(
    whom: Annotated[list[str] | None, typer.Argument(help=WHOM_HELP)] = None,
    listed: Annotated[
        Path | None,
        typer.Option("--from", help="File with one of these a line: no shell keeps them then."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Such as the request's number.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who asks; the login by default.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with every request that is not done.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is known of them; change nothing.")
    ] = False,
    scan: Annotated[
        list[Path] | None,
        typer.Option(
            "--scan",
            exists=True,
            file_okay=False,
            resolve_path=True,
            help="A folder to be searched, too, until the request is done; may be repeated.",
        ),
    ] = None,
    as_of: AsOfOrNewest = None,
    run_id: RunId = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Forget people everywhere, prove it, and write a certificate; they cannot come back.

    Builds a generation without them, exports it, and purges what older versions hold: readers of
    older generations lose them. Run it while no night runs.
    """
    asked = [*(whom or []), *_lines(listed)]
    if resume == bool(asked):
        raise SetupError(
            "Name who is to be forgotten, or go on with --resume.",
            mend="See `goldenlake erase -h`.",
        )
    if resume and dry_run:
        raise SetupError(
            "--resume cannot be tried.", mend="`--dry-run` tells of people who are named anew."
        )
    if asked and not (reason or dry_run):
        raise SetupError("--reason is missing.", mend="Say why, for the certificate.")
    installation = Installation.load_newest(conf, env, lake, as_of=as_of, run_id=run_id)
    with installation.hinting():
        from goldenlake.steps.erase import certificates, open_requests

        tables = installation.tables
        if dry_run:
            subject = subject_of(installation, asked)
            _say(installation, subject)
            _say_of_others(installation, subject)
            return
        if asked:
            with installation.claimed(stages.NIGHT_WORK):
                subject = subject_of(installation, asked)
                _say(installation, subject)
                ask(installation, subject, by=by or login(), reason=reason or "", scan=scan or [])
        for request, text in certificates(tables).items():
            with installation.claimed(stages.NIGHT_WORK):
                _close(installation, request, text)
        waiting = open_requests(tables)
    if not waiting:
        installation.progress("no request is open")
        return
    finish(installation, lambda: all_carried_out(installation, waiting, scan or []))


@privacy.command(rich_help_panel=PANEL)
def access(
    who: Annotated[str, typer.Argument(help=WHOM_HELP)],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the files; var/access beside conf by default."),
    ] = None,
    conf: Conf = CONF,
    env: Env = ENV,
    lake: Lake = None,
) -> None:
    """Write all that is known about one person: access.json and access.html.

    With the sources of it and what it may be used for. Records of others that merely tell of the
    person are left out. Only the owner of the files can read them.
    """
    from goldenlake.reporting.access import access_json, access_page
    from goldenlake.reporting.private import write_private
    from goldenlake.steps.access import Access

    installation = Installation.load(conf, env, lake, as_of=SystemClock().now().date())
    folder = out or installation.catalogue.root / "var" / "access"
    with installation.hinting():
        subject = subject_of(installation, [who])
        _say(installation, subject)
        step = Access(
            subject=subject,
            sources=list(installation.catalogue.sources.values()),
            consent=installation.catalogue.consent,
        )
        known = step.run(installation.tables)
    write_private(folder / "access.json", access_json(known).encode())
    write_private(folder / "access.html", access_page(known).encode())
    installation.progress(f"written to {folder}; the files hold personal values")


def ask(
    installation: Installation,
    subject: Subject,
    *,
    by: str,
    reason: str,
    scan: Sequence[Path] = (),
) -> Request:
    """Note that people ask to be forgotten. Raises PrivacyKeyUnfit."""
    from goldenlake.steps.erase import begin
    from goldenlake.steps.tombstones import key_of_lake

    tables, catalogue = installation.tables, installation.catalogue
    return begin(
        tables,
        subject,
        catalogue.sources.values(),
        key=key_of_lake(tables, catalogue.environment.privacy.key),
        by=by,
        reason=reason,
        at=installation.clock.now(),
        scan=scan,
    )


def subject_of(installation: Installation, whom: Sequence[str]) -> Subject:
    """Who is meant. Raises CustomerUnknown, PersonAmbiguous, SetupError."""
    from goldenlake.steps.subjects import FindSubject

    catalogue = installation.catalogue
    regions = sorted({str(each.region) for each in catalogue.sources.values() if each.region})
    sources = list(catalogue.sources.values())
    step = FindSubject(rules=catalogue.identity, sources=sources, regions=regions)
    return step.run(installation.tables, whom)


def _say(installation: Installation, subject: Subject) -> None:
    installation.progress(
        f"{subject.people} people: {len(subject.record_ids)} records, "
        f"{len(subject.customer_ids)} customer ids, "
        f"{len(subject.identifiers)} identifiers that nobody else has"
    )
    if subject.passed_on:
        others = ", ".join(subject.passed_on[:5])
        installation.progress(
            f"{len(subject.passed_on)} other customers have what their records once had, and are "
            f"left as they are; name them as well if they are the same: {others}"
        )


def _say_of_others(installation: Installation, subject: Subject) -> None:
    from goldenlake.steps.telling import rows_of_others

    sources = installation.catalogue.sources.values()
    count = rows_of_others(installation.tables, sources, subject)
    installation.progress(f"{count:,} rows of others tell of them; they stay, without what does")


def _lines(listed: Path | None) -> list[str]:
    if listed is None:
        return []
    try:
        lines = listed.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SetupError(f"{listed} cannot be read.", mend="Look at --from.") from error
    return [line.strip() for line in lines if line.strip()]


def all_carried_out(
    installation: Installation, requests: Sequence[Request], scan: Sequence[Path]
) -> list[StepResult]:
    """One that cannot end yet, or search all, does not stop the others; it stays open."""
    results = []
    for each in requests:
        try:
            results.append(carry_out(installation, each, scan))
        except (ErasureUnfinished, PlaceUnreachable) as error:
            results.append(failure("erase", each.request, error))
    return results


def carry_out(
    installation: Installation, request: Request, scan: Sequence[Path] = ()
) -> StepResult:
    """Do all that is left to do of a request. Raises ErasureUnfinished, LakeBusy; PlaceUnreachable
    where a folder of ``scan``, or of an earlier one, is gone.
    """
    from goldenlake.steps.erase import Erase

    environment = installation.catalogue.environment
    request = replace(request, scan=tuple(sorted({*request.scan, *map(str, scan)})))
    step = Erase(
        request=request,
        sources=list(installation.catalogue.sources.values()),
        destinations=installation.catalogue.destinations,
        key=environment.privacy.key,
        areas=searched(installation, request.scan),
        as_of=installation.as_of,
        run_id=installation.run_id,
    )
    with (
        installation.timed("erase", request.request) as results,
        installation.claimed(stages.NIGHT_WORK),
    ):
        tables = installation.tables
        step = replace(
            step, request=step.forget(tables, installation.landing, installation.progress)
        )
        count = sum(step.request.of_others.values())
        installation.progress(f"{count:,} rows of others, in all tables, lost what told of them")
        _remove_pages(installation, step.subject)
        _build(installation, step)
        with installation.claimed(stages.BUILD):
            certificate = step.finish(
                tables, tables, installation.progress, at=installation.clock.now()
            )
        _close(installation, request.request, certificate.text)
        results.append(
            StepResult(step="erase", subject=request.request, counts=certificate.removed)
        )
    return results[-1]


def _build(installation: Installation, step: Erase) -> None:
    """The night but for its page: what waited to be read, a generation without the people, and its
    exports. Sources that are left out stop nothing, as on any night.
    """
    for stage in NIGHT:
        if stage.name == "report":
            return
        if stage.name == "resolve":
            step.rewrite_silver(installation.tables, installation.tables)
        results = stages.carried_out(stage, installation)
        code = stages.code_of(results)
        if code != ExitCode.OK and stage.name != "collect":
            told = next((each.error for each in results if each.error), code.meaning)
            raise ErasureUnfinished(request=step.request.request, remains=[f"{stage.name}: {told}"])


def searched(installation: Installation, scan: Sequence[str]) -> dict[str, FilePlace]:
    """The areas that are searched in the end, by their names; ``scan`` are further folders."""
    from goldenlake.io.places.areas import area, is_within

    environment = installation.catalogue.environment
    found = {"lake": area("lake", environment.lake)}
    landing = environment.landing or f"{environment.lake}/landing"
    if not is_within(landing, environment.lake):
        found["landing"] = area("landing", landing)
    # Decisions of stewards name records, and a model the values that many people share.
    own = [installation.catalogue.conf, installation.reports, *_pages(installation)]
    folders = [str(folder) for folder in own if folder.is_dir()]
    return found | {folder: area(folder, folder) for folder in (*folders, *scan)}


def _remove_pages(installation: Installation, subject: Subject) -> None:
    """Pages for stewards, and for people, show people; those that tell of them go whole."""
    from goldenlake.io.places.folder import Folder
    from goldenlake.steps.proof import search

    for folder in _pages(installation):
        if folder.is_dir():
            place = Folder(folder.name, folder)
            for path in search(place, subject.traces).told:
                place.remove(path)


def _pages(installation: Installation) -> list[Path]:
    return [installation.catalogue.root / "var" / name for name in ("review", "access")]


def _close(installation: Installation, request: str, text: str) -> None:
    """Write the certificate, and forget whom the request was about."""
    from goldenlake.reporting.private import write_private
    from goldenlake.steps.erase import close

    path = installation.reports / "erasures" / f"{request}.json"
    write_private(path, text.encode())
    close(installation.tables, installation.tables, request)
    Console().print(f"Done: {path} says what was done, without a word about whom.", soft_wrap=True)
