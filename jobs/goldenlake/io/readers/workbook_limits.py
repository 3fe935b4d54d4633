"""What a workbook would become in memory, judged by its XML before anything of it is made."""

from __future__ import annotations

import re
from array import array
from functools import cache
from typing import BinaryIO
from xml.parsers import expat

from goldenlake.io.readers.archives import damage_named, unpacked
from goldenlake.io.readers.contract import LONGEST, FileBroken

#: Places of a sheet, from its first to the last that holds something; a cell at the far end of an
#: otherwise empty sheet makes 17 billion of them, and each takes memory.
MOST_CELLS = 20_000_000
#: Bytes of shared strings that all cells show, each as often as it is shown: a string of 30 kB in a
#: workbook of 1 MB can be shown by every cell, and each gets a copy of its own.
MOST_TEXT = 512 * 2**20
#: Of a worksheet: XFD1048576 is its last place.
_MOST_COLUMNS, _MOST_ROWS = 16_384, 1_048_576
#: Of XML; worksheets and shared strings have some five levels and fifty names.
_DEEPEST, _MOST_NAMES = 100, 10_000
_LONGEST_PART = 18
#: What makes a member one that is read; looked for only in what is no XML.
_DATA = re.compile(rb"[<:](?:sheetData|sst)[\s>/]")
_LONGEST_DATA = 16


def judge_workbook(stream: BinaryIO) -> None:
    """Refuse a workbook that would unpack, or spread its cells and their text, beyond the limits.

    Raises FileBroken.
    """
    strings: array[int] | None = None
    sheets = []
    with damage_named():
        # In order of name, shared strings come before the worksheets of an honest workbook.
        for member in unpacked(stream):
            found = _Measured(member, strings or array("Q"))
            if found.own is not None and strings is not None:
                raise FileBroken("it has two lists of shared strings.", "Do not trust it.")
            strings = strings if found.own is None else found.own
            sheets.append(found)
    longest = max(strings or [0])
    for sheet in sheets:
        if (shown := sheet.shown + sheet.unknown * longest) > MOST_TEXT:
            raise FileBroken(f"its cells show {shown // 2**20:,} MiB of text.", "Send it as CSV.")


class _Measured:
    """A member of a workbook, read to its end: how far its cells span, and what they show.

    Cells are placed as the reader places them: those without a reference follow the one before.
    A member that is no sound XML is passed over, unless it may hold cells or strings.
    """

    def __init__(self, member: BinaryIO, strings: array[int]) -> None:
        self.own: array[int] | None = None
        """Sizes of the shared strings that are listed here, if they are."""
        self.shown = 0
        """Bytes of the shared strings that the cells show."""
        self.unknown = 0
        """Cells that show one that is not known, or not yet."""
        self._strings = strings
        self._rows = self._columns = 0
        self._row, self._column = 1, 0
        self._cell: tuple[int, int] | None = None
        self._shows = False
        self._number = ""
        self._begun: int | None = None
        self._depth = 0
        self._names: dict[str, str] = {}
        self._parser = expat.ParserCreate("UTF-8", None, self._names)
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._read(member)

    def _read(self, member: BinaryIO) -> None:
        rest, size, holds, unsound = b"", 0, False, ""
        while block := member.read(2**20):
            size += len(block)
            holds = holds or _DATA.search(rest + block) is not None
            rest = block[-_LONGEST_DATA:]
            unsound = unsound or self._parse(block, size)
        unsound = unsound or self._parse(b"", size)
        if unsound and holds:
            raise FileBroken(f"the workbook cannot be read ({unsound}).", "Ask for it again.")

    def _parse(self, block: bytes, size: int) -> str:
        """Take in the next piece, which ends the first ``size`` bytes; what is wrong with it."""
        try:
            self._parser.Parse(block, not block)
        except expat.ExpatError:
            return "its XML is damaged"
        except _Unsound as error:
            return str(error)
        if size - (self._begun if self._begun is not None else size) > LONGEST:
            raise _too_long()
        if size - self._parser.CurrentByteIndex > LONGEST + len(block):
            return "a tag without an end"
        return "too many names" if len(self._names) > _MOST_NAMES else ""

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _Unsound("nested too deep")
        kind = name if ":" not in name else name.split(":", 1)[1]
        if kind == "c":
            self._refuse_within_cell()
            self._begun = self._parser.CurrentByteIndex
            self._shows = attributes.get("t") == "s"
            reference = attributes.get("r")
            if reference is None:
                self._cell = self._row, self._column + 1
            else:
                self._cell = _place(reference)
            self._column = self._cell[1]
        elif kind == "v" or kind == "is":
            self._hold()
            if self._shows and kind == "v":
                self._number = ""
                self._parser.CharacterDataHandler = self._text
        elif kind == "row":
            self._refuse_within_cell()
            if "r" in attributes:
                self._row = _place(attributes["r"])[0]
        elif kind == "si":
            self._begun = self._parser.CurrentByteIndex
        elif kind == "sst" and self.own is None:
            self.own = array("Q")

    def _text(self, text: str) -> None:
        self._number += text

    def _end(self, name: str) -> None:
        self._depth -= 1
        kind = name if ":" not in name else name.split(":", 1)[1]
        if kind == "c":
            self._cell = self._begun = None
            self._shows = False
        elif kind == "v":
            if self._shows:
                self._parser.CharacterDataHandler = None
                self._show()
        elif kind == "row":
            self._row, self._column = self._row + 1, 0
        elif kind == "si" and self._begun is not None:
            if self.own is not None:
                self.own.append(self._parser.CurrentByteIndex - self._begun)
            self._begun = None

    def _refuse_within_cell(self) -> None:
        if self._cell is not None:
            raise _Unsound("a cell within a cell")

    def _show(self) -> None:
        """Count the shared string whose number ends."""
        number = self._number
        at = int(number) if number.isdecimal() and len(number) < 20 else -1
        if 0 <= at < len(self._strings):
            self.shown += self._strings[at]
        else:
            self.unknown += 1

    def _hold(self) -> None:
        """Count the place of the cell, which holds something."""
        if self._cell is None:
            return
        row, column = self._cell
        if row <= self._rows and column <= self._columns:
            return
        self._rows, self._columns = max(self._rows, row), max(self._columns, column)
        if row > _MOST_ROWS or column > _MOST_COLUMNS or self._rows * self._columns > MOST_CELLS:
            raise FileBroken(
                f"its cells span {self._rows:,} rows and {self._columns:,} columns.",
                f"Send it with no more than {MOST_CELLS:,} places, or as CSV.",
            )

    @staticmethod
    def _doctype(*_: object) -> None:
        raise _Unsound("a DOCTYPE, which no workbook has")


class _Unsound(Exception):
    """XML that is none of a workbook's."""


def _place(reference: str) -> tuple[int, int]:
    """Row and column of a reference, both from 1; one without letters is of a row."""
    letters = reference.rstrip("0123456789")
    row = reference[len(letters) :].lstrip("0")
    if not row or len(row) > _LONGEST_PART or len(letters) > _LONGEST_PART:
        raise _Unsound("a cell at no place")
    return int(row), _column(letters)


@cache
def _column(letters: str) -> int:
    """The number of a column: A is 1, XFD is 16,384; of none 0."""
    if letters and not (letters.isascii() and letters.isalpha()):
        raise _Unsound("a cell at no place")
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def _too_long() -> FileBroken:
    return FileBroken(
        f"a cell holds more than {LONGEST // 2**20} MiB, which no spreadsheet can.",
        "Do not trust it; if it is genuine, send it as CSV.",
    )
