"""One pair under the magnifying glass: the ratings in common, the sums, the value, or why there is none."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from corated.neighborhood._pair_text import Status, counted, meaning_of, reason_of, status_of
from corated.neighborhood.comparison import Comparison, Unit, compare
from corated.neighborhood.engine import Of, check_count, check_of, check_ratings
from corated.ratings.catalog import Catalog
from corated.ratings.ids import Id, IdMap, quote_id
from corated.ratings.ratings import Ratings
from corated.ratings.scale import Scale
from corated.similarity.measures import Measure
from corated.tables import Table

__all__ = ["PairResult", "Status", "pair"]

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
    a, b : the two ids, in the order asked; None for somebody without an id, of whom
        `corated.models.explain.Explanation.evidence` tells
    title_a, title_b : titles of two items where a catalog was given; else None
    size_a, size_b : how many ratings each of the two has
    n_common : how many they have in common
    common : those, by ascending id: ``item_id`` (``user_id`` for items), ``title`` with a catalog and for
        users, ``rating_a``, ``rating_b``, and ``x``, ``y`` where ``unit`` is "values"
    sums : what the measure reads, by name: of n, sx, sy, sxx, syy, sxy, sdd (squared differences) and sad
        (absolute differences); x belongs to a, y to b; integers where they are exact
    norms : the squared norms of both whole profiles, where the measure reads them; else None
    unit : what x and y are in sums and norms: "codes", (rating − low) / step; "ratings", in the unit of
        ``meaning``; "midpoint", half steps from the middle of the scale; "values", what the measure or its
        weight makes of each rating, shown in ``common``; "nothing", where ratings play no part
    meaning : the same in words, such as ``"rating − 1"``; empty with "nothing"
    scale : the rating scale, None where ratings are on none
    value : the measure's value, as a sees b; None where it is undefined, or fewer than ``min_common`` are in
        common
    status : "ok", or why there is no value: "no_common", "too_few" (fewer than ``min_common``),
        "one_common" (one rating in common has no variance), "too_few_for_measure" (it needs more),
        "flat" (all ratings in common alike), "flat_profile" (the whole profile), "zero_norm", "undefined"
        (a function of the caller's own returned NaN, or numbers beyond float64)
    reason : the status as a sentence; empty with "ok"
    """

    of: Of
    measure: str
    min_common: int
    a: Id | None
    b: Id | None
    title_a: str | None
    title_b: str | None
    size_a: int
    size_b: int
    common: Table
    sums: Mapping[str, float]
    norms: tuple[float, float] | None
    unit: Unit
    meaning: str
    scale: Scale | None
    value: float | None
    status: Status
    reason: str

    @property
    def n_common(self) -> int:
        """How many ratings the two have in common."""
        return int(self.sums["n"])

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
            "meaning": self.meaning,
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
            ("(no id)" if id is None else quote_id(id)) + (f" ({title})" if title is not None else "")
            for id, title in ((self.a, self.title_a), (self.b, self.title_b))
        ]
        shared = f"{counted(self.n_common, other)} in common, of {self.size_a:,} and {self.size_b:,}"
        return f"{one.capitalize()}s {names[0]} and {names[1]}: {shared}"

    def _sum_lines(self) -> list[str]:
        lines = [", ".join(f"{_SIGNS[name]} = {_number(total)}" for name, total in self.sums.items())]
        if self.norms is not None:
            lines.append(f"squared norms of the whole profiles: {' and '.join(map(_number, self.norms))}")
        if self.meaning and (len(self.sums) > 1 or self.norms is not None):
            lines[-1] += f", where x = {self.meaning}, y likewise"
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
    measure: str | Measure = "pearson",
    min_common: int = 1,
    catalog: Catalog | None = None,
) -> PairResult:
    """Compare two users (or two items): to the last bit the value that `neighbors` and `all_pairs` give.

    a, b : two ids; they may be the same
    of : ``"users"`` or ``"items"``
    measure : a measure or its shorthand, see `corated.measures`
    min_common : with fewer ratings in common there is no value
    catalog : where titles are looked up

    Raises `UnknownIdError` or `IdTypeError` for an id that is not in the data, `ParameterError` for a wrong
    option, and `DataError` where the measure cannot use these ratings.
    """
    side, ratings = check_of(of), check_ratings(ratings)
    min_common = check_count("min_common", min_common)
    subjects, objects = (ratings.users, ratings.items) if side == "users" else (ratings.items, ratings.users)
    codes = subjects.code(a), subjects.code(b)
    found = compare(ratings, side, measure, codes)
    status = status_of(found, min_common)
    ids = subjects.id(codes[0]), subjects.id(codes[1])
    titles = (
        (None, None) if catalog is None or side == "users" else (catalog.title(ids[0]), catalog.title(ids[1]))
    )
    return PairResult(
        of=side,
        measure=str(found.engine.measure),
        min_common=min_common,
        a=ids[0],
        b=ids[1],
        title_a=titles[0],
        title_b=titles[1],
        size_a=len(found.whole[0].objects),
        size_b=len(found.whole[1].objects),
        common=_table(objects, found, catalog if side == "users" else None),
        sums=found.sums,
        norms=found.norms,
        unit=found.unit,
        meaning=meaning_of(found, ratings.scale),
        scale=ratings.scale,
        value=found.value if status == "ok" else None,
        status=status,
        reason=reason_of(status, found, ids, min_common),
    )


def _number(total: float) -> str:
    return f"{total:,}" if isinstance(total, int) else f"{total:.6g}"


def _table(objects: IdMap, found: Comparison, catalog: Catalog | None) -> Table:
    a, b = found.shared
    ids = objects.take(a.objects)
    columns = {f"{objects.what}_id": ids}
    if catalog is not None:
        columns["title"] = catalog.aligned(IdMap(ids, objects.what))
    columns["rating_a"], columns["rating_b"] = pa.array(a.given), pa.array(b.given)
    if found.unit == "values":
        columns["x"], columns["y"] = (pa.array(side.counted.astype(np.float64)) for side in (a, b))
    return Table(pa.table(columns))
