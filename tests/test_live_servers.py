"""The real systems that tests talk to are there, alone on this machine, and gone afterwards."""

import pytest

from support.live import Mailman, Tryton

pytestmark = pytest.mark.live


def test_a_mailman_lists_who_joined_and_its_letters_stay_where_they_are(mailman: Mailman) -> None:
    news = mailman.make_list("here")
    mailman.join(news, "own@example.com")
    mailman.join(news, "bob@example.com")
    assert mailman.outbox == []
    mailman.leave(news, "bob@example.com")
    assert mailman.roster(news) == {"own@example.com": ""}
    assert len(mailman.outbox) == 1, "a good-bye"


def test_a_tryton_has_a_company_with_a_customer(tryton: Tryton) -> None:
    assert tryton.parties() == []
    for name in ("sale.sale", "sale.opportunity", "account.invoice"):
        assert len(tryton.call("GET", name)) == 1
