"""Contacts, names and addresses in the form in which they are matched."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from goldenlake.columns import addresses, emails, hashes, names, phones, streets, text
from goldenlake.columns.addresses import alpha_2
from goldenlake.columns.namekeys import family_key, given_key
from goldenlake.columns.names import parts, tidy
from goldenlake.columns.phones import e164
from goldenlake.destinations import hashing
from support.growth import is_in_proportion

ZERO_WIDTH, RIGHT_TO_LEFT, BOM = "\u200b", "\u202e", "\ufeff"
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def results(
    spark: SparkSession, function: Callable[[Column], Column], values: Sequence[str | None]
) -> list[str | None]:
    """The function over all values, in one job."""
    rows = [(at, value) for at, value in enumerate(values)]
    frame = spark.createDataFrame(rows, "at INT, value STRING").coalesce(1)
    return [r[1] for r in sorted(frame.select("at", function(F.col("value"))).collect())]


IN_SPARK: dict[str, tuple[Callable[[Column], Column], dict[str | None, str | None]]] = {
    "email": (
        emails.normalise_email,
        {
            " Anna.Smith+Tag@Example.COM\t": "anna.smith+tag@example.com",
            f"anna@{ZERO_WIDTH}example.com": "anna@example.com",
            f"{RIGHT_TO_LEFT}anna@example.com{BOM}": "anna@example.com",
            unicodedata.normalize("NFD", "José@example.com"): "josé@example.com",
            "<mailto:anna@example.com>": "anna@example.com",
            "x@ex\u0430mple.com": "x@ex\u0430mple.com",
            "a@example.com; b@example.com": None,
            "a..b@example.com": None,
            ".a@example.com": None,
            "anna@localhost": None,
            "anna at example.com": None,
            "anna@example.c0m1": None,
            "": None,
            None: None,
        },
    ),
    "email, for google": (
        emails.google_mailbox,
        {
            email: hashing.google_email(email)
            for email in (
                "cloudy.sanfrancisco+shopping@gmail.com",
                "user.name+NYC@Example.com",
                " Jo Han@GoogleMail.com ",
                "a.b+c.d+e@gmail.com",
                "a.b@gmail.com.example.com",
                "a.b@notgmail.com",
            )
        },
    ),
    "text": (
        text.clean_text,
        {"  a\u00a0 b\t\nc\u00ad ": "a b c", ZERO_WIDTH: None, "e\u0301": "é", "a\x00b": "ab"},
    ),
    "code": (
        text.clean_code,
        {"'00123": "00123", " ab-1 2": "AB-12", "2.6E+12": None, "1,2e11": None, "1E5": None},
    ),
    "british postcode": (
        lambda c: addresses.normalise_postcode(c, region="GB"),
        {"sw1a1aa": "SW1A 1AA", "SW1A  1AA": "SW1A 1AA", "1067": "1067", " ": None},
    ),
    "german postcode": (
        lambda c: addresses.normalise_postcode(c, region="DE"),
        {"1067": "01067", "01067.0": "01067", "10 115": "10115", "ec1a1bb": "EC1A 1BB"},
    ),
    "street": (
        streets.street_key,
        {
            "12 High Street": "high st 12",
            "High St. 12": "high st 12",
            "Hauptstraße 05": streets.keyed_street("Haupt-Str. 5"),
            "ул. Шипка 12": streets.keyed_street("Shipka St 12"),
            "Flat 1, 12 Elm Grove": "apt elm grove 1 12",
            "Flat 12, 1 Elm Grove": "apt elm grove 12 1",
            "Elm Grove": None,
            "12": None,
            None: None,
        },
    ),
    "sha256": (
        hashes.sha256_hex,
        {" " + "AB" * 32: "ab" * 32, "ab" * 31: None, "xy" * 32: None, EMPTY_SHA256: None},
    ),
    "phone": (
        lambda c: phones.normalise_phone(c, region=F.lit("DE")),
        {"0151 23456789": "+4915123456789", "1.2E+11": None, None: None},
    ),
    "country": (addresses.normalise_country, {"Deutschland": "DE", "Atlantis": None, None: None}),
    "name": (names.clean_name, {"ANNA  O'BRIEN": "Anna O'Brien", ZERO_WIDTH: None, None: None}),
    "full name": (names.clean_full_name, {"Dr. O'Brien, Anna": "Anna O'Brien"}),
    "given name key": (names.given_name_key, {"Саша": "aleksander", None: None}),
    "family name key": (names.family_name_key, {"Müller": "muler"}),
}


@pytest.mark.parametrize("what", IN_SPARK)
def test_values_take_their_normal_form_and_keep_it_when_it_is_applied_again(
    spark: SparkSession, what: str
) -> None:
    function, expected = IN_SPARK[what]
    once = results(spark, function, list(expected))
    assert dict(zip(expected, once, strict=True)) == expected
    if not what.endswith("key"):
        assert results(spark, function, once) == once


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("07100 000001", "+447100000001"),
        ("'+447100000001", "+447100000001"),
        ('="07100000001"', "+447100000001"),
        ("0044 7100 000001", "+447100000001"),
        ("+44 (0)7100 000001", "+447100000001"),
        (" +44.7100.000001\u200e", "+447100000001"),
        ("447100000001", "+447100000001"),
        ("447100000001.0", "+447100000001"),
        ("+1 650 253 0000 ext. 5", "+16502530000"),
        ("1.2E+11", None),
        ("4,471E+11", None),
        ("000000000", None),
        ("+1111111111", None),
        ("12345", None),
        ("ask her husband", None),
        ("", None),
    ],
)
def test_phone_numbers_become_e164_or_nothing(written: str, expected: str | None) -> None:
    assert e164(written, region="GB") == expected


def test_a_number_without_country_code_is_dialled_at_home_and_nowhere_else() -> None:
    assert e164("0151 23456789", region="DE") == "+4915123456789"
    assert e164("0151 23456789", region="ZZ") is None


@given(st.integers(100_000_000, 399_999_999))
def test_every_way_to_write_a_number_is_one_number(line: int) -> None:
    full = f"+447{line}"
    national = f"07{line}"
    ways = [full, national, f"'{full}", f"0044 7{line}", f"({national[:5]}) {national[5:]}"]
    assert len({e164(way, region="GB") for way in ways}) == 1
    found = e164(full, region="GB")
    assert found is None or e164(found, region="DE") == found


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("uk", "GB"), ("England", "GB"), ("Vereinigtes Königreich", "GB"), ("D", None),
        ("DEU", "DE"), ("GERMANY", "DE"), ("Österreich", "AT"), ("Éire", "IE"),
        ("The Netherlands", "NL"),
        ("България", "BG"), ("Россия", "RU"), ("U.S.A.", "US"),
        ("Côte d’Ivoire", "CI"), ("XX", None),
    ],
)  # fmt: skip
def test_countries_are_known_by_code_and_by_name_in_several_languages(
    written: str, code: str | None
) -> None:
    assert alpha_2(written) == code


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("JEAN-LUC PICARD", "Jean-Luc Picard"),
        ("anne o’brien", "Anne O’Brien"),
        ("McKenzie", "McKenzie"),
        ("van Gogh", "van Gogh"),
        ("ÉMILE", "Émile"),
        ("E\u0301mile", "Émile"),
        ("ИВАН", "Иван"),
        ("\u200fمحمد", "محمد"),
        ("李", "李"),
        ("straße", "Straße"),
        ("-", None),
        ("  ", None),
    ],
)
def test_names_are_tidied_for_showing(written: str, shown: str | None) -> None:
    assert tidy(written) == shown


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        ("O'Brien, Anna Maria", ("Anna Maria", "O'Brien")),
        ("Anna Maria O'Brien", ("Anna Maria", "O'Brien")),
        ("Dr. Hans van der Berg", ("Hans", "van der Berg")),
        ("Prof. Dr. MÜLLER, JÜRGEN", ("Jürgen", "Müller")),
        ("Mr Smith", (None, "Smith")),
        ("John Smith Jr.", ("John", "Smith")),
        ("Jack Ma", ("Jack", "Ma")),
        ("Cher", (None, "Cher")),
        ("", (None, None)),
    ],
)
def test_whole_names_come_apart(whole: str, expected: tuple[str | None, str | None]) -> None:
    assert parts(whole) == expected


LETTERS = st.text(
    st.sampled_from("aàáäbBcçdeéêfgiïjlmnñoöprsßtuüvwxyzАБВагдежзийлнорстяюёьъ'’- ,.\u0301\u200b"),
    max_size=24,
)


@pytest.mark.parametrize(
    "judge",
    [
        text.shown,
        text.code,
        emails.address,
        tidy,
        parts,
        given_key,
        family_key,
        alpha_2,
    ],
)
@pytest.mark.parametrize(
    "piece",
    [
        ">",
        "(",
        "mailto:",
        "a.",
        "\u0301\u0323",
        "\u0301\u200b\u0323",
        "\u0344",
        "Dr. ",
        "(a",
        "\u00b4",
    ],
)
def test_a_value_takes_time_in_proportion_to_its_length(
    judge: Callable[[str], object], piece: str
) -> None:
    assert is_in_proportion(lambda size: judge("a" + piece * size + "x"), 50_000)


def test_only_marks_that_no_writing_piles_up_are_left_out() -> None:
    shown = text.shown("e" + "\u0344" * 99 + "x")
    assert shown is not None
    assert text.shown(shown) == shown
    assert len(shown) == 32
    for honest in ("…" * 99, "👍🏽" * 99, "。、" * 99, "שָׁלוֹם" * 99, "e\u0323" * 99):
        assert text.shown(honest) == unicodedata.normalize("NFC", honest)
    assert emails.address("<" + "mailto:" + "a@example.com" + ">" * 9) == "a@example.com"


@given(LETTERS)
@example("ß’")  # in capitals it is two letters
def test_a_tidy_name_is_tidy(name: str) -> None:
    once = tidy(name)
    assert once is None or tidy(once) == once


@given(LETTERS)
def test_keys_do_not_see_case_form_or_invisible_characters(name: str) -> None:
    for key in (given_key, family_key):
        expected = key(name)
        assert key(unicodedata.normalize("NFD", name)) == expected
        assert key(ZERO_WIDTH.join(name)) == expected
        assert key(unicodedata.normalize("NFC", name).upper().lower()) == key(name.lower())


@pytest.mark.parametrize(
    "names_of_one",
    [
        ["Alexander", "ALEX", "Sasha", "Саша", "Александр", "Александър", "Aleksandr", "Alexandre"],
        ["William", "Bill", "Billy"],
        ["Katharina", "Kathi", "Catherine", "Екатерина", "Katya"],
        ["Юлия", "Yulia", "Julia", "Yuliya"],
        ["Дмитрий", "Dmitry", "Dmitri", "Дима"],
        ["Jürgen", "Juergen", "JURGEN"],
        ["Jean-Luc", "Jeanluc"],
        ["Anna Maria", "Anna"],
        ["Zoë", "Zoe"],
    ],
)
def test_one_given_name_has_one_key(names_of_one: list[str]) -> None:
    assert len({given_key(name) for name in names_of_one}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("Alexander", "Alexandra"), ("Christian", "Christina"), ("Жанна", "Яна"), ("Liam", "William")],
)
def test_names_of_two_people_keep_two_keys(one: str, other: str) -> None:
    assert given_key(one) != given_key(other)


def test_an_initial_says_nothing_about_a_name() -> None:
    assert given_key("J.") is None
    assert given_key("") is None
    assert family_key("–") is None


@pytest.mark.parametrize(
    "spellings",
    [
        ["Müller", "Mueller", "MULLER"],
        ["Чайковский", "Tchaikovsky", "Tschaikowski", "Chaykovskiy"],
        ["O'Brien", "O’BRIEN", "Obrien"],
        ["van der Berg", "Vanderberg"],
        ["Соловьёв", "Соловьев", "Solovyov"],
    ],
)
def test_one_family_name_has_one_key(spellings: list[str]) -> None:
    assert len({family_key(name) for name in spellings}) == 1


def test_family_names_that_differ_by_more_than_spelling_stay_apart() -> None:
    assert family_key("Ivanov") != family_key("Ivanova")
    assert family_key("Smith") != family_key("Smith-Jones")


def test_names_of_five_languages_keep_their_key_in_latin_letters() -> None:
    from goldenlake.sample.names import FAMILY, GIVEN

    for key, table in ((given_key, GIVEN), (family_key, FAMILY)):
        pairs = zip(table.native, table.latin, strict=True)
        assert [pair for pair in pairs if key(pair[0]) != key(pair[1])] == []
    pairs = [p for p in zip(GIVEN.native, GIVEN.nickname_native, strict=True) if p[1]]
    known = sum(given_key(name) == given_key(short) for name, short in pairs)
    assert known / len(pairs) > 0.85
