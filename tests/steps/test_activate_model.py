"""Exports through nights that go wrong, judged by a model of the people in plain dicts."""

import random
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from goldenlake.destinations import open_destination
from goldenlake.errors import PlaceUnreachable
from support.activation import DAY, Killed, Mortal, destination, members_are, silent, step
from support.destinations import Remembering
from support.gold import customer, grant, publish
from support.vendors import Outside, serving
from support.vendors.hubspot import Hubspot

pytestmark = pytest.mark.usefixtures("no_waiting")


class Model:
    """What is known of a handful of people in plain dicts, and what follows from it."""

    def __init__(self, dice, names):
        self.dice = dice
        self.people = {n: customer(n, given_name="A", country="FR") for n in names}
        self.consents = dict.fromkeys(names, "granted")
        self.members = {
            "readers": set(names[::2]),
            "buyers": set(names[::3]),
            "fans": set(names),
            "friends": set(names[1::2]),
        }
        self.history = []
        self.generation = 0

    def change(self):
        """A day in the life of these people."""
        generation = self.generation + 1
        for name, person in list(self.people.items()):
            match self.dice.randrange(12):
                case 0:
                    self.consents[name] = self.dice.choice(["withdrawn", "suppressed", None])
                case 1 | 2:
                    self.consents[name] = "granted"
                case 3:
                    person["given_name"] = self.dice.choice("ABC")
                case 4:
                    person["country"] = self.dice.choice([None, "FR", "DE"])
                case 5:
                    person["email"] = self.dice.choice([None, f"{name}.{generation}@example.com"])
                case 6 | 7:
                    self.members[self.dice.choice(sorted(self.members))] ^= {name}
                case 8 if len(self.people) > 12:
                    other = self.dice.choice([n for n in self.people if n != name])
                    self.merge(name, other, generation)

    def merge(self, name, other, generation):
        """One customer becomes another; its e-mail may go over."""
        if self.dice.random() < 0.5:
            self.people[other]["email"] = self.people[name]["email"]
        del self.people[name], self.consents[name]
        self.history.append(
            {
                "customer_id": name,
                "event": "merged",
                "other_customer_id": other,
                "generation": generation,
            }
        )
        for names in self.members.values():
            if name in names:
                names.remove(name)
                names.add(other)

    @property
    def statements(self):
        return [grant(name, status) for name, status in self.consents.items() if status]

    @property
    def forbidden(self):
        """Keys that nothing may be sent to."""
        said_no = {
            self.people[n]["email"] for n, s in self.consents.items() if s and s != "granted"
        }
        granted = {self.people[n]["email"] for n, s in self.consents.items() if s == "granted"}
        silent_only = {person["email"] for person in self.people.values()} - granted
        return said_no | silent_only

    def desired(self, refused):
        """What a destination should hold."""
        state = {}
        for segment, names in self.members.items():
            for name in sorted(names, reverse=True):
                person = self.people[name]
                key = person["email"]
                is_granted = self.consents[name] == "granted"
                if is_granted and key and key not in self.forbidden and key not in refused:
                    fields = {"FNAME": person["given_name"], "country": person["country"]}
                    state[segment, key] = fields
        return state


REFUSED = {"p00@example.com", "p06@example.com"}
STRANGER = {("readers", "stranger@example.com"): {"FNAME": "S", "country": None}}
GENEROUS = {"largest_change": 100, "most_removals": 1000, "allow_empty": True}
FIELDS = {
    "FNAME": "given_name",
    "country": {"attribute": "country", "overwrite_with_null": True},
}


class InHubspot:
    """The real kind, and what HubSpot's lists hold, looked at as ``Remembering`` is."""

    def __init__(self, vendor, declared, outside, concurrency):
        self.vendor, self.sent = vendor, []
        self._kind = open_destination(declared, outside)
        self._concurrency = concurrency
        self.before = self.after = lambda _, __: None
        vendor.properties.add("FNAME")
        vendor.refused |= REFUSED
        vendor.contacts["1"] = {"email": "stranger@example.com", "FNAME": "S"}
        told = {"name": "readers", "objectTypeId": "0-1", "processingType": "MANUAL"}
        vendor.lists["1"] = {
            **told, "listId": "1", "listVersion": 1, "processingStatus": "COMPLETE"
        }  # fmt: skip
        vendor.members["1"] = {"1"}

    @property
    def capabilities(self):
        can = self._kind.capabilities
        return replace(can, batch_records=4, concurrency=self._concurrency)

    def send(self, delivery, batch, note):
        self.before(delivery, batch)
        self.sent.append((delivery, batch))
        answers = self._kind.send(delivery, batch, note)
        self.after(delivery, batch)
        return answers

    def look_up(self, delivery, batch):
        return self._kind.look_up(delivery, batch)

    def finish(self, delivery):
        self._kind.finish(delivery)

    @property
    def people(self):
        return {
            (found["name"], contact["email"]): {
                "FNAME": contact["FNAME"], "country": contact.get("country") or None
            }
            for list_id, found in self.vendor.lists.items()
            for contact in (self.vendor.contacts[c] for c in self.vendor.members[list_id])
        }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "faults", "concurrency"),
    [
        (1, ["kill", "withdrawal", "write"], 1),
        (2, ["reset", "write", "down"], 3),
        (4, ["kill", "reset", "down"], 3),
    ],
)
def test_the_same_holds_of_a_real_crm_and_nobody_who_said_no_is_in_any_call(
    tables, seed, faults, concurrency
):
    vendor = Hubspot()
    model = Model(random.Random(seed), [f"p{n:02}" for n in range(24)])
    target = {"kind": "hubspot", "connection": "hubspot"}
    wanted = destination(
        segments=sorted(model.members), guards=GENEROUS, fields=FIELDS, target=target
    )
    with serving(vendor) as base_url:
        kind = InHubspot(vendor, wanted, Outside(base_url, "hubspot"), concurrency)
        go_through(tables, model, wanted, kind, faults, seed)
    assert not vendor.violations, vendor.violations[:3]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "faults"),
    [(1, ["kill", "withdrawal", "write"]), (2, ["reset", "write", "down"]), (3, ["write"] * 3)],
)
def test_whatever_happens_in_the_night_the_destination_ends_as_desired(tables, seed, faults):
    model = Model(random.Random(seed), [f"p{n:02}" for n in range(24)])
    wanted = destination(segments=sorted(model.members), guards=GENEROUS, fields=FIELDS)
    kind = Remembering(batch_records=4, refuses=lambda r: r.key in REFUSED and bool(r.fields))
    kind.people.update(STRANGER)
    go_through(tables, model, wanted, kind, faults, seed)


def go_through(tables, model, wanted, kind, faults, seed):
    """Nights that go wrong, each followed by one that does not."""
    dice = model.dice

    def publish_model(as_of):
        contents = {
            "gold.customers": list(model.people.values()),
            "gold.consents": model.statements,
            "identity.history": model.history,
        }
        model.generation = publish(tables, as_of, contents)

    def check(_, batch):
        keys = {r.key for r in batch.records if r.operation == "upsert"}
        assert not keys & model.forbidden

    def run(as_of, mortal):
        return step(as_of, destination=wanted, flush_records=9).run(mortal, kind, silent)

    for number, fault in enumerate(faults):
        as_of = DAY + timedelta(days=number)
        if number:
            model.change()
        publish_model(as_of)
        members_are(tables, as_of, model.members, model.generation)
        write = (dice.randint(1, 6), dice.choice(["before", "after"]))
        mortal = Mortal(tables, write if fault == "write" else None)
        fatal = dice.randint(1, 8)
        calls = []

        def before(delivery, batch, fault=fault, fatal=fatal, calls=calls, as_of=as_of):
            calls.append(batch.number)
            if fault == "withdrawal" and len(calls) == fatal:
                sent_now = {r.customer_id for r in batch.records}
                granted = [n for n, said in model.consents.items() if said == "granted"]
                leaving = [name for name in granted if name not in sent_now][:3]
                model.consents.update(dict.fromkeys(leaving, "withdrawn"))
                publish_model(as_of)
            if fault == "down" and len(calls) >= fatal:
                raise PlaceUnreachable(place="crm", what="down")
            check(delivery, batch)

        def after(_, __, fault=fault, fatal=fatal, calls=calls, mortal=mortal):
            if fault == "kill" and len(calls) == fatal:
                mortal.is_dead = True
                raise Killed
            if fault == "reset" and len(calls) == fatal:
                raise PlaceUnreachable(place="crm", what="reset after applying")

        kind.before, kind.after = before, after
        with suppress(Killed, PlaceUnreachable):
            run(as_of, mortal)
        kind.before, kind.after = check, lambda _, __: None
        run(as_of, tables)
        assert kind.people == model.desired(REFUSED) | STRANGER, (seed, number, fault)
    sent = len(kind.sent)
    run(as_of, tables)
    assert len(kind.sent) == sent
