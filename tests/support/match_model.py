"""A small matching model, as its file says it."""

from __future__ import annotations

from typing import Any

#: Name and town are weighed together: rows are the name's missing, exact, differs.
MODEL: dict[str, Any] = {
    "prior": 1 / 1025,
    "tables": [
        {
            "comparisons": ["name", "town"],
            "levels": [["missing", "exact", "differs"], ["missing", "exact", "differs"]],
            "m": [1.0, 0.9, 0.1, 0.8, 0.7, 0.1, 0.2, 0.15, 0.05],
            "u": [1.0, 0.5, 0.5, 0.1, 0.05, 0.05, 0.9, 0.45, 0.45],
        },
        {
            "comparisons": ["born"],
            "levels": [["missing", "exact", "differs"]],
            "m": [1.0, 0.8, 0.2],
            "u": [1.0, 0.01, 0.99],
        },
    ],
    "frequencies": {"born": {"total": 3, "counts": {"1980-05-17": 2}, "means": [0.1]}},
}
