"""XLSX, written by hand: what Excel writes, what it would never write, and what is no workbook."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from support.hostile import ADDRESS, CANARY, Entry
from support.hostile.archives import DAMAGED, TOO_MUCH, lying, zipped

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
STYLES = (
    f'<styleSheet {MAIN}><fonts count="1"><font/></fonts><fills count="1"><fill/></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs>'
    "</styleSheet>"
)


def text(place: str, value: str) -> str:
    """A cell of text."""
    return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'


def number(place: str, value: object, style: int = 0, formula: str = "") -> str:
    """A cell of a number; style 1 is a day."""
    shown = "" if value is None else f"<v>{value}</v>"
    return f'<c r="{place}" s="{style}">{formula and f"<f>{formula}</f>"}{shown}</c>'


def rows(*cells: list[str]) -> str:
    """A header and one row below it."""
    listed = (f'<row r="{at}">{"".join(row)}</row>' for at, row in enumerate(cells, 1))
    return f"<sheetData>{''.join(listed)}</sheetData>"


def head(*names: str) -> list[str]:
    """Cells of a header."""
    return [text(f"{'ABCDEF'[at]}1", name) for at, name in enumerate(names)]


def person(*more: str) -> list[str]:
    """Cells of a record."""
    return [text("A2", "C1"), text("B2", ADDRESS), *more]


def members(
    *sheets: str, hidden: int = 0, since_1904: bool = False, doctype: str = "", strings: str = ""
) -> dict[str, bytes]:
    """What a workbook of these sheets is made of; the first ``hidden`` of them are."""
    names = [f"sheet{at}" for at in range(1, len(sheets) + 1)]
    states = ['state="hidden"'] * hidden + ['state="visible"'] * (len(sheets) - hidden)
    listed = "".join(
        f'<sheet name="{name}" sheetId="{at}" {states[at - 1]} r:id="r{at}"/>'
        for at, name in enumerate(names, 1)
    )
    related = "".join(
        f'<Relationship Id="r{at}" Type="{RELATIONS}/worksheet" Target="worksheets/{name}.xml"/>'
        for at, name in enumerate(names, 1)
    )
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/{name}.xml" ContentType="{TYPES}.worksheet+xml"/>'
        for name in names
    )
    written = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override '
        f'PartName="/xl/workbook.xml" ContentType="{TYPES}.sheet.main+xml"/><Override '
        f'PartName="/xl/styles.xml" ContentType="{TYPES}.styles+xml"/>{overrides}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r0" '
        f'Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {MAIN} xmlns:r="{RELATIONS}"><workbookPr date1904='
        f'"{int(since_1904)}"/><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{related}'
        f'<Relationship Id="s" Type="{RELATIONS}/styles" Target="styles.xml"/><Relationship '
        f'Id="t" Type="{RELATIONS}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/styles.xml": STYLES,
        "xl/sharedStrings.xml": f"{doctype}<sst {MAIN}>{strings}</sst>",
    }
    for name, sheet in zip(names, sheets, strict=True):
        written[f"xl/worksheets/{name}.xml"] = f"{doctype}<worksheet {MAIN}>{sheet}</worksheet>"
    return {name: content.encode() for name, content in written.items()}


def workbook(*sheets: str, **settings: object) -> bytes:
    """A workbook, packed."""
    return zipped(members(*sheets, **settings))  # type: ignore[arg-type]


GOOD = rows(head("id", "email"), person())
NESTED = "".join(
    f'<!ENTITY {b} "{10 * ("&" + a + ";")}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
LAUGHS = f'<!DOCTYPE sst [<!ENTITY a "{"ha" * 50}">{NESTED}]>'
FOREIGN = '<!DOCTYPE sst [<!ENTITY i SYSTEM "file:///etc/hostname">]>'
FAR = rows(head("id", "email"), person()).replace(
    "</sheetData>", f'<row r="1048576">{text("XFD1048576", CANARY)}</row></sheetData>'
)
MERGED = '<mergeCells count="1"><mergeCell ref="C2:C3"/></mergeCells>'


def _cell(name: str, column: str, cell: str, landed: object, **settings: object) -> Entry:
    sheet = rows(head("id", "email", column), person(cell))
    return Entry(name=name, content=workbook(sheet, **settings), accepted=1,
                 landed=[{"email": ADDRESS, column: landed}])  # fmt: skip


def _bad(name: str, content: bytes, broken: str) -> Entry:
    return Entry(name=name, content=content, broken=broken)


ENTRIES = [
    _cell("formula cell", "paid", number("C2", 2.5, formula="1+1.5"), Decimal("2.5")),
    _cell("formula that was never computed", "paid", number("C2", None, formula="1+1.5"), None),
    _cell("formula that calls a program", "note", '<c r="C2" t="str"><f>cmd|" /C"!A0</f>'
          f"<v>{CANARY}</v></c>", CANARY),
    _cell("error cell", "paid", '<c r="C2" t="e"><v>#DIV/0!</v></c>', None),
    _cell("1900 date", "seen_on", number("C2", 45_292, style=1), date(2024, 1, 1)),
    _cell("1904 date", "seen_on", number("C2", 43_830, style=1), date(2024, 1, 1),
          since_1904=True),
    _cell("date typed as a plain number", "note", number("C2", 45_292), "45292"),
    _cell("phone kept as a number", "phone", number("C2", "447911123456"), "+447911123456"),
    Entry(name="merged cells", accepted=2, landed=[{"note": CANARY}, {"note": None}],
          content=workbook(rows(head("id", "email", "note"), person(text("C2", CANARY)),
                                [text("A3", "C2"), text("B3", ADDRESS)]) + MERGED)),
    Entry(name="hidden sheet in front", content=workbook(rows(head("id"), [text("A2", CANARY)]),
          GOOD, hidden=1), accepted=1, landed=[{"id": "C1"}]),
    _bad("all sheets hidden", workbook(GOOD, hidden=1), "there is no sheet"),
    _bad("no header that we know", workbook(rows(head("customer"), person())), "missing: id"),
    _bad("entity bomb", workbook(rows(head("id", "email"), [text("A2", "&i;")]), doctype=LAUGHS),
         "the workbook cannot be read"),
    _bad("entity that names a file", workbook(rows(head("id", "email"), [text("A2", "&i;")]),
         doctype=FOREIGN), "the workbook cannot be read"),
    _bad("a cell at the far end of the sheet", workbook(FAR), "its cells span"),
    _bad("zip bomb", workbook(GOOD + "<!--" + " " * (40 * 2**20) + "-->"), TOO_MUCH),
    _bad("a sheet that lies about its size", lying(workbook(
        GOOD + "<!--" + " " * (40 * 2**20) + "-->"), 400), DAMAGED),
    _bad("encrypted", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + ADDRESS.encode() * 9, "is encrypted"),
    _bad("a CSV named .xlsx", f"id,email\nC1,{ADDRESS}\n".encode(), "this is no .xlsx workbook"),
    _bad("an HTML page named .xlsx", f"<table><tr><td>{ADDRESS}</td></table>".encode(),
         "this is no .xlsx workbook"),
    _bad("a zip of something else", zipped({"a.csv": ADDRESS.encode()}),
         "the workbook cannot be read"),
    _bad("truncated", workbook(GOOD)[:-40], DAMAGED),
    _bad("empty", b"", "this is no .xlsx workbook"),
    Entry(name="a sheet of nothing", content=workbook("<sheetData/>")),
]  # fmt: skip
