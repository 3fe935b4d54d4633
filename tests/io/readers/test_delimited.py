"""CSV files, nasty ones above all."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from goldenlake.declarations.formats import CsvFormat
from goldenlake.io.readers.contract import LONGEST, Contract, FileBroken, Reading, Wanted
from goldenlake.io.readers.delimited import read_delimited
from support.growth import is_in_proportion

HEADER = b"id,name,city\n"


def contract(*names: str, **declared: object) -> Contract:
    columns = tuple(Wanted(name.rstrip("?"), name.rstrip("?"), "?" in name) for name in names)
    return Contract(CsvFormat(kind="csv", **declared), columns or COLUMNS)


COLUMNS = tuple(Wanted(name, name, False) for name in ("id", "name", "city"))


def read(content: bytes, wanted: Contract | None = None, reading: Reading | None = None):
    """(good rows as tuples, rules of bad records by number); checks that all were counted."""
    wanted, good, bad = wanted or contract(), [], {}
    stream = io.BufferedReader(io.BytesIO(content))
    for records in read_delimited(stream, wanted, reading or Reading()):
        made, _ = records.made
        columns = [made[name].to_pylist() for name in wanted.names]
        good += zip(records.numbers, *columns, strict=True)
        bad |= {one.record: one.rule for one in records.bad}
        assert records.count == len(records.numbers) + len(records.bad)
    return good, bad


@pytest.mark.parametrize("content", [b"", b"id,name,city", HEADER, b"\n\n", b"\xef\xbb\xbf"])
def test_a_file_without_records_has_none(content):
    assert read(content) == ([], {})


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_and_line_ends_are_found(encoding, end):
    text = end.join(["id,name,city", "1,Åsa,Malmö", '2,"A\nB",', ""])
    assert read(text.encode(encoding)) == ([(1, "1", "Åsa", "Malmö"), (2, "2", "A\nB", "")], {})


def test_line_ends_may_be_mixed_and_blank_lines_are_no_records():
    good, bad = read(HEADER + b"1,a,x\r2,b,y\r\n\n   \n3,c,z")
    assert [row[0] for row in good] == [1, 2, 3]
    assert not bad


def test_a_declared_encoding_is_used():
    assert read("id,name,city\n1,Zoë,Łódź\n".encode("cp1250"), contract(encoding="cp1250"))[0] == [
        (1, "1", "Zoë", "Łódź")
    ]


def test_only_the_rows_that_are_no_text_are_set_aside():
    good, bad = read(HEADER + b"1,a,x\n2,Zo\xeb,y\n3,c,z\n")
    assert ([row[0] for row in good], bad) == ([1, 3], {2: "encoding"})


def test_a_zero_byte_sets_its_row_aside():
    assert read(HEADER + b"1,a\0,x\n2,b,y\n")[1] == {1: "nul"}


def test_too_few_and_too_many_fields_are_set_aside():
    assert read(HEADER + b"1,a\n2,b,y,z\n3,c,z\n")[1] == {1: "field_count", 2: "field_count"}


def test_a_cut_off_last_line_is_called_so():
    assert read(HEADER + b"1,a,x\n2,b")[1] == {2: "truncated"}
    assert read(HEADER + b'1,a,x\n2,"b')[1] == {2: "truncated"}


def test_a_last_line_without_its_end_but_all_fields_is_taken():
    assert len(read(HEADER + b"1,a,x\n2,b,y")[0]) == 2


def test_an_open_quote_costs_its_own_line_and_no_other():
    good, bad = read(HEADER + b'1,"a,x\n2,b,y\n3,"c",z\n4,d,w\n')
    assert ([row[1] for row in good], bad) == (["2", "3", "4"], {1: "quote"})


def test_text_after_a_closing_quote_costs_its_own_line_and_no_other():
    good, bad = read(HEADER + b'1,"a"b,x\n2,b,y\n')
    assert ([row[1] for row in good], bad) == (["2"], {1: "quote"})


def test_lines_that_each_leave_a_quote_open_are_read_in_linear_time():
    def run(lines: int) -> None:
        found, bad = read(HEADER + b'1,a","\n' * lines + b"2,b,c\n" * 1_000)
        assert (len(found), set(bad.values())) == (1_000, {"quote"})

    assert is_in_proportion(run, 40_000)


def test_a_quote_within_a_plain_field_is_a_quote():
    assert read(HEADER + b'1,5" pipe,x\n')[0] == [(1, "1", '5" pipe', "x")]


def test_a_header_in_the_middle_is_counted_and_set_aside():
    good, bad = read(HEADER + b"1,a,x\n" + HEADER + b"2,b,y\n")
    assert ([row[0] for row in good], bad) == ([1, 3], {2: "repeated_header"})


def test_a_field_beyond_all_measure_is_set_aside_and_cut():
    good, bad = read(HEADER + b"1," + b"x" * (LONGEST + 10) + b",y\n2,b,y\n")
    assert ([row[1] for row in good], bad) == (["2"], {1: "too_long"})


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_sniffed_by_the_columns_it_yields(delimiter):
    text = f"id{delimiter}name{delimiter}city\n1{delimiter}a, b; c{delimiter}x\n"
    if delimiter in ",;":
        text = text.replace("a, b; c", '"a, b; c"')
    assert read(text.encode())[0] == [(1, "1", "a, b; c", "x")]


def test_without_a_header_columns_go_by_their_place():
    good, bad = read(b"1;a;x\n2;b;y\n3;c\n", contract(header=False))
    assert good == [(1, "1", "a", "x"), (2, "2", "b", "y")]
    assert bad == {3: "field_count"}


def test_reordered_respelled_and_new_columns_are_read_and_reported():
    reading = Reading()
    content = b"city, NAME ,id,,shoe size\nx,a,1,q,43\n"
    [records] = read_delimited(io.BufferedReader(io.BytesIO(content)), contract(), reading)
    made, extra = records.made
    assert [made[name].to_pylist() for name in ("id", "name", "city")] == [
        ["1"], ["a"], ["x"],
    ]  # fmt: skip
    assert extra.to_pylist() == [[("column_4", "q"), ("shoe size", "43")]]
    assert set(reading.drift) == {
        ("respelled", "name"), ("reordered", ""), ("new", "column_4"), ("new", "shoe size"),
    }  # fmt: skip


def test_a_column_that_a_file_may_lack_is_null():
    reading = Reading()
    good, _ = read(b"id,name\n1,a\n", contract("id", "name", "city?"), reading)
    assert (good, reading.drift) == ([(1, "1", "a", None)], {("missing", "city"): ""})


@pytest.mark.parametrize("content", [b"id,name\n1,a\n", b"1,a,x\n2,b,y\n", b"<html>\n"])
def test_a_missing_column_breaks_the_file_without_a_word_of_its_content(content):
    with pytest.raises(FileBroken, match="missing") as broken:
        read(content)
    assert "html" not in str(broken.value)
    assert " a" not in str(broken.value).replace(" another", "").replace(" are", "")


def test_a_doubled_column_breaks_the_file_if_it_is_ours():
    with pytest.raises(FileBroken, match="twice: name"):
        read(b"id,name,city,name\n1,a,x,b\n")
    assert read(b"id,name,city,q,q\n1,a,x,b,c\n")[0] == [(1, "1", "a", "x")]


text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
tricky = st.text("\",;\t|\n\r'ab é\u2028=\ufeff", max_size=8)


@given(st.lists(st.lists(text | tricky, min_size=3, max_size=3), max_size=8), st.sampled_from(",;"))
@example([["\ufeff", "", ""]], ",")
def test_any_table_of_texts_reads_back_exactly(rows, delimiter):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([["id", "name", "city"], *rows])
    repeated = [number for number, row in enumerate(rows, 1) if row == ["id", "name", "city"]]
    good, bad = read(out.getvalue().encode())
    expected = [(n, *row) for n, row in enumerate(rows, 1) if n not in repeated]
    assert (good, list(bad)) == (expected, repeated)


@given(st.binary(max_size=200))
def test_no_bytes_stop_the_reader(content):
    good, bad = read(HEADER + content)
    assert sorted([row[0] for row in good] + list(bad)) == list(range(1, len(good) + len(bad) + 1))
