"""Workbooks of a few kB that would take gigabytes are refused, however they are spelled."""

import io

import pytest

from goldenlake.io.readers.contract import FileBroken
from goldenlake.io.readers.workbook_limits import judge_workbook
from support.hostile.archives import zipped
from support.hostile.workbooks import head, members, rows, workbook

LAST = "<row><c r='A1048576'><v>1</v></c></row>"


def judge(content):
    judge_workbook(io.BytesIO(content))


def sheet(more):
    return rows(head("id")).replace("</sheetData>", f"{more}</sheetData>")


def shared(cell, times, length=30_000):
    cells = "".join(f"<row>{cell * 100}</row>" for _ in range(times // 100))
    return members(sheet(cells), strings=f"<si><t>{'x' * length}</t></si>")


@pytest.mark.parametrize(
    "far",
    [
        "<row r='2'><c r='XFD2'><v>1</v></c></row><row><c r='A00000001048576'><v>1</v></c></row>",
        "<row r='2'><c r='xfd2'><v>1</v></c></row><row r='0001048576'><c><v>1</v></c></row>",
        "<row><c s='0' r = \"ZZZZZ2\"><v>1</v></c></row>" + LAST,
        "<row><c r='ZZZZZ2'><v>1</v></c></row>",
        "<row><c r='XFE2'><is><t>1</t></is></c></row>",
        "<row><c r='A1048577'><v>1</v></c></row>",
        "<row><c r='A99999999999999999'><v>1</v></c></row>",
        f"<row>{'<c><v>1</v></c>' * 100}</row>{LAST}",
        "<row>" + "<c a=' r=\"A1\" '><v>1</v></c>" * 100 + f"</row>{LAST}",
        f"<row r='1048570'>{'<c><v>1</v></c>' * 100}</row>{'<row/>' * 10}{LAST}",
        f"<x:row><x:c r='XFD2'><x:v>1</x:v></x:c></x:row>{LAST}",
    ],
)
def test_places_beyond_a_sheet_or_too_many_are_refused_however_they_are_spelled(far):
    with pytest.raises(FileBroken, match="its cells span"):
        judge(workbook(sheet(far)))


def test_what_stands_in_a_comment_moves_no_cell():
    row = "<row><!-- <row r='1'></row> --><c><v>1</v></c></row>"
    with pytest.raises(FileBroken, match="its cells span"):
        judge(workbook(sheet(f"<row r='1048576'>{'<c><v>1</v></c>' * 20}</row>{row}")))


@pytest.mark.parametrize(
    "odd",
    [
        "<row><c r='17 A'><v>1</v></c></row>",
        "<row><c r='A'><v>1</v></c></row>",
        "<row><c r='É1'><v>1</v></c></row>",
        "<row></row></row>",
        "<row><c r='A2'><is><row r='1'></row></is></c></row>",
        "<row>" + "<x>" * 200 + "</x>" * 200 + "</row>",
        "<row>" + "".join(f"<x{at}/>" for at in range(20_000)) + "</row>",
    ],
)
def test_a_sheet_that_is_no_sound_xml_of_a_workbook_is_refused(odd):
    with pytest.raises(FileBroken, match="the workbook cannot be read"):
        judge(workbook(sheet(odd)))


@pytest.mark.parametrize(
    "cell",
    [
        "<c t='s'><v>0</v></c>",
        "<c t='s'><f>A1</f><v>0</v></c>",
        "<c t='s'><v>0000000000</v></c>",
        "<c t='s'><!-- 7 --><v>0</v></c>",
        "<c t='s'><v><!-- 7 -->0</v></c>",
        "<c t='s'><v>&#48;</v></c>",
        "<c t='s'><v> 0 </v></c>",
        "<c t='s'><v>99</v></c>",
        f"<c{' ' * 600} t='s'><v a='{'x' * 120}'>0</v></c>",
    ],
)
def test_a_shared_string_counts_as_often_as_it_is_shown_however_that_is_spelled(cell):
    with pytest.raises(FileBroken, match="its cells show"):
        judge(zipped(shared(cell, 20_000)))
    judge(zipped(shared(cell, 10_000)))


def test_shared_strings_that_come_after_the_cells_count_as_the_longest():
    parts = shared("<c t='s'><v>0</v></c>", 20_000)
    parts["xl/zz.xml"] = parts.pop("xl/sharedStrings.xml")
    with pytest.raises(FileBroken, match="its cells show"):
        judge(zipped(parts))


def test_a_second_list_of_shared_strings_is_refused():
    parts = shared("<c t='s'><v>0</v></c>", 100)
    parts["xl/a.xml"] = b"<sst><si/></sst>"
    with pytest.raises(FileBroken, match="two lists"):
        judge(zipped(parts))


def test_what_holds_nothing_and_what_is_no_sheet_is_no_matter():
    parts = members(sheet("<row r='1048576'><c r='XFD1048576' s='1'/></row>"))
    parts["xl/drawings/old.vml"] = b"<xml><br><v:shape fillcolor='infoBackground9'></xml>"
    parts["xl/media/image.png"] = b"\x89PNG" + bytes(range(256)) * 100
    judge(zipped(parts))
