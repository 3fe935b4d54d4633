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
        ("attributes:", "consents:\n  - {at: id, status: notes, constant_purpose: marketing, "
         "constant_channel: email,\n     statuses: {complaint: suppressed, unsubscribed: "
         "withdrawn}}\nrules:\n  - {rule: in_set, column: notes, values: [unsubscribe, "
         "complaint, 7], reason: Ours.}\nattributes:",
         "20: consents[0].statuses.unsubscribed: 'unsubscribed' is not among the values that rules "
         "allow in notes. Did you mean 'unsubscribe'?"),
        ("attributes:", "interactions: {at: id, channel: web, kind: id, kinds: {veiw: view}}\n"
         "rules:\n  - {rule: in_set, column: id, values: [view, cart], reason: Ours.}\nattributes:",
         "18: interactions.kinds.veiw: 'veiw' is not among the values that rules allow in id. Did "
         "you mean 'view'?"),
    ],
)  # fmt: skip
def test_a_contract_that_contradicts_itself(conf: Conf, old: str, new: str, says: str) -> None:
    conf.change(SHOP, old, new)

    assert conf.problems() == [f"conf/{SHOP}:{says}"]


def test_words_are_free_where_no_rule_lists_them(conf: Conf) -> None:
    conf.change(
        SHOP,
        "attributes:",
        "consents:\n  - {at: id, status: id, constant_purpose: marketing, constant_channel: email, "
        "statuses: {out: withdrawn}}\nattributes:",
    )

    assert conf.problems() == []
