"""JSON lines and access logs."""

import io
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldenlake.declarations.formats import AccessLogFormat, JsonLinesFormat
from goldenlake.io.readers import lines as lines_module
from goldenlake.io.readers.access_log import read_access_log
from goldenlake.io.readers.contract import MOST_DRIFT, Contract, FileBroken, Reading, Wanted
from goldenlake.io.readers.json_lines import read_json_lines

COMBINED = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'
LINE = (
    b'2001:db8::1 - jo [17/May/2015:10:05:03 +0000] "GET /a?b=1 HTTP/1.1" 200 - '
    b'"-" "Mozilla/5.0 \\"x\\" (X11)"\n'
)


def read(content, names, declared, reading=None):
    columns = tuple(Wanted(name.rstrip("?"), name.rstrip("?"), "?" in name) for name in names)
    wanted = Contract(declared, columns)
    reader = read_json_lines if declared.kind == "jsonl" else read_access_log
    good, bad, extra = [], {}, []
    for records in reader(io.BytesIO(content), wanted, reading or Reading()):
        made, more = records.made
        found = [made[name].to_pylist() for name in wanted.names]
        good += zip(list(map(int, map(str, records.numbers))), *found, strict=True)
        bad |= {one.record: one.rule for one in records.bad}
        extra += more.to_pylist() if more else []
        assert records.count == len(records.numbers) + len(records.bad)
    return good, bad, extra


def read_json(content, *names, reading=None, **declared):
    return read(content, names, JsonLinesFormat(kind="jsonl", **declared), reading)


def read_log(content, *names, log_format=COMBINED):
    return read(content, names, AccessLogFormat(kind="access_log", log_format=log_format))


def test_numbers_stay_as_written_and_nested_values_become_json_text():
    line = b'{"a": 1.10, "b": 9007199254740993, "c": {"d": [1.0, null, "\xc3\xa9"]}, "e": true}\n'
    assert read_json(line, "a", "b", "c", "e", "f")[0] == [
        (1, "1.10", "9007199254740993", '{"d":[1.0,null,"é"]}', "true", None)
    ]


def test_of_a_doubled_key_the_last_counts_and_unknown_keys_are_kept():
    reading = Reading()
    good, _, extra = read_json(b'{"a": 1, "a": 2, "z": [3]}', "a", "b", reading=reading)
    assert (good, extra) == ([(1, "2", None)], [[("z", "[3]")]])
    assert set(reading.drift) == {("new", "z"), ("missing", "b")}


def test_of_ever_new_keys_no_more_are_held_than_are_told(monkeypatch):
    monkeypatch.setattr(lines_module, "_BLOCK", 2**16)
    reading = Reading()
    wanted = Contract(JsonLinesFormat(kind="jsonl"), (Wanted("a", "a", False),))
    content = b"".join(b'{"%s%x": 1}\n' % (b"k" * 99, at) for at in range(50_000)) + b'{"a": 2}\n'
    tracemalloc.start()
    count = sum(found.count for found in read_json_lines(io.BytesIO(content), wanted, reading))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (count, len(reading.drift)) == (50_001, MOST_DRIFT + 1)
    assert ("new", "(and more)") in reading.drift
    assert ("missing", "a") not in reading.drift
    assert peak < 4 * 2**20


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b'{"a": 1', "not_json"),
        (b'{"a": NaN}', "not_json"),
        (b"[" * 10_000, "too_deep"),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", "too_deep"),
        (b'[{"a": 1}]', "not_an_object"),
        (b'"a"', "not_an_object"),
        (b'{"a": "\\ud800"}', "encoding"),
        (b'{"a": "\xe9"}', "encoding"),
        (b'{"a": "\\u0000"}', "nul"),
    ],
)
def test_a_line_that_is_no_record_is_set_aside_alone(line, rule):
    good, bad, _ = read_json(b'{"a": 1}\n' + line + b'\r\n\n{"a": 2}', "a")
    assert (good, bad) == ([(1, "1"), (4, "2")], {2: rule})


def test_a_type_that_flips_is_text_all_the_same():
    assert read_json(b'{"a": 1}\n{"a": "1"}\n{"a": [1]}\n', "a")[0] == [
        (1, "1"), (2, "1"), (3, "[1]"),
    ]  # fmt: skip


def test_json_in_other_encodings_and_with_a_bom():
    content = '{"a": "é"}\n{"a": "ö"}'
    assert read_json(content.encode("utf-8-sig"), "a")[0] == [(1, "é"), (2, "ö")]
    assert read_json(content.encode("utf-16"), "a", encoding="utf-16")[0] == [(1, "é"), (2, "ö")]
    assert read_json(content.encode("cp1252"), "a", encoding="cp1252")[0] == [(1, "é"), (2, "ö")]


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text(max_size=9) | st.integers())))
def test_any_objects_read_back(objects):
    content = "\n".join(json.dumps(found) for found in objects).encode()
    good, bad, _ = read_json(content, "a", "b", "c")
    unfit = [n for n, o in enumerate(objects, 1) if any("\0" in str(v) for v in o.values())]
    assert sorted(bad) == unfit
    assert good == [
        (n, *[None if key not in o else str(o[key]) for key in "abc"])
        for n, o in enumerate(objects, 1)
        if n not in unfit
    ]


def test_an_access_log_line_falls_into_its_fields():
    names = ("host", "user", "time", "method", "path", "query", "protocol", "status", "bytes")
    assert read_log(LINE, *names, "referer", "user_agent")[0] == [
        (1, "2001:db8::1", "jo", "17/May/2015:10:05:03 +0000", "GET", "/a", "?b=1", "HTTP/1.1",
         "200", "-", "-", 'Mozilla/5.0 \\"x\\" (X11)')
    ]  # fmt: skip


def test_fields_go_by_their_directive_too():
    assert read_log(LINE, "%>s", "%{User-Agent}i", "Referer")[0][0][1] == "200"


def test_a_line_that_does_not_fit_is_set_aside_alone():
    good, bad, _ = read_log(LINE + LINE[:-3] + b"\n\n" + LINE + b"\x16\x03\x01", "host")
    assert ([row[0] for row in good], bad) == ([1, 4], {2: "log_format", 5: "log_format"})


def test_what_is_no_request_has_no_method():
    line = LINE.replace(b"GET /a?b=1 HTTP/1.1", b"\\x16\\x03")
    assert read_log(line, "request", "method?")[0] == [(1, "\\x16\\x03", None)]


def test_cookies_forwarded_chains_and_own_formats():
    declared = '%{X-Forwarded-For}i [%{%Y-%m-%d}t] \\"%{uid}C\\" %D 100%%'
    line = b'192.0.2.1, 198.51.100.7 [2024-01-02] "u1" 250 100%\n'
    names = ("x_forwarded_for", "cookie_uid", "microseconds", "uid")
    assert read_log(line, *names, log_format=declared)[0] == [
        (1, "192.0.2.1, 198.51.100.7", "u1", "250", "u1")
    ]


def test_a_field_that_the_format_lacks_is_named_with_those_it_has():
    with pytest.raises(FileBroken, match=r"'cookie_uid'.*user_agent"):
        read_log(LINE, "cookie_uid")
    assert read_log(LINE, "host", "cookie_uid?")[0] == [(1, "2001:db8::1", None)]


def test_blocks_of_any_size_give_the_same_lines(monkeypatch):
    content = b"\xef\xbb\xbf" + b"".join(b"x" * (at % 7) + b"\n" for at in range(40)) + b"end"
    seen = set()
    for block in (1, 2, 5, 64, 4096):
        monkeypatch.setattr(lines_module, "_BLOCK", block)
        found = [
            pair
            for part in lines_module.read_lines(io.BytesIO(content))
            for pair in zip(part.numbers.to_pylist(), part.text.to_pylist(), strict=True)
        ]
        seen.add(tuple(found))
    assert len(seen) == 1
    [found] = seen
    assert found[0] == (2, "x\n")
    assert found[-1] == (41, "end")


def test_a_line_beyond_all_measure_is_set_aside(monkeypatch):
    monkeypatch.setattr(lines_module, "LONGEST", 10)
    for block in (4, 4096):
        monkeypatch.setattr(lines_module, "_BLOCK", block)
        found = list(lines_module.read_lines(io.BytesIO(b"a\n" + b"x" * 50 + b"\nb\n")))
        assert [line for part in found for line in part.text.to_pylist()] == ["a\n", "b\n"]
        assert [(b.record, b.rule) for part in found for b in part.bad] == [(2, "too_long")]


def test_of_utf_16_without_a_bom_the_small_end_comes_first():
    content = '{"a": "é"}\n'.encode("utf-16-le")
    assert read_json(content, "a", encoding="utf-16")[0] == [(1, "é")]
