"""A measure of the caller's own: a function of the statistics of pairs.

    import numpy as np
    import corated as cr

    def common_sense(n, sdd):
        return n / (n + sdd)

    mine = cr.measures.Custom(common_sense)
    cr.neighbors(ratings, measure=mine)

The names of the function's parameters say which statistics it reads, in rating units: of the co-rated ratings
n, sx, sy, sxx, syy, sxy, sdd (Σ(x−y)²) and sad (Σ|x−y|), x of the query; of the whole profiles count_x,
count_y, sum_x, sum_y, norm_x, norm_y (Σx²); and total, the size of the other side. It returns the value, NaN
where it is undefined.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError
from corated.similarity.formulas import CUSTOM, Formula
from corated.similarity.measures import Measure, Values
from corated.similarity.records import check_choice, read_record
from corated.similarity.statistics import STATISTICS
from corated.similarity.weights import WEIGHTS, Weight

__all__ = ["OF_PAIRS", "OF_PROFILES", "Custom"]

Floats = npt.NDArray[np.float64]

OF_PAIRS = tuple(STATISTICS)
"""Statistics of the co-rated ratings."""
OF_PROFILES = ("count_x", "count_y", "sum_x", "sum_y", "norm_x", "norm_y", "total")
"""Statistics of the whole profiles."""

_OTHER = {"sx": "sy", "sy": "sx", "sxx": "syy", "syy": "sxx"}


@dataclass(frozen=True, kw_only=True)
class Custom(Measure):
    """A measure of the caller's own.

    function : takes statistics named by its parameters (see `corated.similarity.custom`). An ordinary
        function gets float64 arrays, one number a pair, and returns an array; one compiled by ``numba.njit``
        gets scalars and returns one
    symmetric : whether the value of (u, v) is that of (v, u); if not, it is called for both
    better : which direction is closer, ``"larger"`` or ``"smaller"``
    weight : what each rating counts as, see `corated.similarity.weights`
    scalar : True for a function of scalars that is not compiled yet
    title : what the measure is called in results; the function's name by default

    Raises `ParameterError` for parameters that are no statistics.
    """

    name: ClassVar[str] = "custom"
    values: ClassVar[Values] = "ratings"
    function: Callable[..., Any] = field(kw_only=False)
    symmetric: bool = True
    better: Literal["larger", "smaller"] = "larger"
    weight: Weight | str | None = None
    scalar: bool = False
    title: str = ""

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ParameterError(
                f"Custom: {self.function!r} is no function.",
                expected="a function of the statistics of pairs, such as lambda n, sdd: n / (n + sdd)",
            )
        check_choice(self, "better", ("larger", "smaller"))
        if self.weight is not None:
            object.__setattr__(self, "weight", read_record(self.weight, WEIGHTS, Weight, "weight"))
        known = (*OF_PAIRS, *OF_PROFILES)
        unknown = [name for name in self.reads if name not in known]
        if unknown or not self.reads:
            raise ParameterError(
                f"Custom: {self}, a function of ({', '.join(self.reads)}), cannot be a measure.",
                expected=f"parameters named after statistics: {', '.join(known)}",
            )

    def __str__(self) -> str:
        return self.title or str(getattr(self.function, "__name__", "custom"))

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The statistics that the function reads, in its order."""
        return tuple(inspect.signature(getattr(self.function, "py_func", self.function)).parameters)

    @cached_property
    def formula(self) -> Formula:  # type: ignore[override]
        """How the engine sees it."""
        read = [*self.reads, *(() if self.symmetric else (_OTHER.get(name, name) for name in self.reads))]
        sums = ("n", *dict.fromkeys(name for name in read if name in OF_PAIRS and name != "n"))
        return Formula(str(self), CUSTOM, sums, self.better, "none", False, self.function)

    @property
    def sums(self) -> tuple[str, ...]:
        """The statistics of the co-rated ratings that the function reads, n first."""
        return self.formula.sums

    @cached_property
    def _of_arrays(self) -> Callable[..., Any]:
        """The function as one of arrays."""
        inner = getattr(self.function, "py_func", None)
        if inner is None and not self.scalar:
            return self.function
        numba: Any = import_module("numba")  # here, so that naming measures stays quick
        if numba.config.DISABLE_JIT:
            return np.vectorize(inner or self.function, otypes=[np.float64])
        double = numba.float64
        # Compiled here and at once: two threads that come to it together would both.
        signature = double(*([double] * len(self.reads)))
        made: Callable[..., Any] = numba.vectorize([signature], nopython=True)(inner or self.function)
        return made

    def prepare(self) -> None:
        """Compile a function of numbers, in the thread that asks, where Ctrl-C can interrupt it."""
        _ = self._of_arrays

    def evaluate(self, statistics: Mapping[str, Floats]) -> Floats:
        """Return the values of pairs; raises `ParameterError` where the function does not return them.

        statistics : float64 arrays of one length, or scalars, by name; those that `reads` names
        """
        n = len(statistics["n"])
        with np.errstate(all="ignore"):  # 0 / 0 is how a function says undefined
            found = np.asarray(self._of_arrays(*(statistics[name] for name in self.reads)))
        if found.shape not in ((n,), ()) or found.dtype.kind not in "fiub":
            raise ParameterError(
                f"{self}: the function returned {found.dtype} of shape {found.shape} for {n:,} pairs.",
                expected="an array of numbers, one a pair",
            )
        values: Floats = np.broadcast_to(found.astype(np.float64), (n,))
        return values
