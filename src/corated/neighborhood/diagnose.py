"""Why pairs have no value, and who has no neighbor: counted over all pairs, and told in words."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.neighborhood._diagnose_text import as_html, as_text
from corated.neighborhood.engine import Engine, Of, check_count, check_of, check_ratings
from corated.neighborhood.run import Run, resolve_threads
from corated.neighborhood.tally import Tally, as_if_defined, dead_of, is_always_defined, is_certain, tally
from corated.neighborhood.tally_kernels import ONE_WAY, OVERLAP, VALUED, WHOLE
from corated.progress import Cancel, Progress, ProgressOption, check_cancel, reporting
from corated.ratings.ratings import Ratings
from corated.similarity.measures import CenteredCosine, Measure, get_measure
from corated.tables import Table

__all__ = ["Diagnosis", "Overlaps", "Setting", "diagnose"]

Int64s = npt.NDArray[np.int64]

_LEASTS = (1, 2, 3, 5, 10)
"""The ``min_common`` that are told beside the one asked for."""
_BESIDE = ("pearson", "cosine", "euclidean", "jaccard")
"""The measures that are told beside the one asked for."""


@dataclass(frozen=True)
class Overlaps:
    """The pairs that share from ``low`` to ``high``: how many, and how many of them have a value."""

    low: int
    high: int
    pairs: int
    with_value: int


@dataclass(frozen=True)
class Setting:
    """What comes of another setting: pairs with a value, and subjects without any neighbor."""

    measure: str
    min_common: int
    with_value: int
    without_neighbor: int


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What `diagnose` found. ``str(diagnosis)`` is one screen; `to_dict` is for machines.

    Counts are exact, over all unordered pairs of subjects; ``pairs`` is ``with_value`` and all ``reasons``.

    Attributes
    ----------
    of, measure, min_common : what was asked
    n : subjects, the users or items;  pairs : n(n − 1)/2
    sharing : pairs that share anything;  enough : pairs that share at least ``min_common``
    with_value : pairs with a value;  one_way : those of them with a value for one of the two only, which some
        measures that depend on who asks have
    reasons : pairs without a value, by the first reason that applies: "no_common"; "too_few" (fewer than
        ``min_common``); "one_common" or "too_few_for_measure" (fewer than ``needs``); "flat_profile" or
        "zero_profile" (one of the two has no value with anyone, as its whole profile shows); "flat" or
        "zero_norm" (on what the two share); "undefined" (a function of the caller's own returned NaN, or
        numbers beyond float64). Only reasons that the measure can have
    needs : the fewest in common with which the measure has a value
    overlaps : pairs by how many they share
    alone : the subjects without any neighbor, by id: ``id``, ``reason``, ``n_ratings``, ``most_common`` (the
        most that they share with anyone). Reasons are "too_few_ratings" (fewer than ``min_common`` or
        ``needs``), "flat_profile" or "zero_profile", "no_common", "too_few_common" (they share too little
        with everyone) and "no_value" (they share enough, but no such pair has a value)
    alone_by_reason : how many of them there are
    by_min_common : what other ``min_common`` would give
    by_measure : what other measures would give, with the ``min_common`` asked for
    """

    of: Of
    measure: str
    min_common: int
    n: int
    pairs: int
    sharing: int
    enough: int
    with_value: int
    one_way: int
    reasons: Mapping[str, int]
    needs: int
    overlaps: tuple[Overlaps, ...]
    alone: Table
    alone_by_reason: Mapping[str, int]
    by_min_common: tuple[Setting, ...]
    by_measure: tuple[Setting, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dictionaries, lists, text and numbers that JSON can carry."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain |= {name: dict(plain[name]) for name in ("reasons", "alone_by_reason")}
        plain |= {
            name: [asdict(row) for row in plain[name]] for name in ("overlaps", "by_min_common", "by_measure")
        }
        return {**plain, "alone": self.alone.to_pylist()}

    def __str__(self) -> str:
        return as_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self)


def diagnose(
    ratings: Ratings,
    *,
    of: str = "users",
    measure: str | Measure = "pearson",
    min_common: int = 1,
    threads: int | None = None,
    progress: ProgressOption = None,
    cancel: Cancel = None,
) -> Diagnosis:
    """Tell for how many pairs a measure has a value, why the others have none, and who is left alone.

    of : ``"users"`` or ``"items"``
    measure : a measure or its shorthand, see `corated.measures`
    min_common : pairs with fewer co-rated ratings have no value
    threads : None for every core; the counts do not depend on it
    progress, cancel : see `corated.progress`

    Every pair that shares anything is looked at: once, and a second time for what another measure would
    change, where that does not follow. Memory is a few numbers a subject and thread.

    Raises `ParameterError`, `DataError` where the measure cannot use these ratings, or `Cancelled`.
    """
    side, ratings = check_of(of), check_ratings(ratings)
    min_common = check_count("min_common", min_common)
    asked = get_measure(measure)
    others = [other for other in map(get_measure, _BESIDE) if other != asked]
    run = Run(resolve_threads(threads), cancel=check_cancel(cancel))
    engine = _engine(ratings, side, asked)
    with reporting(progress, f"pairs of {side}") as report:
        passes = [asked] if not is_certain(engine) else []
        passes += [other for other in others if not _is_certain(ratings, side, other)]
        made: dict[str, Tally] = {}
        for one in passes:
            part = _part(report, len(made), len(passes))
            made[str(one)] = tally(
                engine if one is asked else _engine(ratings, side, one), replace(run, progress=part)
            )
    # Pearson is never certain, so there is one to go by.
    known = as_if_defined(next(iter(made.values())))
    found = made.get(str(asked), known)
    beside = [_setting(other, made.get(str(other), known), min_common) for other in others]
    return _diagnosis(side, engine, found, min_common, tuple(beside))


def _engine(ratings: Ratings, side: Of, measure: Measure) -> Engine:
    return Engine.build(ratings, of=side, measure=measure, min_common=1, valued=False)


def _is_certain(ratings: Ratings, side: Of, measure: Measure) -> bool:
    """Tell whether a measure needs no pass of its own; its engine is not kept."""
    return is_always_defined(measure) or is_certain(_engine(ratings, side, measure))


def _part(report: Progress, done: int, count: int) -> Progress:
    """Return the progress of one of several passes, which are equally long."""
    return lambda now, total: report(done * total + now, count * total)


def _setting(measure: Measure, found: Tally, min_common: int) -> Setting:
    return Setting(
        measure=str(measure),
        min_common=min_common,
        with_value=int(found.pairs[min_common:, [VALUED, ONE_WAY]].sum()),
        without_neighbor=int((found.reach < min_common).sum()),
    )


def _diagnosis(
    side: Of, engine: Engine, found: Tally, min_common: int, beside: tuple[Setting, ...]
) -> Diagnosis:
    n, by_size = engine.n, found.pairs.sum(axis=1)
    sharing = int(by_size.sum())
    alone = _alone(engine, found, min_common)
    leasts = sorted({*_LEASTS, min_common})
    here = _setting(engine.measure, found, min_common)
    return Diagnosis(
        of=side,
        measure=here.measure,
        min_common=min_common,
        n=n,
        pairs=n * (n - 1) // 2,
        sharing=sharing,
        enough=int(by_size[min_common:].sum()),
        with_value=here.with_value,
        one_way=int(found.pairs[min_common:, ONE_WAY].sum()),
        reasons={"no_common": n * (n - 1) // 2 - sharing, **_reasons(engine, found, min_common)},
        needs=engine.base.least,
        overlaps=_overlaps(found, min_common),
        alone=alone,
        alone_by_reason=dict(Counter(alone.to_arrow()["reason"].to_pylist()).most_common()),
        by_min_common=tuple(_setting(engine.measure, found, least) for least in leasts),
        by_measure=beside,
    )


def _reasons(engine: Engine, found: Tally, min_common: int) -> dict[str, int]:
    """Count the pairs that share something and have no value, by reason."""
    least = engine.base.least
    reasons = {} if min_common == 1 else {"too_few": int(found.pairs[:min_common].sum())}
    if least > min_common:
        is_one = least == 2 and engine.measure.formula.name == "pearson"
        reasons["one_common" if is_one else "too_few_for_measure"] = int(found.pairs[min_common:least].sum())
    rest = found.pairs[max(min_common, least) :]
    whole, overlap = _kinds(engine)
    if whole:
        reasons[whole] = int(rest[:, WHOLE].sum())
    if overlap != "undefined" or engine.is_own or rest[:, OVERLAP].any():
        reasons[overlap] = int(rest[:, OVERLAP].sum())
    return reasons


def _kinds(engine: Engine) -> tuple[str, str]:
    """Return why a measure has no value: as a whole profile shows, and on what two share."""
    formula = engine.measure.formula
    if engine.is_own:
        return "", "undefined"
    if formula.name == "pearson":
        return "flat_profile", "flat"
    if formula.name == "cosine_common":
        return "zero_profile", "zero_norm"
    if formula.whole in ("norm", "factor"):
        return "flat_profile" if isinstance(engine.measure, CenteredCosine) else "zero_profile", "undefined"
    return "", "undefined"


def _overlaps(found: Tally, min_common: int) -> tuple[Overlaps, ...]:
    """Group the pairs by how many they share: 1, 2, 3, 4–5, 6–10, 11–20, 21–50 and so on."""
    by_size, valued = found.pairs.sum(axis=1), found.pairs[:, [VALUED, ONE_WAY]].sum(axis=1)
    valued[:min_common] = 0
    largest = int(np.flatnonzero(by_size).max(initial=0))
    groups: list[Overlaps] = []
    low = 1
    for high in _ends():
        if low > largest:
            break
        part = slice(low, high + 1)
        groups.append(Overlaps(low, high, int(by_size[part].sum()), int(valued[part].sum())))
        low = high + 1
    return tuple(groups)


def _ends() -> Iterator[int]:
    """Yield where groups of overlaps end: 1, 2, 3, 5, 10, 20, 50, 100 and so on."""
    yield from (1, 2, 3)
    for power in itertools.count():
        yield from (5 * 10**power, 10 * 10**power, 20 * 10**power)


def _alone(engine: Engine, found: Tally, min_common: int) -> Table:
    """Return the subjects without any neighbor, by id, each with the first reason that applies."""
    label, needed = engine.profiles.label, max(min_common, engine.base.least)
    codes = np.flatnonzero(found.reach[label] < min_common)
    at = label[codes]
    sizes, most = engine.counts[at], found.most[at]
    reasons = np.select(
        [sizes < needed, dead_of(engine)[at] == 1, most == 0, most < needed],
        ["too_few_ratings", _kinds(engine)[0], "no_common", "too_few_common"],
        "no_value",
    )
    columns = {"reason": reasons.tolist(), "n_ratings": sizes, "most_common": most}
    return Table(pa.table({"id": engine.ids.take(codes), **columns}))
