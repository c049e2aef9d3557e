"""What a rating is measured from when ratings are predicted: nothing, a mean, or a baseline."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError
from corated.neighborhood.numbers import entries_of
from corated.ratings.ratings import Ratings
from corated.similarity.records import Record, check_number, read_record
from corated.similarity.values import ROUNDING, baseline, means

__all__ = [
    "CENTERINGS",
    "Baseline",
    "Centered",
    "Centering",
    "Mean",
    "Plain",
    "ZScore",
    "Zeros",
    "get_centering",
]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Side = Literal["users", "items"]


@dataclass(frozen=True)
class Centered:
    """How far each rating lies from what was expected, and what is expected of a pair.

    deviation : float64 (nnz,), in ``by_user`` order
    mu : the mean of all ratings
    user, item : float64, by code, what each adds to ``mu``; 0 where it adds nothing
    spread : float64, by subject code, what a deviation of 1 is worth for each; None where it is 1
    is_center : whether deviations are from what is expected; otherwise they are the ratings themselves
    known_alone : whether what one side adds is expected also where the other side is unknown
    reg_user : ratings at what is expected that a user's own part is held back by; None where it has none
    is_whole : whether those who did not rate count as having rated 0, and ``deviation`` is the ratings
    """

    deviation: Floats
    mu: float
    user: Floats
    item: Floats
    spread: Floats | None = None
    is_center: bool = True
    known_alone: bool = False
    reg_user: float | None = None
    is_whole: bool = False

    def expected(self, users: Int64s, items: Int64s) -> Floats:
        """Return what is expected of pairs of codes before any neighbor is asked; −1 is unknown."""
        is_user, is_item = users >= 0, items >= 0
        both = np.bool_(self.known_alone) | (is_user & is_item)
        of_user = np.where(is_user & both, _taken(self.user, users), 0.0)
        of_item = np.where(is_item & both, _taken(self.item, items), 0.0)
        return self.mu + of_user + of_item

    def of_newcomer(self, items: Int64s, values: Floats) -> Centered:
        """Return the same for one user of code 0 who rated some items: what the items add stays as it is."""
        above = values - (self.mu + self.item[items])
        own = 0.0 if self.reg_user is None else float(above.sum()) / max(self.reg_user + len(above), 1e-300)
        deviation = above - own if self.is_center else values
        if self.spread is not None:
            spread = self.spread[items]
            deviation = np.divide(deviation, spread, out=np.zeros_like(deviation), where=spread > 0.0)
        return replace(self, deviation=deviation, user=np.array([own]))


def _taken(values: Floats, codes: Int64s) -> Floats:
    return values[np.maximum(codes, 0)] if len(values) else np.zeros(len(codes))


class Centering(Record):
    """What ratings are measured from."""

    @abstractmethod
    def of(self, ratings: Ratings, side: Side) -> Centered:
        """Measure the ratings; ``side`` is whose neighbors predict."""


@dataclass(frozen=True)
class Plain(Centering):
    """The ratings as they are: Σ s r / Σ |s|. Where no neighbor can say, the mean of all ratings."""

    name: ClassVar[str] = "none"

    def of(self, ratings: Ratings, side: Side) -> Centered:  # noqa: ARG002 - the same for both
        """See `Centering.of`; deviations are the ratings themselves."""
        users, items = np.zeros(ratings.n_users), np.zeros(ratings.n_items)
        return Centered(ratings.values.astype(np.float64), _mean(ratings), users, items, is_center=False)


@dataclass(frozen=True)
class Mean(Centering):
    """The mean of the one whose neighbors are asked: μ_u + Σ s (r_v − μ_v) / Σ |s|, whole profiles.

    Resnick et al., "GroupLens", CSCW 1994, with means over whole profiles.
    """

    name: ClassVar[str] = "mean"

    def of(self, ratings: Ratings, side: Side) -> Centered:
        """See `Centering.of`."""
        mean, subject = _means(ratings, side)
        return _around(ratings, side, ratings.values - mean[subject], mean)


@dataclass(frozen=True)
class ZScore(Centering):
    """As `Mean`, in units of the standard deviation: μ_u + σ_u Σ s (r_v − μ_v)/σ_v / Σ |s|.

    σ is that of the population; a flat profile deviates by 0 and is asked in vain.
    Herlocker et al., "An algorithmic framework", SIGIR 1999.
    """

    name: ClassVar[str] = "zscore"

    def of(self, ratings: Ratings, side: Side) -> Centered:
        """See `Centering.of`."""
        mean, subject = _means(ratings, side)
        above = ratings.values - mean[subject]
        counts = np.maximum(np.bincount(subject, minlength=len(mean)), 1)
        sigma = np.sqrt(np.bincount(subject, weights=above * above, minlength=len(mean)) / counts)
        largest = np.abs(ratings.values).max(initial=0.0)
        sigma[sigma <= ROUNDING * largest] = 0.0
        scores = np.divide(above, sigma[subject], out=np.zeros_like(above), where=sigma[subject] > 0.0)
        return _around(ratings, side, scores, mean, sigma)


@dataclass(frozen=True)
class Baseline(Centering):
    """μ + b_u + b_i by alternating least squares, items first: Koren, TKDD 2010, section 2.1.

    epochs : rounds;  reg_u, reg_i : ratings at 0 that are added to each user's and item's
    """

    name: ClassVar[str] = "baseline"
    epochs: int = 10
    reg_u: float = 15.0
    reg_i: float = 10.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        if isinstance(self.epochs, bool) or not isinstance(self.epochs, int) or self.epochs < 1:
            raise ParameterError(
                f"baseline: epochs={self.epochs!r} cannot be used.", expected="an integer of at least 1"
            )
        check_number(self, "reg_u", least=0.0)
        check_number(self, "reg_i", least=0.0)

    def of(self, ratings: Ratings, side: Side) -> Centered:  # noqa: ARG002 - the same for both
        """See `Centering.of`."""
        fit = baseline(entries_of(ratings, "users"), self.epochs, self.reg_u, self.reg_i)
        users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
        expected = fit.mu + fit.user[users] + fit.item[ratings.by_user.indices]
        return Centered(
            ratings.values - expected, fit.mu, fit.user, fit.item, known_alone=True, reg_user=self.reg_u
        )


@dataclass(frozen=True)
class Zeros(Centering):
    """As `Mean`, where what is not rated counts as 0: for implicit feedback, with the scope of all neighbors.

    μ_i + Σ_j s_ij (x_uj − μ_j) / Σ_j |s_ij| over all k neighbors j, x = 0 where not rated, μ over everyone.
    As ItemCF of the BARS benchmark (Zhu et al., SIGIR 2022) has it.
    """

    name: ClassVar[str] = "zeros"

    def of(self, ratings: Ratings, side: Side) -> Centered:
        """See `Centering.of`; deviations are the ratings themselves."""
        is_users = side == "users"
        rows = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
        subject, n = (rows, ratings.n_users) if is_users else (ratings.by_user.indices, ratings.n_items)
        others = max(ratings.n_items if is_users else ratings.n_users, 1)
        mean = np.bincount(subject, weights=ratings.values, minlength=n) / others
        nothing = np.zeros(ratings.n_items if is_users else ratings.n_users)
        user, item = (mean, nothing) if is_users else (nothing, mean)
        values = ratings.values.astype(np.float64)
        return Centered(values, 0.0, user, item, is_center=False, is_whole=True)


CENTERINGS: Final[Mapping[str, type[Centering]]] = {
    kind.name: kind for kind in (Plain, Mean, ZScore, Baseline, Zeros)
}
"""The centerings by their names."""


def get_centering(center: object) -> Centering:
    """Return a centering from itself, its shorthand, or None for none; raises `ParameterError`."""
    return Plain() if center is None else read_record(center, CENTERINGS, Centering, "centering")  # type: ignore[type-abstract]


def _mean(ratings: Ratings) -> float:
    """Return the mean of all ratings, exact where they are equal."""
    if not len(ratings.values):
        return 0.0
    first = float(ratings.values[0])
    return first + float((ratings.values - first).sum()) / len(ratings.values)


def _means(ratings: Ratings, side: Side) -> tuple[Floats, npt.NDArray[np.integer]]:
    """Return the mean of each subject, and the subject of each rating in ``by_user`` order."""
    mean = means(entries_of(ratings, side), "rows")
    if side == "items":
        return mean, ratings.by_user.indices
    return mean, np.repeat(np.arange(ratings.n_users), ratings.user_counts)


def _around(
    ratings: Ratings, side: Side, deviation: Floats, mean: Floats, spread: Floats | None = None
) -> Centered:
    """Return deviations from the means of one side."""
    mu = _mean(ratings)
    above = np.where((ratings.user_counts if side == "users" else ratings.item_counts) > 0, mean - mu, 0.0)
    nothing = np.zeros(ratings.n_items if side == "users" else ratings.n_users)
    user, item = (above, nothing) if side == "users" else (nothing, above)
    return Centered(deviation, mu, user, item, spread)
