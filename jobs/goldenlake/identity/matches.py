"""Matches on Spark: keys, the pairs that share one, and their scores inside the blocks.

A record's keys are kept with it, so that a night looks only at the blocks of what changed. Records
go once to each part in which they have a key; there all pairs of its blocks are made, scored by
compiled kernels, and forgotten unless they are probable. A pair is born in one block alone, that of
the first key that both records have, so nobody need compare parts with each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import Broadcast
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from goldenlake.identity.records import is_matchable

if TYPE_CHECKING:
    from goldenlake.identity.matching.model import Model

MATCH, LIKELY, DOUBTFUL = "match", "likely", "doubtful"

_KEYED = "record_id string, keys array<bigint>"
_SCORED = "left_record string, right_record string, rule string, weight double"
_SCORED_ARROW = pa.schema(
    {
        "left_record": pa.string(),
        "right_record": pa.string(),
        "rule": pa.string(),
        "weight": pa.float64(),
    }
)
_MOST_PAIRS = 1_000_000
"""Scored at a time, some 100 MB."""


def keyed(records: DataFrame, columns: list[str], model: Broadcast[str]) -> DataFrame:
    """The records with their blocking keys in order, ``keys``; none for those without a profile.

    ``records`` (record_id, profile, ...) are read twice.
    """
    rows = records.where(is_matchable()).select("record_id", *profile_columns(columns))
    keys = rows.mapInArrow(partial(_keyed, model), _KEYED)
    return records.join(keys, on="record_id", how="left").withColumn(
        "keys", F.coalesce("keys", no_keys())
    )


def no_keys() -> Column:
    """What a record has that nobody is compared with."""
    return F.array().cast("array<bigint>")


def holders(records: DataFrame, wanted: DataFrame | None = None) -> DataFrame:
    """Who has which key: (key, record_id); ``wanted`` (key) limits them to those."""
    rows = records.where(F.size("keys") > 0).select(F.explode("keys").alias("key"), "record_id")
    if wanted is None:
        return rows
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


def sizes(holders: DataFrame) -> DataFrame:
    """On how many records each key is: (key, records)."""
    return holders.groupBy("key").agg(F.count(F.lit(1)).alias("records"))


def left_out(sizes: DataFrame, cap: int) -> DataFrame:
    """Keys that the cap leaves out, by rule: (rule_number, keys, most_records)."""
    return (
        sizes.where(F.col("records") > cap)
        .groupBy(F.shiftrightunsigned("key", 56).alias("rule_number"))
        .agg(F.count(F.lit(1)).alias("keys"), F.max("records").alias("most_records"))
    )


def scored(
    holders: DataFrame,
    sizes: DataFrame,
    records: DataFrame,
    changed: DataFrame | None,
    columns: list[str],
    model: Broadcast[str],
    *,
    cap: int,
    least: float,
    parts: int,
) -> DataFrame:
    """Probable pairs: (left_record, right_record, rule, weight), each once, left smaller.

    Args:
        holders: (key, record_id) of all keys that count.
        sizes: (key, records) of these keys.
        records: profiles of all their records.
        changed: (record_id) of which one must be in a pair; None means all.
        columns: that the model compares.
        model: as JSON.
        cap: a key of more records makes no pairs.
        least: probability below which pairs are forgotten.
        parts: among which the blocks are divided.
    """
    admitted = sizes.where(F.col("records").between(2, cap)).select("key")
    lists = (
        holders.join(admitted, on="key", how="inner")
        .groupBy("record_id")
        .agg(F.array_sort(F.collect_list("key")).alias("keys"))
    )
    new = F.lit(True)
    if changed is not None:
        marked = changed.select("record_id", F.lit(True).alias("_is_new"))
        lists = lists.join(F.broadcast(marked), on="record_id", how="left")
        new = F.coalesce("_is_new", F.lit(False))
    profiles = records.select("record_id", *profile_columns(columns))
    rows = (
        lists.withColumn("is_new", new)
        .join(profiles, on="record_id", how="inner")
        .withColumn("part", F.explode(_parts(F.col("keys"), parts)))
        .select("part", "record_id", "is_new", "keys", *columns)
    )
    return rows.repartitionById(parts, F.col("part")).mapInArrow(
        partial(_scored, model, parts, least), _SCORED
    )


def profile_columns(columns: list[str]) -> list[Column]:
    """A profile's attributes as columns of their own."""
    return [F.col("profile")[column].alias(column) for column in columns]


def probability(weight: Column) -> Column:
    """Of log2 odds."""
    return F.lit(1.0) / (F.lit(1.0) + F.pow(F.lit(2.0), -weight))


def strength(weight: Column, edge: float) -> Column:
    """LIKELY from the probability ``edge`` on, else DOUBTFUL."""
    return F.when(probability(weight) >= edge, F.lit(LIKELY)).otherwise(F.lit(DOUBTFUL))


def loaded(model: Broadcast[str]) -> Model:
    """The whole model, read once in a process."""
    return _read(model.value)


@lru_cache(maxsize=2)
def _read(text: str) -> Model:
    from goldenlake.identity.matching.model import Model

    return Model.from_json(text)


def _parts(keys: Column, parts: int) -> Column:
    return F.array_distinct(F.transform(keys, lambda key: F.pmod(key, F.lit(parts)).cast("int")))


def _keyed(model: Broadcast[str], batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    from goldenlake.identity.matching.blocking import flat_keys
    from goldenlake.identity.matching.keys import keys_of as rules_of
    from goldenlake.identity.matching.records import encoded

    known = loaded(model)
    for batch in batches:
        if not batch.num_rows:
            continue
        records = encoded(pa.Table.from_batches([batch]), known.matching, known.vocabulary)
        owner, key = flat_keys(records.count, rules_of(records, known.matching))
        order = np.lexsort((key, owner))
        starts = np.searchsorted(owner[order], np.arange(records.count + 1)).astype(np.int32)
        keys = pa.ListArray.from_arrays(starts, pa.array(key[order].astype(np.int64)))
        yield pa.RecordBatch.from_arrays([batch["record_id"], keys], names=["record_id", "keys"])


def _scored(
    model: Broadcast[str], parts: int, least: float, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    from goldenlake.identity.matching.blocking import blocks_among, candidates
    from goldenlake.identity.matching.keys import rule_names
    from goldenlake.identity.matching.scoring import Scorer

    found = [batch for batch in batches if batch.num_rows]
    if not found:
        return
    known = loaded(model)
    rows = pa.Table.from_batches(found)
    lists = rows["keys"].combine_chunks()
    keys = lists.flatten().to_numpy().astype(np.uint64)
    starts = np.append(0, np.cumsum(lists.value_lengths().to_numpy())).astype(np.int64)
    own = rows["part"][0].as_py()
    rules = rule_names(known.matching)
    blocks = blocks_among(starts, keys, keys % np.uint64(parts) == own, rules)
    pairs = candidates(blocks, is_new=rows["is_new"].to_numpy())
    scorer = Scorer.of(known, rows)
    ids, names = rows["record_id"].combine_chunks(), pa.array(rules)
    for at in range(0, len(pairs.left), _MOST_PAIRS):
        some = slice(at, at + _MOST_PAIRS)
        left, right = pairs.left[some], pairs.right[some]
        scores = scorer.score(left, right)
        kept = scores.probabilities >= least
        one, other = ids.take(pa.array(left[kept])), ids.take(pa.array(right[kept]))
        rule = names.take(pa.array(pairs.rule[some][kept]))
        yield from _ordered(one, other, rule, scores.weights[kept])


def _ordered(
    one: pa.Array, other: pa.Array, rule: pa.Array, weights: np.ndarray
) -> Iterator[pa.RecordBatch]:
    is_first = pc.less(one, other)
    columns = [
        pc.if_else(is_first, one, other),
        pc.if_else(is_first, other, one),
        rule,
        pa.array(np.round(weights, 6)),
    ]
    yield from pa.table(columns, schema=_SCORED_ARROW).to_batches(max_chunksize=50_000)
