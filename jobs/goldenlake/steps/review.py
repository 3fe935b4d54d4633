"""Gather the pairs that a steward should look at, with all that speaks for and against each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pyspark.sql import Row
from pyspark.sql import functions as F

from goldenlake.declarations.matching import Clustering
from goldenlake.identity import review
from goldenlake.identity.evidence import Link
from goldenlake.identity.matching.model import Model
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.waterfall import Waterfall, waterfalls
from goldenlake.identity.profiles import is_compared, profile_table
from goldenlake.identity.trained import TrainedModel
from goldenlake.ports import Progress, Tables
from goldenlake.reporting.reviews import ReviewPair
from goldenlake.steps.generations import read
from goldenlake.steps.reading import generation_of

_LOOKED_AT = 20
"""Times as many pairs are scored as are listed: a score may say more of a tie than its kind."""

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Review:
    """The pairs of the published generation on which a decision would tell most.

    ``trained`` is the model at hand; without one there are only bridges by identifiers. ``most`` is
    how many pairs are listed. What is given holds personal data.
    """

    trained: TrainedModel | None
    most: int

    def run(self, tables: Tables, progress: Progress) -> list[ReviewPair]:
        """The most telling first. Raises TableMissing before the first publication."""
        generation = generation_of(tables)
        edges = read(tables, generation, "identity.edges")
        customers = read(tables, generation, "identity.customers")
        settings = self.trained.matching.clustering if self.trained else Clustering()
        records = read(tables, generation, "identity.records")
        bridges = review.bridges(edges, customers, records)
        known = bridges.select("left_record", "right_record")
        others = review.uncertain(edges, customers, settings).join(
            known, on=["left_record", "right_record"], how="left_anti"
        )
        rows = (
            bridges.unionByName(others)
            .orderBy(F.desc(review.expected_wrong()), "left_record", "right_record")
            .limit(self.most * _LOOKED_AT)
            .collect()
        )
        progress(f"review: {len(rows)} pairs are looked at")
        wanted = tables.frame(
            [(record,) for record in sorted({end for row in rows for end in _ends(row)})],
            "record_id string",
        )
        asked = records.join(F.broadcast(wanted), on="record_id", how="left_semi")
        said = {row["record_id"]: row for row in asked.collect()}
        weighed = self._weighed([_ends(row) for row in rows], said)
        pairs = [self._pair(row, said, weighed.get(_ends(row))) for row in rows]
        ranked = sorted(pairs, key=lambda pair: (-pair.expected_wrong, _ends_of(pair)))
        return ranked[: self.most]

    def _weighed(self, pairs: Sequence[Pair], said: Mapping[str, Row]) -> dict[Pair, Waterfall]:
        """What the model says of those pairs that it can compare."""
        compared = [
            pair for pair in pairs if all(is_compared(said[end]["profile"]) for end in pair)
        ]
        if self.trained is None or not compared:
            return {}
        model = Model.from_json(self.trained.text)
        ids = sorted({end for pair in compared for end in pair})
        at = {record: number for number, record in enumerate(ids)}
        table = profile_table([said[each]["profile"] for each in ids], list(model.matching.columns))
        numbers = np.array([[at[end] for end in pair] for pair in compared], dtype=np.int32)
        found = waterfalls(Scorer.of(model, table), numbers[:, 0], numbers[:, 1])
        return dict(zip(compared, found, strict=True))

    def _pair(self, row: Row, said: Mapping[str, Row], waterfall: Waterfall | None) -> ReviewPair:
        link = Link(
            left=row["left_end"],
            right=row["right_end"],
            identifier=row["identifier"],
            strength=row["strength"],
            rule=row["rule"],
            linked_on=None,
            weight=row["weight"],
            model=row["model"],
        )
        bits = link.weight
        if bits is None:
            bits = review.TRUST[link.strength]
            if waterfall is not None:
                # The tie takes the place of the prior; people of one household share ties, too.
                bits += waterfall.evidence
        return ReviewPair(
            kind=row["kind"],
            left=row["left_record"],
            right=row["right_record"],
            link=link,
            left_customer=row["left_customer"],
            right_customer=row["right_customer"],
            bits=bits,
            affected=row["affected"],
            left_values=dict(said[row["left_record"]]["profile"] or {}),
            right_values=dict(said[row["right_record"]]["profile"] or {}),
            waterfall=waterfall,
        )


def _ends(row: Row) -> Pair:
    return row["left_record"], row["right_record"]


def _ends_of(pair: ReviewPair) -> Pair:
    return pair.left, pair.right
