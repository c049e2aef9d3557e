"""Weights: what each rating counts as before a measure.

Each is a record with a shorthand, such as ``"bm25"`` or ``"center(by=item)"``, given to a measure as its
``weight``. Ratings of different people need not be on one scale: one's 3 may be another's 5. `Center`,
`ZScore` and `MinMax` bring them to one, for measures that do not do so themselves. `TfIdf` and `BM25` make
little of what everybody has, as in text search: subjects (users, or items when items are compared) are the
documents, what they rated are the terms, and a rating is how often a term occurs.

In their formulas x is the rating, N the number of subjects and df how many subjects have the object. An
inverse document frequency can be 0 or negative, for objects that nearly all have; it is kept so, as in the
sources.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError
from corated.similarity.records import Record, check_choice, check_number
from corated.similarity.values import Axis, Entries, Floats, center, minmax, refuse_negative, zscore

__all__ = ["BM25", "WEIGHTS", "Binary", "Center", "MinMax", "TfIdf", "Weight", "ZScore"]


@dataclass(frozen=True)
class Weight(Record):
    """What all weights share."""

    def apply(self, entries: Entries) -> Floats:
        """Return the weighted ratings, in the order of the entries.

        Raises `DataError` for ratings that the weight has no meaning for.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Binary(Weight):
    """1 for every rating, those of 0 included: that it was rated, not how."""

    name: ClassVar[str] = "binary"

    def apply(self, entries: Entries) -> Floats:
        """Return ones."""
        return np.ones(len(entries.values))


_NEEDS_COUNTS = ("sqrt", "log", "freq")
_TF: dict[str, Callable[[Floats, Floats], Floats]] = {
    "sqrt": lambda x, length: np.sqrt(x),
    "raw": lambda x, length: x,
    "log": lambda x, length: np.log1p(x),
    "freq": lambda x, length: np.divide(x, length, out=np.zeros_like(x), where=length > 0.0),
    "binary": lambda x, length: np.ones_like(x),
}
_IDF: dict[str, Callable[[float, Floats], Floats]] = {
    "smooth": lambda n, df: np.log(n / (1.0 + df)),
    "base": lambda n, df: np.log(n / df),
    "bm25": lambda n, df: np.log((n - df + 0.5) / (df + 0.5)),
    "unary": lambda n, df: np.ones_like(df),
}


def _idf(entries: Entries, kind: str) -> Floats:
    """Return the inverse document frequency of each entry's object."""
    df = np.bincount(entries.objects, minlength=entries.n_objects).astype(np.float64)
    idf: Floats = _IDF[kind](float(len(entries.indptr) - 1), np.maximum(df, 1.0))[entries.objects]
    return idf


def _lengths(entries: Entries) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return the row of each entry, and the sum of each row's ratings, ascending by object."""
    counts = np.diff(entries.indptr)
    row = np.repeat(np.arange(len(counts)), counts)
    length = np.bincount(row, weights=entries.values, minlength=len(counts))
    return row, length.astype(np.float64, copy=False)


@dataclass(frozen=True)
class TfIdf(Weight):
    """√x · ln(N/(1 + df)), or other forms: what many have counts little.

    tf : ``sqrt``: √x; ``raw``: x; ``log``: ln(1 + x); ``freq``: x/Σx, of the subject; ``binary``: 1
    idf : ``smooth``: ln(N/(1 + df)); ``base``: ln(N/df); ``bm25``: ln((N − df + ½)/(df + ½)); ``unary``: 1

    The defaults are the TF-IDF of implicit, of Ferrari Dacrema et al. (TOIS 2021) and of similaripy, which
    are one formula; the other forms are similaripy's. Negative ratings are refused where they have no root,
    logarithm or share. Spärck Jones, Journal of Documentation 1972.
    """

    name: ClassVar[str] = "tfidf"
    tf: Literal["sqrt", "raw", "log", "freq", "binary"] = "sqrt"
    idf: Literal["smooth", "base", "bm25", "unary"] = "smooth"

    def __post_init__(self) -> None:
        check_choice(self, "tf", tuple(_TF))
        check_choice(self, "idf", tuple(_IDF))

    def apply(self, entries: Entries) -> Floats:
        """Return the weighted ratings; raises `DataError` for negative ones where ``tf`` cannot take them."""
        if self.tf in _NEEDS_COUNTS:
            refuse_negative(entries.values, f"The weight {self}")
        row, length = _lengths(entries)
        return _TF[self.tf](entries.values, length[row]) * _idf(entries, self.idf)


_VARIANTS = {
    "implicit": (100.0, 0.8, "smooth"),
    "tois": (1.2, 0.75, "smooth"),
    "similaripy": (1.2, 0.75, "bm25"),
}


@dataclass(frozen=True)
class BM25(Weight):
    """x(k₁ + 1)/(k₁(1 − b + b·len/avglen) + x) · idf: as `TfIdf`, but large ratings level off.

    len is the sum of the subject's ratings, avglen the mean of these sums.

    variant : ``implicit``: idf = ln(N/(1 + df)), k₁ = 100, b = 0.8, of the library implicit; ``tois``: the
        same with k₁ = 1.2, b = 0.75, of Ferrari Dacrema et al. (TOIS 2021); ``similaripy``: idf =
        ln((N − df + ½)/(df + ½)), k₁ = 1.2, b = 0.75, of the library similaripy and Robertson's own
    k1, b : instead of the variant's: how late ratings level off (at least 0), and how much long profiles are
        held back (0 to 1)

    0 for a rating of 0. Negative ratings are refused. Robertson & Zaragoza, "The probabilistic relevance
    framework: BM25 and beyond", Foundations and Trends in Information Retrieval 2009.
    """

    name: ClassVar[str] = "bm25"
    variant: Literal["implicit", "tois", "similaripy"] = "implicit"
    k1: float | None = None
    b: float | None = None

    def __post_init__(self) -> None:
        check_choice(self, "variant", tuple(_VARIANTS))
        if self.k1 is not None:
            check_number(self, "k1", least=0.0)
        if self.b is not None:
            check_number(self, "b", least=0.0)
            if self.b > 1.0:
                raise ParameterError(f"{self.name}: b={self.b:g} cannot be used.", expected="0 to 1")

    def apply(self, entries: Entries) -> Floats:
        """Return the weighted ratings; raises `DataError` for negative ones."""
        refuse_negative(entries.values, f"The weight {self}")
        k1, b, idf = _VARIANTS[self.variant]
        k1, b = k1 if self.k1 is None else self.k1, b if self.b is None else self.b
        row, length = _lengths(entries)
        mean = length.sum() / max(len(length), 1)
        relative = length / mean if mean > 0.0 else length
        x = entries.values
        below = k1 * (1.0 - b + b * relative[row]) + x
        return np.divide(x * (k1 + 1.0), below, out=np.zeros_like(x), where=below > 0.0) * _idf(entries, idf)


@dataclass(frozen=True)
class _Scaling(Weight):
    """A weight that brings ratings to one scale, per user or per item.

    by : ``user``: what one user gave is on one scale; ``item``: what one item was given is
    """

    by: Literal["user", "item"] = "user"

    def __post_init__(self) -> None:
        check_choice(self, "by", ("user", "item"))

    def _axis(self, entries: Entries) -> Axis:
        return "rows" if entries.rows == f"{self.by}s" else "columns"


@dataclass(frozen=True)
class Center(_Scaling):
    """x − x̄: how far above the mean of the user (or, ``by="item"``, of the item); 0 where all are equal.

    Resnick et al., "GroupLens", CSCW 1994.
    """

    name: ClassVar[str] = "center"

    def apply(self, entries: Entries) -> Floats:
        """Return the deviations."""
        return center(entries, self._axis(entries))


@dataclass(frozen=True)
class ZScore(_Scaling):
    """(x − x̄)/σ, mean and population standard deviation of the user or item; 0 where all are equal.

    Herlocker et al., "An algorithmic framework", SIGIR 1999.
    """

    name: ClassVar[str] = "zscore"

    def apply(self, entries: Entries) -> Floats:
        """Return the z-scores."""
        return zscore(entries, self._axis(entries))


@dataclass(frozen=True)
class MinMax(_Scaling):
    """(x − min)/(max − min) of the user or item: from 0 to 1; 0 where all are equal.

    Han, Kamber & Pei, "Data Mining", 3rd edition, section 3.5.2.
    """

    name: ClassVar[str] = "minmax"

    def apply(self, entries: Entries) -> Floats:
        """Return the scaled ratings."""
        return minmax(entries, self._axis(entries))


WEIGHTS: dict[str, type[Weight]] = {kind.name: kind for kind in (Binary, TfIdf, BM25, Center, ZScore, MinMax)}
"""Every weight by the name in its shorthand."""
