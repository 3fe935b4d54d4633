"""What gives a person away in a text."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable, Sequence
from email.header import Header
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldenlake.columns.traces import Traces, pseudonym
from support.growth import is_in_proportion

ANN = "ann.lee@example.com"


@pytest.mark.parametrize(
    "text",
    [
        ANN,
        f"please write to {ANN.upper()}.",
        f'{{"email": "{ANN}"}}',
        "GET /unsubscribe?who=ann.lee%40example.com&list=3 HTTP/1.1",
        "GET /go/mailto%3Aann.lee%40example.com HTTP/1.1",
        f"/profile/{ANN}/orders",
        base64.b64encode(ANN.encode()).decode(),
        hashlib.sha256(ANN.encode()).hexdigest(),
        hashlib.md5(ANN.encode()).hexdigest().upper(),
    ],
)
def test_an_address_is_found_however_it_is_written(text: str) -> None:
    assert Traces.of([ANN]).found_in(text)


@pytest.mark.parametrize(
    "text", ["joann.lee@example.com", "ann.lee@example.com.au", "ann.lee", "x_ann.lee@example.com"]
)
def test_somebody_elses_address_is_not_taken_for_it(text: str) -> None:
    assert not Traces.of([ANN]).found_in(text)


@pytest.mark.parametrize("text", ["+442071838750", "tel:442071838750", "00 +442071838750;"])
def test_a_phone_number_is_found_with_and_without_its_plus(text: str) -> None:
    traces = Traces.of(["+442071838750"])

    assert traces.found_in(text)
    assert not traces.found_in("+4420718387501")


def test_a_value_that_stands_in_many_texts_by_chance_is_not_looked_for() -> None:
    assert not Traces.of(["42"]).found_in("the answer is 42")


def test_a_pseudonym_says_nothing_without_its_key() -> None:
    assert pseudonym(b"one", "email", ANN) != pseudonym(b"two", "email", ANN)
    assert pseudonym(b"one", "email", ANN) != pseudonym(b"one", "phone", ANN)
    assert len(pseudonym(b"one", "email", ANN)) == 32


def _as_json(text: str) -> str:
    return json.dumps({"note": text, "more": [1, None]})


def _as_json_of_any_letters(text: str) -> str:
    return json.dumps([text], ensure_ascii=False).replace("/", "\\/")


def _all_by_numbers(text: str) -> str:
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex().upper()}" for at in range(0, len(units), 2))


def _all_by_entities(text: str) -> str:
    return "".join(f"&#{ord(letter)};" for letter in text)


def _as_parquet_map(text: str) -> str:
    return str([("note", text)])


def _as_bytes(text: str) -> str:
    return str([text.encode()])


def _as_words_of_mail(text: str) -> str:
    return f"From: {Header(text, 'utf-8').encode()}"


WRITERS: list[Callable[[str], str]] = [
    _as_json,
    _as_json_of_any_letters,
    _as_parquet_map,
    _as_bytes,
    _as_words_of_mail,
    html.escape,
    quote,
    quote_plus,
]
ALL_WRITERS = [*WRITERS, _all_by_numbers, _all_by_entities]
PEOPLE = [
    "ann.lee@example.com",
    "o'neil@example.com",
    "ann+news@example.com",
    "ann_lee@example.com",
    "jörg@exämple.de",
    "\U0001f600@example.com",
]
AROUND = st.sampled_from(
    ["", " ", "\n", "\t", "\r\n", "\b", "\f", '"', "'", ",", ";", "<", ">", " ü ", "/"]
)


def _written(text: str, writers: Sequence[Callable[[str], str]]) -> str:
    for write in writers:
        text = write(text)
    return text


@given(
    who=st.sampled_from(PEOPLE),
    before=AROUND,
    after=AROUND,
    writers=st.lists(st.sampled_from(WRITERS), max_size=5),
    first=st.sampled_from([str, *ALL_WRITERS]),
)
def test_an_address_is_found_through_any_layers_of_writing(
    who: str,
    before: str,
    after: str,
    writers: list[Callable[[str], str]],
    first: Callable[[str], str],
) -> None:
    text = _written(f"Call{before or ' '}{who}{after}", [first, *writers])

    assert Traces.of([who]).found_in(text)


@given(
    who=st.sampled_from(PEOPLE),
    around=st.sampled_from([("jo", ""), ("n", ""), ("", ".au"), ("", "x"), ("x_", ""), ("x.", "")]),
    before=AROUND,
    after=AROUND,
    writers=st.lists(st.sampled_from(WRITERS), max_size=5),
    first=st.sampled_from([str, *ALL_WRITERS]),
)
def test_somebody_elses_address_is_not_taken_for_it_through_any_layers(
    who: str,
    around: tuple[str, str],
    before: str,
    after: str,
    writers: list[Callable[[str], str]],
    first: Callable[[str], str],
) -> None:
    if not re.fullmatch(r"[\w.+@-]+", who):
        return  # what has other marks is looked for as a phrase, which a mark before it may begin
    whose = f"{around[0]}{who}{around[1]}"

    assert not Traces.of([who]).found_in(
        _written(f"Call {before}{whose}{after}", [first, *writers])
    )


@pytest.mark.parametrize(
    "text",
    [
        f"{ANN}_2026-01-01.csv",
        f"orders_{ANN}.csv",
        f"/in/2026_orders_{ANN}.csv.gz",
        f"bob@example.org_{ANN}_x.json",
        f"_{ANN}_",
        f"q=contact+{quote(ANN)}",
        f"q=contact%2B{quote(quote(ANN))}",
    ],
)
def test_an_address_is_found_in_names_of_files_and_in_forms(text: str) -> None:
    assert Traces.of([ANN]).found_in(text)


@pytest.mark.parametrize(
    "text",
    [
        f"joorders{ANN}.csv",
        f"orders_jo{ANN}_2026.csv",
        f"orders_{ANN}.au.csv",
        f"contact%2B{quote(ANN)}",
        f"contact+{ANN} gives 100%25",
    ],
)
def test_names_of_files_and_forms_with_somebody_elses_address_do_not_tell(text: str) -> None:
    assert not Traces.of([ANN]).found_in(text)


BETWEEN = st.sampled_from(["", " ", "-", "/", ".", " / ", "\u00a0", " - "])


@st.composite
def _grouped(draw: st.DrawFn, digits: str) -> str:
    return digits[0] + "".join(draw(BETWEEN) + digit for digit in digits[1:])


@given(
    data=st.data(),
    digits=st.sampled_from(["4915112345678", "004915112345678", "015112345678", "49015112345678"]),
    around=st.sampled_from(
        [("", ""), ("Tel: ", ";"), ("17 ", ""), ("(", ") 4"), ("call_", "_1.mp3")]
    ),
    writers=st.lists(st.sampled_from(WRITERS), max_size=3),
)
def test_a_phone_number_is_found_in_whatever_groups(
    data: st.DataObject,
    digits: str,
    around: tuple[str, str],
    writers: list[Callable[[str], str]],
) -> None:
    text = data.draw(_grouped(digits)).join(around)

    assert Traces.of(["+4915112345678"]).found_in(_written(text, writers))


@pytest.mark.parametrize(
    "text",
    [
        "+49 (0)151 12345678",
        "(0151) 12 34 56 78",
        r'{"p":"\u002B4915112345678"}',
        "+49.151.12345678",
    ],
)
def test_a_phone_number_is_found_as_people_write_it(text: str) -> None:
    assert Traces.of(["+4915112345678"]).found_in(text)


@given(digits=st.from_regex(r"\A[0-9 /-]{0,30}\Z"))
def test_only_whole_groups_make_a_phone_number(digits: str) -> None:
    """By trying every run of groups, where the code stops early."""
    groups = [each for each in re.split("[ /-]", digits) if each]
    runs = {"".join(groups[i:j]) for i in range(len(groups)) for j in range(i, len(groups) + 1)}
    dialled = {"12025550123", "2025550123", "0012025550123", "01112025550123"}
    found = Traces.of(["+12025550123"]).found_in(digits)

    assert not found or bool(runs & dialled)


@pytest.mark.parametrize(
    "text", ["2025550123", "(202) 555-0123", "1-202-555-0123", "+1.202.555.0123"]
)
def test_a_phone_number_of_a_country_without_a_zero_is_found_as_at_home(text: str) -> None:
    assert Traces.of(["+12025550123"]).found_in(text)


def test_a_day_is_no_phone_number() -> None:
    assert not Traces.of(["+4520260301"]).found_in("2026-03-01 20260301")


@pytest.mark.parametrize(
    "piece",
    [
        "\\",
        "\\\\n",
        "%",
        "%25",
        "&amp;",
        "&#",
        "1",
        "1 ",
        "1" + " " * 9,
        "a_",
        "a_@",
        "a.csv",
        "@x.csv",
        "+",
    ],
)
def test_a_search_takes_time_in_proportion_to_the_text(piece: str) -> None:
    traces = Traces.of([ANN, "+4915112345678"])

    def search(length: int) -> None:
        assert not traces.found_in(piece * (length // len(piece)) + "@x_")

    assert is_in_proportion(search, 2**20)
