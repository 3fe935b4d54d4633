"""A worksheet of an Excel workbook; the values that its cells show, formulas' results included."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from goldenlake.declarations.formats import XlsxFormat
from goldenlake.io.readers.contract import (
    LONGEST,
    TOGETHER,
    Bad,
    Contract,
    FileBroken,
    Header,
    Reading,
    Records,
    cut,
)
from goldenlake.io.readers.parquet import number_text
from goldenlake.io.readers.workbook_limits import judge_workbook

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
MOST_PACKED = 256 * 2**20
"""Bytes of a workbook, which is taken into memory whole: one of a million rows has some 50 MB."""


def read_worksheet(stream: BinaryIO, contract: Contract, reading: Reading) -> Iterator[Records]:
    """Records below the header row, numbered from 1; rows without any value are none.

    Cells become text: dates and times in ISO form, whole numbers without a point, truth as
    ``true`` and ``false``. Numbers that Excel itself has rounded stay so.

    Rules that a record can break: ``too_long``.

    Raises:
        FileBroken: no workbook, encrypted, a bomb, no such sheet, or not the contract's header.
    """
    declared = contract.format
    assert isinstance(declared, XlsxFormat)
    rows = _rows(stream, declared)
    names = [_text(cell) for cell in next(rows, [])]
    if not any(names):
        return
    header = Header.match(names, contract, reading)
    kept: list[list[str]] = []
    numbers: list[int] = []
    bad: list[Bad] = []
    for cells in rows:
        row = [_text(cell) for cell in cells]
        if not any(row):
            continue
        if sum(map(len, row)) > LONGEST:
            bad.append(Bad(reading.next_record, "too_long", cut(",".join(row))))
        else:
            kept.append(row)
            numbers.append(reading.next_record)
        reading.next_record += 1
        if len(kept) + len(bad) >= TOGETHER:
            yield header.records(contract, numbers, kept, bad)
            kept, numbers, bad = [], [], []
    if kept or bad:
        yield header.records(contract, numbers, kept, bad)


def _rows(stream: BinaryIO, declared: XlsxFormat) -> Iterator[list[Any]]:
    start = stream.read(len(_OLE))
    if start.startswith(_OLE):
        raise FileBroken(
            "the workbook is encrypted or of the old .xls kind.",
            "Ask for an .xlsx file without a password.",
        )
    if not start.startswith(_ZIP):
        raise FileBroken(
            "this is no .xlsx workbook, whatever its name says.",
            "If it is CSV, declare format csv; else ask for the file again.",
        )
    content = io.BytesIO()
    piece = start
    while piece:
        if content.tell() + len(piece) > MOST_PACKED:
            raise FileBroken(f"it has over {MOST_PACKED // 2**20} MiB.", "Send it as CSV.")
        content.write(piece)
        piece = stream.read(2**20)
    content.seek(0)
    judge_workbook(content)
    content.seek(0)
    try:
        book = CalamineWorkbook.from_filelike(content)
        sheets = [sheet for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
        visible = [s.name for s in sheets if s.visible == SheetVisibleEnum.Visible]
        name = declared.sheet or next(iter(visible), None)
        if name not in [sheet.name for sheet in sheets]:
            raise FileBroken(
                f"there is no sheet {declared.sheet or 'that is visible'!r}.",
                "Correct format.sheet, or ask the source's owner.",
            )
        found = book.get_sheet_by_name(str(name)).to_python(skip_empty_area=False)
    except CalamineError as error:
        raise FileBroken(
            f"the workbook cannot be read ({type(error).__name__}).", "Ask for it again."
        ) from error
    return iter(found[declared.header_row - 1 :])


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return number_text(cell)
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, datetime.timedelta):
        return number_text(cell.total_seconds())
    return "" if cell is None else str(cell)
