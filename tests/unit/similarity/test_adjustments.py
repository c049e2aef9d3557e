"""Adjustments: by hand, against SciPy, and how they grow with what two have in common."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from corated.similarity.adjustments import (
    ADJUSTMENTS,
    LowerBound,
    ShrinkAdd,
    ShrinkMul,
    ShrinkMul1,
    Significance,
    adjusted,
)
from corated.similarity.jit import kernel

VALUES = st.floats(-1, 1)
COUNTS = st.integers(1, 10_000)
FACTORS = [ShrinkMul(7.0), ShrinkMul1(7.0), Significance(50.0)]
ALL = [*FACTORS, LowerBound(0.9)]


def apply(adjustment, value, n):
    return adjusted(value, n, adjustment.code, adjustment.amount)


def test_by_hand():
    assert apply(ShrinkMul(6), 0.5, 4) == 0.5 * (4 / 10)
    assert apply(ShrinkMul1(6), 0.5, 4) == 0.5 * (3 / 9)
    assert apply(Significance(10), 0.5, 4) == 0.5 * (4 / 10)
    assert apply(Significance(10), 0.5, 40) == 0.5
    assert apply(ShrinkAdd(10), 0.5, 4) == 0.5
    assert ShrinkAdd(10).add == 10 and ShrinkMul(10).add == 0
    assert adjusted(0.5, 4, 0, 3.0) == 0.5


def test_codes_differ():
    assert len({kind.code for kind in ADJUSTMENTS.values()} | {0}) == len(ADJUSTMENTS) + 1


@given(st.floats(-0.8, 0.8), st.integers(10, 500), st.floats(0.01, 0.99))
def test_lower_bound_is_the_end_of_scipys_interval(r, n, level):
    """Correlate numbers made so that their correlation is r."""
    rng = np.random.default_rng(n)
    x, noise = rng.standard_normal((2, n))
    noise -= noise.mean() + (noise @ (x - x.mean())) / ((x - x.mean()) @ (x - x.mean())) * (x - x.mean())
    y = r * (x - x.mean()) / x.std() + math.sqrt(1 - r * r) * noise / noise.std()
    result = scipy.stats.pearsonr(x, y)
    expected = result.confidence_interval(confidence_level=level).low
    assert apply(LowerBound(level), float(result.statistic), n) == pytest.approx(expected, abs=1e-9)


def test_lower_bound_of_few_and_of_perfect_correlations():
    for n in (1, 2, 3):
        assert math.isnan(apply(LowerBound(), 0.9, n))
    for n in (4, 50):
        at_the_cap = apply(LowerBound(), 1 - 1 / (2 * n), n)
        assert apply(LowerBound(), 1.0, n) == apply(LowerBound(), 1.0 - 1e-9, n) == at_the_cap < 1
        assert apply(LowerBound(), -1.0, n) > -1


@given(VALUES, COUNTS, st.sampled_from(FACTORS))
def test_factors_draw_to_0_and_less_the_more_is_in_common(value, n, adjustment):
    here, further = apply(adjustment, value, n), apply(adjustment, value, n + 1)
    assert abs(here) <= abs(further) <= abs(value)
    assert here * value >= 0


@given(VALUES, st.integers(4, 10_000))
def test_lower_bound_is_below_and_rises_with_what_is_in_common(value, n):
    assume(value > -1 + 1 / (2 * n))  # below, the correlation itself is held at a cap that falls with n
    here, further = apply(LowerBound(0.9), value, n), apply(LowerBound(0.9), value, n + 1)
    assert here <= further + 1e-12
    assert -1 <= here < max(value, -1 + 1 / (2 * n)) + 1e-12


@given(st.floats(-1, 1), st.floats(-1, 1), st.integers(4, 1000), st.sampled_from(ALL))
def test_the_order_of_values_is_kept(a, b, n, adjustment):
    low, high = sorted((a, b))
    assert apply(adjustment, low, n) <= apply(adjustment, high, n)


@given(st.floats(0.1, 1e4), st.floats(0.1, 1e4), st.integers(2, 100))
def test_more_shrinkage_shrinks_more(s, t, n):
    low, high = sorted((s, t))
    for kind in (ShrinkMul, ShrinkMul1, Significance):
        assert apply(kind(high), 0.5, n) <= apply(kind(low), 0.5, n)


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_a_higher_level_is_lower(a, b):
    low, high = sorted((a, b))
    assert apply(LowerBound(high), 0.5, 30) <= apply(LowerBound(low), 0.5, 30)


@pytest.mark.jit
@given(VALUES, COUNTS, st.sampled_from(ALL))
def test_compiled_and_not_are_one_function(value, n, adjustment):
    here = apply(adjustment, value, n)
    there = kernel(adjusted)(value, n, adjustment.code, adjustment.amount)
    assert there == pytest.approx(here, rel=1e-13, abs=1e-13, nan_ok=True)
    if not isinstance(adjustment, LowerBound):
        assert there == here
