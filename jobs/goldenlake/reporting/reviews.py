"""Pairs for stewards: as a page, as a table, and as text for ``decisions.yml``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from goldenlake.columns.spreadsheets import guarded
from goldenlake.identity.evidence import Link
from goldenlake.identity.matching.waterfall import Waterfall
from goldenlake.reporting.links import link_text, side_by_side
from goldenlake.reporting.page import environment
from goldenlake.reporting.waterfalls import bars, falls, share

_COLUMNS = (
    "kind",
    "left_record",
    "right_record",
    "left_customer",
    "right_customer",
    "probability",
    "affected",
    "expected_wrong",
    "tie",
    "weights",
)


@dataclass(frozen=True, kw_only=True)
class ReviewPair:
    """One question to a steward. Personal."""

    kind: str
    left: str
    right: str
    link: Link
    """The match that is uncertain, or the tie that is a bridge: perhaps between others of their
    customer, which cannot be compared."""
    left_customer: str
    right_customer: str
    bits: float
    """log2 odds that the two are one person, all considered."""
    affected: int
    """Pairs of records that the other answer would change."""
    left_values: Mapping[str, str]
    right_values: Mapping[str, str]
    waterfall: Waterfall | None

    @property
    def probability(self) -> float:
        """That the two are one person."""
        return float(1 / (1 + 2.0**-self.bits))

    @property
    def are_one(self) -> bool:
        """Whether they are one customer now."""
        return self.left_customer == self.right_customer

    @property
    def expected_wrong(self) -> float:
        """Pairs of records that are expected to be wrong as they are."""
        chance = 1 - self.probability if self.are_one else self.probability
        return chance * self.affected

    @property
    def compared(self) -> list[tuple[str, str, str]]:
        """The values side by side: (name, left, right)."""
        return side_by_side(self.left_values, self.right_values)


def decision_text(pair: ReviewPair, verdict: str, on: date) -> str:
    """An entry of ``decisions.yml``; who decides fills in why and who."""
    records = json.dumps([pair.left, pair.right], ensure_ascii=False)
    return f'- {verdict}: {records}\n  reason: "…"\n  by: "…"\n  on: {on}'


def review_page(pairs: Sequence[ReviewPair], on: date) -> str:
    """The page: no script, no link to elsewhere; everything escaped."""
    cards = [
        {
            "pair": pair,
            "tie": link_text(pair.link),
            "probability": share(pair.probability),
            "chart": bars(falls(pair.waterfall)) if pair.waterfall else None,
            "must": decision_text(pair, "must", on),
            "cannot": decision_text(pair, "cannot", on),
        }
        for pair in pairs
    ]
    return environment().get_template("review.html.j2").render(cards=cards, on=on)


def review_csv(pairs: Sequence[ReviewPair]) -> bytes:
    """A row a pair, the columns of ``review_parquet``; safe to open in a spreadsheet."""
    out = io.StringIO()
    names = [*_COLUMNS, *_value_names(pairs)]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    for pair in pairs:
        row = _row(pair)
        safe = {name: guarded(text) for name, text in row.items() if isinstance(text, str)}
        writer.writerow(row | safe)
    return out.getvalue().encode()


def review_parquet(pairs: Sequence[ReviewPair]) -> bytes:
    """A row a pair: what is asked, and the values of both as ``left_…`` and ``right_…``."""
    numbers = {"probability": pa.float64(), "affected": pa.int64(), "expected_wrong": pa.float64()}
    names = [*_COLUMNS, *_value_names(pairs)]
    schema = pa.schema([(name, numbers.get(name, pa.string())) for name in names])
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([_row(pair) for pair in pairs], schema=schema), out)
    return out.getvalue()


def _row(pair: ReviewPair) -> dict[str, object]:
    steps = falls(pair.waterfall) if pair.waterfall else []
    said = (pair.left_values, pair.right_values)
    values = {
        f"{side}_{name}": value
        for side, own in zip(("left", "right"), said, strict=True)
        for name, value in own.items()
    }
    return {
        "kind": pair.kind,
        "left_record": pair.left,
        "right_record": pair.right,
        "left_customer": pair.left_customer,
        "right_customer": pair.right_customer,
        "probability": round(pair.probability, 6),
        "affected": pair.affected,
        "expected_wrong": round(pair.expected_wrong, 6),
        "tie": link_text(pair.link),
        "weights": "; ".join(
            f"{' = '.join(filter(None, (row.label, row.level)))} {row.bits:+.2f}" for row in steps
        ),
        **values,
    }


def _value_names(pairs: Sequence[ReviewPair]) -> list[str]:
    names = dict.fromkeys(name for pair in pairs for name, _, _ in pair.compared)
    return [f"{side}_{name}" for name in names for side in ("left", "right")]
