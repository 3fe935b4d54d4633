"""Two people who were taken for one are told apart by a steward, everywhere in the same night."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import functions as F

from goldenlake.errors import ExitCode
from support.newsletter import phone
from support.scenario import Scenario

pytestmark = pytest.mark.slow
LATER, LAST = date(2026, 3, 3), date(2026, 3, 4)
DECISION = """\
decisions:
  - cannot: ["people:una@example.com", "people:ugo@example.com"]
    reason: They share a phone, and said so.
    by: dpo
    on: 2026-03-03
"""


def test_ids_golden_records_and_exports_follow_a_decision_and_the_evidence_stays(
    newsletter: Scenario,
) -> None:
    at, theirs = newsletter, ("una@example.com", "ugo@example.com")
    shared = phone("una@example.com")
    lines = [f"{each},{shared},{each[:3].title()},DE,2026-02-01T08:00:00Z" for each in theirs]
    header = "email,phone,given_name,country,said_at"
    (at.drops / f"shared_{LATER}.csv").write_text("\n".join([header, *lines, ""]))
    assert at.night(LATER) == ExitCode.OK
    [together] = at.read("gold.customers").where(F.col("email").isin(*theirs)).collect()
    assert together["records"] == 2
    evidence = edges(at)
    before = {row["customer_id"] for row in at.read("gold.customers").collect()}

    (at.home / "conf" / "identity" / "decisions.yml").write_text(DECISION)
    assert at.night(LAST) == ExitCode.OK

    now = {row["email"]: row for row in at.read("gold.customers").collect()}
    una, ugo = (now[each] for each in theirs)
    assert (una["records"], ugo["records"]) == (1, 1)
    assert (una["given_name"], ugo["given_name"]) == ("Una", "Ugo")
    # One of them keeps the id; nobody else gets another.
    ids = {una["customer_id"], ugo["customer_id"]}
    assert len(ids) == 2
    assert together["customer_id"] in ids
    assert {row["customer_id"] for row in now.values()} == before | ids
    [split] = at.read("identity.history").where("event = 'split'").collect()
    assert {split["customer_id"], split["other_customer_id"]} == ids
    assert edges(at) == evidence | {("steward", "cannot")}
    there = at.read("activation.ledger").where("state = 'present'").collect()
    assert {*theirs} <= {row["key"] for row in there}


def edges(at: Scenario) -> set[tuple[str, str]]:
    said = at.read("identity.edges").select("identifier", "strength").collect()
    return {(row["identifier"], row["strength"]) for row in said}
