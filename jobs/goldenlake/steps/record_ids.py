"""Ids of rows in silver, made anew where a source's mapping would make others by now.

A row gets its id when it comes. Those of a cookie that came before ``account`` was mapped would
stay one record, whoever they are of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.source import Source
from goldenlake.ports import Progress, Tables
from goldenlake.schemas import FILES, PLACE, conformed
from goldenlake.steps.files import KEY
from goldenlake.steps.generations import fingerprint
from goldenlake.transforms.bots import with_is_bot
from goldenlake.transforms.conforming import as_declared
from goldenlake.transforms.row_ids import SCHEME, id_today


def ids_by(source: Source) -> str:
    """What the ids of a source's rows are made by; ``ops.files`` has it of each file's."""
    named = None if source.is_profile else (SCHEME, source.identifiers)
    return fingerprint({}, named, source.people, source.bots)


def renew_ids(tables: Tables, sources: Iterable[Source], progress: Progress) -> None:
    """Write rows of silver, and of what was superseded there, anew whose id is another by now.

    A source is looked at where the ledger has a file of it whose ids were made by something else:
    its row is written last, so a kill only repeats the look.
    """
    made: dict[str, set[str | None]] = defaultdict(set)
    for source, by in tables.rows("ops.files", FILES.ddl, _made):
        made[source].add(by)
    for of in sources:
        if made[of.source] <= {ids_by(of)}:
            continue
        count = sum(_renewed(tables, of, name) for name in conformed(of.source))
        ledger = tables.read_or_empty("ops.files", FILES.ddl)
        theirs = ledger.where(_has_rows() & (F.col("source") == of.source))
        rows = theirs.withColumn("ids_by", F.lit(ids_by(of)))
        tables.merge("ops.files", rows, on=KEY)
        if count:
            progress(f"{of.source}: {count:,} rows are another record's by its mapping")


def _made(files: DataFrame) -> DataFrame:
    return files.where(_has_rows()).select("source", "ids_by").distinct()


def _has_rows() -> Column:
    """Of a file, whether silver may have rows of it; also while it is read again."""
    return F.col("records_accepted").isNotNull()


def _renewed(tables: Tables, source: Source, table: str) -> int:
    if not tables.exists(table):
        return 0
    stored = as_declared(tables.read(table), source)
    decided = ["record_id", *(["is_bot"] if source.bots else [])]
    rows = stored.withColumns({f"_{name}": F.col(name) for name in decided})
    if source.bots:
        rows = with_is_bot(rows, source.bots.user_agent)
    rows = rows.withColumn("record_id", id_today(source, F.col("_record_id")))
    is_other = F.lit(False)
    for name in decided:
        is_other |= ~F.col(name).eqNullSafe(F.col(f"_{name}"))
    changed = rows.where(is_other).select(*stored.columns).persist()
    try:
        count = changed.count()
        if count:
            tables.merge(table, changed, on=PLACE, insert=False)
        return count
    finally:
        changed.unpersist()
