# ruff: noqa: ISC004
"""What a source says of itself and cannot mean."""

import pytest

from support.conf import Conf

SHOP = "sources/shop.yml"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("load: increment", "load: snapshot",
         "6: origin.file_date: is missing, but load is snapshot: of two files the newer one is the "
         "truth. Write where the day stands in their names, such as "
         r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})."),
        ("attributes:", "sessions: {by: [id], at: id}\nattributes:",
         "18: sessions: are counted over append sources only, but load is increment. Load it as "
         "append, or leave them out."),
        ("{name: notes,", "{name: notes, normalise: phone,",
         "15: columns[2].normalise: is phone, but neither region nor region_from says in which "
         "country numbers without a country code are dialled. Add one; region: ZZ reads "
         "international numbers only."),
        ("{name: notes,", "{name: notes, type: date, formats: [iso, \"yyyy-MM-dd'T'HH:mmXXX\"],",
         "15: columns[2].formats[1]: \"yyyy-MM-dd'T'HH:mmXXX\" reads an offset from UTC, but notes "
         "is a date: the day would be that of UTC, not the one that was written. Make the column a "
         "timestamp."),
        ("key: [id]", "key: [id]\nregion: XQ",
         "12: region: is 'XQ', no country of ISO 3166-1 with telephone numbers; write its two "
         "capital letters, such as GB, or ZZ to read international numbers only."),
        ("key: [id]", "key: [id]\nregion: uk",
         "12: region: is 'uk', no country of ISO 3166-1 with telephone numbers; write 'GB', or ZZ "
         "to read international numbers only."),
        ("attributes:", "consents:\n  - {at: id, status: notes, constant_purpose: marketing, "
         "constant_channel: email,\n     statuses: {complaint: suppressed, unsubscribed: "
         "withdrawn}}\nrules:\n  - {rule: in_set, column: notes, values: [unsubscribe, "
         "complaint, 7], reason: Ours.}\nattributes:",
         "20: consents[0].statuses.unsubscribed: 'unsubscribed' is not among the values that rules "
         "allow in notes. Did you mean 'unsubscribe'?"),
        ("attributes:", "consents:\n  - {at: id, status: notes, constant_purpose: marketing, "
         "constant_channel: email,\n     statuses: {Y: granted, 'y ': withdrawn}}\nattributes:",
         "20: consents[0].statuses.y : 'y ' means two things: case and blanks around a word do not "
         "count. Leave one of them."),
        ("attributes:", "interactions: {at: id, channel: web, kind: id, kinds: {veiw: view}}\n"
         "rules:\n  - {rule: in_set, column: id, values: [view, cart], reason: Ours.}\nattributes:",
         "18: interactions.kinds.veiw: 'veiw' is not among the values that rules allow in id. Did "
         "you mean 'view'?"),
    ],
)  # fmt: skip
def test_a_contract_that_contradicts_itself(conf: Conf, old: str, new: str, says: str) -> None:
    conf.change(SHOP, old, new)

    assert conf.problems() == [f"conf/{SHOP}:{says}"]


LOG = """\
source: log
description: A server's log.
system: web
owner: web@example.com
origin: {place: drops, files: "*.log"}
format: {kind: access_log, log_format: '%h %t "%r" %>s "%{Referer}i" "%{uid}C" 100%%'}
load: append
columns:
  - {name: host}
  - {name: at, from: time}
  - {name: path}
  - {name: status, from: "%>s"}
  - {name: referer}
  - {name: visitor, from: cookie_uid}
  - {name: bytes, optional_in_file: true}
  - {name: is_start, type: boolean, derive: path = '/'}
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("%h", "%Q", "6: format.log_format: has '%Q', which is no directive of Apache's LogFormat. "
         "Copy the server's own line; a percent sign by itself is %%."),
        ("%{uid}C", "%C", "6: format.log_format: has '%C', which is no directive"),
        ("100%%", "100%", "6: format.log_format: has '%', which is no directive"),
        ("from: cookie_uid", "from: cookie_id", "14: columns[5].from: 'cookie_id' is no field of "
         "format.log_format. Did you mean 'cookie_uid'?"),
        ("{name: referer}", "{name: referrer}", "13: columns[4].name: 'referrer' is no field of "
         "format.log_format. Did you mean 'referer'?"),
        ('"%r" ', "", "11: columns[2].name: 'path' is no field of format.log_format. "),
    ],
)  # fmt: skip
def test_a_log_whose_lines_do_not_hold_what_is_asked(
    conf: Conf, old: str, new: str, says: str
) -> None:
    conf.write("sources/log.yml", LOG)
    assert conf.problems() == []

    conf.change("sources/log.yml", old, new)

    (problem,) = conf.problems()
    assert problem.startswith(f"conf/sources/log.yml:{says}")


def test_words_are_free_where_no_rule_lists_them(conf: Conf) -> None:
    conf.change(
        SHOP,
        "attributes:",
        "consents:\n  - {at: id, status: id, constant_purpose: marketing, constant_channel: email, "
        "statuses: {out: withdrawn}}\nattributes:",
    )

    assert conf.problems() == []


@pytest.mark.parametrize("region", ["region: DE", "region: ZZ", "region_from: id"])
def test_phone_numbers_are_read_where_a_country_or_none_is_named(conf: Conf, region: str) -> None:
    conf.change(SHOP, "{name: notes,", "{name: notes, normalise: phone,")
    conf.change(SHOP, "key: [id]", f"key: [id]\n{region}")

    assert conf.problems() == []


def test_without_a_region_numbers_are_those_of_no_country(conf: Conf) -> None:
    assert conf.load().sources["shop"].region == "ZZ"


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (["{name: one, derive: one}"], ("one", "one")),
        (["{name: one, derive: two}", "{name: two, derive: upper(three)}",
          "{name: three, derive: one}", "{name: four, derive: one}"], ("one", "one, two, three")),
    ],
)  # fmt: skip
def test_columns_that_are_computed_from_each_other_are_a_problem(
    conf: Conf, columns: list[str], says: tuple[str, str]
) -> None:
    added = "".join(f"\n  - {column}" for column in columns)
    conf.change(SHOP, "columns:", f"columns:{added}")

    (problem,) = conf.problems()

    assert "columns[0].derive: is computed from itself" in problem
    assert f"circle {says[1]}. Compute one of them from columns of the file alone." in problem


def test_a_column_is_not_computed_from_what_is_known_only_later(conf: Conf) -> None:
    conf.change(SHOP, "columns:", "columns:\n  - {name: one, derive: is_bot}")

    (problem,) = conf.problems()

    assert "columns[0].derive: needs is_bot, which is made of all columns." in problem


def test_columns_are_computed_one_after_another(conf: Conf) -> None:
    conf.change(
        SHOP, "columns:", "columns:\n  - {name: one, derive: two}\n  - {name: two, derive: id}"
    )

    assert conf.problems() == []
