"""What `pair` says in words: why there is no value, and what is summed up."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from corated.neighborhood.comparison import Comparison, Profile
from corated.ratings.ids import Id, quote_id
from corated.ratings.scale import Scale
from corated.similarity.adjustments import LowerBound
from corated.similarity.custom import Custom
from corated.similarity.measures import CenteredCosine

__all__ = ["Status", "counted", "meaning_of", "reason_of", "status_of"]

Status = Literal[
    "ok",
    "no_common",
    "too_few",
    "one_common",
    "too_few_for_measure",
    "flat",
    "flat_profile",
    "zero_norm",
    "undefined",
]


def counted(n: int, noun: str) -> str:
    """Write a number of things: ``1 user``, ``2 users``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def status_of(found: Comparison, min_common: int) -> Status:
    """Tell whether there is a value, or why there is none."""
    measure, least = found.engine.measure, found.engine.base.least
    if found.n == 0:
        return "no_common"
    if found.n < min_common:
        return "too_few"
    if not np.isnan(found.value):
        return "ok"
    if found.n < least:
        return "one_common" if least == 2 and measure.formula.name == "pearson" else "too_few_for_measure"
    if isinstance(measure, Custom):
        return "undefined"
    if measure.formula.name == "pearson":
        return "flat" if any(_flat(found)) else "undefined"
    if not any(_zeros(found)):
        return "undefined"
    return "flat_profile" if isinstance(measure, CenteredCosine) else "zero_norm"


def _is_flat(values: npt.NDArray[Any]) -> bool:
    return bool((values == values[0]).all())


def _flat(found: Comparison) -> list[bool]:
    return [_is_flat(side.counted) for side in found.shared]


def _zeros(found: Comparison) -> list[bool]:
    """Tell for each side whether what it divides by is 0: on the overlap, or of the whole profile."""
    measure, task = found.engine.measure, found.engine.base
    if measure.formula.name == "cosine_common":
        return [not side.counted.any() for side in found.shared]
    if measure.formula.whole not in ("norm", "factor"):
        return [False, False]
    return [bool(task.p[found.labels[0]] == 0.0), bool(task.q[found.labels[1]] == 0.0)]


def reason_of(status: Status, found: Comparison, ids: tuple[Id, Id], min_common: int) -> str:
    """Say the status in a sentence; empty with "ok"."""
    n = found.n
    one, other = _nouns(found)
    shared = f"The two {one}s have {counted(n, other)} in common"
    if status == "ok":
        return ""
    if status == "no_common":
        return f"The two {one}s have no {other} in common."
    if status == "too_few":
        return f"{shared}, fewer than min_common={min_common}."
    if status == "one_common":
        return f"The two {one}s have one {other} in common, and one rating has no variance."
    if status == "too_few_for_measure":
        return f"{shared}, and {_needs(found)}."
    if status == "flat":
        parts = _told(found, ids, _flat(found), found.shared, "all ratings of {} in common")
        return f"No variance on the {counted(n, other)} in common: {parts}."
    if status == "flat_profile":
        parts = _told(found, ids, _zeros(found), found.whole)
        return f"A flat profile: {parts}, so nothing is left once the mean is taken off."
    if status == "zero_norm":
        return _zero_norm(found, ids)
    if isinstance(found.engine.measure, Custom):
        return f"The function {found.engine.measure} returned NaN for these two, its way to say undefined."
    return f"What {found.engine.measure.name} divides is too large or too small for float64."


def _zero_norm(found: Comparison, ids: tuple[Id, Id]) -> str:
    zeros = _zeros(found)
    if found.engine.measure.formula.name == "cosine_common":
        return f"A norm is 0: {_told(found, ids, zeros, found.shared, 'all ratings in common of {}')}."
    told = _told(found, ids, zeros, found.whole)
    if found.engine.measure.values == "profiles":
        return f"No walk leads anywhere: {told}."
    return f"A norm is 0: {told}."


def _nouns(found: Comparison) -> tuple[str, str]:
    """Return what the two are, and what they share."""
    return ("user", "item") if found.engine.ids.what == "user" else ("item", "user")


def _needs(found: Comparison) -> str:
    """Say how many a measure needs."""
    measure, least = found.engine.measure, found.engine.base.least
    who = "the interval of lower_bound" if isinstance(measure.adjustment, LowerBound) else measure.name
    return f"{who} needs {least}"


def _told(
    found: Comparison,
    ids: tuple[Id, Id],
    which: list[bool],
    parts: tuple[Profile, Profile],
    whose: str = "all ratings of {}",
) -> str:
    """Say of the sides in question what all their ratings are, or count as."""
    said = []
    for id, is_meant, part in zip(ids, which, parts, strict=True):
        if not is_meant:
            continue
        what = whose.format(f"{_nouns(found)[0]} {quote_id(id)}")
        if _is_flat(part.given) and (part.counted[0] != 0 or found.unit != "values" or _is_own(found)):
            middle = ", the middle of the scale" if found.unit == "midpoint" else ""
            said.append(f"{what} are {part.given[0]:g}{middle}")
        else:
            said.append(f"{what} count as {float(part.counted[0]):g}")
    return " and ".join(dict.fromkeys(said))


def _is_own(found: Comparison) -> bool:
    """Whether equal ratings of a profile are what makes a number of it 0: taken from its own middle."""
    measure = found.engine.measure
    return measure.name in ("pearson", "spearman", "centered_cosine") and measure.given_weight is None


def meaning_of(found: Comparison, scale: Scale | None) -> str:
    """Say in rating units what x is in the sums; empty where they are of no numbers."""
    unit = found.unit
    if unit == "nothing":
        return ""
    if unit == "values":
        return "what each rating counts as"
    if scale is None or isinstance(found.engine.measure, Custom):
        return "rating"
    size, low = found.engine.numbers.unit, scale.low if unit == "codes" else 0.0
    if unit == "midpoint":
        size, low = scale.step / 2, (scale.low + scale.high) / 2
    shifted = "rating"
    if low != 0:
        shifted = f"rating − {low:g}" if low > 0 else f"rating + {-low:g}"
    if size != 1:
        shifted = (f"({shifted})" if low != 0 else shifted) + f" / {size:g}"
    return shifted
