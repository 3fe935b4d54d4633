"""Models as Splink saves them, in small."""

from __future__ import annotations

import json
from typing import Any

Level = dict[str, Any]


def null(column: str) -> Level:
    """The level of missing values."""
    return {"sql_condition": f'"{column}_l" IS NULL OR "{column}_r" IS NULL', "is_null_level": True}


def level(condition: str, m: float, u: float, **more: Any) -> Level:
    """A level with its label."""
    chances = {"m_probability": m, "u_probability": u}
    return {"sql_condition": condition, "label_for_charts": f"It is {condition}"} | chances | more


def exact(column: str, m: float, u: float, **more: Any) -> Level:
    """The level of equal values."""
    return level(f'"{column}_l" = "{column}_r"', m, u, **more)


def otherwise(m: float, u: float) -> Level:
    """The last level."""
    return level("ELSE", m, u)


def saved(prior: float = 0.5, **comparisons: list[Level]) -> str:
    """What ``save_model_to_json`` writes of these comparisons."""
    told = [
        {"output_column_name": name, "comparison_levels": levels}
        for name, levels in comparisons.items()
    ]
    return json.dumps(
        {
            "link_type": "dedupe_only",
            "sql_dialect": "duckdb",
            "probability_two_random_records_match": prior,
            "blocking_rules_to_generate_predictions": [],
            "comparisons": told,
        }
    )


def of_people() -> str:
    """A model of all columns in ``support.matching.ROLES``."""

    def near(column: str, condition: str, m: float, u: float, **more: Any) -> Level:
        return level(condition.format(f'"{column}_l", "{column}_r"'), m, u, **more)

    counted, half = {"tf_adjustment_column": "family"}, {"tf_adjustment_weight": 0.5}
    return saved(
        1e-3,
        given_name=[
            null("given"),
            exact("given", 0.9, 0.1),
            near("given", "jaro_winkler_similarity({}) >= 0.88", 0.06, 0.02),
            otherwise(0.04, 0.88),
        ],
        family_name=[
            null("family"),
            exact("family", 0.9, 0.03, **counted),
            near("family", "levenshtein({}) <= 1", 0.08, 0.01, **counted, **half),
            otherwise(0.02, 0.96),
        ],
        date_of_birth=[
            null("born"),
            exact("born", 0.9, 1e-3),
            near("born", "damerau_levenshtein({}) <= 1", 0.07, 5e-3),
            otherwise(0.03, 0.994),
        ],
        postcode=[null("postcode"), exact("postcode", 0.9, 5e-3), otherwise(0.1, 0.995)],
        town=[null("town"), exact("town", 0.9, 0.125), otherwise(0.1, 0.875)],
    )
