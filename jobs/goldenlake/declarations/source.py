"""``conf/sources/<source>.yml``: the contract of a source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Discriminator, Field, StrictBool, Tag, field_validator, model_validator

from goldenlake.declarations.base import (
    ColumnName,
    Declaration,
    Duration,
    Expression,
    FileDate,
    PathInside,
    Slug,
    TimeFormat,
)
from goldenlake.declarations.countries import NO_COUNTRY, Region
from goldenlake.declarations.expressions import columns_of
from goldenlake.declarations.formats import Format
from goldenlake.declarations.pulls import ApiOrigin, DepartureOrigin
from goldenlake.declarations.rules import RowRule

PersonalClass = Literal["none", "pseudonym", "contact", "sensitive"]
"""none; pseudonym (names nobody by itself: a cookie, a customer number); contact (reaches or
names a person); sensitive (must not leave silver)."""

Normalisation = Literal[
    "email", "phone", "person_name", "full_name", "postcode", "country", "text", "sha256", "code"
]


class Origin(Declaration):
    """Where a source's files appear."""

    place: Slug = Field(description="One of the places in conf/env.")
    files: PathInside = Field(description="Glob under the place; ** crosses folders.")
    file_date: FileDate | None = Field(
        default=None,
        description="Regular expression with groups year, month and day, found anywhere in the "
        "file's path; and, where corrected files of a day come under names of their own, version.",
    )


def _origin_form(value: Any) -> str:
    if isinstance(value, dict):
        known = {"connection": "api", "destination": "departures"}
        return next((form for name, form in known.items() if name in value), "files")
    if isinstance(value, ApiOrigin):
        return "api"
    return "departures" if isinstance(value, DepartureOrigin) else "files"


SourceOrigin = Annotated[
    Annotated[Origin, Tag("files")]
    | Annotated[ApiOrigin, Tag("api")]
    | Annotated[DepartureOrigin, Tag("departures")],
    Discriminator(_origin_form),
]
"""Files in a place, an account that is asked, or a destination that members left."""


class SourceColumn(Declaration):
    """A column of a source, from its name in the file to its type in silver."""

    name: ColumnName
    source: str | None = Field(
        default=None, alias="from", description="Its name in the file; defaults to name."
    )
    type: Literal["string", "integer", "double", "decimal", "date", "timestamp", "boolean"] = (
        "string"
    )
    formats: list[TimeFormat] = Field(
        default=[],
        description="Date or time patterns of Spark, tried in turn; iso for ISO 8601, epoch for "
        "seconds since 1970. Left out: iso.",
    )
    required: StrictBool = Field(default=False, description="A row without it is quarantined.")
    optional_in_file: StrictBool = Field(
        default=False, description="A file without this column is still accepted."
    )
    normalise: Normalisation | None = None
    null_values: list[str] = Field(
        default=["", "NULL", "null", "N/A", "n/a", "-"], description="Texts that mean no value."
    )
    derive: Expression | None = Field(
        default=None, description="Computed from other columns instead of read."
    )
    personal: PersonalClass = "none"
    doc: str = ""


class EventMapping(Declaration):
    """How rows of a source become ``gold.interactions``. Values are column names or constants."""

    at: ColumnName
    kind: ColumnName | None = Field(default=None, description="Column that says what happened.")
    kinds: dict[str, str] = Field(
        default={}, description="From the source's words to ours; others pass as they are."
    )
    constant_kind: str | None = None
    channel: Literal["web", "app", "email", "sms", "phone", "store", "crm", "erp", "audience"]
    item: ColumnName | None = None
    value: ColumnName | None = None
    session: ColumnName | None = None
    properties: list[ColumnName] = Field(default=[])
    only: Expression | None = Field(default=None, description="Rows for which this is true.")


PurchaseChannel = Literal["web", "app", "phone", "store", "erp"]


class PurchaseMapping(Declaration):
    """How rows of a source become lines of ``gold.purchases``."""

    at: ColumnName
    order: ColumnName
    line: ColumnName | None = None
    item: ColumnName
    description: ColumnName | None = None
    quantity: ColumnName
    unit_price: ColumnName
    currency: ColumnName | None = None
    constant_currency: str | None = None
    channel: PurchaseChannel
    channel_from: ColumnName | None = Field(
        default=None, description="Column that says the channel; where it names none, channel."
    )
    is_cancellation: ColumnName | None = None
    only: Expression | None = None


STATUSES = ("granted", "withdrawn", "suppressed")
"""What can be stated of consent, the least restrictive first."""


class ConsentMapping(Declaration):
    """How rows of a source become statements in ``gold.consents``."""

    at: ColumnName
    purpose: ColumnName | None = None
    constant_purpose: Slug | None = None
    channel: ColumnName | None = None
    constant_channel: str | None = None
    status: ColumnName | None = None
    statuses: dict[str, Literal["granted", "withdrawn", "suppressed"]] = Field(
        default={},
        description="From the source's words to ours, whatever their case and the blanks around "
        "them; other rows state nothing.",
    )
    jurisdiction: ColumnName | None = None
    expires_at: ColumnName | None = None
    only: Expression | None = None

    def may_be_about(self, purpose: str, channel: str) -> bool:
        """Whether a statement can be about sending for a purpose by a channel. Beside a column the
        constant stands for what the column leaves out.
        """
        only_purpose = None if self.purpose else self.constant_purpose
        only_channel = None if self.channel else self.constant_channel
        return only_purpose in (None, "any", purpose) and only_channel in (None, "any", channel)


class Snapshot(Declaration):
    """What a full snapshot means for records that are no longer in it."""

    missing: Literal["delete", "keep"] = Field(
        default="delete",
        description="delete: a record that the newest snapshot lacks is gone, until it comes back; "
        "one whose row is quarantined there is not. keep: it lives on.",
    )
    least_share: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="A snapshot with less than this share of the records before is refused.",
    )


class Sessions(Declaration):
    """Visits: events of one visitor with no gap longer than this."""

    by: list[ColumnName]
    at: ColumnName
    gap: Duration = "30min"


class Bots(Declaration):
    """How automated traffic is recognised; its rows are kept, flagged and named nobody."""

    user_agent: ColumnName


class Source(Declaration):
    """The contract of a source."""

    source: Slug
    description: str
    system: Slug = Field(description="The system that drops it: crm, web, shops, esp, erp …")
    owner: str = Field(description="Who answers for it.")
    origin: SourceOrigin
    format: Format
    load: Literal["snapshot", "increment", "append"] = Field(
        description="snapshot: every file is the whole truth; increment: newer rows replace older "
        "ones by key; append: every row is an event of its own."
    )
    snapshot: Snapshot = Snapshot()
    keep: Duration | None = Field(
        default=None,
        description="For append sources without consents: how long records are kept after they "
        "landed. Left out: as long as retention.classes in conf/env says, else for good.",
    )
    cadence: Duration = Field(default="1d", description="How often a file is expected.")
    columns: list[SourceColumn]
    key: list[ColumnName] = Field(
        default=[], description="The source's own key; append sources may have none."
    )
    order_by: list[ColumnName] = Field(
        default=[], description="Which of two rows with one key is newer, by these columns."
    )
    purpose: list[Slug] = Field(
        default=[],
        description="Purposes in conf/consent.yml that the data was collected for; needed as soon "
        "as a column is personal.",
    )
    region: Region = Field(
        default=NO_COUNTRY,
        description="Country in which phone numbers without a country code are dialled, ISO 3166; "
        "ZZ reads none of them.",
    )
    region_from: ColumnName | None = Field(
        default=None,
        description="Column with a row's country, ISO 3166: its phone numbers are read as that "
        "country dials them. Rows without one are read with region.",
    )
    timezone: str = Field(default="UTC", description="Of times that carry no offset.")
    identifiers: dict[Slug, ColumnName] = Field(
        default={}, description="From identifiers in conf/identity to columns."
    )
    attributes: dict[Slug, ColumnName] = Field(
        default={}, description="From attributes of gold.customers to columns."
    )
    people: Expression | None = Field(
        default=None, description="Only rows for which this is true can name a person."
    )
    interactions: EventMapping | None = None
    purchases: PurchaseMapping | None = None
    consents: list[ConsentMapping] = Field(default=[])
    sessions: Sessions | None = None
    bots: Bots | None = None
    rules: list[RowRule] = Field(default=[])
    most_quarantined: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="With a larger share of its records quarantined, the source is degraded; the "
        "others go on. Left out: 0.2, or 0.05 where the source states consents.",
    )

    @property
    def is_profile(self) -> bool:
        """Whether each key is one record of a person; otherwise rows are events."""
        return bool(self.attributes) and self.load != "append"

    @property
    def loses_records(self) -> bool:
        """Whether a record is gone that the newest file lacks."""
        return self.load == "snapshot" and self.snapshot.missing == "delete"

    @property
    def rows_tell_their_order(self) -> bool:
        """Whether each row says itself how new it is; otherwise the day of its file does."""
        return bool(self.order_by) and all(self.column(name).required for name in self.order_by)

    @property
    def is_ordered_by_files(self) -> bool:
        """Whether rows tell of changes alone, and which is newer only by the file they are in."""
        return self.load == "increment" and not self.rows_tell_their_order

    @property
    def quarantine_limit(self) -> float:
        """``most_quarantined``; less by default where what is set aside may be a withdrawal."""
        if self.most_quarantined is not None:
            return self.most_quarantined
        return 0.05 if self.consents else 0.2

    @property
    def consent_words(self) -> dict[str, list[str]]:
        """Columns whose words state consent, with those words that the contract spells out."""
        words: dict[str, list[str]] = {}
        for mapping in self.consents:
            stated = (mapping.status, mapping.purpose, mapping.channel)
            words |= {name: words.get(name, []) for name in stated if name}
            if mapping.status:
                words[mapping.status] += mapping.statuses or STATUSES
        for rule in self.rules:
            if rule.rule == "in_set" and rule.column in words:
                words[rule.column] += map(str, rule.values)
        return {name: list(dict.fromkeys(of)) for name, of in words.items()}

    @property
    def column_names(self) -> list[str]:
        """Silver's own columns, in order."""
        return [column.name for column in self.columns]

    def column(self, name: str) -> SourceColumn:
        """The column of that name. Raises KeyError."""
        return next(column for column in self.columns if column.name == name)

    @field_validator("timezone")
    @classmethod
    def _is_a_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"is {name!r}, no time zone; write it like Europe/Berlin") from error
        return name

    @model_validator(mode="after")
    def _reads_what_it_pulls(self) -> Self:
        if not isinstance(self.origin, Origin) and self.format.kind != "jsonl":
            raise ValueError("what is pulled is JSON lines: write format: {kind: jsonl}")
        return self

    @model_validator(mode="after")
    def _keeps_what_must_not_be_forgotten(self) -> Self:
        if self.keep is not None and self.load != "append":
            raise ValueError("keep is for events (load: append); a profile goes with its source's")
        if self.keep is not None and self.consents:
            raise ValueError("keep would forget withdrawals: statements of consent are kept")
        return self

    @model_validator(mode="after")
    def _refers_to_its_own_columns(self) -> Self:
        if self.load != "append" and not self.key:
            raise ValueError(f"a source loaded as {self.load} needs a key")
        known = set(self.column_names) | {"is_bot", "session_id"}
        doubled = {name for name in self.column_names if self.column_names.count(name) > 1}
        if doubled:
            raise ValueError(f"columns declared twice: {', '.join(sorted(doubled))}")
        findings = [(where, name) for where, name in self._references() if name not in known]
        if findings:
            raise UnknownColumn(findings, sorted(known))
        return self

    def _references(self) -> list[tuple[tuple[str | int, ...], str]]:
        found: list[tuple[tuple[str | int, ...], str]] = []
        found += [(("key", at), name) for at, name in enumerate(self.key)]
        found += [(("order_by", at), name) for at, name in enumerate(self.order_by)]
        found += [(("identifiers", of), name) for of, name in self.identifiers.items()]
        found += [(("attributes", of), name) for of, name in self.attributes.items()]
        found += [(("people",), name) for name in _columns(self.people)]
        if self.region_from:
            found.append((("region_from",), self.region_from))
        for at, column in enumerate(self.columns):
            found += [(("columns", at, "derive"), name) for name in _columns(column.derive)]
        mappings: list[tuple[tuple[str | int, ...], _Mapping]] = []
        if self.interactions:
            mappings.append((("interactions",), self.interactions))
            found += [
                (("interactions", "properties", at), name)
                for at, name in enumerate(self.interactions.properties)
            ]
        if self.purchases:
            mappings.append((("purchases",), self.purchases))
        mappings += [(("consents", at), consent) for at, consent in enumerate(self.consents)]
        for where, mapping in mappings:
            found += [((*where, "only"), name) for name in _columns(mapping.only)]
            found += [
                ((*where, field), value)
                for field in type(mapping).model_fields
                if _names_a_column(mapping, field)
                and isinstance(value := getattr(mapping, field), str)
            ]
        if self.sessions:
            found += [(("sessions", "by", at), name) for at, name in enumerate(self.sessions.by)]
            found += [(("sessions", "at"), self.sessions.at)]
        if self.bots:
            found += [(("bots", "user_agent"), self.bots.user_agent)]
        for at, rule in enumerate(self.rules):
            if rule.rule == "holds":
                found += [(("rules", at, "expression"), name) for name in _columns(rule.expression)]
            else:
                found += [(("rules", at, "column"), rule.column)]
        return found


_Mapping = EventMapping | PurchaseMapping | ConsentMapping


_COLUMN_FIELDS = {
    "at", "kind", "item", "value", "session", "order", "line", "description", "quantity",
    "unit_price", "currency", "is_cancellation", "channel_from", "purpose", "status",
    "jurisdiction", "expires_at",
}  # fmt: skip


def _names_a_column(mapping: Declaration, field: str) -> bool:
    """``channel`` is a constant of events and purchases, and a column of consents."""
    return field in _COLUMN_FIELDS or (field == "channel" and isinstance(mapping, ConsentMapping))


def _columns(expression: str | None) -> frozenset[str]:
    return columns_of(expression) if expression else frozenset()


class UnknownColumn(ValueError):
    """A source names columns that it does not declare; carries where, and what is known."""

    def __init__(
        self, findings: Sequence[tuple[tuple[str | int, ...], str]], known: list[str]
    ) -> None:
        self.findings, self.known = tuple(findings), known
        names = ", ".join(
            f"{'.'.join(map(str, where))} names column {name!r}" for where, name in self.findings
        )
        super().__init__(f"{names}, which is not declared")
