"""Training without labels, from records to clusters."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from goldenlake.identity.matching import findings
from goldenlake.identity.matching.comparisons import plan_of
from goldenlake.identity.matching.em import Estimate, Odds
from goldenlake.identity.matching.evaluation import evaluated
from goldenlake.identity.matching.provenance import Finding, Provenance
from goldenlake.identity.matching.resolution import resolve
from goldenlake.identity.matching.sampling import number_of_pairs, random_pairs
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.tables import Layout, layouts_of, product
from goldenlake.identity.matching.training import Trained, train
from support.matching import matching, population


@pytest.fixture(scope="module")
def families() -> tuple[pa.Table, np.ndarray]:
    return population(300, household=3)


@pytest.fixture(scope="module")
def trained(families: tuple[pa.Table, np.ndarray]) -> Trained:
    return train(families[0], matching())


def test_people_are_found_without_labels_though_they_live_together(
    trained: Trained, families: tuple[pa.Table, np.ndarray]
) -> None:
    found = evaluated(trained.resolution.clusters.cluster, families[1])
    assert found.f1 > 0.9
    assert trained.model.household_prior > 0.2 * trained.model.prior


def test_a_model_read_back_finds_what_its_training_found(
    trained: Trained, families: tuple[pa.Table, np.ndarray]
) -> None:
    model = type(trained.model).from_json(trained.model.to_json())
    again = resolve(Scorer.of(model, families[0])).clusters
    assert again.cluster.tolist() == trained.resolution.clusters.cluster.tolist()


def test_the_order_of_records_changes_no_cluster(
    trained: Trained, families: tuple[pa.Table, np.ndarray]
) -> None:
    table = families[0]
    order = np.random.default_rng(3).permutation(table.num_rows)
    shuffled = resolve(Scorer.of(trained.model, table.take(order)), order=order).clusters.cluster
    found = order[shuffled][np.argsort(order)]
    assert found.tolist() == trained.resolution.clusters.cluster.tolist()


def test_training_twice_gives_the_same_bytes(families: tuple[pa.Table, np.ndarray]) -> None:
    small = families[0].slice(0, 200)
    declared = matching(training={"passes": 1})
    assert train(small, declared).model.to_json() == train(small, declared).model.to_json()


def test_two_sources_that_have_everyone_once_are_linked_and_not_merged_within() -> None:
    table, person = population(200)
    _, first = np.unique(person, return_index=True)
    second = np.array([np.flatnonzero(person == each)[1] for each in range(200)])
    source = np.repeat(np.arange(2, dtype=np.int32), 200)
    both = table.take(np.concatenate([first, second]))
    found = train(both, matching(), exclusive=source).resolution.clusters
    assert evaluated(found.cluster, np.tile(np.arange(200), 2)).f1 > 0.95
    assert max(np.unique(found.cluster, return_counts=True)[1]) == 2


def test_too_few_matches_are_a_finding() -> None:
    table, person = population(60)
    _, once = np.unique(person, return_index=True)
    names = {each.name for each in train(table.take(once), matching()).findings}
    assert "too_few_matches" in names


def doubts(
    m: tuple[float, float], u: tuple[float, float], *, rounds: int = 9, change: float = 0.0
) -> set[tuple[str, str]]:
    """Of an estimate in which every comparison has these shares of exact agreement and "differs";
    the levels between share what is left, and nothing is missing.
    """
    plan = plan_of(matching())
    layouts = layouts_of(plan)

    def table(layout: Layout, shares: tuple[float, float]) -> np.ndarray:
        exact, differs = shares
        left = [(1.0 - exact - differs) / max(1, size - 3) for size in layout.shape]
        marginals = [
            np.array([1.0, exact, *[rest] * (size - 3), differs])
            for size, rest in zip(layout.shape, left, strict=True)
        ]
        return product(marginals, layout)

    odds = Odds(
        m=tuple(table(layout, m) for layout in layouts),
        households=tuple(table(layout, u) for layout in layouts),
        u=tuple(table(layout, u) for layout in layouts),
        expected_matches=100.0,
        expected_households=0.0,
        all_pairs=1e6,
    )
    found = findings.of_estimate(Estimate(odds, rounds, change), plan, layouts)
    assert all(each.message for each in found)
    return {(each.name, each.subject) for each in found}


def test_an_estimate_that_is_not_to_be_believed_is_a_finding_by_name() -> None:
    good, chance = (0.8, 0.1), (0.01, 0.95)
    assert doubts(good, chance) == set()
    assert doubts(good, chance, change=0.5) == {("not_converged", "em")}
    assert doubts(good, chance, rounds=0) == {("not_converged", "em")}
    differing = {("implausible_m", each) for each in ("given", "family", "born")}
    assert doubts((0.4, 0.5), chance) == differing
    against = doubts((0.005, 0.2), chance)
    names = set(plan_of(matching()).names)
    assert {subject for name, subject in against if name == "agreement_against_match"} == names


def test_a_component_that_swallows_everything_is_a_finding() -> None:
    (found,) = findings.of_components([900, 3, 2], 3_000)
    assert found.name == "swallowing_component"
    assert "900 of 905" in found.message
    assert findings.of_components([4] * 300, 3_000) == []
    assert findings.of_components([4_000] + [1] * 200_000, 3_000)[0].name == found.name


def provenance(matches: float, *doubts: str) -> Provenance:
    return Provenance(
        records=100,
        blocked_pairs=100,
        random_pairs=100,
        seed=1,
        passes=1,
        rounds=5,
        expected_matches=matches,
        expected_households=0.0,
        findings=tuple(Finding(name=name, subject="x", message="…") for name in doubts),
    )


def test_a_pass_is_kept_only_if_it_raises_no_new_doubt() -> None:
    before = provenance(100.0, "known")
    assert findings.between(before, provenance(110.0, "known")) == []
    assert [each.name for each in findings.between(before, provenance(110.0, "new"))] == ["new"]
    assert [each.name for each in findings.between(before, provenance(300.0))] == ["drift"]
    assert [each.name for each in findings.between(before, provenance(30.0))] == ["drift"]


def test_random_pairs_are_all_pairs_where_there_are_few() -> None:
    left, right = random_pairs(4, 100, seed=1)
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == [
        (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3),
    ]  # fmt: skip
    source = np.array([0, 0, 1, -1], dtype=np.int32)
    left, right = random_pairs(4, 100, seed=1, exclusive=source)
    assert len(left) == number_of_pairs(4, source) == 5


def test_random_pairs_are_the_same_for_the_same_seed() -> None:
    one, other = random_pairs(1_000, 500, seed=1), random_pairs(1_000, 500, seed=1)
    assert np.array_equal(one, other)
    assert (one[0] != one[1]).all()
