"""What a night's changes do to the pairs, in one worker that sees the keys of all records.

Pairs with a record that changed are looked at. So are those of others where so many come to have a
key, or have it no longer, that the cap judges it otherwise than before: then such a pair is born
under another key, or not at all. Its score is what it was, but nobody need know it from before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from goldenlake.identity.matches import Probable, admitted, profile_columns
from goldenlake.identity.one_worker import (
    ANSWER,
    KEY,
    MOST_AT_ONCE,
    PAIR,
    Answer,
    answered,
    cores_of_a_task,
    gathered,
)

if TYPE_CHECKING:
    from goldenlake.identity.matching.arrays import Codes, Counts, Flags, Hashes
    from goldenlake.identity.matching.blocking import Candidates
    from goldenlake.identity.matching.model import Model

_SEEN = "seen"
_NO_RULE = -1

Keys = NDArray[np.int64]


@dataclass(frozen=True)
class Renewed(Answer):
    """What one worker made of a night's changes; its pairs are those that there should be among
    all that it looked at.
    """

    @property
    def seen(self) -> DataFrame:
        """Pairs of records that did not change, and that there may have been: (left_record,
        right_record). Those that are not among the pairs are no more.
        """
        return self.of(_SEEN, "left_record", "right_record")


def renewed(
    records: DataFrame,
    changed: DataFrame,
    *,
    cap: int,
    columns: list[str],
    model: Broadcast[str],
    keep: Callable[[DataFrame], DataFrame],
) -> Renewed:
    """Look at the pairs that a night's changes concern.

    Args:
        records: (record_id, profile, keys) of all that can be matched, keys in order.
        changed: (record_id, _old_keys) of those that changed, also of who is no longer there.
        cap: a key on more records than this makes no pairs.
        columns: that the model compares.
        model: as JSON.
        keep: computes rows once, when they are first looked at.
    """
    marked = changed.select("record_id", F.lit(True).alias("is_new"))
    now = records.select("record_id", "keys", *profile_columns(columns)).join(
        F.broadcast(marked), on="record_id", how="left"
    )
    before = changed.where(F.size("_old_keys") > 0).select(F.col("_old_keys").alias("keys"))
    rows = now.unionByName(before, allowMissingColumns=True)
    work = partial(_renewed, cap, model, cores_of_a_task(records.sparkSession))
    return Renewed(keep(rows.coalesce(1).mapInArrow(work, ANSWER)))


@dataclass(frozen=True)
class Verdicts:
    """What the cap says of the keys of records that changed, now and before they did."""

    keys: Keys
    """In order; as all of these."""
    records: Counts
    """That have each now."""
    is_refused: Flags
    was_refused: Flags

    @classmethod
    def of(cls, keys: Keys, records: Counts, gained: Keys, lost: Keys, cap: int) -> Verdicts:
        """From the keys that changed records have, and those that they had."""
        more = np.bincount(np.searchsorted(keys, gained), minlength=len(keys))
        fewer = np.bincount(np.searchsorted(keys, lost), minlength=len(keys))
        return cls(keys, records, records > cap, records - more + fewer > cap)

    @property
    def again(self) -> Keys:
        """Refused before, and admitted now."""
        return self.keys[self.was_refused & ~self.is_refused]

    @property
    def no_more(self) -> Keys:
        """Admitted before, and refused now."""
        return self.keys[self.is_refused & ~self.was_refused]

    @property
    def told(self) -> pa.Table:
        """Refused ones: (key, records)."""
        refused = self.is_refused
        return pa.table({"key": self.keys[refused], "records": self.records[refused]})


@dataclass(frozen=True)
class Concerned:
    """The pairs that changes concern, from the keys of each record."""

    lists: pa.ListArray
    is_new: Flags
    cap: int
    rules: tuple[str, ...]
    verdicts: Verdicts
    owner: Codes
    """Of each time that a record has a key that there is a verdict on: the record, in order."""
    number: Codes
    """And the key, by its place among the verdicts."""

    @classmethod
    def among(
        cls, lists: pa.ListArray, is_new: Flags, lost: Keys, cap: int, rules: tuple[str, ...]
    ) -> Concerned:
        """From the keys of all records, and those that changed ones had."""
        gained = lists.filter(pa.array(is_new)).flatten().to_numpy()
        keys = np.unique(np.concatenate([gained, lost]))
        number = pc.index_in(lists.flatten(), value_set=pa.array(keys))
        owner = pc.list_parent_indices(lists).filter(pc.is_valid(number))
        own = number.drop_null().to_numpy()
        records = np.bincount(own, minlength=len(keys))
        verdicts = Verdicts.of(keys, records, gained, lost, cap)
        return cls(lists, is_new, cap, rules, verdicts, owner.to_numpy().astype(np.int32), own)

    def holders(self) -> Flags:
        """Records that may be in such a pair."""
        return self._bearing(~(self.verdicts.is_refused & self.verdicts.was_refused))

    def of_changed(self) -> Iterator[Candidates]:
        """Pairs with a record that changed; all keys that both have are under a verdict."""
        kept = ~self.verdicts.is_refused[self.number]
        counts = np.bincount(self.owner[kept], minlength=len(self.is_new))
        keys = self.verdicts.keys[self.number[kept]].astype(np.uint64)
        every = np.ones(len(keys), dtype=np.bool_)
        yield from self._born(np.append(0, np.cumsum(counts)), keys, every, self.is_new)

    def of_others(self) -> Iterator[Candidates]:
        """Pairs of records that did not change, of keys that the cap judges otherwise now. The rule
        is that of the key under which they are born now, -1 where there is none.
        """
        from goldenlake.identity.matching.blocking import RULE_BITS, first_shared

        again, no_more = self.verdicts.again, self.verdicts.no_more
        crossed = self.verdicts.is_refused != self.verdicts.was_refused
        rows = np.flatnonzero(self._bearing(crossed) & ~self.is_new).astype(np.int32)
        if not len(rows):
            return
        lists = self.lists.take(pa.array(rows))
        refused = self._refused(lists)
        now = admitted(lists, refused)
        for pairs in self._born(*now, _among(now, again)):
            yield replace(pairs, left=rows[pairs.left], right=rows[pairs.right])
        refused_before = np.setdiff1d(np.union1d(refused, again), no_more, assume_unique=True)
        before = admitted(lists, refused_before)
        for pairs in self._born(*before, _among(before, no_more)):
            key = first_shared(*now, pairs.left, pairs.right)
            rule = np.where(key > 0, (key >> RULE_BITS).astype(np.int32), _NO_RULE)
            # Of those that are born under a key that is admitted again, it was told already.
            kept = ~np.isin(key.astype(np.int64), again)
            left, right = rows[pairs.left[kept]], rows[pairs.right[kept]]
            yield replace(pairs, left=left, right=right, rule=rule[kept])

    def _bearing(self, wanted: Flags) -> Flags:
        """Records that have one of some keys under a verdict."""
        found: Flags = np.bincount(
            self.owner[wanted[self.number]], minlength=len(self.is_new)
        ).astype(np.bool_)
        return found

    def _refused(self, lists: pa.ListArray) -> Keys:
        """Of the keys that some records share, those that are on too many of all."""
        keys, size = np.unique(lists.flatten().to_numpy(), return_counts=True)
        keys = keys[size > 1]
        number = pc.index_in(self.lists.flatten(), value_set=pa.array(keys)).drop_null()
        return keys[np.bincount(number.to_numpy(), minlength=len(keys)) > self.cap]

    def _born(
        self, starts: Counts, keys: Hashes, is_own: Flags, is_new: Flags | None = None
    ) -> Iterator[Candidates]:
        """Pairs whose first key is one of their own."""
        from goldenlake.identity.matching.blocking import blocks_among, candidates, sliced

        blocks = blocks_among(starts, keys, is_own, self.rules)
        return map(partial(candidates, is_new=is_new), sliced(blocks, MOST_AT_ONCE))


def _renewed(
    cap: int, model: Broadcast[str], threads: int, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    rows, known = gathered(batches, model)
    if rows is None:
        return
    assert known is not None
    is_now = pc.is_valid(rows["record_id"])
    nodes, before = rows.filter(is_now), rows["keys"].filter(pc.invert(is_now))
    del rows
    if not nodes.num_rows:
        return
    for kind, part in _looked_at(nodes, before.combine_chunks(), cap, known, threads):
        yield from answered(kind, part)


def _looked_at(
    nodes: pa.Table, before: pa.ListArray, cap: int, model: Model, threads: int
) -> Iterator[tuple[str, pa.Table]]:
    from goldenlake.identity.matching.keys import rule_names
    from goldenlake.identity.matching.scoring import Scorer

    is_new = pc.fill_null(nodes["is_new"], False).to_numpy()
    concerned = Concerned.among(
        nodes["keys"].combine_chunks(),
        is_new,
        before.flatten().to_numpy(),
        cap,
        rule_names(model.matching),
    )
    yield KEY, concerned.verdicts.told
    is_holder = concerned.holders()
    place = np.cumsum(is_holder, dtype=np.int32) - 1
    looks = nodes.drop_columns(["record_id", "keys", "is_new"]).filter(pa.array(is_holder))
    ids = nodes["record_id"].combine_chunks().filter(pa.array(is_holder))
    scorer = Scorer.of(model, looks, threads=threads)
    for pairs in concerned.of_changed():
        yield PAIR, Probable.among(pairs, place, scorer).told(ids, model)
    for pairs in concerned.of_others():
        probable = Probable.among(pairs, place, scorer)
        yield _SEEN, replace(probable, rule=np.maximum(probable.rule, 0)).told(ids, model)
        yield PAIR, probable.where(probable.rule != _NO_RULE).told(ids, model)


def _among(admitted_keys: tuple[Counts, Hashes], wanted: Keys) -> Flags:
    found: Flags = np.isin(admitted_keys[1].astype(np.int64), wanted)
    return found
