"""Forget people: a request that ends only when nothing of them is left, and says so.

The order makes a kill at any point harmless. The tombstones and the request are written first, so
nobody comes back meanwhile, nor under a record that the request does not know. Then rows go, the
night's build leaves the people out, the exports take them off, what outlives people by design goes,
old versions are purged, and all is searched. Each part does what is left to do. Only then is it
forgotten who the request was about.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import product
from pathlib import Path

from goldenlake.columns.traces import digests, pseudonym
from goldenlake.declarations.base import SecretReference
from goldenlake.declarations.destination import Destination
from goldenlake.declarations.erasure import erasure_of
from goldenlake.declarations.source import Source
from goldenlake.errors import ErasureUnfinished, GenerationMoved
from goldenlake.ports import FilePlace, Landing, Maintenance, Progress, Tables
from goldenlake.schemas import PUBLICATIONS, REQUESTS, table_shape
from goldenlake.steps.files import read_files
from goldenlake.steps.forget import Forget, Gone
from goldenlake.steps.generations import (
    lake_tables,
    latest_generation,
    of_sources,
    publications,
    repin,
    source_tables,
)
from goldenlake.steps.proof import Found, search
from goldenlake.steps.reading import write_pointer
from goldenlake.steps.residue import Residue
from goldenlake.steps.subjects import Subject
from goldenlake.steps.tombstones import bury, key_of_lake
from goldenlake.transforms.planning import SUPPRESS

TABLE = "privacy.requests"
_SILVER = "silver."
_SO_FAR = ("removed", "of_others", "runs", "scan")
OPEN, CLOSING, DONE = "open", "closing", "done"
"""Closing: all is gone but the words of the request, which stand in old versions of its table."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request to forget people, as long as it is not done. Personal."""

    request: str
    subject: Subject
    requested_at: datetime
    requested_by: str
    reason: str
    removed: Mapping[str, int] = field(default_factory=dict)
    """What has gone so far, by tables and areas."""
    of_others: Mapping[str, int] = field(default_factory=dict)
    """Records of others from which something went, by tables."""
    runs: tuple[str, ...] = ()
    """Those that worked on it."""
    scan: tuple[str, ...] = ()
    """Folders that are searched besides, absolute."""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What was done for a request, without anything by which the people could be found.

    Attributes:
        pseudonyms: of the people's identifiers and records under the installation's key: whoever
            has the key and asks about a value can tell whether it is among them.
        removed: rows, by table; files of the landing area.
        of_others: rows of others that lost what told of the people, by table.
        destinations: what each acknowledged, by state: ``absent`` records are there no longer.
        not_taken_back: of destinations that are only added to.
        searched: files and bytes that were read whole afterwards, by area.
        sent_by: files of others that brought the people; they are not ours to change.
    """

    request: str
    people: int
    requested_at: datetime
    requested_by: str
    reason: str
    done_at: datetime
    pseudonyms: tuple[str, ...]
    removed: Mapping[str, int]
    destinations: Mapping[str, Mapping[str, int]]
    of_others: Mapping[str, int] = field(default_factory=dict)
    not_taken_back: tuple[str, ...] = ()
    searched: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    sent_by: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As JSON."""
        return json.dumps(vars(self), indent=2, default=str) + "\n"


def open_requests(tables: Tables) -> list[Request]:
    """Those that are not done, oldest first."""
    rows = [row for row in tables.rows(TABLE, REQUESTS.ddl) if row["status"] == OPEN]
    return [
        Request(
            request=row["request"],
            subject=Subject.from_json(row["subject"]),
            requested_at=row["requested_at"],
            requested_by=row["requested_by"],
            reason=row["reason"],
            **json.loads(row["told"]),
        )
        for row in sorted(rows, key=lambda row: (row["requested_at"], row["request"]))
    ]


def certificates(tables: Tables) -> dict[str, str]:
    """Texts of the certificates of requests that only have to be closed, by request."""
    rows = tables.rows(TABLE, REQUESTS.ddl)
    return {row["request"]: row["told"] for row in rows if row["status"] == CLOSING}


def close(tables: Tables, maintenance: Maintenance, request: str) -> None:
    """Purge who the request was about; then it is done."""
    maintenance.purge([TABLE])
    rows = [row.asDict() for row in tables.rows(TABLE, REQUESTS.ddl) if row["request"] == request]
    done = [row | {"status": DONE} for row in rows]
    tables.merge(TABLE, tables.frame(done, REQUESTS.ddl), on=["request"])


def begin(
    tables: Tables,
    subject: Subject,
    sources: Iterable[Source],
    *,
    key: bytes,
    by: str,
    reason: str,
    at: datetime,
    scan: Sequence[Path] = (),
) -> Request:
    """Bury people, and note a request for good, before anything of it is done.

    To be called while no night runs, as soon as the subject is found: a record of theirs that came
    in between would be none of the request's.
    """
    request = Request(
        request=f"e_{at:%Y%m%d}_{uuid.uuid4().hex[:8]}",
        subject=subject,
        requested_at=at,
        requested_by=by,
        reason=reason,
        scan=tuple(map(str, scan)),
    )
    _bury(tables, request, sources, key, on=at.date())
    _note(tables, request)
    return request


def _bury(
    tables: Tables, request: Request, sources: Iterable[Source], key: bytes, *, on: date
) -> None:
    """What is theirs alone; and how partners tell of their addresses and numbers, where sources
    have those.
    """
    subject = request.subject
    digested = {
        name
        for source in sources
        for name, column in source.identifiers.items()
        if source.column(column).normalise == "sha256"
    }
    told = {digest for value in subject.contacts for digest in digests(value, "sha256")}
    named = [*subject.named, *product(digested, told)]
    bury(tables, key, request=request.request, named=named, on=on)


def _note(tables: Tables, request: Request, done: Certificate | None = None) -> None:
    """Write the request as it stands; with a certificate, without who it was about."""
    row = {
        "request": request.request,
        "status": CLOSING if done else OPEN,
        "people": request.subject.people,
        "requested_at": request.requested_at,
        "requested_by": request.requested_by,
        "reason": request.reason,
        "subject": None if done else request.subject.to_json(),
        "done_at": done.done_at if done else None,
        "told": done.text
        if done
        else json.dumps({name: getattr(request, name) for name in _SO_FAR}),
    }
    tables.merge(TABLE, tables.frame([row], REQUESTS.ddl), on=["request"])


@dataclass(frozen=True, kw_only=True)
class Erase:
    """What is done for one request before and after the build.

    Args:
        key: by which pseudonyms are made.
        areas: file areas to search in the end, by their names.
    """

    request: Request
    sources: Sequence[Source]
    destinations: Mapping[str, Destination]
    key: SecretReference | None
    areas: Mapping[str, FilePlace]
    as_of: date
    run_id: str

    @property
    def subject(self) -> Subject:
        """Who is to be forgotten."""
        return self.request.subject

    @property
    def _residue(self) -> Residue:
        return Residue(subject=self.subject, request=self.request.request)

    def forget(self, tables: Tables, landing: Landing, progress: Progress) -> Request:
        """Take them out of files, bronze, quarantine and silver; what destinations hold under their
        addresses becomes theirs. Gives the request with what has gone. Raises PrivacyKeyUnfit.
        """
        key = key_of_lake(tables, self.key)
        _bury(tables, self.request, self.sources, key, on=self.as_of)
        begun = replace(self.request, runs=(*self.request.runs, self.run_id))
        _note(tables, begun)
        step = Forget(sources=self.sources, subject=self.subject, run_id=self.run_id, key=key)
        gone = step.run(
            tables, landing, progress, note=lambda so_far: _note(tables, _with(begun, so_far))
        )
        self._residue.claim(tables)
        request = _with(begun, gone)
        _note(tables, request)
        return request

    def rewrite_silver(self, tables: Tables, maintenance: Maintenance) -> None:
        """Before the build pins it, write silver anew without the rows that are only marked as
        gone: what a generation was built from stays readable when older versions are purged.
        """
        for name in self._names(tables):
            if name.startswith(_SILVER) and table_shape(name).merged:
                maintenance.rewrite(name)

    def finish(
        self,
        tables: Tables,
        maintenance: Maintenance,
        progress: Progress,
        *,
        at: datetime,
    ) -> Certificate:
        """After the build and the exports: remove the residue, purge, search, and certify. What is
        left is to ``close`` the request.

        Raises ErasureUnfinished where a destination still has them, or a trace is found: the
        request then stays open.
        """
        told = self._residue.told(tables)
        self._wait_for(told)
        names = self._names(tables)
        gone = dict(self.request.removed) | self._residue.remove(tables, names)
        progress("residue removed")
        self._close_generations(tables, maintenance, names, at)
        maintenance.purge(names)
        progress(f"{len(names)} tables purged of old versions")
        found = self._search(progress)
        remains = [why for of in found.values() for why in of.remains(self.subject.traces)]
        remains += self._of_nobody(found)
        if remains:
            raise ErasureUnfinished(request=self.request.request, remains=remains[:20])
        certificate = self._certificate(tables, gone, told, found, at)
        _note(tables, self.request, certificate)
        return certificate

    def _names(self, tables: Tables) -> list[str]:
        every = lake_tables(tables, [each.source for each in self.sources])
        return [name for name in every if erasure_of(name).holds != "nobody"]

    def _wait_for(self, told: Mapping[str, Mapping[str, int]]) -> None:
        waiting = [
            f"{name} has not acknowledged that they are gone ({', '.join(sorted(states))})"
            for name, states in told.items()
            if set(states) - {"absent", "suppressed"} and not self._keeps(name)
        ]
        if waiting:
            raise ErasureUnfinished(request=self.request.request, remains=waiting)

    def _keeps(self, destination: str) -> bool:
        """Whether nobody is ever taken off it, or it is declared no more."""
        found = self.destinations.get(destination)
        return found is None or found.mode == SUPPRESS

    def _close_generations(
        self, tables: Tables, maintenance: Maintenance, names: Sequence[str], at: datetime
    ) -> None:
        """One further generation without the residue; those before can be read no longer.

        Until it is published readers see the one before, of which nothing has been purged yet.
        """
        for name in names:
            if table_shape(name).merged and not name.startswith(_SILVER):
                maintenance.rewrite(name)
        rows = publications(tables)
        if not rows:
            return
        last = rows[-1]
        moved = [
            f"{name} was written since the build: run no night meanwhile"
            for name, at in sorted(of_sources(last["inputs"] or {}).items())
            if name in names and tables.version(name) != at
        ]
        if moved:
            raise ErasureUnfinished(request=self.request.request, remains=moved)
        versions = {
            name: version
            for name in last["tables"]
            if name in names and (version := tables.version(name)) is not None
        }
        if not repin(tables, last, versions, run_id=self.run_id, published_at=at):
            number = last["generation"]
            raise GenerationMoved(step="erase", base=number, latest=number + 1)
        *before, newest = (row.asDict() for row in publications(tables))
        closed = [row | {"tables": {}, "inputs": {}} for row in before]
        tables.overwrite("ops.publications", tables.frame([*closed, newest], PUBLICATIONS.ddl))
        if (latest := latest_generation(tables)) is not None:
            write_pointer(tables, latest)

    def _search(self, progress: Progress) -> dict[str, Found]:
        traces = self.subject.traces
        own = f"{TABLE.replace('.', '/')}/"
        found = {}
        for name, place in self.areas.items():
            found[name] = search(place, traces, skip=own)
            progress(f"{name}: {found[name].files:,} files searched")
        return found

    def _of_nobody(self, found: Mapping[str, Found]) -> list[str]:
        """Folders of sources that are declared no more: what they say of whom cannot be read."""
        known = source_tables(each.source for each in self.sources)
        layers = {name.partition(".")[0] for name in source_tables([""])}
        strange = sorted(
            folder
            for folder in (found["lake"].folders if "lake" in found else ())
            if folder.partition("/")[0] in layers and folder.replace("/", ".") not in known
        )
        return [
            f"{folder} is of a source that is declared no more: declare it, or remove the folder"
            for folder in strange
        ]

    def _certificate(
        self,
        tables: Tables,
        removed: Mapping[str, int],
        told: Mapping[str, Mapping[str, int]],
        found: Mapping[str, Found],
        at: datetime,
    ) -> Certificate:
        key = key_of_lake(tables, self.key)
        withdrawn = [
            row
            for row in read_files(tables)
            if not row.landed_path and row.run_id in self.request.runs
        ]
        return Certificate(
            request=self.request.request,
            people=self.subject.people,
            requested_at=self.request.requested_at,
            requested_by=self.request.requested_by,
            reason=self.request.reason,
            done_at=at,
            pseudonyms=tuple(sorted({pseudonym(key, *each) for each in self.subject.named})),
            removed=dict(sorted(removed.items())),
            of_others=self.request.of_others,
            destinations=dict(sorted(told.items())),
            not_taken_back=tuple(
                sorted(n for n, states in told.items() if self._keeps(n) or "suppressed" in states)
            ),
            searched={
                name: {"files": each.files, "bytes": each.size} for name, each in found.items()
            },
            sent_by=tuple(sorted({f"{row.source}: {row.path}" for row in withdrawn})),
        )


def _with(request: Request, gone: Gone) -> Request:
    """The request when this has gone besides."""
    return replace(
        request,
        removed=_added(request.removed, gone.rows),
        of_others=_added(request.of_others, gone.of_others),
    )


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted((Counter(one) + Counter(other)).items()))
