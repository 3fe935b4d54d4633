"""An export brings a destination to what is desired, harms nobody, and says why."""

from datetime import date

import pytest
import stamina

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.destination import Destination
from goldenlake.schemas import MEMBERS, SIZES
from goldenlake.steps.activate import Activate
from goldenlake.steps.plan import PlanExport
from support.destinations import Remembering
from support.gold import customer, frame, grant, publish

pytest_plugins = ["support.lake"]

DAY = date(2024, 5, 31)
POLICY = ConsentPolicy.model_validate(
    {"purposes": {"marketing": {"description": "x"}}, "channels": ["email"]}
)


@pytest.fixture(autouse=True)
def _no_waiting():
    with stamina.set_testing(True, attempts=3):
        yield


def destination(**others):
    return Destination.model_validate(
        {
            "destination": "crm",
            "description": "x",
            "owner": "crm",
            "segments": ["readers"],
            "purpose": "marketing",
            "channel": "email",
            "key": "email",
            "fields": {
                "FNAME": "given_name",
                "country": {"attribute": "country", "overwrite_with_null": True},
                "orders": "orders",
            },
            "target": {"kind": "files", "place": "out"},
            **others,
        }
    )


def members_are(tables, as_of, segments, generation):
    rows = [
        {"as_of": as_of, "segment": name, "customer_id": who, "generation": generation}
        for name, people in segments.items()
        for who in people
    ]
    where = {"as_of": as_of}
    tables.replace_slice("segments.members", frame(tables.spark, MEMBERS.ddl, rows), where=where)
    sizes = [
        {"as_of": as_of, "segment": name, "members": len(people), "generation": generation}
        for name, people in segments.items()
    ]
    tables.replace_slice("segments.sizes", frame(tables.spark, SIZES.ddl, sizes), where=where)


def night(tables, as_of, people, consents, members, **others):
    """Publish people who all are known, and make some of them members."""
    contents = {"gold.customers": people, "gold.consents": consents, **others}
    members_are(tables, as_of, members, publish(tables, as_of, contents))


def step(as_of=DAY, **others):
    settings = {"destination": destination(), "consent": POLICY, "run_id": "run", **others}
    return Activate(as_of=as_of, sleep=lambda _: None, **settings)


def silent(message):
    assert "@" not in message


def test_a_first_export_sends_whom_it_may_and_a_rerun_sends_nothing(tables):
    people = [customer(name, given_name=name.title()) for name in ("ann", "bob", "cyd", "dan")]
    people += [customer("eve", email=None), customer("twin", email="ann@example.com")]
    consents = [grant(name) for name in ("ann", "bob", "eve", "twin")] + [grant("dan", "withdrawn")]
    names = [each["customer_id"] for each in people]
    night(tables, DAY, people, consents, {"readers": names})
    kind = Remembering(batch_records=1)

    planned = PlanExport(destination=destination(), consent=POLICY, as_of=DAY).run(tables)
    result = step().run(tables, kind, silent)

    assert kind.people == {
        ("readers", "ann@example.com"): {"FNAME": "Ann", "country": None},
        ("readers", "bob@example.com"): {"FNAME": "Bob", "country": None},
    }
    assert [batch.number for _, batch in kind.sent] == [1, 2]
    (plan,) = planned.segments
    assert (plan.members, plan.wanted, plan.added, planned.changes) == (6, 2, 2, 2)
    assert plan.held_back == {"duplicate_key": 1, "no_consent": 1, "no_key": 1, "withdrawn": 1}
    assert plan.samples["add"] == ["ann", "bob"]
    assert result.counts["sent"] == 2
    held = {(r["customer_id"], r["reason"]) for r in tables.read("activation.held_back").collect()}
    assert ("twin", "duplicate_key") in held

    again = step().run(tables, kind, silent)
    assert len(kind.sent) == 2
    assert again.counts["unchanged"] == 2
