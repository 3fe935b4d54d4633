"""What Splink is told: for public sets the settings of its own demonstrations.

The demonstrations are pages of Splink's documentation (demos/examples/duckdb:
``deduplicate_50k_synthetic``, ``febrl3`` and, of ``febrl4``, the detailed model); columns that
serve their charts alone are not kept. Runs under Splink's environment alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import splink.comparison_library as cl
from splink import block_on

Rules = Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class Demonstration:
    """How one set is linked and trained."""

    comparisons: Callable[[], list[Any]]
    """Made anew at each call, since parameters are written into them."""
    rules: Rules
    certain: Rules
    """Rules from which the chance that two records match is estimated ..."""
    recall: float
    """... and the share of the matches that they find."""
    random_pairs: float
    em_rules: Rules
    fixed_frequencies: bool = True
    """EM without term frequencies."""
    columns: tuple[str, ...] = ("*",)
    """What is selected of the records, in SQL."""
    seed: int = 1


def people(rules: Sequence[Sequence[str]]) -> Demonstration:
    """Made-up people: of five ways to set Splink up for them, the one that did best.

    Names as on the page of historical_50k, the rest as on that of febrl4. Of the address the
    postcode alone is compared, as there: the other columns hang together with it.
    """
    return Demonstration(
        comparisons=lambda: [
            cl.ForenameSurnameComparison(
                "given_name", "family_name", forename_surname_concat_col_name="both_names"
            ),
            cl.DateOfBirthComparison("birth_date", input_is_string=True),
            cl.EmailComparison("email"),
            cl.DamerauLevenshteinAtThresholds("phone", [1, 2]),
            cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(
                term_frequency_adjustments=True
            ),
        ],
        rules=[block_on(*rule) for rule in rules],
        certain=[block_on("email"), block_on("given_name", "family_name", "birth_date")],
        recall=0.7,
        random_pairs=1e6,
        em_rules=[block_on("email"), block_on("birth_date")],
        columns=("*", "given_name || ' ' || family_name AS both_names"),
    )


def _historical_50k() -> list[Any]:
    return [
        cl.ForenameSurnameComparison(
            "first_name", "surname", forename_surname_concat_col_name="both_names"
        ),
        cl.DateOfBirthComparison("dob", input_is_string=True),
        cl.PostcodeComparison("postcode_fake"),
        cl.ExactMatch("birth_place").configure(term_frequency_adjustments=True),
        cl.ExactMatch("occupation").configure(term_frequency_adjustments=True),
    ]


def _febrl3() -> list[Any]:
    return [
        cl.NameComparison("given_name"),
        cl.NameComparison("surname"),
        cl.DateOfBirthComparison("date_of_birth", input_is_string=True, datetime_format="%Y%m%d"),
        cl.DamerauLevenshteinAtThresholds("soc_sec_id", [2]),
        cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
        cl.ExactMatch("postcode").configure(term_frequency_adjustments=True),
    ]


def _febrl4() -> list[Any]:
    return [
        cl.NameComparison("given_name").configure(term_frequency_adjustments=True),
        cl.NameComparison("surname").configure(term_frequency_adjustments=True),
        cl.DateOfBirthComparison(
            "date_of_birth",
            input_is_string=True,
            datetime_format="%Y%m%d",
            invalid_dates_as_null=True,
        ),
        cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
        cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
        cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(
            term_frequency_adjustments=True
        ),
    ]


_CROSSED = "l.given_name = r.surname AND l.surname = r.given_name"
_DISTRICT = "substr(postcode_fake,1,3)"
PUBLISHED = {
    "historical_50k": Demonstration(
        comparisons=_historical_50k,
        rules=[
            block_on("substr(first_name,1,3)", "substr(surname,1,4)"),
            block_on("surname", "dob"),
            block_on("first_name", "dob"),
            block_on("postcode_fake", "first_name"),
            block_on("postcode_fake", "surname"),
            block_on("dob", "birth_place"),
            block_on(_DISTRICT, "dob"),
            block_on(_DISTRICT, "first_name"),
            block_on(_DISTRICT, "surname"),
            block_on("substr(first_name,1,2)", "substr(surname,1,2)", "substr(dob,1,4)"),
        ],
        certain=[
            block_on("first_name", "surname", "dob"),
            block_on("substr(first_name,1,2)", "surname", "substr(postcode_fake,1,2)"),
            block_on("dob", "postcode_fake"),
        ],
        recall=0.6,
        random_pairs=1e7,
        em_rules=[block_on("first_name", "surname"), block_on("dob")],
        columns=("*", "first_name || ' ' || surname AS both_names"),
    ),
    "febrl3": Demonstration(
        comparisons=_febrl3,
        rules=[
            block_on(column)
            for column in ("soc_sec_id", "given_name", "surname", "date_of_birth", "postcode")
        ],
        certain=[
            block_on("soc_sec_id"),
            block_on("given_name", "surname", "date_of_birth"),
            f"{_CROSSED} AND l.date_of_birth = r.date_of_birth",
        ],
        recall=0.9,
        random_pairs=1e6,
        em_rules=[block_on("date_of_birth"), block_on("postcode")],
        fixed_frequencies=False,
        seed=2,
    ),
    "febrl4": Demonstration(
        comparisons=_febrl4,
        rules=[
            block_on("given_name", "surname"),
            _CROSSED,
            block_on("date_of_birth"),
            block_on("soc_sec_id"),
            block_on("state", "address_1"),
            block_on("street_number", "address_1"),
            block_on("postcode"),
        ],
        certain=[block_on("soc_sec_id"), block_on("given_name", "surname", "date_of_birth")],
        recall=0.8,
        random_pairs=1e6,
        em_rules=[block_on("date_of_birth"), block_on("postcode")],
    ),
}
"""By the name of the set."""
