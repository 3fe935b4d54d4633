"""The nightly page: says what happened, hides nothing, and cannot be made to run or fetch."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from goldenlake.reporting.facts import AccuracyFacts, GenerationFacts, MatchingFacts, NightFacts
from goldenlake.reporting.page import night_page
from support.match_model import MODEL
from support.nights import (
    DAY,
    campaign,
    degraded_night,
    empty_night,
    failed_night,
    good_night,
    held_night,
    source,
    step,
)
from support.pages import Reader

NIGHTS = {
    "good": good_night(),
    "degraded": degraded_night(),
    "held": held_night(),
    "failed": failed_night(),
    "empty": empty_night(),
}
EVIL = "<script>alert(1)</script>\"><img src=x onerror='y'>"


def said(facts: NightFacts) -> str:
    return " ".join(Reader(night_page(facts)).text.split())


def test_the_page_tells_how_many_pairs_wait_for_a_steward_and_nothing_of_none() -> None:
    page = said(good_night())
    assert "Stewards pairs that cannot be one person 3" in page
    assert "uncertain pairs that wait for a decision 41" in page
    published = replace(good_night().published, stewards={})
    assert "Stewards" not in said(replace(good_night(), published=published))


@pytest.mark.parametrize("name", NIGHTS)
def test_every_tag_is_ended_and_nothing_is_fetched_or_run(name: str) -> None:
    page = night_page(NIGHTS[name])
    read = Reader(page)
    assert read.open == []
    assert not {"script", "link", "img", "iframe", "form"}.intersection(read.tags)
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    links = [value for name, value in read.attributes if name in ("href", "src")]
    assert all(link == "data_docs/2026-01-03/index.html" for link in links)
    assert not re.search(r"https?://|@import|url\(", page)


@pytest.mark.parametrize(
    ("name", "headline"),
    [
        ("good", "A good night"),
        ("degraded", "The night went on without something"),
        ("held", "Something waits for a decision"),
        ("failed", "Something failed"),
        ("empty", "Nothing has run for this day"),
    ],
)
def test_the_headline_is_the_worst_that_happened(name: str, headline: str) -> None:
    facts = NIGHTS[name]
    assert headline in said(facts)
    assert f'<header class="{facts.verdict}">' in night_page(facts)


def test_a_failure_outweighs_what_is_held_and_what_is_held_outweighs_what_is_left_out() -> None:
    steps = [step("collect", "a", "degraded"), step("publish", status="held")]
    assert replace(good_night(), steps=steps).verdict == "held"
    assert replace(good_night(), steps=[*steps, step("x", status="failed")]).verdict == "failed"


def test_a_stage_that_was_killed_makes_the_night_a_failed_one() -> None:
    facts = replace(held_night(), unheard=["activate letters"])
    assert facts.verdict == "failed"
    assert [(each.kind, each.subject) for each in facts.attention] == [
        ("failed", "activate letters"),
        ("held", "publish"),
    ]
    assert "killed before it could say how it ended" in said(facts)


def test_a_text_that_looks_like_markup_stays_a_text() -> None:
    facts = failed_night(EVIL)
    broken = {"table": EVIL, "rule": EVIL, "severity": EVIL, "passed": False, "broken": None,
              "reason": EVIL}  # fmt: skip
    facts = replace(
        facts,
        run_id=EVIL,
        sources=[source(EVIL, system=EVIL, status=EVIL, reasons={EVIL: 1}, is_overdue=True)],
        segments=[replace(facts.segments[0], name=EVIL, description=EVIL), facts.segments[1]],
        exports=[replace(facts.exports[0], name=EVIL, status=EVIL, held_back={EVIL: 2})],
        published=GenerationFacts(identity={EVIL: 1}, review={EVIL: 1}, completeness=[(EVIL, 0.5)]),
        expectations=[broken],
        warnings=[EVIL],
        data_docs=EVIL,
    )
    page = night_page(facts)
    assert "<script" not in page
    assert "<img" not in page
    read = Reader(page)
    assert read.open == []
    assert "script" not in read.tags
    assert read.text.count("alert(1)") >= 14


def test_what_needs_attention_stands_first_the_worst_on_top() -> None:
    facts = degraded_night()
    assert [(each.kind, each.subject) for each in facts.attention] == [
        ("degraded", "collect erp_orders"),
        ("overdue", "loyalty_members"),
        ("warning", "expectation"),
    ]
    text = said(facts)
    assert "columns order_id, customer_no are missing" in text
    assert text.index("What needs attention") < text.index("Overlap of segments")
    failed = replace(
        facts, steps=[*facts.steps, step("resolve", status="failed", error="no space")]
    )
    assert failed.attention[0].message == "no space"
    assert "What needs attention" not in said(good_night())


def test_a_source_that_never_came_is_told_so() -> None:
    facts = replace(
        good_night(), sources=[source("shop", last_file_on=None, is_overdue=True, status="not run")]
    )
    assert "no sound file of it has ever come" in said(facts)


def test_readers_of_an_older_generation_are_told_its_day() -> None:
    assert "Readers see generation 2, built for 2026-01-02" in said(held_night())
    assert "Readers see generation 3, built for this day" in said(good_night())
    assert "Nothing has been published yet" in said(empty_night())


def test_numbers_are_grouped_and_shares_round_to_all_or_nothing_only_when_they_are() -> None:
    text = said(good_night())
    assert "1\u202f234\u202f567" in night_page(good_night())
    assert "email >99%" in text
    assert "birth on <1%" in text
    assert "web events done" in text
    assert "1 min 35 s" in text


def test_overlaps_are_shares_of_the_row_whichever_way_round_the_pair_was_counted() -> None:
    text = said(good_night())
    table = text[text.index("Overlap of segments") : text.index("Exports")]
    rows = "newsletter readers · 15% 5% lapsed buyers 34% · 0% abandoned carts 65% 0% ·"
    assert table.strip().endswith(rows)
    assert "Overlap of segments" not in said(replace(good_night(), overlaps={}))


def test_a_segment_without_members_divides_nothing_by_zero() -> None:
    facts = good_night()
    nobody = [replace(each, members=0, entered=0, exited=9) for each in facts.segments]
    assert "−9" in said(replace(facts, segments=nobody))
    steps = [replace(each, seconds=0.0) for each in facts.steps]
    sizes = [(label, 0) for label, _ in facts.published.cluster_sizes]
    published = replace(facts.published, cluster_sizes=sizes)
    assert said(replace(facts, steps=steps, published=published))


def test_the_day_is_the_night_s_and_not_the_writing_s() -> None:
    assert said(good_night()).startswith(f"{DAY} · goldenlake Saturday, 3 January 2026")


def test_a_night_with_a_model_tells_what_it_did_and_how_it_weighs() -> None:
    matching = MatchingFacts(
        version="0a1b2c3d4e5f", likely=1234, doubtful=56, joined=78, keys_left_out=9, model=MODEL
    )
    facts = replace(good_night(), matching=matching)
    text = said(facts)
    assert "compared by model 0a1b2c3d4e5f" in text
    assert "likely matches 1 234 doubtful matches, for a steward 56" in text
    assert "customers merged by the model 78" in text
    assert "too many records have them 9" in text
    read = Reader(night_page(facts))
    assert read.open == []
    assert read.tags.count("svg") == 2
    assert "1980" not in night_page(facts)
    assert "Matching" not in said(good_night())


def test_accuracy_is_told_by_part_where_a_truth_is_known() -> None:
    shares = {"precision": 0.99, "recall": 0.875, "f1": 0.929, "pairs": 4321}
    facts = AccuracyFacts(part="Cyrillic to Latin", by="links alone", **shares)
    text = said(replace(good_night(), accuracy=[facts]))
    assert "Cyrillic to Latin links alone 0.9900 0.8750 0.9290 4 321" in text
    assert "Accuracy" not in said(good_night())


def test_who_is_behind_a_refused_generation_is_told() -> None:
    assert "Most of it: c_a of 811 records" in said(held_night())


def test_on_a_night_without_exports_nobody_is_told_that_destinations_are_empty() -> None:
    assert "records at destinations" in said(good_night())
    assert "records at destinations" not in said(held_night())


def test_results_of_campaigns_are_told_with_what_chance_alone_could_do() -> None:
    text = said(good_night())
    assert "win back spring 2026" in text
    assert "+3.1 (+0.4 to +5.8)" in text
    assert text.count("shows no effect yet") == 1, "an interval that holds zero"
    assert text.count("no control group") == 1
    assert "Campaigns" not in said(replace(good_night(), campaigns=()))


def test_revenue_of_several_currencies_is_no_number() -> None:
    night = replace(good_night(), campaigns=[campaign("win_back", "", revenue=None)])
    [told] = re.findall(r'data-label="revenue">(.*?)</td>', night_page(night))
    assert "several currencies" in told
    assert not re.search(r"\d", told)
