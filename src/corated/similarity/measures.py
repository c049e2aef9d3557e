"""What "alike" means: every measure as a record of its parameters.

A measure is given as a record, ``Pearson(shrink=100)``, or by its shorthand, ``"pearson"`` or
``"pearson(shrink=100)"``. For two profiles, C is what both rated, n its size, x and y their ratings on C; X
and Y are the whole profiles, with a and b ratings. Sums run over C. Every measure is undefined for n = 0.

Parameters that many have:

weight : what each rating counts as before the measure; see `corated.similarity.weights`
shrink : s of n / (n + s), the factor that draws pairs with little in common to 0; 0 for none
adjust : another adjustment, see `corated.similarity.adjustments`; ``shrink=s`` is short for
    ``adjust="shrink_mul(s)"``
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError
from corated.similarity.adjustments import (
    ADJUSTMENTS,
    Adjustment,
    LowerBound,
    ShrinkAdd,
    ShrinkMul,
    ShrinkMul1,
)
from corated.similarity.formulas import FORMULAS, Formula
from corated.similarity.records import Record, check_number, read_record
from corated.similarity.values import Entries, center, mid_ranks, residuals, walk
from corated.similarity.weights import WEIGHTS, Weight

__all__ = [
    "MEASURES",
    "MSD",
    "AdjustedCosine",
    "AsymmetricCosine",
    "CenteredCosine",
    "Conditional",
    "ConstrainedPearson",
    "Cosine",
    "CosineCommon",
    "Dice",
    "Euclidean",
    "Jaccard",
    "LogLikelihood",
    "Manhattan",
    "Measure",
    "Overlap",
    "P3Alpha",
    "Pearson",
    "PearsonBaseline",
    "RP3Beta",
    "Spearman",
    "Tversky",
    "Whole",
    "get_measure",
]

Floats = npt.NDArray[np.float64]
Values = Literal["nothing", "codes", "ratings", "midpoint", "profiles"]


@dataclass(frozen=True)
class Whole:
    """Facts of each whole profile, by subject: its number of ratings, their sum and the sum of squares.

    The sum is of the ratings, weighted if asked; the squares are of what they count as, after `transform`.

    total : the observed size of the other side
    """

    count: Floats
    sum: Floats
    norm: Floats
    total: int


@dataclass(frozen=True, kw_only=True)
class Measure(Record):
    """What all measures share.

    formula : how the value follows from the sums
    values : what the sums are over: nothing but presence, rating codes (a shift changes nothing), the ratings
        themselves, ratings minus the scale's midpoint, or numbers that depend on whole profiles
    least : pairs with fewer co-rated ratings have no value
    """

    formula: ClassVar[Formula]
    values: ClassVar[Values]
    least: ClassVar[int] = 1

    @property
    def better(self) -> Literal["larger", "smaller"]:
        """Which direction is closer."""
        return self.formula.better

    @property
    def sign(self) -> float:
        """+1 where larger is closer, −1 where smaller is."""
        return 1.0 if self.better == "larger" else -1.0

    @property
    def sums(self) -> tuple[str, ...]:
        """The statistics that the formula reads."""
        return self.formula.sums

    @property
    def symmetric(self) -> bool:
        """Whether the value of (u, v) is that of (v, u)."""
        return True

    @property
    def given_weight(self) -> Weight | None:
        """The weight on ratings."""
        weight = getattr(self, "weight", None)
        assert weight is None or isinstance(weight, Weight)
        return weight

    @property
    def adjustment(self) -> Adjustment | None:
        """The adjustment of values."""
        shrink, adjust = getattr(self, "shrink", 0.0), getattr(self, "adjust", None)
        assert adjust is None or isinstance(adjust, Adjustment)
        return ShrinkMul(shrink) if shrink else adjust

    @property
    def numbers(self) -> tuple[float, float]:
        """The parameters that the formula takes: α and β, or nothing."""
        return 0.0, 0.0

    def added(self, unit: float) -> float:
        """Return what an adjustment adds to the denominator of the formula.

        unit : one of the numbers summed up, in rating units
        """
        add = 0.0 if self.adjustment is None else self.adjustment.add
        return add / unit**2 if "sxy" in self.sums else add

    def transform(self, entries: Entries) -> Floats:
        """Return the numbers that the sums are over, for measures of whole profiles."""
        return entries.values

    def sides(self, whole: Whole) -> tuple[Floats, Floats]:
        """Return p, for queries, and q, for candidates: what the formula reads of each whole profile."""
        if self.formula.whole == "norm":
            return whole.norm, whole.norm
        if self.formula.whole == "count":
            return whole.count, whole.count
        nothing = np.zeros(0)
        return nothing, nothing

    @classmethod
    def _why_not(cls, parameter: str) -> tuple[str, str]:
        formula = getattr(cls, "formula", None)
        is_distance = isinstance(formula, Formula) and formula.better == "smaller"
        if parameter in ("shrink", "adjust") and is_distance:
            return (
                "it is a distance, and an adjustment would bring pairs with little in common closer",
                "leave such pairs out with min_common=3, or take a similarity such as msd",
            )
        if parameter == "weight" and getattr(cls, "values", "") == "nothing":
            return "it reads who rated what, not the ratings", ""
        if parameter == "weight" and getattr(cls, "values", "") in ("midpoint", "profiles"):
            return "it has a way of its own with the ratings", ""
        return "", ""

    def __post_init__(self) -> None:
        self._check()

    def _check(self) -> None:
        """Check the parameters that many have, and turn shorthands into records."""
        if getattr(self, "weight", None) is not None:
            object.__setattr__(self, "weight", read_record(self.weight, WEIGHTS, Weight, "weight"))  # type: ignore[attr-defined]
        if not hasattr(self, "shrink"):
            return
        check_number(self, "shrink", least=0.0)
        adjust: Any = getattr(self, "adjust", None)
        if adjust is None:
            return
        adjust = read_record(adjust, ADJUSTMENTS, Adjustment, "adjustment")
        object.__setattr__(self, "adjust", adjust)
        if self.shrink:
            raise ParameterError(
                f"{self.name}: shrink={self.shrink:g} and adjust={adjust} are two adjustments.",
                expected="one of them",
                hint=f'shrink={self.shrink:g} is short for adjust="shrink_mul({self.shrink:g})"',
            )
        if isinstance(adjust, LowerBound) and not isinstance(self, Pearson):
            raise ParameterError(
                f"{self.name}: lower_bound is of a Pearson correlation.", expected="the measure pearson"
            )
        if isinstance(adjust, ShrinkAdd) and not self.formula.shrinks:
            raise ParameterError(
                f"{self.name}: there is no one denominator for shrink_add.",
                expected="shrink_mul, shrink_mul1 or significance",
            )


@dataclass(frozen=True, kw_only=True)
class _Adjustable(Measure):
    """A similarity, whose values can be adjusted."""

    shrink: float = 0.0
    adjust: Adjustment | str | None = None


@dataclass(frozen=True, kw_only=True)
class _Weighable(_Adjustable):
    """A similarity of rating values, which can be weighted."""

    weight: Weight | str | None = None


@dataclass(frozen=True, kw_only=True)
class Pearson(_Weighable):
    """(nΣxy − ΣxΣy) / √((nΣx² − (Σx)²)(nΣy² − (Σy)²)), means over the co-rated ratings.

    From −1 to 1. Undefined also for n < 2 and where x or y is flat on C.
    Pearson (1895); in this use Resnick et al., "GroupLens", CSCW 1994.
    """

    name: ClassVar[str] = "pearson"
    formula: ClassVar[Formula] = FORMULAS["pearson"]
    values: ClassVar[Values] = "codes"
    least: ClassVar[int] = 2


@dataclass(frozen=True, kw_only=True)
class Euclidean(Measure):
    """√Σ(x−y)², a distance: smaller is closer."""

    name: ClassVar[str] = "euclidean"
    formula: ClassVar[Formula] = FORMULAS["euclidean"]
    values: ClassVar[Values] = "codes"
    weight: Weight | str | None = None


@dataclass(frozen=True, kw_only=True)
class MSD(_Weighable):
    """1 / (1 + Σ(x−y)²/n), from the mean squared difference; above 0, at most 1.

    Shardanand & Maes, "Social information filtering", CHI 1995, in the form Surprise made common.
    """

    name: ClassVar[str] = "msd"
    formula: ClassVar[Formula] = FORMULAS["msd"]
    values: ClassVar[Values] = "codes"


@dataclass(frozen=True, kw_only=True)
class Manhattan(Measure):
    """Σ|x−y|, a distance: smaller is closer."""

    name: ClassVar[str] = "manhattan"
    formula: ClassVar[Formula] = FORMULAS["manhattan"]
    values: ClassVar[Values] = "codes"
    weight: Weight | str | None = None


@dataclass(frozen=True, kw_only=True)
class Cosine(_Weighable):
    """Σxy / (‖X‖‖Y‖), norms over whole profiles.

    Undefined also where a norm is 0 (a profile of zeros). Salton & McGill (1983).
    """

    name: ClassVar[str] = "cosine"
    formula: ClassVar[Formula] = FORMULAS["cosine"]
    values: ClassVar[Values] = "ratings"


@dataclass(frozen=True, kw_only=True)
class CosineCommon(_Weighable):
    """Σxy / √(Σx²Σy²), norms over the co-rated ratings; the cosine of Surprise.

    Undefined also where a norm is 0.
    """

    name: ClassVar[str] = "cosine_common"
    formula: ClassVar[Formula] = FORMULAS["cosine_common"]
    values: ClassVar[Values] = "ratings"


@dataclass(frozen=True, kw_only=True)
class ConstrainedPearson(_Adjustable):
    """`CosineCommon` of ratings minus the midpoint of the scale: agreement on liking and disliking.

    Undefined also where a norm is 0: one of the two gave nothing but the midpoint. Needs a scale.
    Shardanand & Maes, CHI 1995.
    """

    name: ClassVar[str] = "constrained_pearson"
    formula: ClassVar[Formula] = FORMULAS["cosine_common"]
    values: ClassVar[Values] = "midpoint"


@dataclass(frozen=True, kw_only=True)
class CenteredCosine(_Adjustable):
    """Cosine of profiles centered by their own whole mean, norms over whole profiles.

    Undefined also for a flat profile. The similarity of LensKit's user-user recommender;
    Ekstrand et al., RecSys 2011.
    """

    name: ClassVar[str] = "centered_cosine"
    formula: ClassVar[Formula] = FORMULAS["cosine"]
    values: ClassVar[Values] = "profiles"

    def transform(self, entries: Entries) -> Floats:
        """Return deviations from the profile's mean."""
        return center(entries, "rows")


@dataclass(frozen=True, kw_only=True)
class AdjustedCosine(_Adjustable):
    """`CosineCommon` of ratings minus the rater's mean: for items, of each user; for users, of each item.

    Undefined also where a norm is 0. Sarwar et al., WWW 2001.
    """

    name: ClassVar[str] = "adjusted_cosine"
    formula: ClassVar[Formula] = FORMULAS["cosine_common"]
    values: ClassVar[Values] = "profiles"

    def transform(self, entries: Entries) -> Floats:
        """Return deviations from the rater's mean."""
        return center(entries, "columns")


@dataclass(frozen=True, kw_only=True)
class PearsonBaseline(Measure):
    """`CosineCommon` of what is left after the baseline μ + b_u + b_i, times (n − 1)/(n − 1 + shrink).

    epochs, reg_u, reg_i : of the baseline's alternating least squares

    Undefined also for n < 2 and where a norm is 0. Koren, TKDD 2010; defaults of Surprise.
    """

    name: ClassVar[str] = "pearson_baseline"
    formula: ClassVar[Formula] = FORMULAS["cosine_common"]
    values: ClassVar[Values] = "profiles"
    least: ClassVar[int] = 2
    shrink: float = 100.0
    epochs: int = 10
    reg_u: float = 15.0
    reg_i: float = 10.0

    def __post_init__(self) -> None:
        check_number(self, "epochs", least=1)
        object.__setattr__(self, "epochs", int(self.epochs))
        check_number(self, "reg_u", least=0.0)
        check_number(self, "reg_i", least=0.0)
        self._check()

    @property
    def adjustment(self) -> Adjustment | None:
        """The adjustment of values."""
        return ShrinkMul1(self.shrink) if self.shrink else None

    def transform(self, entries: Entries) -> Floats:
        """Return what the baseline leaves of each rating."""
        return residuals(entries, self.epochs, self.reg_u, self.reg_i)


@dataclass(frozen=True, kw_only=True)
class Spearman(_Adjustable):
    """`Pearson` of mid-ranks taken within each whole profile.

    So it equals SciPy's ``pearsonr`` of those ranks on C, not ``spearmanr``, which ranks C anew. Undefined
    also for n < 2 and where the ranks of x or y are flat on C. Spearman (1904); Herlocker et al., SIGIR 1999.
    """

    name: ClassVar[str] = "spearman"
    formula: ClassVar[Formula] = FORMULAS["pearson"]
    values: ClassVar[Values] = "profiles"
    least: ClassVar[int] = 2

    def added(self, unit: float) -> float:  # noqa: ARG002
        """Return what an adjustment adds: in ranks, which count twice here."""
        return super().added(0.5)

    def transform(self, entries: Entries) -> Floats:
        """Return twice the mid-ranks, less their mean: integers, so that flat is exact."""
        return mid_ranks(entries)


@dataclass(frozen=True, kw_only=True)
class _OfSets(_Adjustable):
    """A measure of who rated what, whatever the ratings."""

    values: ClassVar[Values] = "nothing"


@dataclass(frozen=True, kw_only=True)
class Jaccard(_OfSets):
    """n / (a + b − n): co-rated over rated by either. Jaccard (1901)."""

    name: ClassVar[str] = "jaccard"
    formula: ClassVar[Formula] = FORMULAS["tversky"]

    @property
    def numbers(self) -> tuple[float, float]:
        """α and β of `Tversky`."""
        return 1.0, 1.0


@dataclass(frozen=True, kw_only=True)
class Dice(_OfSets):
    """2n / (a + b). Dice (1945); Sørensen (1948)."""

    name: ClassVar[str] = "dice"
    formula: ClassVar[Formula] = FORMULAS["tversky"]

    def added(self, unit: float) -> float:
        """Return half of what an adjustment adds to a + b: the formula has n / ((a + b)/2)."""
        return super().added(unit) / 2

    @property
    def numbers(self) -> tuple[float, float]:
        """α and β of `Tversky`."""
        return 0.5, 0.5


@dataclass(frozen=True, kw_only=True)
class Overlap(_OfSets):
    """n / min(a, b), the overlap coefficient. Simpson (1943)."""

    name: ClassVar[str] = "overlap"
    formula: ClassVar[Formula] = FORMULAS["overlap"]


@dataclass(frozen=True, kw_only=True)
class Tversky(_OfSets):
    """n / (n + α(a − n) + β(b − n)), α for what only the query has, β for what only the other has.

    α, β ≥ 0; α = β = 1 is `Jaccard`, ½ `Dice`. With α ≠ β it depends on who asks. Tversky (1977).
    """

    name: ClassVar[str] = "tversky"
    formula: ClassVar[Formula] = FORMULAS["tversky"]
    alpha: float = 1.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        check_number(self, "alpha", least=0.0)
        check_number(self, "beta", least=0.0)
        self._check()

    @property
    def symmetric(self) -> bool:
        """Whether α = β."""
        return self.alpha == self.beta

    @property
    def numbers(self) -> tuple[float, float]:
        """α and β."""
        return self.alpha, self.beta


@dataclass(frozen=True, kw_only=True)
class Conditional(_OfSets):
    """n / b: how probable the query's ratings are, given the other's. It depends on who asks.

    Karypis, CIKM 2001; Deshpande & Karypis, TOIS 2004.
    """

    name: ClassVar[str] = "conditional"
    formula: ClassVar[Formula] = FORMULAS["tversky"]

    @property
    def symmetric(self) -> bool:
        """It is not."""
        return False

    @property
    def numbers(self) -> tuple[float, float]:
        """α and β of `Tversky`."""
        return 0.0, 1.0


@dataclass(frozen=True, kw_only=True)
class LogLikelihood(_OfSets):
    """Dunning's G² of the 2 × 2 table of n, a, b and N, positive where nN > ab, else negative.

    N is the observed size of the other side. Not bounded. Dunning, Computational Linguistics 1993.
    """

    name: ClassVar[str] = "log_likelihood"
    formula: ClassVar[Formula] = FORMULAS["log_likelihood"]


@dataclass(frozen=True, kw_only=True)
class AsymmetricCosine(_Weighable):
    """Σxy / (‖X‖^2α ‖Y‖^2(1−α)), X of who asks; α = ½ is `Cosine`.

    0 ≤ α ≤ 1. Undefined also where a norm is 0. Aiolli, RecSys 2013.
    """

    name: ClassVar[str] = "asymmetric_cosine"
    formula: ClassVar[Formula] = FORMULAS["scaled"]
    values: ClassVar[Values] = "ratings"
    alpha: float = 0.5

    def __post_init__(self) -> None:
        check_number(self, "alpha", least=0.0)
        if self.alpha > 1.0:
            raise ParameterError(f"{self.name}: alpha={self.alpha:g} cannot be used.", expected="0 to 1")
        self._check()

    @property
    def symmetric(self) -> bool:
        """Whether α is a half."""
        return self.alpha == 0.5

    def sides(self, whole: Whole) -> tuple[Floats, Floats]:
        """Return powers of the norms; 0 where the norm is, whatever α is."""
        zero = whole.norm == 0.0
        p, q = whole.norm**self.alpha, whole.norm ** (1.0 - self.alpha)
        return np.where(zero, 0.0, p), np.where(zero, 0.0, q)


@dataclass(frozen=True, kw_only=True)
class _Walk(Measure):
    """A random walk of two steps; see `P3Alpha`."""

    formula: ClassVar[Formula] = FORMULAS["scaled"]
    values: ClassVar[Values] = "profiles"
    weight: Weight | str | None = None
    alpha: float = 1.0

    def __post_init__(self) -> None:
        check_number(self, "alpha", least=0.0)
        self._check()

    @property
    def symmetric(self) -> bool:
        """It is not."""
        return False

    @property
    def penalty(self) -> float:
        """The power of a candidate's popularity that counts against it."""
        return 0.0

    def transform(self, entries: Entries) -> Floats:
        """Return the share of each rating in a walk; see `corated.similarity.values.walk`."""
        return walk(entries, self.alpha)

    def sides(self, whole: Whole) -> tuple[Floats, Floats]:
        """Return (Σ x)^α of each profile, for the source, and its count^β, for the target."""
        # 0 ** 0 is 1, and a profile of zeros leads nowhere.
        return np.where(whole.sum > 0.0, whole.sum**self.alpha, 0.0), whole.count**self.penalty


@dataclass(frozen=True, kw_only=True)
class P3Alpha(_Walk):
    """A random walk item → user → item: Σ_u (x_ui / Σ_u' x_u'i)^α (x_uj / Σ_j' x_uj')^α, from i to j.

    The probability, for α = 1, of reaching j from i in two steps; the user's profile is the third step. It
    depends on who asks. For users the roles swap. Undefined where the query's ratings are all 0; negative
    ratings are refused. Cooper et al., WWW 2014.
    """

    name: ClassVar[str] = "p3alpha"


@dataclass(frozen=True, kw_only=True)
class RP3Beta(_Walk):
    """`P3Alpha` over c_j^β, where c_j is the number of ratings of the target: popular items are held back.

    It depends on who asks. Undefined where `P3Alpha` is. Paudel et al., ACM TiiS 2017.
    """

    name: ClassVar[str] = "rp3beta"
    beta: float = 0.5

    def __post_init__(self) -> None:
        check_number(self, "alpha", least=0.0)
        check_number(self, "beta", least=0.0)
        self._check()

    @property
    def penalty(self) -> float:
        """The number β."""
        return self.beta


MEASURES: dict[str, type[Measure]] = {
    kind.name: kind
    for kind in (
        *(Pearson, Euclidean, MSD, Manhattan, Cosine, CosineCommon, ConstrainedPearson, CenteredCosine),
        *(AdjustedCosine, PearsonBaseline, Spearman, Jaccard, Dice, Overlap, Tversky, Conditional),
        *(LogLikelihood, AsymmetricCosine, P3Alpha, RP3Beta),
    )
}
"""Every built-in measure by the name in its shorthand."""


def get_measure(measure: str | Measure) -> Measure:
    """Return a measure given as a record or as its shorthand; raises `ParameterError` naming all."""
    return _read(measure) if isinstance(measure, str) else read_record(measure, MEASURES, Measure, "measure")


@lru_cache(maxsize=128)
def _read(measure: str) -> Measure:
    """Return the measure of a shorthand, read once."""
    return read_record(measure, MEASURES, Measure, "measure")
