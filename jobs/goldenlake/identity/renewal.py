"""What a night's changes do to the pairs, in one worker that sees the keys of all records.

Pairs with a record that changed are looked at. So are those of others where so many come to have a
key, or have it no longer, that the cap judges it otherwise than before: then such a pair is born
under another key, or not at all. Its score is what it was, but nobody need know it from before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
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
    from goldenlake.identity.matching.arrays import Counts, Flags, Hashes
    from goldenlake.identity.matching.blocking import Candidates
    from goldenlake.identity.matching.model import Model

_SEEN = "seen"
_NO_RULE = -1
_NEAR = np.int64((1 << 22) - 1)

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
    """What the cap says of keys now, and where it said otherwise before the changes."""

    refused: Keys
    """Of all that there are, in order; as all of these."""
    admitted: Keys
    """Of records that changed."""
    no_more: Keys
    """Admitted before, and refused now."""
    again: Keys
    """Refused before, and admitted now."""
    told: pa.Table
    """Refused ones of records that changed: (key, records)."""

    @classmethod
    def of(cls, keys: Keys, gained: Keys, lost: Keys, cap: int) -> Verdicts:
        """From the keys of all records, those of changed ones among them, and what these had."""
        every, size = np.unique(keys, return_counts=True)
        concerned, number = np.unique(np.concatenate([gained, lost]), return_inverse=True)
        more = np.bincount(number[: len(gained)], minlength=len(concerned))
        fewer = np.bincount(number[len(gained) :], minlength=len(concerned))
        at = np.minimum(np.searchsorted(every, concerned), len(every) - 1)
        now = np.where(every[at] == concerned, size[at], 0)
        is_refused, was_refused = now > cap, now - more + fewer > cap
        return cls(
            refused=every[size > cap],
            admitted=concerned[~is_refused],
            no_more=concerned[is_refused & ~was_refused],
            again=concerned[~is_refused & was_refused],
            told=pa.table({"key": concerned[is_refused], "records": now[is_refused]}),
        )

    @property
    def refused_before(self) -> Keys:
        """What ``refused`` was."""
        both = np.union1d(self.refused, self.again)
        return np.setdiff1d(both, self.no_more, assume_unique=True)


@dataclass(frozen=True)
class Concerned:
    """The pairs that changes concern, from the keys of each record."""

    lists: pa.ListArray
    is_new: Flags
    verdicts: Verdicts
    rules: tuple[str, ...]

    def holders(self) -> Flags:
        """Records that may be in such a pair."""
        verdicts, flat = self.verdicts, self.lists.flatten().to_numpy()
        own = _among(flat, np.union1d(verdicts.admitted, verdicts.no_more))
        counts = np.append(0, np.cumsum(own))
        starts = np.append(0, np.cumsum(self.lists.value_lengths().to_numpy()))
        found: Flags = np.diff(counts[starts]) > 0
        return found

    def of_changed(self) -> Iterator[Candidates]:
        """Pairs with a record that changed."""
        return self._born(self._now, self.verdicts.admitted, self.is_new)

    def of_others(self) -> Iterator[Candidates]:
        """Pairs of records that did not change, of keys that the cap judges otherwise now. The rule
        is that of the key under which they are born now, -1 where there is none.
        """
        from goldenlake.identity.matching.blocking import RULE_BITS, first_shared

        verdicts = self.verdicts
        for pairs in self._born(self._now, verdicts.again, None):
            yield _some(pairs, self._is_unchanged(pairs))
        if not len(verdicts.no_more):
            return
        before = admitted(self.lists, verdicts.refused_before)
        for pairs in self._born(before, verdicts.no_more, None):
            key = first_shared(*self._now, pairs.left, pairs.right)
            # Of those that are born under a key that is admitted again, it was told already.
            kept = self._is_unchanged(pairs) & ~_among(key.astype(np.int64), verdicts.again)
            rule = np.where(key > 0, (key >> RULE_BITS).astype(np.int32), _NO_RULE)
            yield _some(replace(pairs, rule=rule), kept)

    @cached_property
    def _now(self) -> tuple[Counts, Hashes]:
        return admitted(self.lists, self.verdicts.refused)

    def _born(
        self, admitted_keys: tuple[Counts, Hashes], own: Keys, is_new: Flags | None
    ) -> Iterator[Candidates]:
        """Pairs whose first key that is admitted is among these."""
        from goldenlake.identity.matching.blocking import blocks_among, candidates, sliced

        starts, keys = admitted_keys
        blocks = blocks_among(starts, keys, _among(keys.astype(np.int64), own), self.rules)
        return map(partial(candidates, is_new=is_new), sliced(blocks, MOST_AT_ONCE))

    def _is_unchanged(self, pairs: Candidates) -> Flags:
        return ~(self.is_new[pairs.left] | self.is_new[pairs.right])


def _some(pairs: Candidates, kept: Flags) -> Candidates:
    return replace(pairs, left=pairs.left[kept], right=pairs.right[kept], rule=pairs.rule[kept])


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

    lists = nodes["keys"].combine_chunks()
    is_new = pc.fill_null(nodes["is_new"], False).to_numpy()
    gained = lists.filter(pa.array(is_new)).flatten().to_numpy()
    verdicts = Verdicts.of(lists.flatten().to_numpy(), gained, before.flatten().to_numpy(), cap)
    yield KEY, verdicts.told
    concerned = Concerned(lists, is_new, verdicts, rule_names(model.matching))
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


def _among(keys: Keys, wanted: Keys) -> Flags:
    """Which of many keys are among some; most of the others are told by their last bits."""
    if not len(wanted):
        return np.zeros(len(keys), dtype=np.bool_)
    near = np.zeros(_NEAR + 1, dtype=np.bool_)
    near[wanted & _NEAR] = True
    found: Flags = near[keys & _NEAR]
    at = np.flatnonzero(found)
    some = keys[at]
    place = np.minimum(np.searchsorted(wanted, some), len(wanted) - 1)
    found[at] = wanted[place] == some
    return found
