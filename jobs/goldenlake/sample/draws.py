"""Counter-based randomness: every draw is a function of the seed and of what it is for."""

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MULTIPLIER = 7_368_787
"""Divisible by none of 2, 3 and 5."""
_MASK = np.uint64(0xFFFFFFFFFFFFFFFF)


def stream(seed: int, *purpose: object) -> np.random.Generator:
    """An independent Philox stream for ``(seed, *purpose)``."""
    digest = blake2b(repr((seed, *purpose)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def scattered(index: Ints, modulus: int, offset: int = 0) -> Ints:
    """A bijection of ``0 … modulus-1`` that does not look like counting.

    ``modulus`` has no prime factor but 2, 3 and 5, so that it shares none with the
    multiplier, and distinct indexes below it stay distinct.
    """
    return (index * MULTIPLIER + offset) % modulus


def mixed(index: Ints, seed: int) -> NDArray[np.uint64]:
    """The splitmix64 finaliser: a bijection of 64-bit integers, shifted by the seed."""
    salt = np.uint64(int.from_bytes(blake2b(str(seed).encode(), digest_size=8).digest(), "little"))
    value = index.astype(np.uint64) ^ salt
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed_value: NDArray[np.uint64] = (value ^ (value >> np.uint64(31))) & _MASK
    return mixed_value


def pick(draws: Floats, shares: list[float]) -> Ints:
    """The category of each draw in [0, 1) when categories have the given ``shares``."""
    edges = np.cumsum(np.asarray(shares, dtype=np.float64))
    chosen: Ints = np.searchsorted(edges[:-1] / edges[-1], draws, side="right")
    return chosen


def rare(rng: np.random.Generator, population: int, rate: float) -> Ints:
    """Positions of about ``rate * population`` rows, at least one, ascending."""
    if population == 0:
        return np.empty(0, dtype=np.int64)
    wanted = min(population, max(1, round(rate * population)))
    chosen: Ints = np.sort(rng.choice(population, size=wanted, replace=False))
    return chosen
