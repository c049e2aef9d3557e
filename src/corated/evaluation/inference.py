"""Whether one model does better than another for the same users: intervals, tests, effects.

Everything here goes by pairs: the value that two models have for the same user, and nothing else. Users
differ far more from each other than models do, so intervals of two means that overlap say little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corated.errors import ParameterError

__all__ = ["LEVEL", "RESAMPLES", "Paired", "bootstrap_interval", "clustered_interval", "holm", "paired"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

RESAMPLES = 2000
LEVEL = 0.95
_DRAWN = 1 << 22
"""Users that are drawn at a time."""


@dataclass(frozen=True)
class Paired:
    """One model against a reference, over the users for whom both have a value.

    difference : mean of (value − reference's value);  low, high : its bootstrap interval
    p : of the paired t-test, two-sided;  effect : Cohen's d of the pairs
    users : how many they are

    Nothing but ``users`` where there is no user; no p, and no effect, where there is one; no effect where all
    differ alike, so that there is no spread to compare with.
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    effect: float | None
    users: int


def paired(
    values: Floats, reference: Floats, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> list[Paired]:
    """Compare models with a reference, user by user.

    values : float64 (users, models), NaN where a model has no value;  reference : float64 (users,)

    - ``low`` and ``high``: percentile bootstrap (Efron and Tibshirani 1993, chapter 13) over users: see
      `bootstrap_interval`.
    - ``p``: Student's paired t-test. It tests the mean difference, which is what is reported, and keeps its
      error rate on such values, where the signed-rank test, which tests something else and drops the many
      ties, does not (Urbano, Lima and Hanjalic, SIGIR 2019).
    - ``effect``: d = mean / standard deviation of the differences (Cohen 1988, section 2.3.5: d_z). By his
      rule of thumb 0.2 is small, 0.5 medium, 0.8 large; that a difference is sure does not make it large.
    """
    differences = values - reference[:, None]
    there = ~np.isnan(differences)
    low, high = np.full((2, values.shape[1]), np.nan)
    # Most often all models have values for the same users, and then share what is drawn.
    for users in np.unique(there, axis=1).T:
        models = np.flatnonzero((there == users[:, None]).all(axis=0))
        if users.any():
            low[models], high[models] = bootstrap_interval(
                differences[np.ix_(users, models)], resamples=resamples, level=level, seed=seed
            )
    return [
        _compared(differences[there[:, at], at], float(low[at]), float(high[at]))
        for at in range(values.shape[1])
    ]


def bootstrap_interval(
    values: Floats, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> tuple[Floats, Floats]:
    """Return the ends of the percentile bootstrap interval of each column's mean.

    values : float64 (users, columns); the same users are drawn for all columns
    seed : of PCG64, so that the same values give the same interval, the one of `scipy.stats.bootstrap` with
        ``method="percentile"`` and that generator
    """
    n, rng = len(values), np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    step = max(1, _DRAWN // n)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(0, n, (rows, n)) + np.arange(rows)[:, None] * n
        # How often each user was drawn: a product then adds up all columns.
        times = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        means[start : start + rows] = times.astype(np.float64) @ values / n
    low, high = np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=0)
    return low, high


def clustered_interval(
    values: Floats,
    users: npt.NDArray[np.integer],
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return the mean of values of events, and its percentile bootstrap interval over users.

    users : whose each value is; a user is drawn with all events, since those of one user are alike
    """
    codes = np.unique(users, return_inverse=True)[1]
    total, count = np.bincount(codes, weights=values), np.bincount(codes).astype(np.float64)
    if not len(count):
        return float("nan"), float("nan"), float("nan")
    rng, means = np.random.default_rng(seed), np.empty(resamples)
    for at in range(resamples):
        drawn = rng.integers(0, len(count), len(count))
        means[at] = total[drawn].sum() / count[drawn].sum()
    low, high = np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(values.mean()), float(low), float(high)


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Return p-values corrected for their number (Holm, Scandinavian Journal of Statistics 1979).

    Of m, the k-th smallest becomes max over j ≤ k of min(1, (m − j + 1) p_j): then the chance that any of the
    true null hypotheses is rejected at a level is at most that level. None stays None and does not count.
    """
    there = [at for at, value in enumerate(p) if value is not None]
    order = sorted(there, key=lambda at: (p[at] or 0.0, at))
    corrected: list[float | None] = [None] * len(p)
    least = 0.0
    for rank, at in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * (p[at] or 0.0)))
        corrected[at] = least
    return corrected


def check_seed(seed: object) -> int:
    """Return a seed; raises `ParameterError` for what is none."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ParameterError(
            f"seed={seed!r} cannot be used.", expected="an integer of at least 0", hint="try seed=0"
        )
    return int(seed)


def _compared(differences: Floats, low: float, high: float) -> Paired:
    n = len(differences)
    if not n:
        return Paired(None, None, None, None, None, 0)
    mean = float(differences.mean())
    if n == 1:
        return Paired(mean, low, high, None, None, 1)
    if (differences == differences[0]).all():
        # All differ alike: the test would divide by 0.
        none = mean == 0.0
        return Paired(mean, low, high, 1.0 if none else 0.0, 0.0 if none else None, n)
    from scipy.stats import ttest_1samp

    p = float(ttest_1samp(differences, 0.0).pvalue)
    return Paired(mean, low, high, p, mean / float(differences.std(ddof=1)), n)
