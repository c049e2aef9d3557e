"""The measures and adjustments, of two lists of numbers and of facts of the whole profiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import mul, sub
from typing import Any, Literal, NamedTuple

from scipy.special import ndtri

from corated.errors import ParameterError
from corated.similarity.measures import Measure, get_measure
from corated.similarity.reference.numbers import Numbers, Reals

__all__ = [
    "Answer",
    "Reason",
    "Setting",
    "Sums",
    "Whole",
    "answer",
    "is_distance",
    "known",
    "setting_of",
    "sums_of",
]

Reason = Literal[
    "nothing in common",
    "fewer in common than min_common",
    "fewer than 2 in common",
    "fewer than 4 in common",
    "flat on the overlap",
    "flat profile",
    "a norm is 0",
    "ratings add up to 0",
]
"""Why a pair has no value."""

_FLAT = 1e-12
"""Numbers on an overlap that differ by less than this part of the largest of them are equal."""


class Sums(NamedTuple):
    """The sums of a pair of profiles; the last four are of whole profiles.

    On a scale they are integers, in steps of the scale. x and y are ``rating / step`` where the scale's
    lowest rating is a multiple of its step, else steps above the lowest rating (the sums of differences, and
    Pearson's, are the same in both), for the cosines ratings in parts of a step that make all of them whole.
    Off a scale, and for ratings that are weighted or that depend on whole profiles, they are floats in rating
    units; of Pearson's, deviations from the mean on the overlap.
    """

    n: int
    sx: float
    sy: float
    sxx: float
    syy: float
    sxy: float
    sdd: float
    sad: float
    count_x: int
    count_y: int
    norm_x: float
    norm_y: float


class Answer(NamedTuple):
    """A value, or None and the reason why there is none."""

    value: float | None
    reason: Reason | None


class Whole(NamedTuple):
    """One whole profile: its number of ratings, Σx², and Σx as it counts for who asks."""

    size: int
    norm: float
    total: float


def sums_of(measure: Measure, x: Reals, y: Reals, whole_x: Whole, whole_y: Whole, exact: bool) -> Sums:
    """Add up what two profiles have in common; for Pearson's floats, as deviations from the mean.

    x, y : the numbers in common, by ascending object
    """
    whole = (whole_x.size, whole_y.size, whole_x.norm, whole_y.norm)
    add: Callable[[Any], float] = sum if exact else math.fsum
    if not exact and measure.name == "pearson":
        x, y = _around_mean(x), _around_mean(y)
    apart = list(map(sub, x, y))
    return Sums(
        len(x),
        add(x),
        add(y),
        add(map(mul, x, x)),
        add(map(mul, y, y)),
        add(map(mul, x, y)),
        add(map(mul, apart, apart)),
        add(map(abs, apart)),
        *whole,
    )


def _around_mean(x: Sequence[float]) -> list[float]:
    """Return deviations from the mean, in two passes; all 0 where the numbers are equal."""
    deviations = [value - x[0] for value in x]
    if not x or max(map(abs, deviations)) <= _FLAT * max(map(abs, x)):
        return [0.0] * len(x)
    mean = math.fsum(deviations) / len(x)
    return [value - mean for value in deviations]


# -- the measures ---------------------------------------------------------------------------------


class Setting(NamedTuple):
    """What a value depends on besides the sums of a pair.

    measure : its name;  given : its parameters
    unit : what one of the numbers summed up is in rating units
    add : what is added to the denominator, in rating units
    adjust, amounts : the adjustment's name, empty where there is none, and its parameters
    size : the observed size of the other side
    min_common : pairs with less in common have no value
    """

    measure: str
    given: dict[str, Any]
    unit: float
    add: float
    adjust: str
    amounts: dict[str, float]
    size: int
    min_common: int


def setting_of(measure: Measure, numbers: Numbers, size: int, min_common: int) -> Setting:
    """Return what the values of a measure depend on, for ratings that count as these numbers."""
    given = measure.parameters()
    adjust, amounts = _adjustment(measure.name, given)
    add = amounts["s"] if adjust == "shrink_add" else 0.0
    return Setting(measure.name, given, numbers.unit, add, adjust, amounts, size, min_common)


def _adjustment(name: str, given: dict[str, Any]) -> tuple[str, dict[str, float]]:
    """Return the name and the parameters of a measure's adjustment; an empty name where it has none."""
    if name == "pearson_baseline":
        return ("shrink_mul1", {"s": given["shrink"]}) if given["shrink"] else ("", {})
    if given.get("shrink"):
        return "shrink_mul", {"s": given["shrink"]}
    adjust = given.get("adjust")
    return ("", {}) if adjust is None else (adjust.name, adjust.parameters())


def _pearson(s: Sums, c: Setting) -> Answer:
    vx = s.n * s.sxx - s.sx**2
    vy = s.n * s.syy - s.sy**2
    if vx == 0 or vy == 0:
        return Answer(None, "flat on the overlap")
    root = math.sqrt(float(vx) * float(vy))
    return Answer(float(s.n * s.sxy - s.sx * s.sy) / (root + c.add / c.unit**2), None)


def _euclidean(s: Sums, c: Setting) -> Answer:
    return Answer(math.sqrt(float(s.sdd)) * c.unit, None)


def _msd(s: Sums, c: Setting) -> Answer:
    return Answer(1.0 / (1.0 + float(s.sdd) * (c.unit * c.unit) / float(s.n) + c.add), None)


def _manhattan(s: Sums, c: Setting) -> Answer:
    return Answer(float(s.sad) * c.unit, None)


def _cosine(s: Sums, c: Setting) -> Answer:
    if s.norm_x == 0 or s.norm_y == 0:
        return Answer(None, "a norm is 0")
    root = math.sqrt(float(s.norm_x) * float(s.norm_y))
    return Answer(float(s.sxy) / (root + c.add / c.unit**2), None)


def _centered_cosine(s: Sums, c: Setting) -> Answer:
    found = _cosine(s, c)
    return found if found.value is not None else Answer(None, "flat profile")


def _cosine_common(s: Sums, c: Setting) -> Answer:
    if s.sxx == 0 or s.syy == 0:
        return Answer(None, "a norm is 0")
    root = math.sqrt(float(s.sxx) * float(s.syy))
    return Answer(float(s.sxy) / (root + c.add / c.unit**2), None)


def _asymmetric_cosine(s: Sums, c: Setting) -> Answer:
    if s.norm_x == 0 or s.norm_y == 0:
        return Answer(None, "a norm is 0")
    alpha = c.given["alpha"]
    norms = math.pow(s.norm_x, alpha) * math.pow(s.norm_y, 1.0 - alpha)
    return Answer(float(s.sxy) / (norms + c.add / c.unit**2), None)


def _jaccard(s: Sums, c: Setting) -> Answer:
    return Answer(float(s.n) / (float(s.count_x + s.count_y - s.n) + c.add), None)


def _dice(s: Sums, c: Setting) -> Answer:
    return Answer(2.0 * float(s.n) / (float(s.count_x + s.count_y) + c.add), None)


def _overlap(s: Sums, c: Setting) -> Answer:
    return Answer(float(s.n) / (float(min(s.count_x, s.count_y)) + c.add), None)


def _tversky(s: Sums, c: Setting) -> Answer:
    only_x, only_y = float(s.count_x - s.n), float(s.count_y - s.n)
    below = float(s.n) + c.given["alpha"] * only_x + c.given["beta"] * only_y
    return Answer(float(s.n) / (below + c.add), None)


def _conditional(s: Sums, c: Setting) -> Answer:
    return Answer(float(s.n) / (float(s.count_y) + c.add), None)


def _log_likelihood(s: Sums, c: Setting) -> Answer:
    """2 Σ O ln(O/E) over the cells, where O/E = 1 ± (nN − ab)/(row × column)."""
    n, a, b, size = s.n, s.count_x, s.count_y, c.size
    excess = n * size - a * b
    cells = [
        (n, excess, a * b),
        (a - n, -excess, a * (size - b)),
        (b - n, -excess, (size - a) * b),
        (size - a - b + n, excess, (size - a) * (size - b)),
    ]
    g2 = 2.0 * math.fsum(o * math.log1p(over / expected) for o, over, expected in cells if o)
    return Answer(g2 if excess > 0 else -g2, None)


def _walk(s: Sums, c: Setting) -> Answer:
    return Answer(float(s.sxy) / math.pow(s.count_y, c.given.get("beta", 0.0)), None)


_FORMULAS: dict[str, Callable[[Sums, Setting], Answer]] = {
    "pearson": _pearson,
    "euclidean": _euclidean,
    "msd": _msd,
    "manhattan": _manhattan,
    "cosine": _cosine,
    "cosine_common": _cosine_common,
    "constrained_pearson": _cosine_common,
    "centered_cosine": _centered_cosine,
    "adjusted_cosine": _cosine_common,
    "pearson_baseline": _cosine_common,
    "spearman": _pearson,
    "jaccard": _jaccard,
    "dice": _dice,
    "overlap": _overlap,
    "tversky": _tversky,
    "conditional": _conditional,
    "log_likelihood": _log_likelihood,
    "asymmetric_cosine": _asymmetric_cosine,
    "p3alpha": _walk,
    "rp3beta": _walk,
}
_DISTANCES = ("euclidean", "manhattan")
_OF_TWO = ("pearson", "spearman", "pearson_baseline")
_WALKS = ("p3alpha", "rp3beta")


def is_distance(measure: str | Measure) -> bool:
    """Tell whether smaller values of a measure are closer; raises `ParameterError` for an unknown one."""
    return known(measure).name in _DISTANCES


def known(measure: str | Measure) -> Measure:
    """Return a measure that is defined here; raises `ParameterError` for any other."""
    measure = get_measure(measure)
    if measure.name not in _FORMULAS:
        raise ParameterError(f"The oracle has no definition of {measure}.", expected="a built-in measure")
    return measure


# -- adjustments ----------------------------------------------------------------------------------


def _adjusted(value: float, count: int, name: str, given: dict[str, float]) -> float:
    """Return a value after an adjustment; a factor is computed before it is applied."""
    n = float(count)
    if name == "shrink_mul":
        return value * (n / (n + given["s"]))
    if name == "shrink_mul1":
        return value * ((n - 1) / (n - 1 + given["s"]))
    if name == "significance":
        return value * (min(n, given["gamma"]) / given["gamma"])
    if name == "lower_bound":
        most = 1 - 1 / (2 * n)
        z = float(ndtri((1 + given["level"]) / 2))
        return math.tanh(math.atanh(max(-most, min(most, value))) - z / math.sqrt(n - 3))
    return value


def answer(setting: Setting, s: Sums, total: float) -> Answer:
    """Return the value of a pair, from its sums.

    total : Σx of the query's whole profile, as it counts for who asks
    """
    if s.n == 0:
        return Answer(None, "nothing in common")
    if s.n < setting.min_common:
        return Answer(None, "fewer in common than min_common")
    if s.n < 2 and setting.measure in _OF_TWO:
        return Answer(None, "fewer than 2 in common")
    if s.n < 4 and setting.adjust == "lower_bound":
        return Answer(None, "fewer than 4 in common")
    if total == 0 and setting.measure in _WALKS:
        return Answer(None, "ratings add up to 0")
    found = _FORMULAS[setting.measure](s, setting)
    if found.value is None:
        return found
    return Answer(_adjusted(found.value, s.n, setting.adjust, setting.amounts), None)
