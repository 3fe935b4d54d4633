"""Landed files to bronze: every record as it came, and those that cannot be read to quarantine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.declarations.source import Source
from goldenlake.errors import ContractBroken
from goldenlake.io.readers.contract import Contract
from goldenlake.io.readers.distributed import (
    Part,
    Summary,
    in_parts,
    read_records,
    read_refused,
)
from goldenlake.ports import Landing, Tables
from goldenlake.schemas import BROKEN, INGESTED
from goldenlake.steps.files import Drift, FileRow, records_by_file

#: Stage of quarantined rows that no reader could make a record of.
READ = "read"
#: What is written together; the names of its files stand in the commit.
_MOST_FILES = 1_000
_MOST_BYTES = 4 * 2**30


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """Read landed files of one source into ``bronze.<source>``.

    Doing it again for a file replaces its records. The ledger is the caller's: as long as it does
    not say ``ingested``, a crash here only means that the same is done again.
    """

    source: Source
    as_of: date
    run_id: str

    def run(self, tables: Tables, landing: Landing, files: Sequence[FileRow]) -> list[FileRow]:
        """Ingest the files together; gives their rows, with status, counts and drift.

        A file that breaks its contract as a whole is ``broken``, with the reason in ``error``; it
        leaves no record, and the others go on. That what was written is what was read is checked
        where it is read again, by ``Conform``.
        """
        done = self._kept(tables, [file for file in files if not file.landed_path])
        for together in _together([file for file in files if file.landed_path]):
            done += self._ingest(tables, landing, together)
        return done

    def _kept(self, tables: Tables, files: Sequence[FileRow]) -> list[FileRow]:
        """Files that were removed because somebody in them was forgotten: bronze is what is left
        of them, and quarantine what no reader could make a record of.
        """
        if not files:
            return []
        where = _slice(files)
        ours = F.col("_landed_on").isin(where["_landed_on"]) & F.col("_file_id").isin(
            where["_file_id"]
        )
        counts = records_by_file(tables, f"bronze.{self.source.source}", ours)
        reasons: dict[str, dict[str, int]] = {file.file_id: {} for file in files}
        quarantine = f"quarantine.{self.source.source}"
        if tables.exists(quarantine):
            held = _sliced(tables.read(quarantine), {**where, "stage": READ})
            named = held.select("_file_id", F.explode("rules").alias("rule"))
            for file_id, rule, count in named.groupBy("_file_id", "rule").count().collect():
                reasons[file_id][rule] = count
        summaries = {
            file.file_id: Summary(
                file_id=file.file_id,
                read=counts[file.file_id] + sum(reasons[file.file_id].values()),
                bad=reasons[file.file_id],
            )
            for file in files
        }
        return [self._result(file, summaries[file.file_id]) for file in files]

    def _ingest(self, tables: Tables, landing: Landing, files: Sequence[FileRow]) -> list[FileRow]:
        contract = Contract.of(self.source)
        parts = [
            part
            for file in files
            for part in in_parts(
                Part(
                    file_id=file.file_id,
                    landed_path=file.landed_path,
                    landed_on=file.landed_on,
                    file_on=file.file_on,
                    size_bytes=file.size_bytes,
                ),
                landing,
                contract,
            )
        ]
        rows, summaries = read_records(tables.spark, landing, contract, parts)
        self._write(tables, rows, contract, files)
        found = summaries.get()
        self._withdraw(tables, [file for file in files if found[file.file_id].broken])
        flawed = {each.file_id for each in found.values() if each.bad and not each.broken}
        again = [part for part in parts if part.file_id in flawed]
        refused = read_refused(tables.spark, landing, contract, again)
        self._quarantine(tables, refused, files, has_bad=bool(flawed))
        return [self._result(file, found[file.file_id]) for file in files]

    def _write(
        self, tables: Tables, rows: DataFrame, contract: Contract, files: Sequence[FileRow]
    ) -> None:
        bronze = rows.select(
            "_file_id",
            "_record",
            "_landed_on",
            "_file_on",
            *contract.names,
            "_extra",
            F.lit(self.run_id).alias("_run"),
        )
        tables.replace_slice(f"bronze.{self.source.source}", bronze, where=_slice(files))

    def _withdraw(self, tables: Tables, broken: Sequence[FileRow]) -> None:
        """Take away what was read of files before they broke. Until then nobody knows of it: a
        file's records are looked for only once the ledger has the file as ingested.
        """
        if broken:
            tables.delete_slice(f"bronze.{self.source.source}", where=_slice(broken))

    def _quarantine(
        self, tables: Tables, refused: DataFrame, files: Sequence[FileRow], *, has_bad: bool
    ) -> None:
        quarantine = f"quarantine.{self.source.source}"
        where = {**_slice(files), "stage": READ}
        # A commit costs a second or two; most files have no bad record, now or before.
        if not has_bad and not self._has(tables, quarantine, where):
            return
        rows = refused.select(
            "_file_id",
            "_record",
            "_landed_on",
            F.lit(READ).alias("stage"),
            F.array("_rule").alias("rules"),
            F.to_json(F.struct(F.col("_raw").alias("raw"))).alias("row"),
            F.lit(self.run_id).alias("_run"),
        )
        tables.replace_slice(quarantine, rows, where=where)

    def _has(self, tables: Tables, table: str, where: dict[str, Any]) -> bool:
        return tables.exists(table) and not _sliced(tables.read(table), where).isEmpty()

    def _result(self, file: FileRow, summary: Summary) -> FileRow:
        if summary.broken:
            error = ContractBroken(
                source=self.source.source, file=file.path, what=summary.broken, mend=""
            )
            return replace(
                file,
                status=BROKEN,
                error=str(error).strip(),
                records_read=0,
                records_accepted=0,
                records_quarantined=0,
                reasons={},
                run_id=self.run_id,
                drift=(),
            )
        drift = [
            Drift(
                source=self.source.source,
                file_id=file.file_id,
                seen_on=self.as_of,
                kind=kind,
                column=column,
                detail=detail,
            )
            for kind, column, detail in summary.drift
        ]
        return replace(
            file,
            status=INGESTED,
            error=None,
            records_read=summary.read,
            records_quarantined=sum(summary.bad.values()),
            reasons=dict(sorted(summary.bad.items())),
            run_id=self.run_id,
            drift=tuple(drift),
        )


def _slice(files: Sequence[FileRow]) -> dict[str, Any]:
    return {
        "_landed_on": sorted({file.landed_on for file in files}),
        "_file_id": sorted({file.file_id for file in files}),
    }


def _sliced(rows: DataFrame, where: dict[str, Any]) -> DataFrame:
    for column, values in where.items():
        rows = rows.where(F.col(column).isin(values if isinstance(values, list) else [values]))
    return rows


def _together(files: Sequence[FileRow]) -> Iterator[list[FileRow]]:
    """Files in groups that fit one commit and one persisted frame; each content once."""
    group: list[FileRow] = []
    size = 0
    for file in sorted({file.file_id: file for file in files}.values(), key=lambda f: f.landed_on):
        if group and (len(group) >= _MOST_FILES or size + file.size_bytes > _MOST_BYTES):
            yield group
            group, size = [], 0
        group.append(file)
        size += file.size_bytes
    if group:
        yield group
