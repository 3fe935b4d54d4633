"""What a person is told of themselves, as a page."""

from __future__ import annotations

from datetime import date

from goldenlake.reporting.access import Known, Section, access_page
from support.pages import Reader


def test_a_record_that_does_not_say_everything_stands_beside_one_that_does() -> None:
    rows = [{"day": "2026-01-02", "email": "ann@example.com"}, {"day": "2026-01-03", "city": "Ulm"}]
    told = Section(name="crm", title="Contacts", rows=rows)
    known = Known(
        customer_ids=["c_a"], generation=1, as_of=date(2026, 1, 3), golden=[], records=[told]
    )

    text = " ".join(Reader(access_page(known)).text.split())

    assert "day email city 2026-01-02 ann@example.com 2026-01-03 Ulm" in text
