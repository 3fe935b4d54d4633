"""Deliveries as files: numbered parts in a folder of their own, closed by a manifest.

The folder is ``<path>/<delivery id>``: two deliveries of one day hold different changes, and the
second must not overwrite what nobody may have read yet. A reader waits for ``manifest.json``: it
names every part with its hash, and without it a delivery is not complete.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from goldenlake.columns.spreadsheets import guarded
from goldenlake.declarations.destination import Destination
from goldenlake.declarations.targets import OWN_COLUMNS, FilesTarget, modes_of
from goldenlake.destinations.values import text
from goldenlake.errors import DeliveryIncomplete
from goldenlake.ports import (
    Acknowledgement,
    Batch,
    Capabilities,
    Delivery,
    FieldValue,
    FilePlace,
    NoteJob,
    OutboundRecord,
    Outside,
)

MANIFEST = "manifest.json"


def capabilities(target: FilesTarget) -> Capabilities:
    """A file is one call; nobody limits its bytes."""
    return Capabilities(
        modes=modes_of(target),
        batch_records=target.batch_records,
        batch_bytes=2**62,
        can_look_up=True,
        is_read_when_finished=True,
    )


def opened(destination: Destination, target: FilesTarget, outside: Outside) -> FilesDestination:
    """The destination as it is declared, with its files at the target's place."""
    return FilesDestination(
        destination=destination.destination,
        target=target,
        place=outside.place(target.place),
        capabilities=capabilities(target),
    )


@dataclass(frozen=True, kw_only=True)
class FilesDestination:
    """``ports.DestinationKind`` over any ``ports.FilePlace``.

    A part is a function of its batch: writing it again gives the same bytes. CSV is UTF-8 with
    CRLF after RFC 4180; numbers and dates are written the same on every machine.
    """

    destination: str
    target: FilesTarget
    place: FilePlace
    capabilities: Capabilities
    _written: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Entries of the manifest for parts that this process wrote, by path."""

    def send(self, delivery: Delivery, batch: Batch, note: NoteJob) -> Sequence[Acknowledgement]:
        """Write the part; a batch without records leaves a part without rows."""
        content = self._render(delivery, batch)
        path = self._path(delivery, self._part_name(batch.number))
        self.place.write(path, [content])
        self._written[path] = _entry(path, content, len(batch.records))
        return _all_acknowledged(batch)

    def look_up(self, delivery: Delivery, batch: Batch) -> Sequence[Acknowledgement] | None:
        """Acknowledged if the part is there with the very bytes of this batch."""
        path = self._path(delivery, self._part_name(batch.number))
        if self.place.stat(path) is None:
            return None
        if _sha256(self._read(path)) != _sha256(self._render(delivery, batch)):
            return None
        return _all_acknowledged(batch)

    def finish(self, delivery: Delivery) -> None:
        """Write the manifest over all parts; those of an earlier process are read back.

        What an upload that was cut off left beside them goes: it may hold people who have said no
        since.
        """
        self.place.clear_unfinished(self._folder(delivery))
        parts = []
        for number in range(1, delivery.batches + 1):
            path = self._path(delivery, self._part_name(number))
            if path not in self._written:
                parts.append(self._entry_from_place(delivery, path))
            else:
                parts.append(self._written[path])
        manifest = {
            "delivery": delivery.delivery_id,
            "destination": delivery.destination,
            "segment": delivery.segment,
            "as_of": delivery.as_of.isoformat(),
            "mode": delivery.mode,
            "format": self.target.format,
            "records": sum(part["records"] for part in parts),
            "columns": {"operation": "string", "key": "string", **delivery.schema},
            "clears": list(delivery.clears),
            "spreadsheet_guard": self.target.format == "csv" and self.target.spreadsheet_guard,
            "files": parts,
        }
        content = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        self.place.write(self._path(delivery, MANIFEST), [content.encode()])

    def _entry_from_place(self, delivery: Delivery, path: str) -> dict[str, Any]:
        if self.place.stat(path) is None:
            raise DeliveryIncomplete(
                destination=self.destination,
                delivery=delivery.delivery_id,
                what=f"{path} is not there, although it was written.",
            )
        content = self._read(path)
        return _entry(path, content, _COUNTERS[self.target.format](content, self.target))

    def _read(self, path: str) -> bytes:
        with self.place.open(path) as stream:
            return stream.read()

    def _path(self, delivery: Delivery, name: str) -> str:
        return f"{self._folder(delivery)}/{name}"

    def _folder(self, delivery: Delivery) -> str:
        declared = self.target.path.format(
            destination=delivery.destination,
            segment=delivery.segment,
            as_of=delivery.as_of.isoformat(),
        )
        return f"{declared.strip('/')}/{delivery.delivery_id}"

    def _part_name(self, number: int) -> str:
        return f"part-{number:05d}.{self.target.format}"

    def _render(self, delivery: Delivery, batch: Batch) -> bytes:
        return _RENDERERS[self.target.format](batch.records, delivery.schema, self.target)


def _all_acknowledged(batch: Batch) -> list[Acknowledgement]:
    return [Acknowledgement(key=r.key, outcome="acknowledged") for r in batch.records]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _entry(path: str, content: bytes, records: int) -> dict[str, Any]:
    name = path.rsplit("/", 1)[-1]
    return {"name": name, "records": records, "bytes": len(content), "sha256": _sha256(content)}


def _csv(
    records: Sequence[OutboundRecord], schema: Mapping[str, str], target: FilesTarget
) -> bytes:
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=target.delimiter, lineterminator="\r\n")
    writer.writerow([*OWN_COLUMNS, *schema])
    for record in records:
        values = [record.operation, record.key, *(record.fields.get(name) for name in schema)]
        writer.writerow([cell(value, guard=target.spreadsheet_guard) for value in values])
    return written.getvalue().encode()


def cell(value: FieldValue, *, guard: bool) -> str:
    """A value as text. With ``guard``, text that a spreadsheet would run gets an apostrophe in
    front; values that are numbers are never text, so -5 stays -5.
    """
    plain = text(value)
    return guarded(plain) if guard and isinstance(value, str) else plain


def _jsonl(
    records: Sequence[OutboundRecord], schema: Mapping[str, str], _target: FilesTarget
) -> bytes:
    """Absent fields are left out, cleared ones are null; decimals are text, so that none is
    rounded by a reader.
    """
    lines = []
    for record in records:
        values = {name: record.fields[name] for name in schema if name in record.fields}
        row = {"operation": record.operation, "key": record.key, **values}
        lines.append(json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=text))
    return "".join(f"{line}\n" for line in lines).encode()


def _parquet(
    records: Sequence[OutboundRecord], schema: Mapping[str, str], _target: FilesTarget
) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"operation": "string", "key": "string", **schema}
    arrow = pa.schema([(name, _arrow(pa, of)) for name, of in columns.items()])
    rows = [{"operation": r.operation, "key": r.key, **r.fields} for r in records]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=arrow), sink)
    return sink.getvalue()


def _arrow(pa: Any, of: str) -> Any:
    """The Arrow type of a Spark type."""
    if of.startswith("decimal"):
        precision, scale = of.removeprefix("decimal(").removesuffix(")").split(",")
        return pa.decimal128(int(precision), int(scale))
    return {
        "boolean": pa.bool_(),
        "tinyint": pa.int8(),
        "smallint": pa.int16(),
        "int": pa.int32(),
        "bigint": pa.int64(),
        "float": pa.float32(),
        "double": pa.float64(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }.get(of, pa.string())


def _count_csv(content: bytes, target: FilesTarget) -> int:
    lines = io.StringIO(content.decode(), newline="")
    return sum(1 for _ in csv.reader(lines, delimiter=target.delimiter)) - 1


def _count_parquet(content: bytes, _target: FilesTarget) -> int:
    import pyarrow.parquet as pq

    return int(pq.ParquetFile(io.BytesIO(content)).metadata.num_rows)


_Renderer = Callable[[Sequence[OutboundRecord], Mapping[str, str], FilesTarget], bytes]
_RENDERERS: dict[str, _Renderer] = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
_COUNTERS: dict[str, Callable[[bytes, FilesTarget], int]] = {
    "csv": _count_csv,
    "jsonl": lambda content, _: content.count(b"\n"),
    "parquet": _count_parquet,
}
