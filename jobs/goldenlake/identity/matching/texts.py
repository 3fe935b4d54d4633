"""Distinct values as tables of bytes: what the kernels compare, hash and count."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from anyascii import anyascii

from goldenlake.identity.matching.arrays import MISSING, Bytes, Codes, Hashes
from goldenlake.identity.matching.compiled import compiled

WIDTH = 40
"""Bytes of a text that are compared; what is longer is cut."""

_NOT_PLAIN = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Texts:
    """Distinct texts, sorted, so that equal sets of texts have equal codes."""

    values: tuple[str, ...]

    @classmethod
    def of(cls, values: Iterable[str]) -> Texts:
        """The distinct texts among these."""
        return cls(tuple(pc.unique(pa.array(values, pa.string())).sort().to_pylist()))

    def codes(self, values: Iterable[str | None]) -> Codes:
        """The code of each value; MISSING for None and for texts that are not in the table."""
        found = pc.index_in(pa.array(values, pa.string()), pa.array(self.values, pa.string()))
        return np.asarray(found.fill_null(MISSING).to_numpy(), dtype=np.int32)

    def padded(self, lists: Sequence[Sequence[str]], width: int) -> Codes:
        """The codes of the first texts of each list, MISSING where it has fewer: (lists, width)."""
        filled = [each[at] if at < len(each) else None for each in lists for at in range(width)]
        return self.codes(filled).reshape(-1, width)

    @cached_property
    def table(self) -> Bytes:
        """The first WIDTH characters as ASCII, "?" for others: (texts, WIDTH)."""
        signs = np.array(self.values, dtype=f"U{WIDTH}").view(np.uint32).reshape(-1, WIDTH)
        return np.where(signs > 127, ord("?"), signs).astype(np.uint8)

    @cached_property
    def lengths(self) -> Codes:
        """Of what is in the table."""
        lengths = pc.utf8_length(pa.array(self.values, pa.string())).to_numpy()
        return np.asarray(np.minimum(lengths, WIDTH), dtype=np.int32)

    @cached_property
    def utf8(self) -> tuple[Codes, Bytes]:
        """Where each text begins, and the last one ends, among the bytes of all."""
        texts = pa.array(self.values, pa.string())
        if not len(texts):
            return np.zeros(1, dtype=np.int32), np.zeros(0, dtype=np.uint8)
        _, starts, signs = texts.buffers()
        return np.frombuffer(starts, np.int32), np.frombuffer(signs or b"", np.uint8)

    @cached_property
    def hashes(self) -> Hashes:
        """64 bits of each text, the same in every process and on every day."""
        out = np.zeros(len(self.values), dtype=np.uint64)
        hash_all(*self.utf8, out)
        return out


@compiled
def hash_all(starts: Codes, signs: Bytes, out: Hashes) -> None:
    """FNV-1a of 64 bits (Fowler, Noll and Vo 1991) of each text, then the finaliser of SplitMix64
    (Steele, Lea and Flood 2014), without which short texts differ in few bits.
    """
    for at in range(len(out)):
        z = np.uint64(0xCBF29CE484222325)
        for place in range(starts[at], starts[at + 1]):
            z = (z ^ np.uint64(signs[place])) * np.uint64(0x100000001B3)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        out[at] = z ^ (z >> np.uint64(31))


def folded(text: str) -> str:
    """Small Latin letters and digits, one space between words: scripts and accents are gone."""
    composed = unicodedata.normalize("NFKC", text).casefold()
    plain = composed if composed.isascii() else anyascii(composed).lower()
    return _NOT_PLAIN.sub(" ", plain).strip()


def folded_all(texts: pa.Array) -> list[str]:
    """``folded`` of each; those of ASCII all at once."""
    lowered = pc.replace_substring_regex(pc.ascii_lower(texts), "[^a-z0-9]+", " ")
    answers = pc.utf8_trim_whitespace(lowered).to_pylist()
    for at in np.flatnonzero(~pc.string_is_ascii(texts).to_numpy(zero_copy_only=False)).tolist():
        answers[at] = folded(texts[at].as_py())
    return list(answers)


def distinct(column: pa.ChunkedArray | pa.Array) -> tuple[pa.Array, Codes]:
    """The distinct texts of a column, and for each record which of them; MISSING for null."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_string(array.type):
        array = array.cast(pa.string())
    encoded = array.dictionary_encode()
    return encoded.dictionary, encoded.indices.fill_null(MISSING).to_numpy().astype(np.int32)
