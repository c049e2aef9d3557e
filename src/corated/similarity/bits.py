"""Which of 64 numbers reach a limit, as the bits of a word: all are compared at once, few are visited."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corated.similarity.intrinsics import lowest
from corated.similarity.jit import inlined
from corated.similarity.tasks import Labels

__all__ = ["WORD", "list_bits", "reaching"]

Unsigned = np.uint64
Numbers = npt.NDArray[Any]

WORD = 64
"""The bits of a word."""


@inlined
def reaching(numbers: Numbers, first: Unsigned, least: Any) -> Unsigned:
    """Return a bit for each of the 64 numbers from ``first`` on that is at least ``least``."""
    bits = np.uint64(0)
    for j in range(np.uint64(WORD)):
        bits |= np.uint64(numbers[first + j] >= least) << j
    return bits


@inlined
def list_bits(bits: Unsigned, first: Unsigned, places: Labels, found: Unsigned) -> Unsigned:
    """List ``first`` plus the place of each bit that is set, ascending; returns how many are listed then."""
    while bits != 0:
        places[found] = first + lowest(bits)
        found += np.uint64(1)
        bits &= bits - np.uint64(1)
    return found
