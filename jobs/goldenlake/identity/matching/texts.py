"""Distinct values as tables of bytes: what the kernels compare, hash and count."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

import numpy as np
import pyarrow as pa
from anyascii import anyascii

from goldenlake.identity.matching.arrays import MISSING, Bytes, Codes, Hashes

WIDTH = 40
"""Bytes of a text that are compared; what is longer is cut."""

T = TypeVar("T")

_NOT_PLAIN = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Texts:
    """Distinct texts, sorted, so that equal sets of texts have equal codes."""

    values: tuple[str, ...]
    table: Bytes
    """(texts, WIDTH)"""
    lengths: Codes
    hashes: Hashes
    """64 bits of each text, the same in every process and on every day."""

    @classmethod
    def of(cls, values: Iterable[str]) -> Texts:
        """The distinct texts among these."""
        distinct = tuple(sorted(set(values)))
        table = np.zeros((len(distinct), WIDTH), dtype=np.uint8)
        lengths = np.zeros(len(distinct), dtype=np.int32)
        for at, value in enumerate(distinct):
            raw = value.encode("ascii", "replace")[:WIDTH]
            table[at, : len(raw)] = np.frombuffer(raw, dtype=np.uint8)
            lengths[at] = len(raw)
        hashes = np.array([digest(value) for value in distinct], dtype=np.uint64)
        return cls(distinct, table, lengths, hashes)

    def codes(self, values: Sequence[str | None]) -> Codes:
        """The code of each value; MISSING for None and for texts that are not in the table."""
        code = {value: at for at, value in enumerate(self.values)}
        return np.array([code.get(value or "", MISSING) for value in values], dtype=np.int32)


def digest(text: str) -> int:
    """64 bits of a text, the same in every process."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def folded(text: str) -> str:
    """Small Latin letters and digits, one space between words: scripts and accents are gone."""
    composed = unicodedata.normalize("NFKC", text).casefold()
    plain = composed if composed.isascii() else anyascii(composed).lower()
    return _NOT_PLAIN.sub(" ", plain).strip()


def over_distinct(
    column: pa.ChunkedArray | pa.Array, reading: Callable[[str], T | None]
) -> list[T | None]:
    """``reading`` of every value, called once a distinct one; None where the value is null."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_string(array.type):
        array = array.cast(pa.string())
    encoded = array.dictionary_encode()
    answers = [reading(value) for value in encoded.dictionary.to_pylist()]
    return [None if at is None else answers[at] for at in encoded.indices.to_pylist()]
