"""Names of the arrays that pass between the modules of this package."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
"""A text as a row of ASCII codes."""
Codes: TypeAlias = NDArray[np.int32]
"""Codes of distinct values, or numbers of records; MISSING is -1."""
Levels: TypeAlias = NDArray[np.uint8]
"""Agreement levels; 0 is always "missing"."""
Hashes: TypeAlias = NDArray[np.uint64]
"""64-bit hashes that are the same in every process; 0 stands for a missing value."""
Counts: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

MISSING = -1
