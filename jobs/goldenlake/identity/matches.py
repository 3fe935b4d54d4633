"""Matches on Spark: keys, the pairs that share one, and their scores inside the blocks.

A record's keys are kept with it, so that a night looks only at the blocks of what changed. Records
go once to each part in which they have a key; there all pairs of its blocks are made, scored by
compiled kernels, and forgotten unless they are probable. A pair is born in one block alone, that of
the first key that both records have, so nobody need compare parts with each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark import Broadcast
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, LongType, StructField, StructType

from goldenlake.identity.records import is_matchable

if TYPE_CHECKING:
    from goldenlake.identity.matching.arrays import Codes, Flags, Floats
    from goldenlake.identity.matching.blocking import Candidates
    from goldenlake.identity.matching.model import Model
    from goldenlake.identity.matching.scoring import Scorer

MATCH, LIKELY, DOUBTFUL = "match", "likely", "doubtful"

_COMPARED = "_compared"
PAIRS = "left_record string, right_record string, strength string, rule string, weight double"
PAIRS_ARROW = pa.schema(
    {
        "left_record": pa.string(),
        "right_record": pa.string(),
        "strength": pa.string(),
        "rule": pa.string(),
        "weight": pa.float64(),
    }
)
_MOST_PAIRS = 1_000_000
"""Scored at a time, some 100 MB."""
_FEW_PARTS = 4
"""Most records have a key in each of so few; to look which costs more than it saves."""
_FEWEST_KEYS, _MOST_KEYS = 1_000_000, 40_000_000
"""Of a part. One of fewer costs more to begin than it saves; keys, with the profiles of their
records, take by estimate some 100 bytes each. Every part more reads most records once more, so
there are only as many as work side by side, or as memory asks for."""


def keyed(records: DataFrame, columns: list[str], model: Broadcast[str]) -> DataFrame:
    """The records with their blocking keys in order, ``keys``; none for those without a profile."""
    compared = F.when(is_matchable(), F.struct(*profile_columns(columns)))
    schema = StructType([*records.schema.fields, StructField("keys", ArrayType(LongType()))])
    return records.withColumn(_COMPARED, compared).mapInArrow(partial(_keyed, model), schema)


def no_keys() -> Column:
    """What a record has that nobody is compared with."""
    return F.array().cast("array<bigint>")


def holders(records: DataFrame, wanted: DataFrame) -> DataFrame:
    """Who has which of the ``wanted`` (key): (key, record_id)."""
    rows = records.select(F.explode("keys").alias("key"), "record_id")
    return rows.join(F.broadcast(wanted), on="key", how="left_semi")


def keys_of(changed: DataFrame) -> DataFrame:
    """The keys that changed records have or had: (key)."""
    both = F.concat("keys", "_old_keys")
    return changed.select(F.explode(both).alias("key")).distinct()


def crossing(holders: DataFrame, changed: DataFrame, cap: int) -> DataFrame:
    """Keys that the cap judges otherwise than before these records changed: (key).

    With them appear or vanish pairs of records that did not change.
    """
    now = holders.groupBy("key").agg(F.count(F.lit(1)).alias("_now"))
    gained = changed.select(F.explode("keys").alias("key"), F.lit(1).alias("_gained"))
    lost = changed.select(F.explode("_old_keys").alias("key"), F.lit(-1).alias("_gained"))
    gains = gained.unionByName(lost).groupBy("key").agg(F.sum("_gained").alias("_gained"))
    present = F.coalesce("_now", F.lit(0))
    return (
        gains.join(now, on="key", how="left")
        .where((present > cap) != (present - F.col("_gained") > cap))
        .select("key")
    )


def comparable(records: DataFrame, wanted: DataFrame | None = None) -> DataFrame:
    """Records that share a key with somebody, perhaps: (record_id, profile, keys), keys in order.

    ``wanted`` (key) limits them to those keys, and to their records.
    """
    if wanted is None:
        return records.where(F.size("keys") > 0).select("record_id", "profile", "keys")
    lists = (
        holders(records, wanted)
        .groupBy("record_id")
        .agg(F.array_sort(F.collect_list("key")).alias("keys"))
    )
    return records.select("record_id", "profile").join(lists, on="record_id", how="inner")


def refused(comparable: DataFrame, cap: int) -> pa.Table:
    """Keys on more records than the cap, which make no pairs: (key, records), keys in order."""
    return (
        comparable.select(F.explode("keys").alias("key"))
        .groupBy("key")
        .agg(F.count(F.lit(1)).alias("records"))
        .where(F.col("records") > cap)
        .toArrow()
        .sort_by("key")
    )


def parts(comparable: DataFrame) -> int:
    """Among how many workers the blocks of these records are divided."""
    total = comparable.agg(F.sum(F.size("keys")).alias("keys")).toArrow()
    keys = int(total["keys"][0].as_py() or 0)
    side_by_side = comparable.sparkSession.sparkContext.defaultParallelism
    return max(1, min(side_by_side, keys // _FEWEST_KEYS), -(-keys // _MOST_KEYS))


def refused_by_rule(refused: pa.Table) -> list[tuple[int, int, int]]:
    """For each rule with such keys its number, how many, and the most records that one is on;
    the rule of the hottest key first.
    """
    rules = pc.shift_right(refused["key"].cast(pa.uint64()), pa.scalar(56, pa.uint64()))
    found = pa.table({"rule": rules, "records": refused["records"]}).group_by("rule")
    rows = found.aggregate([("records", "count"), ("records", "max")]).to_pylist()
    told = [(row["rule"], row["records_count"], row["records_max"]) for row in rows]
    return sorted(told, key=lambda each: (-each[2], each[0]))


def scored(
    comparable: DataFrame,
    refused: Broadcast[NDArray[np.int64]],
    changed: DataFrame | None,
    columns: list[str],
    model: Broadcast[str],
    *,
    parts: int,
) -> DataFrame:
    """Probable pairs: (left_record, right_record, strength, rule, weight), each once, left smaller.

    Those less probable than the model's ``clustering.doubtful`` are forgotten.

    Args:
        comparable: (record_id, profile, keys) of all records on the keys that count.
        refused: keys that make no pairs, in order.
        changed: (record_id) of which one must be in a pair; None means all.
        columns: that the model compares.
        model: as JSON.
        parts: among which the blocks are divided.
    """
    new = F.lit(True)
    if changed is not None:
        marked = changed.select("record_id", F.lit(True).alias("_is_new"))
        comparable = comparable.join(F.broadcast(marked), on="record_id", how="left")
        new = F.coalesce("_is_new", F.lit(False))
    rows = comparable.select(
        "record_id", new.alias("is_new"), "keys", *profile_columns(columns)
    ).withColumn("part", F.explode(_parts(F.col("keys"), parts)))
    return rows.repartitionById(parts, F.col("part")).mapInArrow(
        partial(_scored, model, refused, parts), PAIRS
    )


def profile_columns(columns: list[str]) -> list[Column]:
    """A profile's attributes as columns of their own."""
    return [F.col("profile")[column].alias(column) for column in columns]


def compared_columns(columns: list[str], is_compared: Column) -> list[Column]:
    """Those of records that are compared, null of the others."""
    return [
        F.when(is_compared, look).alias(name)
        for name, look in zip(columns, profile_columns(columns), strict=True)
    ]


def has_look(looks: pa.Table) -> NDArray[np.bool_]:
    """Of each row, whether anything of it is known."""
    found: NDArray[np.bool_] = np.zeros(looks.num_rows, dtype=np.bool_)
    for look in looks.columns:
        found |= pc.is_valid(look).to_numpy()
    return found


def probability(weight: Column) -> Column:
    """Of log2 odds."""
    return F.lit(1.0) / (F.lit(1.0) + F.pow(F.lit(2.0), -weight))


def loaded(model: Broadcast[str]) -> Model:
    """The whole model, read once in a process."""
    return _read(model.value)


@lru_cache(maxsize=2)
def _read(text: str) -> Model:
    from goldenlake.identity.matching.model import Model

    return Model.from_json(text)


def _parts(keys: Column, parts: int) -> Column:
    if parts <= _FEW_PARTS:
        return F.array(*[F.lit(part) for part in range(parts)])
    return F.array_distinct(F.transform(keys, lambda key: F.pmod(key, F.lit(parts)).cast("int")))


def _keyed(model: Broadcast[str], batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    from goldenlake.identity.matching.blocking import flat_keys
    from goldenlake.identity.matching.keys import keys_of as rules_of
    from goldenlake.identity.matching.records import encoded

    known = loaded(model)
    for batch in batches:
        rows = pa.Table.from_batches([batch])
        compared = pa.Table.from_batches(
            [pa.RecordBatch.from_struct_array(chunk) for chunk in rows[_COMPARED].chunks]
        )
        records = encoded(compared, known.matching, known.vocabulary)
        owner, key = flat_keys(records.count, rules_of(records, known.matching))
        order = np.lexsort((key, owner))
        starts = np.searchsorted(owner[order], np.arange(records.count + 1)).astype(np.int32)
        keys = pa.ListArray.from_arrays(starts, pa.array(key[order].astype(np.int64)))
        yield from rows.drop_columns(_COMPARED).append_column("keys", keys).to_batches()


def _scored(
    model: Broadcast[str],
    refused: Broadcast[NDArray[np.int64]],
    parts: int,
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    from goldenlake.identity.matching.blocking import blocks_among, candidates
    from goldenlake.identity.matching.keys import rule_names
    from goldenlake.identity.matching.scoring import Scorer

    found = [batch for batch in batches if batch.num_rows]
    if not found:
        return
    known = loaded(model)
    rows = pa.Table.from_batches(found)
    starts, keys = admitted(rows["keys"].combine_chunks(), refused.value)
    own = rows["part"][0].as_py()
    rules = rule_names(known.matching)
    blocks = blocks_among(starts, keys, keys % np.uint64(parts) == own, rules)
    pairs = candidates(blocks, is_new=rows["is_new"].to_numpy())
    if not len(pairs.left):
        return
    is_paired = np.zeros(rows.num_rows, dtype=np.bool_)
    is_paired[pairs.left] = is_paired[pairs.right] = True
    place = np.cumsum(is_paired, dtype=np.int32) - 1
    rows = rows.filter(pa.array(is_paired))
    ids = rows["record_id"].combine_chunks()
    probable = Probable.among(pairs, place, Scorer.of(known, rows))
    yield from probable.told(ids, known).to_batches(max_chunksize=50_000)


@dataclass(frozen=True)
class Probable:
    """Pairs of a scorer's records that are worth keeping."""

    left: Codes
    right: Codes
    rule: Codes
    weight: Floats
    """As it is written, in millionths."""
    is_likely: Flags

    @classmethod
    def among(cls, pairs: Candidates, place: Codes, scorer: Scorer) -> Probable:
        """Score candidates whose records are at these places among the scorer's."""
        settings = scorer.model.matching.clustering
        kept, weights, likely = [], [], []
        for at in range(0, len(pairs.left), _MOST_PAIRS):
            some = slice(at, at + _MOST_PAIRS)
            scores = scorer.score(place[pairs.left[some]], place[pairs.right[some]])
            chance = scores.probabilities
            found = np.flatnonzero(chance >= settings.doubtful)
            kept.append(at + found)
            weights.append(np.round(scores.weights[found], 6))
            likely.append(chance[found] >= settings.edge)
        every = np.concatenate([np.zeros(0, dtype=np.int64), *kept])
        return cls(
            place[pairs.left[every]],
            place[pairs.right[every]],
            pairs.rule[every],
            np.concatenate([np.zeros(0), *weights]),
            np.concatenate([np.zeros(0, dtype=np.bool_), *likely]),
        )

    def where(self, kept: Flags) -> Probable:
        """Some of them."""
        return Probable(
            self.left[kept],
            self.right[kept],
            self.rule[kept],
            self.weight[kept],
            self.is_likely[kept],
        )

    def told(self, ids: pa.Array, model: Model) -> pa.Table:
        """As rows, with the ids of the scorer's records."""
        from goldenlake.identity.matching.keys import rule_names

        one, other = ids.take(pa.array(self.left)), ids.take(pa.array(self.right))
        is_first = pc.less(one, other)
        columns = [
            pc.if_else(is_first, one, other),
            pc.if_else(is_first, other, one),
            pc.if_else(pa.array(self.is_likely), LIKELY, DOUBTFUL),
            pa.array(rule_names(model.matching)).take(pa.array(self.rule)),
            pa.array(self.weight),
        ]
        return pa.table(columns, schema=PAIRS_ARROW)


def admitted(
    lists: pa.ListArray, refused: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Where each record's keys start, and its keys that make pairs."""
    keys = lists.flatten().to_numpy()
    starts = np.append(0, np.cumsum(lists.value_lengths().to_numpy())).astype(np.int64)
    if len(refused):
        at = np.minimum(np.searchsorted(refused, keys), len(refused) - 1)
        kept = refused[at] != keys
        starts = np.append(0, np.cumsum(kept))[starts]
        keys = keys[kept]
    return starts, keys.astype(np.uint64)
