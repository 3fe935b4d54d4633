"""What outlives people by design, also where it stands under somebody else."""

from __future__ import annotations

from datetime import date
from typing import Any

from goldenlake.io.tables import DeltaTables
from goldenlake.schemas import LEDGER, OUTBOX, REJECTS
from goldenlake.steps.residue import Residue
from goldenlake.steps.subjects import Subject
from support import gold

DAY, NEXT = date(2026, 3, 1), date(2026, 3, 2)
ANN = "ann@example.com"
SUBJECT = Subject(
    people=1,
    customer_ids=("c_ann",),
    record_ids=("crm:ann",),
    identifiers=(("email", ANN),),
    contacts=(ANN,),
)
RESIDUE = Residue(subject=SUBJECT, request="e_1")
NAMES = (
    "activation.ledger",
    "activation.outbox",
    "activation.rejects",
    "gold.customers_history",
    "identity.history",
)


def was(customer: str, name: str, email: str | None, until: date | None = None) -> dict[str, Any]:
    of = {"customer_id": customer, "given_name": name, "email": email}
    return of | {"valid_from": (until and DAY) or NEXT, "valid_to": until}


def record(customer: str, key: str, **others: Any) -> dict[str, Any]:
    of = {"destination": "letters", "segment": "all", "customer_id": customer, "key": key}
    return of | {"state": "present"} | others


def rows(tables: DeltaTables, table: str, *columns: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in tables.read(table).select(*columns).collect()), key=str)


def test_what_stood_under_another_customer_goes_and_the_rest_of_theirs_stays(
    tables: DeltaTables,
) -> None:
    gold.publish(
        tables,
        NEXT,
        {
            "gold.customers_history": [
                was("c_ann", "Ann", ANN),
                was("c_bob", "Bob", ANN, NEXT),
                was("c_eve", "Ann", ANN, NEXT),
                was("c_eve", "Eve", "eve@example.com"),
                was("c_bob", "Bob", "bob@example.com"),
                was("c_joe", "Joe", f"jo{ANN}"),
            ],
            "identity.history": [
                {"customer_id": "c_bob", "event": "assigned", "record_id": "crm:ann"},
                {"customer_id": "c_joe", "event": "assigned", "record_id": "crm:joe"},
            ],
        },
    )
    refused = {"destination": "letters", "customer_id": "c_bob", "is_permanent": True}
    reasons = [refused | {"reason": each} for each in (f"{ANN} is taken", "too long")]
    tables.append("activation.rejects", tables.frame(reasons, REJECTS.ddl))
    sent = [record("c_bob", ANN), record("c_bob", "bob@example.com", remote_id=ANN)]
    tables.append("activation.ledger", tables.frame(sent, LEDGER.ddl))
    waiting = [
        record("c_bob", each, delivery="d", fields=f'{{"email": "{of}"}}')
        for each, of in (("bob@example.com", ANN), ("bob@example.org", "bob@example.org"))
    ]
    tables.append("activation.outbox", tables.frame(waiting, OUTBOX.ddl))

    assert (RESIDUE.claim(tables), RESIDUE.claim(tables)) == (1, 0)
    assert RESIDUE.told(tables) == {"letters": {"present": 1}}
    gone = RESIDUE.remove(tables, NAMES)

    assert gone == {
        "activation.ledger": 2,
        "activation.outbox": 1,
        "activation.rejects": 1,
        "gold.customers_history": 3,
        "identity.history": 1,
    }
    assert RESIDUE.remove(tables, [name for name in NAMES if name.startswith("activation")]) == {}
    history = "gold.customers_history"
    assert rows(tables, history, "customer_id", "given_name", "email", "valid_to") == [
        ("c_bob", "Bob", "bob@example.com", None),
        ("c_bob", "Bob", None, NEXT),
        ("c_eve", "Eve", "eve@example.com", None),
        # What Ann's own rows say went as well.
        ("c_eve", None, None, NEXT),
        ("c_joe", "Joe", f"jo{ANN}", None),
    ]
    assert rows(tables, "identity.history", "customer_id", "record_id") == [
        ("c_bob", None),
        ("c_joe", "crm:joe"),
    ]
    assert rows(tables, "activation.ledger", "customer_id", "key", "remote_id") == [
        ("c_bob", "bob@example.com", None)
    ]
    assert rows(tables, "activation.rejects", "reason") == [("too long",), (None,)]
    assert rows(tables, "activation.outbox", "key") == [("bob@example.org",)]


def test_what_was_sent_of_somebody_who_is_no_customer_is_the_requests_until_it_is_gone(
    tables: DeltaTables,
) -> None:
    tables.append("activation.ledger", tables.frame([record("c_bob", ANN)], LEDGER.ddl))
    stranger = Residue(
        subject=Subject(people=1, customer_ids=(), record_ids=(), identifiers=(), contacts=(ANN,)),
        request="e_1",
    )

    stranger.claim(tables)

    assert rows(tables, "activation.ledger", "customer_id") == [("e_1",)]
    assert stranger.told(tables) == {"letters": {"present": 1}}
