"""An export brings a destination to what is desired, harms nobody, and says why."""

import random
from contextlib import suppress
from datetime import date, timedelta

import pytest
import stamina

from goldenlake.declarations.consent import ConsentPolicy
from goldenlake.declarations.destination import Destination, Guards
from goldenlake.errors import ExportHeld, PlaceUnreachable, SegmentNotBuilt
from goldenlake.schemas import LEDGER, MEMBERS, SIZES
from goldenlake.steps.activate import Activate
from goldenlake.steps.plan import PlanExport, SegmentPlan, approve, judge
from goldenlake.steps.story import activation_story
from support.destinations import Remembering
from support.gold import at, customer, frame, grant, publish

DAY = date(2024, 5, 31)
DAY_AND_TIME = at("2024-06-01 09:00")
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


def acknowledged(tables, names, **others):
    """People whom an earlier night has sent."""
    rows = [
        {
            "destination": "crm",
            "segment": "readers",
            "customer_id": name,
            "key": f"{name}@example.com",
            "state": "present",
            "acknowledged_hash": "old",
            "desired_hash": "old",
            "outcome": "acknowledged",
            "attempt": 0,
            "delivery": "d_old",
        }
        | others
        for name in names
    ]
    tables.append("activation.ledger", frame(tables.spark, LEDGER.ddl, rows))


def test_a_held_export_writes_nothing_until_a_person_approves_this_very_plan(tables):
    names = [f"p{n:03}" for n in range(100)]
    acknowledged(tables, names)
    stay = names[:40]
    night(tables, DAY, [customer(n) for n in names], [grant(n) for n in names], {"readers": stay})
    kind = Remembering(batch_records=50)
    with pytest.raises(ExportHeld, match="60% of 100") as held:
        step().run(tables, kind, silent)
    assert kind.sent == []
    assert tables.version("activation.ledger") == 0
    assert not tables.exists("activation.outbox")
    assert not tables.exists("activation.held_back")

    approval = {"by": "ann", "reason": "spring cleaning", "at": DAY_AND_TIME}
    approve(tables, "crm", "another plan", **approval)
    with pytest.raises(ExportHeld):
        step().run(tables, kind, silent)
    approve(tables, "crm", held.value.plan, **approval)
    result = step().run(tables, kind, silent)
    assert (result.counts["removed"], result.counts["sent"]) == (60, 40)


def planned(**others):
    counts = dict.fromkeys(
        ("members", "wanted", "acknowledged", "added", "updated", "removed", "unchanged"), 0
    )
    rest = {"reowned": 0, "held_back": {}, "removed_for": {}, "batches": 1, "capacity": 1}
    return SegmentPlan(
        segment="s", delivery_id="d", calls=1, minutes=None, **{**counts, **rest, **others}
    )


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({"acknowledged": 1, "removed": 1}, "would become empty"),
        ({"acknowledged": 10, "removed": 10, "members": 10}, "would become empty"),
        ({"acknowledged": 100, "wanted": 40, "removed": 60}, "60% of 100"),
        ({"acknowledged": 100, "wanted": 200, "added": 100}, "100% of 100"),
        ({"acknowledged": 100, "wanted": 100, "added": 16, "removed": 16}, "32% of 100"),
        ({"acknowledged": 5000, "wanted": 4499, "removed": 501}, "501 of 5000"),
        ({"acknowledged": 20000, "wanted": 18999, "removed": 1001}, "the limit is 1000"),
    ],
)
def test_guards_object_to_mass_damage(counts, says):
    assert any(says in verdict for verdict in judge(planned(**counts), Guards()))


@pytest.mark.parametrize(
    "counts",
    [
        {"wanted": 10**6, "added": 10**6},
        {},
        {"acknowledged": 49, "wanted": 1, "removed": 48},
        {"acknowledged": 100, "wanted": 130, "added": 30},
        {"acknowledged": 100, "wanted": 100, "updated": 100},
        {"acknowledged": 20000, "wanted": 19000, "removed": 1000},
    ],
)
def test_guards_let_an_ordinary_night_pass(counts):
    assert judge(planned(**counts), Guards()) == []


def test_a_segment_that_was_not_built_is_no_empty_audience(tables):
    night(tables, DAY - timedelta(days=1), [customer("ann")], [grant("ann")], {"readers": ["ann"]})
    with pytest.raises(SegmentNotBuilt, match="2024-05-31"):
        step().run(tables, Remembering(), silent)


class Mute(Remembering):
    """Applies what it is sent and answers nothing."""

    def send(self, delivery, batch):
        super().send(delivery, batch)
        return []


def test_what_was_never_answered_is_not_noted_as_sent_and_goes_out_again(tables):
    night(tables, DAY, [customer("ann")], [grant("ann")], {"readers": ["ann"]})
    result = step().run(tables, Mute(), silent)
    assert (result.status, result.counts["sent"], result.counts["unsettled"]) == ("degraded", 0, 1)
    (row,) = tables.read("activation.ledger").collect()
    assert (row["state"], row["acknowledged_hash"]) == ("unknown", None)
    kind = Remembering()
    assert step().run(tables, kind, silent).counts["sent"] == 1
    assert kind.payload == [("readers", "upsert", "ann@example.com")]


class Killed(BaseException):
    """The process is gone: nothing that it would do afterwards happens."""


class Mortal:
    """Tables of a process that can be killed, at a write or from outside."""

    def __init__(self, tables, kill_at=None):
        self._tables, self._kill_at = tables, kill_at
        self.is_dead, self._writes = False, 0

    def __getattr__(self, name):
        found = getattr(self._tables, name)
        if name not in ("append", "merge", "replace_slice", "overwrite", "delete"):
            return found

        def write(*args, **kwargs):
            self._writes += 1
            self._die_if((self._writes, "before"))
            done = found(*args, **kwargs)
            self._die_if((self._writes, "after"))
            return done

        return write

    def _die_if(self, moment):
        if self.is_dead or self._kill_at == moment:
            self.is_dead = True
            raise Killed


def test_a_killed_export_goes_on_without_those_who_withdrew_and_takes_them_back(tables):
    names = ["ann", "bob", "cyd", "dan"]
    people = [customer(name) for name in names]
    night(tables, DAY, people, [grant(name) for name in names], {"readers": names})
    kind = Remembering(batch_records=1)
    mortal = Mortal(tables)

    def kill(_, batch):
        if batch.number == 2:
            mortal.is_dead = True
            raise Killed

    kind.after = kill
    with pytest.raises(Killed):
        step().run(mortal, kind, silent)
    planned_for = {batch.number: batch.records[0].key for _, batch in kind.sent}
    (first, before), already = kind.sent, len(kind.sent)
    applied_but_unanswered = before[1].records[0].customer_id

    later = [grant(n, "withdrawn" if n == applied_but_unanswered else "granted") for n in names]
    publish(tables, DAY, {"gold.consents": later})
    kind.after = lambda _, __: None
    step(run_id="again").run(tables, kind, silent)

    sent = kind.sent[already:]
    resumed = [batch for delivery, batch in sent if delivery == first[0]]
    assert [batch.number for batch in resumed] == [1, 2, 3, 4]
    assert resumed[0].records[0].key == planned_for[1]
    assert resumed[1].records == []
    removed = [r.key for _, batch in sent for r in batch.records if r.operation == "remove"]
    assert removed == [planned_for[2]]
    assert len(kind.people) == 3
    assert kind.finished[0] == first[0].delivery_id
    story = activation_story(tables, applied_but_unanswered)
    assert [row["reason"] for row in story["held_back"]] == ["withdrawn"]
    assert [row["state"] for row in story["ledger"]] == ["absent"]


def test_whoever_withdraws_while_the_export_runs_is_sent_nothing_under_any_name(tables):
    names = ["ann", "bob", "cyd"]
    twins = [customer(f"twin_of_{name}", email=f"{name}@example.com") for name in names]
    people = [*map(customer, names), *twins]
    night(tables, DAY, people, [grant(name) for name in names], {"readers": names})
    kind = Remembering(batch_records=1)

    def withdraw(_, batch):
        if batch.number == 1:
            one, other = sorted({*names} - {record.customer_id for record in batch.records})
            no = [grant(one, "withdrawn"), grant(f"twin_of_{other}", "withdrawn")]
            publish(tables, DAY, {"gold.consents": [grant(other), *no]})

    kind.after = withdraw
    result = step().run(tables, kind, silent)
    assert len(kind.payload) == 1
    assert (result.counts["sent"], result.counts["withheld"]) == (1, 2)


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "faults"),
    [(1, ["kill", "withdrawal", "write"]), (2, ["reset", "write", "down"]), (3, ["write"] * 3)],
)
def test_whatever_happens_in_the_night_the_destination_ends_as_desired(tables, seed, faults):
    dice = random.Random(seed)
    model = Model(dice, [f"p{n:02}" for n in range(24)])
    refused = {"p00@example.com", "p06@example.com"}
    generous = {"largest_change": 100, "most_removals": 1000, "allow_empty": True}
    wanted = destination(segments=sorted(model.members), guards=generous)
    kind = Remembering(batch_records=4, refuses=lambda r: r.key in refused and bool(r.fields))
    stranger = {("readers", "stranger@example.com"): {"FNAME": "S"}}
    kind.people.update(stranger)

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
        assert kind.people == model.desired(refused) | stranger, (seed, number, fault)
    sent = len(kind.sent)
    run(as_of, tables)
    assert len(kind.sent) == sent
