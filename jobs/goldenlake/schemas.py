"""Shapes of the tables that goldenlake itself owns, as Spark DDL; no Spark needed to read them.

Tables whose shape follows from a declaration (``bronze.<source>``, ``silver.<source>``,
``gold.customers``) are derived from it elsewhere. Names are ``<layer>.<table>``; a table lives at
``<lake>/<layer>/<table>``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TableShape:
    """How a Delta table is laid out.

    ``statistics`` names the columns for which Delta keeps minima and maxima in its log. It is an
    allow-list because the log keeps the first 32 characters of strings, which is most e-mail
    addresses: no personal column may ever stand in it.
    """

    ddl: str
    statistics: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    change_feed: bool = False
    merged: bool = False
    """Few of many rows are changed at a time: mark them (deletion vectors) instead of writing whole
    files again. Each reading of such a table costs a job more."""


#: One row a file that was ever seen: key (source, path, size_bytes, sha256, file_id), since a file
#: may return to what it said before.
FILES = TableShape(
    ddl="""
        source STRING, path STRING, size_bytes BIGINT, sha256 STRING, modified_at TIMESTAMP,
        file_id STRING, file_on DATE, landed_path STRING, landed_on DATE, status STRING,
        records_read BIGINT, records_accepted BIGINT, records_quarantined BIGINT,
        reasons MAP<STRING, BIGINT>, error STRING, run_id STRING, ids_by STRING
    """,
    statistics=("source", "file_id", "landed_on", "status"),
)
#: One row a step that ran, with its counts; the report and the skip logic read it.
RUNS = TableShape(
    ddl="""
        run_id STRING, as_of DATE, step STRING, subject STRING, status STRING,
        started_at TIMESTAMP, seconds DOUBLE, counts MAP<STRING, BIGINT>,
        details STRING, error STRING
    """,
    statistics=("run_id", "as_of", "step", "subject"),
)
#: One row a published generation: the version of every table in it, and of every input it used.
PUBLICATIONS = TableShape(
    ddl="""
        generation BIGINT, as_of DATE, run_id STRING, tables MAP<STRING, BIGINT>,
        inputs MAP<STRING, BIGINT>, fingerprint STRING, counts MAP<STRING, BIGINT>,
        published_at TIMESTAMP
    """,
    statistics=("generation", "as_of"),
)
#: What a file's columns had that the contract did not expect, or the other way round.
DRIFT = TableShape(
    ddl="source STRING, file_id STRING, seen_on DATE, kind STRING, column STRING, detail STRING",
    statistics=("source", "seen_on"),
)
#: Staged results of resolve and golden, until a publication pins them.
STAGES = TableShape(
    ddl="""
        step STRING, as_of DATE, run_id STRING, base BIGINT, tables MAP<STRING, BIGINT>,
        inputs MAP<STRING, BIGINT>, fingerprint STRING, counts MAP<STRING, BIGINT>
    """,
)
#: One row a quarantined record. ``row`` is personal: the record as it came, as JSON.
QUARANTINE = TableShape(
    ddl="""
        _file_id STRING, _record BIGINT, _landed_on DATE, stage STRING,
        rules ARRAY<STRING>, row STRING, _run STRING
    """,
    statistics=("_file_id", "_record", "_landed_on", "stage"),
    partition_by=("_landed_on",),
)
#: One row a record that can belong to a customer: a profile, or a distinct set of identifiers
#: seen in events. ``traits`` are compared when a link must not join people who differ.
#: ``profile`` has the attributes that matching compares, ``keys`` the record's blocking keys
#: under the model, and the code, that ``keyed_by`` names.
RECORDS = TableShape(
    ddl="""
        record_id STRING, source STRING, source_key STRING,
        identifiers ARRAY<STRUCT<name: STRING, value: STRING>>,
        traits MAP<STRING, STRING>, profile MAP<STRING, STRING>, keys ARRAY<BIGINT>,
        keyed_by STRING, is_active BOOLEAN, first_seen_on DATE
    """,
    statistics=("source", "first_seen_on"),
    change_feed=True,
    merged=True,
)
#: One row a tie between two records; (left_record < right_record), and what speaks for it:
#: a shared value of an ``identifier`` (``link_key`` is its hash, so that an edge can be retired
#: when the value's group changes), a ``match`` by a model, or a decision of a ``steward``.
#: ``weight`` is a match's log2 odds. Edges of strength ``doubtful`` and ``cannot`` connect nothing.
EDGES = TableShape(
    ddl="""
        left_record STRING, right_record STRING, identifier STRING, link_key STRING,
        strength STRING, rule STRING, weight DOUBLE, model STRING, linked_on DATE
    """,
    statistics=("identifier", "link_key", "linked_on"),
    merged=True,
)
#: Which customer a record belongs to, now. ``component`` is the smallest record id among all
#: records that links connect, which may be several customers where a component is cut;
#: ``link_group`` is the smallest of those that would be one customer without a model.
CUSTOMERS = TableShape(
    ddl="""
        record_id STRING, customer_id STRING, assigned_on DATE, customer_since DATE,
        component STRING, link_group STRING
    """,
    statistics=("customer_id", "assigned_on"),
    change_feed=True,
    merged=True,
)
#: What became of customer ids: assigned, merged (into other), split (from other), moved
#: (a record went to other), retired.
HISTORY = TableShape(
    ddl="""
        customer_id STRING, event STRING, other_customer_id STRING, record_id STRING,
        as_of DATE, generation BIGINT
    """,
    statistics=("customer_id", "event", "as_of", "generation"),
)
#: Values that were not allowed to link, and why; for a steward.
REVIEW = TableShape(
    ddl="""
        identifier STRING, link_key STRING, reason STRING, records BIGINT,
        sample_records ARRAY<STRING>, as_of DATE
    """,
    statistics=("identifier", "reason", "as_of"),
    merged=True,
)
#: One row a customer that a generation's other tables must be computed anew for, against the
#: generation before: ``membership`` (records joined or left it), ``data`` (same records, new or
#: changed rows in silver), ``gone`` (it has no records now).
TOUCHED = TableShape(
    ddl="customer_id STRING, change STRING",
    statistics=("customer_id", "change"),
)
#: Members of every segment on a date.
MEMBERS = TableShape(
    ddl="as_of DATE, segment STRING, customer_id STRING, generation BIGINT",
    statistics=("as_of", "segment"),
    partition_by=("as_of",),
)
#: entered, exited and stayed against the date before.
CHANGES = TableShape(
    ddl="as_of DATE, segment STRING, customer_id STRING, change STRING",
    statistics=("as_of", "segment", "change"),
    partition_by=("as_of",),
)
#: One row a segment and date: its size and movement; written last, so it says that all is done.
#: ``content`` is a hash over the members: equal ones are the same people.
SIZES = TableShape(
    ddl="""
        as_of DATE, segment STRING, members BIGINT, entered BIGINT, exited BIGINT,
        stayed BIGINT, generation BIGINT, fingerprint STRING, content STRING
    """,
    statistics=("as_of", "segment"),
)
#: The last acknowledged state of each record at each destination: key (destination, segment, key).
#: ``state``: present, absent, or unknown where something was sent and no answer came, or where the
#: destination was told that somebody whom we had added said no; suppressed where it was told, or
#: perhaps, of somebody whom we had not.
#: ``acknowledged_marks``: a short hash of each field as JSON, which tells what an update changes.
LEDGER = TableShape(
    ddl="""
        destination STRING, segment STRING, customer_id STRING, key STRING, state STRING,
        desired_hash STRING, acknowledged_hash STRING, remote_id STRING, attempt INT,
        outcome STRING, error STRING, delivery STRING, batch INT, run_id STRING,
        acknowledged_on DATE, acknowledged_marks STRING
    """,
    statistics=("destination", "segment", "state", "acknowledged_on"),
    merged=True,
)
#: What is being sent now, written whole before the first call and removed after the last: a run
#: that was killed is resumed from here with the same batches. ``fields`` is personal.
OUTBOX = TableShape(
    ddl="""
        destination STRING, segment STRING, delivery STRING, as_of DATE, generation BIGINT,
        mode STRING, batches INT, batch INT, key STRING, customer_id STRING, operation STRING,
        reason STRING, fields STRING, types STRING, clears ARRAY<STRING>, desired_hash STRING,
        state STRING, acknowledged_hash STRING, remote_id STRING, attempt INT, marks STRING,
        acknowledged_marks STRING, place STRING
    """,
    statistics=("segment", "delivery", "batch"),
    partition_by=("destination",),
)
#: What a system calls its work on a batch, noted before anything waits for it; goes with the
#: outbox.
JOBS = TableShape(
    ddl="destination STRING, delivery STRING, batch INT, job STRING, run_id STRING, noted_on DATE",
    statistics=("delivery", "batch"),
    partition_by=("destination",),
)
#: Records that a destination refused, with its reason.
REJECTS = TableShape(
    ddl="""
        destination STRING, segment STRING, customer_id STRING, reason STRING, is_permanent BOOLEAN,
        desired_hash STRING, delivery STRING, run_id STRING, rejected_on DATE
    """,
    statistics=("destination", "segment", "rejected_on"),
)
#: Who was held back from an export and why, for each plan.
HELD_BACK = TableShape(
    ddl="""
        destination STRING, segment STRING, customer_id STRING, reason STRING, as_of DATE
    """,
    statistics=("destination", "segment", "as_of"),
    partition_by=("as_of",),
)
#: Who was first sent to for a segment, or held out of it, and when. ``campaign``: the
#: salt of the control group; ``until``: the last day on which what they do counts as a result.
ASSIGNMENTS = TableShape(
    ddl="""
        segment STRING, campaign STRING, customer_id STRING, arm STRING, channel STRING,
        destination STRING, assigned_on DATE, until DATE
    """,
    statistics=("segment", "campaign", "arm", "assigned_on"),
)
#: One row a destination: what its last export judged. As long as that is the same, another export
#: has nothing to send; ``fingerprint`` is empty where not all of it was acknowledged. ``ledger`` is
#: a hash over its records.
SETTLED = TableShape(
    ddl="""
        destination STRING, as_of DATE, fingerprint STRING, ledger STRING, judged_at TIMESTAMP,
        good_until TIMESTAMP, counts MAP<STRING, BIGINT>, details STRING
    """,
)
#: Decisions of people about held plans, bound to the plan's hash.
APPROVALS = TableShape(
    ddl="destination STRING, plan STRING, approved_by STRING, reason STRING, approved_at TIMESTAMP",
)

#: Requests to forget people: open, closing, done. ``subject`` is personal: who they are, as JSON;
#: null once all is gone, when ``told`` says what was done, free of personal values.
REQUESTS = TableShape(
    ddl="""
        request STRING, status STRING, people INT, requested_at TIMESTAMP, requested_by STRING,
        reason STRING, subject STRING, done_at TIMESTAMP, told STRING
    """,
    statistics=("request", "status"),
)
#: Pseudonyms of those who must not come back: of their records, and of the identifiers that nobody
#: else has. ``key_check`` is the pseudonym of nothing: it tells whether a key is the one.
TOMBSTONES = TableShape(
    ddl="token STRING, request STRING, key_check STRING, erased_on DATE",
    statistics=("request", "erased_on"),
)

SYSTEM_TABLES: dict[str, TableShape] = {
    "ops.files": FILES,
    "ops.runs": RUNS,
    "ops.publications": PUBLICATIONS,
    "ops.drift": DRIFT,
    "ops.stages": STAGES,
    "identity.records": RECORDS,
    "identity.edges": EDGES,
    "identity.customers": CUSTOMERS,
    "identity.history": HISTORY,
    "identity.review": REVIEW,
    "identity.touched": TOUCHED,
    "segments.members": MEMBERS,
    "segments.changes": CHANGES,
    "segments.sizes": SIZES,
    "activation.ledger": LEDGER,
    "activation.outbox": OUTBOX,
    "activation.jobs": JOBS,
    "activation.rejects": REJECTS,
    "activation.held_back": HELD_BACK,
    "activation.settled": SETTLED,
    "activation.assignments": ASSIGNMENTS,
    "activation.approvals": APPROVALS,
    "privacy.requests": REQUESTS,
    "privacy.tombstones": TOMBSTONES,
}

#: Layers that are written of the accepted rows of sources, and of which a generation is built.
CONFORMED_LAYERS = ("silver", "superseded")
#: Where a row of a source came from: no other row of a table of one source has the same.
PLACE = ("_landed_on", "_file_id", "_record")

_RECEIVED = ("_file_id", "_record", "_landed_on", "_file_on")

#: Layers whose tables have their columns from declarations, and how those tables are laid out.
_LAYERS = {
    "bronze": TableShape(ddl="", statistics=_RECEIVED, partition_by=("_landed_on",)),
    "quarantine": QUARANTINE,
    "silver": TableShape(
        ddl="", statistics=(*_RECEIVED, "_observed_at"), change_feed=True, merged=True
    ),
    "superseded": TableShape(ddl="", statistics=_RECEIVED),
}
#: Of personal columns the customer's id alone: what is made of a source's key may say an address.
_GOLD_STATISTICS = {
    "gold.customers": ("customer_id", "customer_since", "updated_on"),
    "gold.customers_history": ("customer_id", "valid_from", "valid_to"),
    "gold.identifiers": ("customer_id", "identifier"),
    "gold.sources": ("customer_id", "source"),
    "gold.interactions": ("customer_id", "source", "at", "on", "channel", "kind"),
    "gold.purchases": ("customer_id", "source", "at", "on", "channel"),
    "gold.consents": ("customer_id", "purpose", "channel", "status"),
    "gold.metrics": ("customer_id",),
    "gold.campaigns": ("segment", "campaign"),
}
GOLD_TABLES = tuple(_GOLD_STATISTICS)
"""Golden tables whose meaning is in the code, in the order in which people read them; those of
groups are declared. ``gold.campaigns`` is there only where conf/tables describes it.
"""


def table_shape(table: str) -> TableShape:
    """How a table is laid out when it is first written."""
    if table in SYSTEM_TABLES:
        return SYSTEM_TABLES[table]
    layer = table.split(".")[0]
    if layer in _LAYERS:
        return _LAYERS[layer]
    statistics = _GOLD_STATISTICS.get(table, ("customer_id",))
    return TableShape(ddl="", statistics=statistics, merged=True)


def conformed(source: str) -> list[str]:
    """The tables of a source in ``CONFORMED_LAYERS``; some may not be there."""
    return [f"{layer}.{source}" for layer in CONFORMED_LAYERS]


#: Columns that every bronze table has, around the source's own columns (all text).
BRONZE_COLUMNS = (
    "_file_id STRING, _record BIGINT, _landed_on DATE, _file_on DATE, "
    "_extra MAP<STRING, STRING>, _run STRING"
)
#: Columns that every silver table has, around the source's own columns (typed).
#: ``record_id`` ties the row to identity; null where the row names nobody.
SILVER_COLUMNS = (
    "record_id STRING, _observed_at TIMESTAMP, _file_on DATE, _file_id STRING, _record BIGINT, "
    "_landed_on DATE, _is_deleted BOOLEAN, _warnings ARRAY<STRING>, _run STRING"
)

#: Statuses of a file in ``ops.files``.
LANDED, INGESTED, CONFORMED, DUPLICATE, BROKEN, EXPIRED = (
    "landed",
    "ingested",
    "conformed",
    "duplicate",
    "broken",
    "expired",
)
