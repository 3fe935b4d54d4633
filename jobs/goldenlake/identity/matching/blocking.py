"""Blocking: which pairs are looked at, each born once.

A record has many narrow keys; records with one key are a block. A pair belongs to the first key
that both records have, keys being ordered by rule: so it is born once, inside one block, and
nobody need compare blocks with each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from goldenlake.identity.matching.arrays import Codes, Counts, Flags, Hashes
from goldenlake.identity.matching.compiled import compiled

RULE_BITS = np.uint64(56)
"""A key is 8 bits of rule and 56 of hash."""


@dataclass(frozen=True)
class RuleReport:
    """What one rule gave, and what its cap left out."""

    rule: str
    blocks: int
    pairs: int
    """Born under this rule."""
    keys: int
    """Distinct ones, those of one record alone too."""
    largest: int
    """Records of the largest block, be it admitted or left out."""
    blocks_left_out: int
    records_left_out: int
    pairs_left_out: int
    """Upper bound: narrower keys may well have caught them."""


@dataclass(frozen=True)
class Blocks:
    """Blocks of two or more records that the cap admits, in the order of their keys."""

    keys: Hashes
    """(blocks,)"""
    starts: Counts
    """(blocks + 1,) into ``records``."""
    records: Codes
    key_starts: Counts
    """(records + 1,) into ``record_keys``: the admitted keys of each record, in order."""
    record_keys: Hashes
    rules: tuple[str, ...]
    tallies: tuple[tuple[int, int, int, int, int], ...]
    """For each rule keys, the largest block, and blocks, records and pairs that the cap left out;
    all 0 where only some blocks are looked at."""


@dataclass(frozen=True)
class Candidates:
    """Pairs of records, ``left`` before ``right`` within their block, and each one's rule."""

    left: Codes
    right: Codes
    rule: Codes
    report: tuple[RuleReport, ...]


def flat_keys(count: int, keys: Sequence[tuple[str, Hashes]]) -> tuple[Codes, Hashes]:
    """Every key of each of ``count`` records once, with its record, in no order.

    ``keys`` holds for each rule its name and the hashes of the records' keys, (records,) or
    (records, several), 0 where a record has none.
    """
    found_records, found_hashes = [], []
    for rule, (_, found) in enumerate(keys):
        each = found.reshape(count, -1)
        owner, column = np.nonzero(each)
        found_records.append(owner.astype(np.int32))
        found_hashes.append((each[owner, column] >> np.uint64(8)) | (np.uint64(rule) << RULE_BITS))
    return _sorted_distinct(np.concatenate(found_records), np.concatenate(found_hashes))


def blocks_among(starts: Counts, keys: Hashes, is_own: Flags, rules: tuple[str, ...]) -> Blocks:
    """Blocks from the admitted keys of each record, in order from ``starts`` on.

    Only keys that ``is_own`` marks (keys,) make blocks; the others say which pairs are born
    elsewhere. Records of a block are in no order.
    """
    owner = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))[is_own]
    own = keys[is_own]
    order = np.argsort(own)
    own = own[order]
    first = np.flatnonzero(_is_new(own))
    return Blocks(
        keys=own[first],
        starts=np.append(first, len(own)),
        records=owner[order],
        key_starts=starts,
        record_keys=keys,
        rules=rules,
        tallies=((0, 0, 0, 0, 0),) * len(rules),
    )


def blocks_of(count: int, keys: Sequence[tuple[str, Hashes]], most_records: int) -> Blocks:
    """Group ``count`` records by their keys, which are as in ``flat_keys``."""
    record, key = flat_keys(count, keys)
    first = np.flatnonzero(_is_new(key))
    size = np.diff(np.append(first, len(key)))
    too_large = size > most_records
    rule_of = (key[first] >> RULE_BITS).astype(np.int64)
    tallies = []
    for rule in range(len(keys)):
        own = size[rule_of == rule]
        over = own[own > most_records]
        pairs = int((over * (over - 1) // 2).sum())
        tallies.append((len(own), int(own.max(initial=0)), len(over), int(over.sum()), pairs))
    kept = np.repeat((size > 1) & ~too_large, size)
    record, key = record[kept], key[kept]
    first = np.flatnonzero(_is_new(key))
    by_record = np.argsort(record, kind="stable")
    return Blocks(
        keys=key[first],
        starts=np.append(first, len(key)),
        records=record,
        key_starts=np.searchsorted(record[by_record], np.arange(count + 1)),
        record_keys=key[by_record],
        rules=tuple(name for name, _ in keys),
        tallies=tuple(tallies),
    )


def sliced(blocks: Blocks, most: int) -> Iterator[Blocks]:
    """The blocks in their order, some at a time.

    In those of one time hardly more than ``most`` pairs share a key; a block is never cut.
    """
    size = np.diff(blocks.starts)
    number = np.cumsum(size * (size - 1) // 2) // most
    cuts = np.flatnonzero(np.diff(number)) + 1
    for first, end in pairwise([0, *cuts.tolist(), len(size)]):
        yield replace(blocks, keys=blocks.keys[first:end], starts=blocks.starts[first : end + 1])


def candidates(
    blocks: Blocks, exclusive: Codes | None = None, is_new: Flags | None = None
) -> Candidates:
    """All pairs within blocks, each once.

    Records of one ``exclusive`` number (records,) from 0 on are not paired, nor are two of which
    neither ``is_new`` (records,): all are, where it is not given.
    """
    count = len(blocks.key_starts) - 1
    apart = np.full(count, -1, dtype=np.int32) if exclusive is None else exclusive
    new = np.ones(count, dtype=np.bool_) if is_new is None else is_new
    fixed = (blocks.keys, blocks.starts, blocks.records, blocks.key_starts, blocks.record_keys)
    none = np.zeros(0, dtype=np.int32)
    pairs = _born(*fixed, apart, new, none, none, none, False)
    left, right, rule = np.empty((3, pairs), dtype=np.int32)
    _born(*fixed, apart, new, left, right, rule, True)
    return Candidates(left, right, rule, _reports(blocks, rule))


def first_shared(starts: Counts, keys: Hashes, left: Codes, right: Codes) -> Hashes:
    """For each pair the first key that both records have, 0 where there is none.

    The keys of each record are in order, from ``starts`` (records + 1,) on.
    """
    found = np.zeros(len(left), dtype=np.uint64)
    _first_shared(starts, keys, left, right, found)
    return found


@compiled
def _first_shared(starts: Counts, keys: Hashes, left: Codes, right: Codes, found: Hashes) -> None:
    for pair in range(len(left)):
        i, j = starts[left[pair]], starts[right[pair]]
        while i < starts[left[pair] + 1] and j < starts[right[pair] + 1]:
            if keys[i] == keys[j]:
                found[pair] = keys[i]
                break
            if keys[i] < keys[j]:
                i += 1
            else:
                j += 1


@compiled
def _born(
    keys: Hashes,
    starts: Counts,
    records: Codes,
    key_starts: Counts,
    record_keys: Hashes,
    exclusive: Codes,
    is_new: Flags,
    left: Codes,
    right: Codes,
    rule: Codes,
    write: bool,
) -> int:
    """Count the pairs and, where told, write them."""
    found = 0
    for block in range(len(keys)):
        key = keys[block]
        for a in range(starts[block], starts[block + 1]):
            one = records[a]
            for b in range(a + 1, starts[block + 1]):
                other = records[b]
                if not (is_new[one] or is_new[other]):
                    continue
                if exclusive[one] >= 0 and exclusive[one] == exclusive[other]:
                    continue
                i, j = key_starts[one], key_starts[other]
                while record_keys[i] != record_keys[j]:
                    if record_keys[i] < record_keys[j]:
                        i += 1
                    else:
                        j += 1
                if record_keys[i] == key:
                    if write:
                        left[found] = one
                        right[found] = other
                        rule[found] = key >> np.uint64(56)
                    found += 1
    return found


def _reports(blocks: Blocks, rule: Codes) -> tuple[RuleReport, ...]:
    pairs = np.bincount(rule, minlength=len(blocks.rules))
    admitted = np.bincount((blocks.keys >> RULE_BITS).astype(np.int64), minlength=len(blocks.rules))
    return tuple(
        RuleReport(name, int(admitted[at]), int(pairs[at]), *blocks.tallies[at])
        for at, name in enumerate(blocks.rules)
    )


def _sorted_distinct(record: Codes, key: Hashes) -> tuple[Codes, Hashes]:
    order = np.lexsort((record, key))
    record, key = record[order], key[order]
    new = _is_new(key)
    new[1:] |= record[1:] != record[:-1]
    return record[new], key[new]


def _is_new(key: Hashes) -> Flags:
    new = np.ones(len(key), dtype=np.bool_)
    new[1:] = key[1:] != key[:-1]
    return new
