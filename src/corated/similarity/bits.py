"""Which of 64 numbers reach a limit, as the bits of a word: all are compared at once, few are visited."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import intrinsic, overload

from corated.similarity.jit import inlined
from corated.similarity.tasks import Labels

__all__ = ["WORD", "list_bits", "lowest", "reaching"]

Unsigned = np.uint64
Numbers = npt.NDArray[Any]

WORD = 64
"""The bits of a word."""


def lowest(bits: Unsigned) -> Unsigned:
    """Return the place of the lowest bit of those that are set; there must be one."""
    return np.uint64((int(bits) & -int(bits)).bit_length() - 1)


def _emit(_: Any, bits: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.cttz(values[0], context.get_constant(types.boolean, True))

    return types.uint64(bits), generate


_trailing_zeros: Any = intrinsic(_emit)


@overload(lowest, strict=False)
def _lowest(bits: Any) -> Any:  # noqa: ARG001 - there is one way for all
    def trailing_zeros(bits: Any) -> Any:
        return _trailing_zeros(bits)

    return trailing_zeros


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
