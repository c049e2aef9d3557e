"""One pair under the magnifying glass: the ratings in common, the sums, the value, or why there is none."""

from __future__ import annotations

import html
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.neighborhood.engine import Of, check_count, check_of, integers_of, parts_of
from corated.ratings.catalog import Catalog
from corated.ratings.ids import Id, IdMap, quote_id
from corated.ratings.ratings import Ratings
from corated.ratings.scale import Scale
from corated.similarity.measures import Measure, get_measure
from corated.similarity.statistics import STATISTICS
from corated.tables import Table

__all__ = ["PairResult", "Status", "pair"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Status = Literal["ok", "no_common", "too_few", "one_common", "flat", "zero_norm"]

_SIGNS = {
    "n": "n",
    "sx": "Σx",
    "sy": "Σy",
    "sxx": "Σx²",
    "syy": "Σy²",
    "sxy": "Σxy",
    "sdd": "Σ(x−y)²",
    "sad": "Σ|x−y|",
}


@dataclass(frozen=True, eq=False)
class PairResult:
    """What two users (or items) have in common, and how alike a measure finds them.

    Attributes
    ----------
    of, measure, min_common : what was asked
    a, b : the two ids, in the order asked
    title_a, title_b : titles of two items where a catalog was given; else None
    size_a, size_b : how many ratings each of the two has
    n_common : how many they have in common
    common : those, by ascending id: ``item_id`` (``user_id`` for items), ``title`` with a catalog and for
        users, ``rating_a``, ``rating_b``
    sums : the exact integers that the measure reads, by name: of n, sx, sy, sxx, syy, sxy, sdd (squared
        differences) and sad (absolute differences); x belongs to a, y to b
    norms : the squared norms of both whole profiles, where the measure reads them; else None
    unit : what x and y are in sums and norms: ``"codes"``, (rating − low) / step, or ``"ratings"``,
        rating / step
    scale : the rating scale, None where ratings are on none
    value : the measure's value; None where it is undefined, or fewer than ``min_common`` are in common
    status : "ok", or why there is no value: "no_common", "too_few" (fewer than ``min_common``),
        "one_common" (one rating in common has no variance), "flat" (all ratings in common alike), "zero_norm"
    reason : the status as a sentence; empty with "ok"
    """

    of: Of
    measure: str
    min_common: int
    a: Id
    b: Id
    title_a: str | None
    title_b: str | None
    size_a: int
    size_b: int
    common: Table
    sums: Mapping[str, int]
    norms: tuple[int, int] | None
    unit: Literal["codes", "ratings"]
    scale: Scale | None
    value: float | None
    status: Status
    reason: str

    @property
    def n_common(self) -> int:
        """How many ratings the two have in common."""
        return self.sums["n"]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dictionaries, lists, text and numbers that JSON can carry."""
        names = (
            "of",
            "measure",
            "min_common",
            "a",
            "b",
            "title_a",
            "title_b",
            "size_a",
            "size_b",
            "n_common",
        )
        return {
            **{name: getattr(self, name) for name in names},
            "common": self.common.to_pylist(),
            "sums": dict(self.sums),
            "norms": None if self.norms is None else list(self.norms),
            "unit": self.unit,
            "value": self.value,
            "status": self.status,
            "reason": self.reason,
        }

    def __str__(self) -> str:
        table = [str(self.common), ""] if self.n_common else []
        return "\n".join([self._head(), "", *table, *self._sum_lines(), self._verdict()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        table = self.common._repr_html_() if self.n_common else ""
        below = "".join(f"<p>{html.escape(line)}</p>" for line in (*self._sum_lines(), self._verdict()))
        return f"<p>{html.escape(self._head())}</p>{table}{below}"

    def _head(self) -> str:
        one, other = ("user", "item") if self.of == "users" else ("item", "user")
        names = [
            quote_id(id) + (f" ({title})" if title is not None else "")
            for id, title in ((self.a, self.title_a), (self.b, self.title_b))
        ]
        shared = f"{_count(self.n_common, other)} in common, of {self.size_a:,} and {self.size_b:,}"
        return f"{one.capitalize()}s {names[0]} and {names[1]}: {shared}"

    def _sum_lines(self) -> list[str]:
        lines = [", ".join(f"{_SIGNS[name]} = {value:,}" for name, value in self.sums.items())]
        if self.norms is not None:
            lines.append("squared norms of the whole profiles: {:,} and {:,}".format(*self.norms))
        if len(self.sums) > 1 and self.scale is not None:
            lines[-1] += f", where {_meaning(self.unit, self.scale)}"
        return lines

    def _verdict(self) -> str:
        if self.value is None:
            return f"{self.measure}: none. {self.reason}"
        return f"{self.measure} = {self.value:.6g}"


def pair(
    ratings: Ratings,
    a: Id,
    b: Id,
    *,
    of: str = "users",
    measure: str = "pearson",
    min_common: int = 1,
    catalog: Catalog | None = None,
) -> PairResult:
    """Compare two users (or two items): to the last bit the value that `neighbors` and `all_pairs` give.

    a, b : two ids; they may be the same
    of : ``"users"`` or ``"items"``
    measure : a name from `corated.similarity.measures.MEASURES`
    min_common : with fewer ratings in common there is no value
    catalog : where titles are looked up

    Raises `UnknownIdError` or `IdTypeError` for an id that is not in the data, `ParameterError` for a wrong
    option, and `DataError` where the measure needs a rating scale that the ratings do not have.
    """
    side, chosen = check_of(of), get_measure(measure)
    min_common = check_count("min_common", min_common)
    subjects, objects = (ratings.users, ratings.items) if side == "users" else (ratings.items, ratings.users)
    overlap = _overlap(ratings, side, chosen, (subjects.code(a), subjects.code(b)))
    value = _value(chosen, overlap, 1.0 if ratings.scale is None else ratings.scale.step)
    status = _status(overlap, value, min_common)
    ids = subjects.id(overlap.codes[0]), subjects.id(overlap.codes[1])
    titles = (
        (None, None) if catalog is None or side == "users" else (catalog.title(ids[0]), catalog.title(ids[1]))
    )
    return PairResult(
        of=side,
        measure=chosen.name,
        min_common=min_common,
        a=ids[0],
        b=ids[1],
        title_a=titles[0],
        title_b=titles[1],
        size_a=overlap.sizes[0],
        size_b=overlap.sizes[1],
        common=_table(objects, overlap, catalog if side == "users" else None),
        sums=overlap.sums,
        norms=overlap.norms,
        unit=chosen.over,
        scale=ratings.scale,
        value=value if status == "ok" else None,
        status=status,
        reason=_reason(status, overlap, side, ids, min_common),
    )


@dataclass(frozen=True)
class _Overlap:
    """Two profiles against each other.

    codes : of the two subjects; sizes : of their profiles
    shared : object codes in common, ascending; given : both sides' ratings of them
    """

    codes: tuple[int, int]
    sizes: tuple[int, int]
    shared: npt.NDArray[np.integer]
    given: tuple[Floats, Floats]
    sums: dict[str, int]
    norms: tuple[int, int] | None


def _overlap(ratings: Ratings, side: Of, measure: Measure, codes: tuple[int, int]) -> _Overlap:
    integers = integers_of(ratings, measure)
    rows = _row(ratings, side, codes[0]), _row(ratings, side, codes[1])
    shared, in_a, in_b = np.intersect1d(
        rows[0].objects, rows[1].objects, assume_unique=True, return_indices=True
    )
    at_a, at_b = rows[0].places[in_a], rows[1].places[in_b]

    def terms(at: Int64s) -> Any:
        """Return what the ratings at some places stand for in the sums, as Python's unbounded integers."""
        return (np.zeros_like(at) if ratings.codes is None else integers[ratings.codes[at]]).astype(object)

    x, y = terms(at_a), terms(at_b)
    norms = None
    if measure.side == "norm":
        norms = int((terms(rows[0].places) ** 2).sum()), int((terms(rows[1].places) ** 2).sum())
    return _Overlap(
        codes=codes,
        sizes=(len(rows[0].objects), len(rows[1].objects)),
        shared=shared,
        given=(_decoded(ratings, at_a), _decoded(ratings, at_b)),
        sums={name: int(STATISTICS[name](x, y).sum()) for name in measure.sums},
        norms=norms,
    )


class _Row(NamedTuple):
    """One profile: object codes, ascending, and where in `Ratings.by_user` order their ratings stand."""

    objects: npt.NDArray[np.int32]
    places: Int64s


def _row(ratings: Ratings, side: Of, code: int) -> _Row:
    of_user, of_item = ratings.by_user, ratings.by_item if side == "items" else None
    indptr = of_user.indptr if of_item is None else of_item.indptr
    first, last = int(indptr[code]), int(indptr[code + 1])
    if of_item is None:
        return _Row(of_user.indices[first:last], np.arange(first, last))
    return _Row(of_item.indices[first:last], of_item.order[first:last])


def _decoded(ratings: Ratings, at: Int64s) -> Floats:
    """Return the ratings at some places; `Ratings.values` would decode them all."""
    if ratings.scale is not None and ratings.codes is not None:
        return ratings.scale.decode(ratings.codes[at])
    return ratings.values[at]


def _value(measure: Measure, overlap: _Overlap, step: float) -> float | None:
    """Call the measure's formula, the one that is compiled for the kernels, on Python numbers."""
    if overlap.sums["n"] == 0:
        return None
    given: dict[str, float] = {**overlap.sums, "step": step}
    given["count_x"], given["count_y"] = float(overlap.sizes[0]), float(overlap.sizes[1])
    if overlap.norms is not None:
        given["norm_x"], given["norm_y"] = float(overlap.norms[0]), float(overlap.norms[1])
    wanted = inspect.signature(measure.function).parameters
    value = measure.function(**{name: given[name] for name in wanted})
    return None if math.isnan(value) else value


def _status(overlap: _Overlap, value: float | None, min_common: int) -> Status:
    n = overlap.sums["n"]
    if n == 0:
        return "no_common"
    if n < min_common:
        return "too_few"
    if value is not None:
        return "ok"
    if "sx" not in overlap.sums:
        return "zero_norm"
    return "one_common" if n == 1 else "flat"


def _reason(status: Status, overlap: _Overlap, side: Of, ids: tuple[Id, Id], min_common: int) -> str:
    """Say in a sentence why there is no value."""
    n = overlap.sums["n"]
    one, other = ("user", "item") if side == "users" else ("item", "user")
    names = [f"{one} {quote_id(id)}" for id in ids]
    if status == "ok":
        return ""
    if status == "no_common":
        return f"The two {one}s have no {other} in common."
    if status == "too_few":
        return f"The two {one}s have {_count(n, other)} in common, fewer than min_common={min_common}."
    if status == "one_common":
        return f"The two {one}s have one {other} in common, and one rating has no variance."
    if status == "flat":
        parts = [
            f"all ratings of {name} in common are {given[0]:g}"
            for name, given in zip(names, overlap.given, strict=True)
            if (given == given[0]).all()
        ]
        return f"No variance on the {_count(n, other)} in common: {' and '.join(dict.fromkeys(parts))}."
    if overlap.norms is not None:
        zero = [name for name, norm in zip(names, overlap.norms, strict=True) if norm == 0]
        return f"A norm is 0: all ratings of {' and '.join(dict.fromkeys(zero))} are 0."
    zero = [name for name, given in zip(names, overlap.given, strict=True) if not given.any()]
    return f"A norm is 0: all ratings in common of {' and '.join(dict.fromkeys(zero))} are 0."


def _table(objects: IdMap, overlap: _Overlap, catalog: Catalog | None) -> Table:
    ids = objects.take(overlap.shared)
    columns = {f"{objects.what}_id": ids}
    if catalog is not None:
        columns["title"] = catalog.aligned(IdMap(ids, objects.what))
    columns["rating_a"], columns["rating_b"] = pa.array(overlap.given[0]), pa.array(overlap.given[1])
    return Table(pa.table(columns))


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _meaning(unit: str, scale: Scale) -> str:
    """Say in rating units what x and y are in the sums."""
    shifted = "rating"
    if unit == "codes" and scale.low != 0:
        shifted = f"rating − {scale.low:g}" if scale.low > 0 else f"rating + {-scale.low:g}"
    size = scale.step if unit == "codes" else scale.step / max(parts_of(scale)[0], 1)
    if size != 1:
        shifted = (f"({shifted})" if " " in shifted else shifted) + f" / {size:g}"
    return f"x = {shifted}, y likewise"
