"""What steps may ask of the outside world, each with the guarantee that a caller can rely on.

Adapters under ``io`` and ``destinations`` keep these promises; ``cli`` alone joins the two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol, runtime_checkable

from goldenlake.errors import ReplyLost

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

Scalar = str | int | date


Query = Callable[["DataFrame"], "DataFrame"]


class Tables(Protocol):
    """The lake's tables, by ``<layer>.<name>``."""

    @property
    def spark(self) -> SparkSession:
        """The session that reads and writes them."""

    def exists(self, table: str) -> bool:
        """Whether any version of the table has been committed."""

    def version(self, table: str) -> int | None:
        """The newest committed version, or None where the table does not exist."""

    def commit_id(self, table: str, version: int) -> str:
        """What tells the commit of a version from any other that bore its number: before the table
        was removed and made anew, or went back to a backup and grew again. Empty where the log does
        not reach back to it.
        """

    def read(self, table: str, *, version: int | None = None) -> DataFrame:
        """The table as of one version, the newest by default. Raises TableMissing."""

    def read_or_empty(self, table: str, ddl: str) -> DataFrame:
        """The newest version, or no rows of that shape where the table does not exist.

        Columns that the table does not have, since an earlier release wrote it, are null.
        """

    def rows(self, table: str, ddl: str, query: Query | None = None) -> Sequence[Row]:
        """All rows of a small table as it is now, or what a query over a table gives; none where
        it does not exist. Each version is asked once for each query, so be it a plain function.
        """

    def frame(self, rows: Iterable[Mapping[str, Any] | Sequence[Any]], ddl: str) -> DataFrame:
        """A few rows of this process, by name or in the order of ``ddl``, as a frame. Spark knows
        its size, and plans of no rows vanish. An instant without a zone is local, as Spark hands
        them out.
        """

    def changes(
        self, table: str, *, after: int | None, to: int, preimages: bool = False
    ) -> DataFrame:
        """Rows inserted, updated or deleted after one version up to another, at most once each
        commit, with ``_change_type`` and ``_commit_version``; with ``after`` None, all rows of
        version ``to`` as inserts. With ``preimages``, updated rows as they were before, too.
        """

    def append(self, table: str, rows: DataFrame) -> int:
        """Add rows in one commit; gives the new version. Not idempotent."""

    def append_next(self, table: str, rows: DataFrame, *, number: int) -> bool:
        """Add rows in one commit as number so-and-so of the table; False, and nothing is added,
        where that number or a higher one was taken, be it a moment ago by another process.
        """

    def overwrite(self, table: str, rows: DataFrame) -> int:
        """Make these rows the whole table in one commit."""

    def replace_slice(
        self, table: str, rows: DataFrame, *, where: Mapping[str, Scalar | Sequence[Scalar]]
    ) -> int:
        """Make these rows the whole of the slice, in one commit; doing it twice leaves one copy.

        ``where`` names columns and the value, or values, that every row of the slice has.
        """

    def delete_slice(self, table: str, *, where: Mapping[str, Scalar | Sequence[Scalar]]) -> int:
        """Remove the slice in one commit; without a job where ``where`` names whole partitions."""

    def merge(
        self,
        table: str,
        rows: DataFrame,
        *,
        on: Sequence[str],
        update_when: str | None = None,
        delete_when: str | None = None,
        insert: bool = True,
        update: bool = True,
    ) -> int:
        """Upsert rows by key in one commit; merging the same rows twice leaves one copy. What the
        rows lack of the table's columns is null in them, as it is where rows are appended.

        ``update_when`` and ``delete_when`` are SQL conditions over ``old.<column>`` and
        ``new.<column>``; a row for which ``delete_when`` holds is removed.
        """

    def restore(self, table: str, version: int | None) -> None:
        """Make an earlier version the newest again; None empties the table. A no-op when it is."""

    def location(self, table: str) -> str:
        """The table's URI, for messages and for readers that are not Spark."""


class Maintenance(Protocol):
    """Upkeep of tables; never changes what a published generation reads."""

    def optimize(self, table: str) -> Mapping[str, int]:
        """Compact small files; gives counts."""

    def vacuum(self, table: str, *, keep_hours: float) -> Mapping[str, int]:
        """Remove files that no version younger than this needs."""

    def rewrite(self, table: str) -> None:
        """Write anew what holds rows that are only marked as removed, in one commit."""

    def purge(self, tables: Sequence[str]) -> None:
        """Remove everything that the newest versions do not need: older ones cannot be read
        afterwards.
        """


@dataclass(frozen=True, kw_only=True, order=True)
class RemoteFile:
    """A file as a place lists it; ``path`` is relative to the place and uses ``/``.

    One that cannot be asked for by its path, the same in every place, says why in ``unfit``; its
    path is then one to tell.
    """

    path: str
    size_bytes: int
    modified_at: datetime
    etag: str | None = None
    unfit: str = ""


EVERYTHING = "/"
"""The glob of all files, those that begin with a dot and those in such folders included."""


class FilePlace(Protocol):
    """A folder, SFTP server or object store, to read from and to deliver to."""

    name: str

    def list(self, pattern: str) -> Iterator[RemoteFile]:
        """Files that match a glob (``**`` crosses folders), in order of their path.

        Raises PlaceUnreachable.
        """

    def open(self, path: str) -> BinaryIO:
        """The file's bytes as a stream. Raises FileNotFoundError; FileRefused where it alone is not
        to be had; PlaceUnreachable.
        """

    def write(self, path: str, content: Iterable[bytes]) -> RemoteFile:
        """Create or replace a file whole: a reader sees the old, the new, or none, never a part."""

    def stat(self, path: str) -> RemoteFile | None:
        """The file, or None."""

    def remove(self, path: str) -> None:
        """Remove the file; absent is fine."""

    def clear_unfinished(self, folder: str) -> None:
        """Remove what writings that were cut off left in a folder; whole files stay."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a system answered to a call that it took: a status below 300."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    content: bytes
    system: str = ""
    call: str = ""

    def json(self) -> Any:
        """The content as JSON; None where there is none.

        Raises ReplyLost for anything else, such as the page of a proxy, and when a key of an
        object is asked for that it lacks: it tells nothing of what became of the call.
        """
        try:
            return json.loads(self.content, object_hook=self._told) if self.content else None
        except (ValueError, RecursionError):
            raise self._lost("the reply is no JSON") from None

    def object(self) -> dict[str, Any]:
        """The content as one JSON object. Raises ReplyLost."""
        found = self.json()
        if not isinstance(found, dict):
            raise self._lost("the reply is no JSON object")
        return found

    def objects(self, count: int | None = None) -> list[Any]:
        """The content as a JSON list, of so many elements where given. Raises ReplyLost."""
        found = self.json()
        if not isinstance(found, list):
            raise self._lost("the reply is no JSON list")
        if count is not None and len(found) != count:
            raise self._lost(f"the reply has {len(found)} results for {count} records")
        return found

    def _told(self, found: dict[str, Any]) -> dict[str, Any]:
        return _Told(found, lambda key: self._lost(f"the reply has no {key}"))

    def _lost(self, what: str) -> ReplyLost:
        return ReplyLost(system=self.system, call=self.call, what=what)


class _Told(dict[str, Any]):
    """An object of a reply; what is asked of it and not there is a fault of the reply."""

    def __init__(self, found: dict[str, Any], lacks: Callable[[str], Exception]) -> None:
        super().__init__(found)
        self._lacks = lacks

    def __missing__(self, key: str) -> Any:
        raise self._lacks(key)


class Api(Protocol):
    """An account of a system with an HTTP API; waits for its rate limits and renews its tokens."""

    @property
    def name(self) -> str:
        """Of its connection."""

    def call(
        self,
        method: str,
        path: str,
        *,
        ids: Mapping[str, str] | None = None,
        params: Mapping[str, str | int | list[str]] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One call. Where ``ids`` are given, ``path`` is a template whose names they fill in,
        quoted: only the template stands in errors. An address is called only on a host that is
        declared; one that is not absolute is below that of the system.

        Raises Throttled, where it was not taken and is to be tried later; ReplyLost, where it may
        or may not have been done; CallRefused (NotAuthorised, HostRefused) where it was not, and
        SetupError where the server's certificate is refused.
        """


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a system publishes of its limits for one account."""

    rates: Sequence[tuple[int, float]] = ()
    """Calls, and the seconds in which so many are taken."""
    concurrency: int = 1
    throttles: Callable[[int, bytes], bool] = lambda _status, _content: False
    """Whether a reply, by status and content, asks to wait in words of the system's own."""


class Outside(Protocol):
    """The systems that ``conf/env`` declares."""

    def place(self, name: str) -> FilePlace:
        """A place by its name. Raises PlaceUnreachable where it does not answer."""

    def api(self, name: str) -> Api:
        """The account of a connection. All that ask for it share one, and its limits."""


class Landing(Protocol):
    """The landing area: ``landing/<source>/<first two of sha256>/<sha256>/<file name>``."""

    def put(
        self,
        source: str,
        name: str,
        content: BinaryIO,
        *,
        unless: Callable[[str], bool] | None = None,
    ) -> tuple[str, str, int]:
        """Store the content once; gives (sha256, URI in the landing area, bytes).

        The bytes are hashed while they are written and read back once; a crash leaves either the
        whole file or none. A content of whose sha256 ``unless`` is true is not kept, and its URI
        is empty.
        """

    def open(self, landed_path: str) -> BinaryIO:
        """The landed bytes as a stream."""

    def remove(self, landed_path: str) -> None:
        """Remove the file for good, because somebody in it is to be forgotten; absent is fine."""


class Clock(Protocol):
    """The only way to the time of day; steps take dates as arguments instead."""

    def now(self) -> datetime:
        """The time, with UTC as its zone."""


class Progress(Protocol):
    """Where long work says how far it is; free of personal data."""

    def __call__(self, message: str) -> None:
        """One line for a person."""


Outcome = Literal["acknowledged", "rejected", "retry", "pending", "unknown"]
"""acknowledged: applied; rejected: refused; retry: not applied, worth another try; pending: taken,
ask again with ``look_up``; unknown: the reply was lost, so it may or may not have been applied."""

FieldValue = str | int | float | bool | Decimal | date | datetime | None


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a destination kind can do; the activation machinery does the rest the same for all.

    Keeping to a rate limit is the kind's own work, since only it sees the calls and the replies;
    the figures about calls are for estimates.
    """

    modes: frozenset[str]
    batch_records: int
    batch_bytes: int
    """Of the fields as JSON: leave room for what the system's own envelope adds."""
    concurrency: int = 1
    """Batches that may be on their way at one time."""
    clears: bool = True
    """Whether a field can be cleared there."""
    can_look_up: bool = False
    """Whether the outcome of a batch can be asked for after its reply was lost."""
    is_read_when_finished: bool = False
    """Whether nobody reads what was sent before its delivery is finished."""
    removes_all_sent: bool = False
    """Whether a removal takes away all that was ever sent of a person: who goes on there under
    another key is sent anew after it.
    """
    calls_per_batch: float = 1.0
    calls_per_second: float | None = None
    first_poll_seconds: float = 1.0
    """How long to wait before asking about pending records; each time twice as long as before."""
    poll_seconds: float = 10.0
    """How long to wait at most."""
    longest_job_seconds: float = 3600.0
    """After so long a pending record counts as unknown."""


@dataclass(frozen=True, kw_only=True)
class OutboundRecord:
    """One change to make at a destination. ``key`` is unique within a delivery.

    A field that is absent must be left as it is there; one that is None must be cleared.
    """

    customer_id: str
    key: str
    operation: Literal["upsert", "remove"]
    fields: Mapping[str, FieldValue]
    """Empty for a removal."""
    desired_hash: str
    remote_id: str | None = None
    """What the system called this record when it last acknowledged it."""
    reason: str = ""
    """Of a removal: left, key_changed (the person goes on under another key), gone, or what the
    person is held back for.
    """


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One execution of one plan for one segment; its id is the same when it is resumed."""

    destination: str
    segment: str
    as_of: date
    delivery_id: str
    mode: str
    batches: int
    schema: Mapping[str, str]
    """The mapped fields in their order, with their Spark types."""
    clears: Sequence[str] = ()
    """Fields of which a missing value clears what the destination has."""


WhoStays = Callable[[Collection[str]], frozenset[str]]
"""Which of some keys are there by the ledger, and are not taken out by what is under way."""


def nobody(_: Collection[str]) -> frozenset[str]:
    """Where the ledger has no others."""
    return frozenset()


Found = dict[tuple[str, ...], list[Any]]
"""What a search has found so far, by the keys of each of its parts."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Records of one operation, sent together; ``number`` counts from 1, stable on a resume.

    Only a part of it is sent again when only that part was not settled. A batch without records
    is one whose people must no longer be sent: nothing of it may be left to be read.
    """

    number: int
    records: Sequence[OutboundRecord]
    job: str | None = None
    """What the system calls its work on this batch, where it was noted when it was sent."""
    is_resumed: bool = False
    """An earlier process may have sent it."""
    who_stays: WhoStays = field(default=nobody, compare=False, repr=False)
    """In the segment of the delivery; asked before a removal touches what bears another key than
    its own.
    """
    who_stays_anywhere: WhoStays = field(default=nobody, compare=False, repr=False)
    """In any segment of any destination in the same account, or on the way into one; asked before a
    removal touches what all of them share.
    """
    found: Found = field(default_factory=dict, compare=False, repr=False)
    """Kept while a wait is waited that was asked for in the middle of a search."""


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """What the destination answered for one record, matched by key and never by position."""

    key: str
    outcome: Outcome
    remote_id: str | None = None
    error: str | None = None
    is_permanent: bool = False
    """Of a refusal: the same record would be refused again, so it is not sent again."""
    is_doubtful: bool = False
    """Of a refusal, for good or for now: an earlier call may have been applied all the same."""


NoteJob = Callable[[str], None]
"""Keeps the name of a system's job for good before it returns, so that a later process asks about
the job instead of sending its batch again. A kind without jobs may keep in its place what nobody
could tell it after a call. It names nobody."""


class DestinationKind(Protocol):
    """One kind of destination system; ``tests/support/destinations.py`` is its contract."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; the same for its whole life."""

    def send(self, delivery: Delivery, batch: Batch, note: NoteJob) -> Sequence[Acknowledgement]:
        """Send one batch; records without an acknowledgement count as unknown. Sending the same
        batch, or a part of it, again has no further effect. Removing what is not there is
        acknowledged. A kind whose system works in jobs tells ``note`` their names as soon as it
        knows them. Raises TransientError when it may or may not have been applied, Throttled when
        it was not and the system asks to wait, CallRefused when all of it was refused: halves of
        it are tried then, until the record that it was refused for stands alone; with ``in_doubt``
        where an earlier call of it was made. No message holds personal values.
        """

    def look_up(self, delivery: Delivery, batch: Batch) -> Sequence[Acknowledgement] | None:
        """What became of records that were sent: asked for pending ones, and for all whose reply
        was lost; None where that cannot be known. Raises as ``send``.
        """

    def finish(self, delivery: Delivery) -> None:
        """Called once all batches are settled; repeating it has no further effect. Raises
        DeliveryIncomplete where something that was acknowledged is there no longer.
        """


@runtime_checkable
class RemembersSent(Protocol):
    """A kind whose ``remote_id`` is what was sent of a record, by which alone it is taken out."""

    def perhaps_sent(self, record: OutboundRecord) -> str | None:
        """The ``remote_id`` of a record that was sent and not answered."""


@runtime_checkable
class ListsMembers(Protocol):
    """A kind that tells who is in an audience, too."""

    def members(self, segment: str) -> Iterator[str]:
        """Keys of everybody in the segment's audience, ours or not; none where there is no such
        audience. Raises as ``send``.
        """


@runtime_checkable
class FindsMembers(Protocol):
    """A kind that tells which of some keys are in an audience, but not who else is."""

    def among(self, segment: str, keys: Sequence[str]) -> set[str]:
        """Those of the keys that are in the segment's audience. Raises as ``send``, and
        CannotBeAsked where the declaration does not say how to ask.
        """


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What a step did, as its one JSON summary line and its row in ``ops.runs`` say it."""

    step: str
    subject: str = ""
    status: Literal["done", "skipped", "degraded", "held", "failed"] = "done"
    counts: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, object] = field(default_factory=dict)
    error: str = ""
