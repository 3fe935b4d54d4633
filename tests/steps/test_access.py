"""What a person is told, where somebody else has stood under their id."""

from __future__ import annotations

from datetime import date

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.io.tables import DeltaTables
from goldenlake.schemas import LEDGER
from goldenlake.steps.access import Access
from goldenlake.steps.subjects import Subject
from support import gold
from support.bronze import ingested, source_of
from support.lake import lay

DAY, NEXT, LATER = date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)
UGO, UNA, ONCE = "ugo@example.com", "una@example.com", "ugo.once@example.com"
PEOPLE = source_of(
    load="increment",
    key=["id"],
    columns=[{"name": "id"}, {"name": "name"}, {"name": "email", "normalise": "email"}],
    identifiers={"email": "email"},
    attributes={"given_name": "name", "email": "email"},
)


def test_a_person_is_not_told_what_stood_under_their_id_while_it_was_another_persons_too(
    tables: DeltaTables,
) -> None:
    was = {"customer_id": "c_ugo"}
    history = [
        was | {"given_name": "Ugo", "email": ONCE, "valid_from": DAY, "valid_to": NEXT},
        was | {"given_name": "Una", "email": UNA, "valid_from": NEXT, "valid_to": LATER},
        was | {"given_name": "Una", "email": UGO, "valid_from": LATER, "valid_to": None},
    ]
    now = [gold.customer("c_ugo", email=UGO, given_name="Ugo")]
    gold.publish(tables, LATER, {"gold.customers": now, "gold.customers_history": history})
    sent = was | {"destination": "readers", "segment": "all", "state": "present"}
    lay(tables, "activation.ledger", [sent | {"key": UGO}, sent | {"key": UNA}], LEDGER.ddl)
    for day, email in ((DAY, ONCE), (NEXT, UGO)):
        rows = [
            {"id": "1", "name": "Ugo", "email": email},
            {"id": "2", "name": "Una", "email": UNA},
        ]
        ingested(tables, PEOPLE, f"{day}.csv", rows, file_on=day)
    subject = Subject(
        people=1,
        customer_ids=("c_ugo",),
        record_ids=("crm:1",),
        identifiers=(("email", UGO), ("email", ONCE)),
        contacts=(UGO, ONCE),
    )

    policy = ConsentPolicy(purposes={}, channels={})
    known = Access(subject=subject, sources=[PEOPLE], consent=policy).run(tables)

    told = {each.name: each.rows for each in known.golden}
    found = [(row["given_name"], row["email"]) for row in told["gold.customers_history"]]
    assert sorted(found, key=str) == [("Ugo", ONCE), (None, UGO)]
    assert [row["key"] for row in told["activation.ledger"]] == [UGO]
    assert [row["email"] for each in known.records for row in each.rows] == [ONCE, UGO]
