"""Bronze to silver: typed, normalised, judged, without duplicates, in one pass over the rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.columns.casts import SPARK_TYPES
from goldenlake.declarations.source import Source
from goldenlake.errors import ContractBroken, CountMismatch
from goldenlake.ports import Progress, Scalar, Tables
from goldenlake.quality.tagger import tag
from goldenlake.schemas import BROKEN, CONFORMED, INGESTED, LANDED, SILVER_COLUMNS
from goldenlake.steps.clearing import cut
from goldenlake.steps.files import FileRow, read_files, version_sql
from goldenlake.steps.record_ids import ids_by
from goldenlake.steps.silver import SilverWriter
from goldenlake.steps.telling import WHOLE, verdict_on_erased
from goldenlake.steps.tombstones import CUT, RULE, Erased
from goldenlake.transforms.bots import with_is_bot
from goldenlake.transforms.conforming import in_place, typed
from goldenlake.transforms.golden_consents import can_lose_a_no
from goldenlake.transforms.newest import observed_at
from goldenlake.transforms.row_ids import has_key, record_id

_OURS = re.findall(r"(\w+) (?:STRING|TIMESTAMP|DATE|BIGINT|BOOLEAN|ARRAY)", SILVER_COLUMNS)


@dataclass(frozen=True)
class Verdict:
    """What the contract made of one file's rows."""

    accepted: int = 0
    rejected: int = 0
    keys: int = 0
    """Distinct keys among the accepted."""
    first_micros: int | None = None
    """The earliest ``_observed_at`` among the accepted, in microseconds."""
    erased: int = 0
    """Those of people who were forgotten, among the rejected."""
    cut: int = 0
    """Those of others that lost what was theirs."""

    @property
    def told(self) -> dict[str, int]:
        """Reasons for which ``forget_again`` has to look at the file."""
        return {name: n for name, n in {RULE: self.erased, CUT: self.cut}.items() if n}


@dataclass(frozen=True, kw_only=True)
class Conform:
    """Conform the ingested files of one source.

    Rows that break a critical rule go to ``quarantine.<source>`` with the names of the rules, the
    others to ``silver.<source>``. Running it again with the same files changes nothing.
    """

    source: Source
    as_of: date
    run_id: str
    erased: Erased | None = None
    """Those who must not come back: what is said of them is quarantined without what it says, and
    records of others lose what is theirs.
    """

    def run(self, tables: Tables, files: Sequence[FileRow], progress: Progress) -> list[FileRow]:
        """The files' rows for the ledger: ``conformed``, or ``broken`` where a snapshot shrank.

        Raises CountMismatch, before silver is touched, where a file's accepted and quarantined
        records do not add up to those that were read from it; ColumnRetyped and KeyIsNew before
        anything is written.
        """
        if not files:
            return []
        is_again = _are_read_again(self.source, files)
        is_asked = is_again or _needs_others(self.source)
        others = _others(tables, self.source, files) if is_asked else []
        writer = SilverWriter(
            source=self.source,
            tables=tables,
            earlier=others,
            is_made_anew=is_again and not others,
        )
        writer.refuse_what_does_not_fit()
        judged = self._judged(tables, files)
        verdicts = self._verdicts(judged)
        refused = self._shrunken(files, verdicts, writer)
        good = [row for row in files if row.file_id not in refused]
        done = {row.file_id: row for row in self._quarantined(tables, good, judged, verdicts)}
        if writer.is_made_anew:
            is_ours = F.col("_file_id").isin([row.file_id for row in good])
            writer.withdraw(judged.where(F.col("_is_accepted") & is_ours), good)
        for batch in self._batches(good, writer):
            ids = [row.file_id for row in batch]
            firsts = [found for each in ids if (found := verdicts[each].first_micros) is not None]
            writer.write(
                self._for_silver(judged.where(F.col("_file_id").isin(ids))),
                batch,
                first_micros=min(firsts, default=None),
            )
            writer = replace(writer, earlier=[*writer.earlier, *batch])
        rejected = sum(row.records_quarantined or 0 for row in done.values())
        accepted = sum(row.records_accepted or 0 for row in done.values())
        progress(f"  {self.source.source}: {accepted:,} records accepted, {rejected:,} quarantined")
        return [refused.get(row.file_id) or done[row.file_id] for row in files]

    def _batches(self, files: Sequence[FileRow], writer: SilverWriter) -> list[Sequence[FileRow]]:
        """Snapshots of a source in which a no may be lost one by one, so that what stood in one of
        them alone is not lost between them.
        """
        if self.source.load == "snapshot" and can_lose_a_no(self.source):
            return [[row] for row in sorted(files, key=writer.order_of)]
        return [files] if files else []

    def _judged(self, tables: Tables, files: Sequence[FileRow]) -> DataFrame:
        """Every bronze row, typed, with ``_broken`` (critical), ``_is_accepted``, ``_warnings``."""
        bronze = tables.read(f"bronze.{self.source.source}").where(
            F.col("_landed_on").isin(sorted({row.landed_on for row in files}))
            & F.col("_file_id").isin([row.file_id for row in files])
        )
        frame = typed(bronze, self.source)
        if self.source.bots and self._rules_know_bots():
            frame = with_is_bot(frame, self.source.bots.user_agent)
        rules = self.source.rules
        broken = [F.col("_flaws"), tag(rules)]
        if self.erased:
            verdict = verdict_on_erased(self.source, self.erased)
            frame = frame.withColumn("_verdict", verdict)
            is_whole = F.col("_verdict") == WHOLE
            broken.append(F.array_compact(F.array(F.when(is_whole, RULE))))
        judged = frame.withColumns(
            {
                "_version": F.expr(version_sql(self.source, files, "_file_id")),
                "_broken": F.concat(*broken),
                "_warnings": F.concat("_doubts", tag(rules, "warning")),
                "_observed_at": observed_at(self.source),
            }
        ).withColumn("_is_accepted", in_place(F.size("_broken") == 0))
        if not self.erased:
            return judged
        # Of a row that goes whole this is null, as JSON has it.
        left = F.from_json("_verdict", "map<string, string>")
        return cut(judged.withColumn("_left", left), self.source)

    def _rules_know_bots(self) -> bool:
        return any("is_bot" in rule.model_dump_json() for rule in self.source.rules)

    def _verdicts(self, judged: DataFrame) -> dict[str, Verdict]:
        """One pass over the columns that rules look at; nothing is written by it."""
        passed = F.col("_is_accepted")
        keys = F.lit(0).cast("bigint")
        if self.source.load == "snapshot":
            keys = F.count_distinct(F.when(passed, F.struct(*self.source.key)))
        rows = (
            judged.groupBy("_file_id")
            .agg(
                F.count_if(passed).alias("accepted"),
                F.count_if(~passed).alias("rejected"),
                keys.alias("keys"),
                F.min(F.when(passed, F.unix_micros("_observed_at"))).alias("first"),
                F.count_if(F.array_contains("_broken", RULE)).alias("erased"),
                F.count_if(F.col("_left").isNotNull() if self.erased else F.lit(False)).alias(
                    "cut"
                ),
            )
            .collect()
        )
        found = {file_id: Verdict(*of) for file_id, *of in rows}
        return _OrNothing(found)

    def _shrunken(
        self, files: Sequence[FileRow], verdicts: dict[str, Verdict], writer: SilverWriter
    ) -> dict[str, FileRow]:
        """Snapshots with too few records against the one before: refused, nothing is changed."""
        if self.source.load != "snapshot":
            return {}
        refused: dict[str, FileRow] = {}
        least = self.source.snapshot.least_share
        records = writer.records_before()
        latest = writer.latest()
        newest = writer.order_of(latest) if latest else None
        for row in sorted(files, key=writer.order_of):
            if newest is not None and writer.order_of(row) < newest:
                continue
            verdict = verdicts[row.file_id]
            # Where missing records stay, what was there before is known of rows alone.
            found = verdict.accepted if self.source.snapshot.missing == "keep" else verdict.keys
            if found < least * records:
                broken = ContractBroken(
                    source=self.source.source,
                    file=row.path,
                    what=f"the snapshot has {found} records, {records} were there before.",
                    mend=f"Send it whole, or lower least_share (now {least:g}), and replay.",
                )
                refused[row.file_id] = replace(
                    row,
                    status=BROKEN,
                    error=str(broken),
                    reasons={**row.reasons, **verdict.told},
                    run_id=self.run_id,
                )
            else:
                records = found
                newest = writer.order_of(row)
        return refused

    def _quarantined(
        self,
        tables: Tables,
        files: Sequence[FileRow],
        judged: DataFrame,
        verdicts: dict[str, Verdict],
    ) -> list[FileRow]:
        """Write the rejected rows, then count all that quarantine holds of these files."""
        if not files:
            return []
        table = f"quarantine.{self.source.source}"
        ids = [row.file_id for row in files]
        days = sorted({row.landed_on for row in files})
        held = _held(tables, table, ids, days)
        stale = any(stage == "contract" for rows in held.values() for stage, _, _ in rows)
        if stale or any(verdicts[each].rejected for each in ids):
            rejected = judged.where(~F.col("_is_accepted") & F.col("_file_id").isin(ids)).select(
                "_file_id",
                "_record",
                "_landed_on",
                F.lit("contract").alias("stage"),
                F.col("_broken").alias("rules"),
                F.when(~F.array_contains("_broken", RULE), F.to_json("_raw")).alias("row"),
                F.lit(self.run_id).alias("_run"),
            )
            where: dict[str, str | Sequence[Scalar]] = {
                "_landed_on": days,
                "_file_id": ids,
                "stage": "contract",
            }
            tables.replace_slice(table, rejected, where=where)
            held = _held(tables, table, ids, days)
        return [
            self._counted(row, verdicts[row.file_id], held.get(row.file_id, ())) for row in files
        ]

    def _counted(self, row: FileRow, verdict: Verdict, held: Iterable[_HeldRows]) -> FileRow:
        quarantined = 0
        reasons: dict[str, int] = {}
        for _, rules, count in held:
            quarantined += count
            for rule in rules:
                reasons[rule] = reasons.get(rule, 0) + count
        if verdict.cut:
            reasons[CUT] = verdict.cut
        read = row.records_read or 0
        if read != verdict.accepted + quarantined:
            raise CountMismatch(
                source=self.source.source,
                file_id=row.file_id,
                read=read,
                accepted=verdict.accepted,
                quarantined=quarantined,
            )
        return replace(
            row,
            status=CONFORMED,
            records_accepted=verdict.accepted,
            records_quarantined=quarantined,
            reasons=reasons,
            error=None,
            run_id=self.run_id,
            ids_by=ids_by(self.source),
        )

    def _for_silver(self, judged: DataFrame) -> DataFrame:
        """Rows without a critical fault, with silver's columns except ``session_id``; of snapshots
        with ``_is_set_aside``, and the others that have a key: their records have not left.
        """
        # Before rows are chosen: what judges user agents then needs nothing but them.
        if self.source.bots and "is_bot" not in judged.columns:
            judged = with_is_bot(judged, self.source.bots.user_agent)
        added = ["is_bot"] if self.source.bots else []
        chosen = F.col("_is_accepted")
        if self.source.load == "snapshot":
            added.append("_is_set_aside")
            judged = judged.withColumn("_is_set_aside", ~F.col("_is_accepted"))
            chosen |= has_key(self.source) & ~F.array_contains("_broken", RULE)
        return (
            judged.where(chosen)
            .withColumns(
                {
                    "record_id": record_id(self.source),
                    "_is_deleted": F.lit(False),
                    "_run": F.lit(self.run_id),
                }
            )
            .select(
                *_OURS,
                *(
                    F.col(column.name).cast(SPARK_TYPES[column.type])
                    for column in self.source.columns
                ),
                *added,
            )
        )


class _OrNothing(dict[str, Verdict]):
    """A file without a row in bronze has a verdict too."""

    def __missing__(self, file_id: str) -> Verdict:
        return Verdict()


#: Stage, rules broken, and how many rows.
_HeldRows = tuple[str, tuple[str, ...], int]


def _held(
    tables: Tables, table: str, file_ids: Sequence[str], days: Sequence[date]
) -> dict[str, list[_HeldRows]]:
    """What quarantine holds of each file that has anything in it."""
    found: dict[str, list[_HeldRows]] = {}
    if not tables.exists(table):
        return found
    rows = (
        tables.read(table)
        .where(F.col("_landed_on").isin(list(days)) & F.col("_file_id").isin(list(file_ids)))
        .groupBy("_file_id", "stage", "rules")
        .agg(F.count("*").alias("rows"))
        .collect()
    )
    for file_id, stage, rules, count in rows:
        found.setdefault(file_id, []).append((stage, tuple(rules or ()), count))
    return found


def _needs_others(source: Source) -> bool:
    """Whether the order of its files is more than that of their days and ids."""
    has_versions = "(?P<version>" in (source.origin.file_date or "")
    return source.load == "snapshot" or (source.load == "increment" and has_versions)


def _are_read_again(source: Source, files: Sequence[FileRow]) -> bool:
    """Whether files of a source with keys are judged anew."""
    return source.load != "append" and any(row.records_accepted is not None for row in files)


def _others(tables: Tables, source: Source, files: Sequence[FileRow]) -> list[FileRow]:
    """Files of the source that silver has, these left out; also those that wait to be read again,
    or could not be.
    """
    batch = {row.file_id for row in files}
    known = read_files(tables, source.source, (CONFORMED, LANDED, INGESTED, BROKEN))
    return [
        row
        for row in known
        if row.file_id not in batch and (row.status == CONFORMED or row.ids_by is not None)
    ]
