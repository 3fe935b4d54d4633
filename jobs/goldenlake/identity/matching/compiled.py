"""Compilation of kernels, in one place.

Compiled code is kept on disk: beside the sources, or in the folder that ``NUMBA_CACHE_DIR``
names, so that workers share it and only the first call after a change pays (some seconds).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The function as machine code; it takes arrays and numbers only, and frees the GIL."""
    return cast("Callable[P, R]", njit(cache=True, nogil=True)(function))
