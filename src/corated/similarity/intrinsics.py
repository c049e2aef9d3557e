"""What the processor can do that Numba has no name for; each with what stands for it in Python."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

__all__ = ["lowest", "prefetch"]


def lowest(bits: np.uint64) -> np.uint64:
    """Return the place of the lowest bit of those that are set; there must be one."""
    return np.uint64((int(bits) & -int(bits)).bit_length() - 1)


def prefetch(array: npt.NDArray[Any], at: Any) -> None:
    """Ask for the line of the cache with an element that will be written soon; changes nothing."""


def _emit_lowest(_: Any, bits: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.cttz(values[0], context.get_constant(types.boolean, True))

    return types.uint64(bits), generate


def _emit_prefetch(_: Any, array: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cast(Any, cgutils).get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        place = builder.bitcast(builder.gep(data, [values[1]]), byte)
        builder.call(function, [place, number(1), number(3), number(1)])  # to write; to stay; data
        return context.get_dummy_value()

    return types.void(array, at), generate


_lowest: Any = intrinsic(_emit_lowest)
_prefetch: Any = intrinsic(_emit_prefetch)


@overload(lowest, strict=False)
def _overload_lowest(bits: Any) -> Any:  # noqa: ARG001 - there is one way for all
    def implementation(bits: Any) -> Any:
        return _lowest(bits)

    return implementation


@overload(prefetch, strict=False)
def _overload_prefetch(array: Any, at: Any) -> Any:  # noqa: ARG001
    def implementation(array: Any, at: Any) -> Any:
        return _prefetch(array, at)

    return implementation
