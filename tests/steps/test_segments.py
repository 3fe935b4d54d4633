"""Building a day's audiences: what is written, what is carried forward, what is left alone."""

from datetime import date, timedelta

import pytest

from goldenlake.declarations.segment import Segment
from goldenlake.errors import TableMissing
from goldenlake.steps.segments import BuildSegments
from support.gold import customer, publish

DAY = date(2024, 5, 31)
NEXT = DAY + timedelta(days=1)


def segment(name, who, **others):
    declared = {"segment": name, "description": "x", "owner": "crm", "who": who, **others}
    return Segment.model_validate(declared)


FRENCH = segment("french", {"attribute": "country", "equals": "FR"})
FOUNDERS = segment("founders", {"attribute": "country", "equals": "FR"}, kind="static")
VIEWERS = segment("viewers", {"event": "view", "within": "1d"})


def build(tables, as_of, segments=(FRENCH, FOUNDERS)):
    step = BuildSegments(segments=segments, as_of=as_of, run_id="run")
    return step.run(tables, lambda _: None)


def rows(tables, table, as_of, *columns):
    found = tables.read(table).where(f"as_of = DATE'{as_of}'").select(*columns).collect()
    assert len(found) == len({tuple(row) for row in found})
    return {tuple(row) for row in found}


def test_two_nights_tell_who_entered_and_left_and_a_rerun_writes_nothing(tables):
    people = [customer(name, country="FR") for name in ("ann", "bob", "old")]
    publish(tables, DAY, {"gold.customers": [*people, customer("cyd", country="DE")]})
    first = build(tables, DAY)
    assert first.counts == {"segments": 2, "members": 6, "entered": 6, "exited": 0, "stayed": 0}

    version = tables.version("segments.members")
    again = build(tables, DAY)
    assert (again.status, tables.version("segments.members")) == ("skipped", version)
    assert again.details["fingerprint"] == first.details["fingerprint"]

    merged = {"customer_id": "old", "event": "merged", "other_customer_id": "new", "generation": 2}
    publish(
        tables,
        NEXT,
        {
            "gold.customers": [
                customer("ann", country="DE"),
                customer("cyd", country="FR"),
                customer("new", country="FR"),
            ],
            "identity.history": [merged],
        },
    )
    result = build(tables, NEXT)
    assert rows(tables, "segments.changes", NEXT, "segment", "customer_id", "change") == {
        ("french", "ann", "exited"),
        ("french", "bob", "exited"),
        ("french", "cyd", "entered"),
        ("french", "new", "stayed"),
        ("founders", "ann", "stayed"),
        ("founders", "bob", "exited"),
        ("founders", "new", "stayed"),
    }
    assert rows(tables, "segments.members", NEXT, "segment", "customer_id", "generation") == {
        ("french", "cyd", 2),
        ("french", "new", 2),
        ("founders", "ann", 2),
        ("founders", "new", 2),
    }
    sizes = rows(
        tables, "segments.sizes", NEXT, "segment", "members", "entered", "exited", "stayed"
    )
    assert sizes == {("french", 2, 1, 2, 1), ("founders", 2, 0, 1, 2)}
    assert result.details["sizes"]["french"]["members"] == 2
    assert len(rows(tables, "segments.members", DAY, "segment", "customer_id")) == 6


def test_whoever_leaves_is_written_as_exited(tables):
    publish(tables, DAY, {"gold.customers": [customer("ann", country="FR")]})
    build(tables, DAY, [FRENCH])
    publish(tables, NEXT, {"gold.customers": [customer("ann", country="DE")]})
    assert build(tables, NEXT, [FRENCH]).counts["exited"] == 1
    changes = rows(tables, "segments.changes", NEXT, "segment", "customer_id", "change")
    assert changes == {("french", "ann", "exited")}


def test_a_changed_declaration_or_generation_is_built_again(tables):
    publish(tables, DAY, {"gold.customers": [customer("ann", country="FR")]})
    build(tables, DAY, [FRENCH])
    wider = segment("french", {"attribute": "country", "one_of": ["FR", "BE"]})
    assert build(tables, DAY, [wider]).status == "done"
    publish(tables, DAY, {"gold.customers": [customer("ann", country="DE")]})
    assert build(tables, DAY, [wider]).counts["members"] == 0
    assert rows(tables, "segments.members", DAY, "customer_id") == set()


def test_nothing_is_built_before_a_publication_nor_without_the_events_it_needs(tables):
    with pytest.raises(TableMissing, match="No generation is published"):
        build(tables, DAY)
    publish(tables, DAY, {"gold.customers": [customer("ann")]})
    with pytest.raises(TableMissing, match=r"gold\.interactions"):
        build(tables, DAY, [VIEWERS])
