"""Files as other systems write them, byte for byte the same whenever they are written."""

import csv
import gzip
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq

Cell = str | int | float | Decimal | datetime | None

GZIP_LEVEL = 4
"""Level 6 costs twice the time for 5% of the size on access logs."""
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001


class Lines:
    """A text file of whole lines, or a gzip of one."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self.rows = 0

    def write(self, lines: Sequence[str]) -> None:
        """Append lines; each counts as a record."""
        if lines:
            self._stream.write(("\n".join(lines) + "\n").encode(self._encoding))
            self.rows += len(lines)

    def write_broken(self, line: bytes) -> None:
        """Append bytes that no reader should take for a record."""
        self._stream.write(line)


class Csv:
    """A delimited file with a header row."""

    def __init__(
        self, stream: io.TextIOBase, header: Sequence[str], delimiter: str, line_end: str
    ) -> None:
        self._writer = csv.writer(stream, delimiter=delimiter, lineterminator=line_end)
        self._writer.writerow(header)
        self.rows = 0

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Append records."""
        self._writer.writerows(rows)
        self.rows += len(rows)


class Columns:
    """A Parquet file written one row group at a time."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self.rows = 0

    def write(self, columns: dict[str, object]) -> None:
        """Append a row group; keys are the schema's names."""
        arrays = [pa.array(columns[field.name], type=field.type) for field in self._schema]
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        if batch.num_rows:
            self._writer.write_batch(batch)
            self.rows += batch.num_rows

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


class Sheet:
    """The only worksheet of a workbook, with typed cells."""

    def __init__(self, stream: IO[bytes], header: Sequence[str]) -> None:
        self._stream = stream
        self._row = 0
        self._append([header])
        self.rows = 0

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Append records: text, numbers, instants (as Excel serial days) and blanks."""
        self._append(rows)
        self.rows += len(rows)

    def _append(self, rows: Iterable[Sequence[Cell]]) -> None:
        parts = []
        for row in rows:
            self._row += 1
            cells = "".join([_cell(value) for value in row])
            parts.append(f'<row r="{self._row}">{cells}</row>')
        self._stream.write("".join(parts).encode())


def _cell(value: Cell) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    if isinstance(value, datetime):
        days = (value - _EXCEL_EPOCH).total_seconds() / 86_400
        return f'<c s="1"><v>{days!r}</v></c>'
    if isinstance(value, float):
        return f"<c><v>{_excel_float(value)}</v></c>"
    return f"<c><v>{value}</v></c>"


def _excel_float(value: float) -> str:
    """Whole numbers beyond the column's width are kept in exponent form."""
    if value.is_integer() and abs(value) >= 1e11:
        return f"{Decimal(int(value)):E}"
    return repr(value)


@contextmanager
def lines_file(path: Path, encoding: str = "utf-8") -> Iterator[Lines]:
    """Lines, gzipped when the name ends in ``.gz``."""
    with path.open("wb") as raw:
        if path.suffix != ".gz":
            yield Lines(raw, encoding)
            return
        with gzip.GzipFile(
            filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=GZIP_LEVEL
        ) as packed:
            yield Lines(packed, encoding)  # type: ignore[arg-type]


@contextmanager
def csv_file(
    path: Path,
    header: Sequence[str],
    *,
    encoding: str = "utf-8",
    delimiter: str = ",",
    line_end: str = "\n",
) -> Iterator[Csv]:
    """A CSV with minimal quoting, gzipped when the name ends in ``.gz``."""
    with path.open("wb") as raw:
        if path.suffix == ".gz":
            with (
                gzip.GzipFile(
                    filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=GZIP_LEVEL
                ) as packed,
                io.TextIOWrapper(packed, encoding=encoding, newline="") as text,
            ):
                yield Csv(text, header, delimiter, line_end)
        else:
            with io.TextIOWrapper(raw, encoding=encoding, newline="") as text:
                yield Csv(text, header, delimiter, line_end)


@contextmanager
def parquet_file(path: Path, schema: pa.Schema) -> Iterator[Columns]:
    """A Parquet file; its bytes depend on the rows and on the version of Arrow only."""
    columns = Columns(path, schema)
    try:
        yield columns
    finally:
        columns.close()


_SHEET_NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_WORKBOOK_PARTS = {
    "[Content_Types].xml": f'{_XML}<Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package'
    '.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>',
    "_rels/.rels": f'{_XML}<Relationships xmlns="{_RELATIONS}"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'{_XML}<workbook xmlns="{_SHEET_NAMESPACE}" xmlns:r="{_OFFICE}"><sheets>'
    '<sheet name="Purchases" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'{_XML}<Relationships xmlns="{_RELATIONS}">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'{_XML}<styleSheet xmlns="{_SHEET_NAMESPACE}"><numFmts count="1">'
    '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm"/></numFmts>'
    '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="1"><fill><patternFill patternType="none"/></fill></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="2"><xf xfId="0"/><xf numFmtId="164" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>",
}


@contextmanager
def workbook_file(path: Path, header: Sequence[str]) -> Iterator[Sheet]:
    """An XLSX workbook, streamed.

    Written by hand because openpyxl stamps the time into the document and its zip, and is
    about five times slower.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in _WORKBOOK_PARTS.items():
            archive.writestr(_member(name), content, compresslevel=GZIP_LEVEL)
        with archive.open(_member("xl/worksheets/sheet1.xml"), "w", force_zip64=True) as stream:
            stream.write(f'{_XML}<worksheet xmlns="{_SHEET_NAMESPACE}"><sheetData>'.encode())
            yield Sheet(stream, header)
            stream.write(b"</sheetData></worksheet>")


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _ZIP_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 0
    return info


def day_stamp(day: date) -> str:
    """20260131, as shop systems name their files."""
    return day.strftime("%Y%m%d")
