"""The formulas the kernels compile, one pair at a time."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corated.similarity import formulas
from corated.similarity.formulas import CUSTOM, FORMULAS
from corated.similarity.jit import kernel
from corated.similarity.statistics import STATISTICS


def test_codes_are_places_in_the_table():
    assert [formula.code for formula in FORMULAS.values()] == list(range(len(FORMULAS)))
    assert len(FORMULAS) == CUSTOM
    assert [formula.name for formula in FORMULAS.values()] == list(FORMULAS)
    assert {name for name, f in FORMULAS.items() if f.better == "smaller"} == {"euclidean", "manhattan"}
    assert all(f.sums[0] == "n" and set(f.sums) <= set(STATISTICS) for f in FORMULAS.values())


def test_by_hand():
    # x = 1, 2, 3; y = 2, 4, 5
    assert formulas.pearson(3, 6, 11, 14, 45, 25, 0.0) == 9 / math.sqrt(6 * 14)
    assert formulas.euclidean(9, 0.5) == 1.5
    assert formulas.msd(4, 10, 0.5, 0.0) == 1 / (1 + 10 * 0.25 / 4)
    assert formulas.manhattan(5, 0.5) == 2.5
    assert formulas.cosine(25, 14.0, 45.0, 0.0) == 25 / math.sqrt(14 * 45)
    assert formulas.cosine_common(14, 45, 25, 0.0) == 25 / math.sqrt(14 * 45)
    assert formulas.tversky(2, 3.0, 5.0, 1.0, 1.0, 0.0) == 2 / 6
    assert formulas.tversky(2, 3.0, 5.0, 0.5, 0.25, 0.0) == 2 / (2 + 0.5 + 0.75)
    assert formulas.overlap(2, 3.0, 5.0, 0.0) == 2 / 3
    assert formulas.scaled(6, 2.0, 4.0, 0.0) == 6 / 8


def test_what_is_added_stands_in_the_denominator():
    assert formulas.pearson(3, 6, 11, 14, 45, 25, 2.0) == 9 / (math.sqrt(6 * 14) + 2)
    assert formulas.msd(4, 10, 0.5, 2.0) == 1 / (1 + 10 * 0.25 / 4 + 2)
    assert formulas.cosine(25, 14.0, 45.0, 2.0) == 25 / (math.sqrt(14 * 45) + 2)
    assert formulas.cosine_common(14, 45, 25, 2.0) == 25 / (math.sqrt(14 * 45) + 2)
    assert formulas.tversky(2, 3.0, 5.0, 1.0, 1.0, 2.0) == 2 / 8
    assert formulas.overlap(2, 3.0, 5.0, 2.0) == 2 / 5
    assert formulas.scaled(6, 2.0, 4.0, 2.0) == 6 / 10


def test_undefined_is_nan():
    assert math.isnan(formulas.cosine(0, 0.0, 4.0, 0.0))
    assert math.isnan(formulas.cosine(0, 4.0, 0.0, 1.0))
    assert math.isnan(formulas.cosine_common(0, 4, 0, 1.0))
    assert math.isnan(formulas.scaled(0, 0.0, 4.0, 1.0))
    assert math.isnan(formulas.pearson(3, 6, 6, 12, 14, 12, 0.0))  # x = 2, 2, 2
    assert math.isnan(formulas.pearson(3, 6, 6, 14, 12, 12, 1.0))
    assert math.isnan(formulas.pearson(1, 3, 4, 9, 16, 12, 0.0))


@pytest.mark.parametrize(
    ("n", "a", "b", "total"), [(10, 20, 30, 1000), (1, 40, 15, 60), (3, 3, 3, 3), (2, 2, 5, 9), (5, 5, 5, 9)]
)
def test_log_likelihood_is_twice_the_information_that_one_set_has_of_the_other(n, a, b, total):
    table = np.array([[n, a - n], [b - n, total - a - b + n]], dtype=float)
    assert (table >= 0).all()
    p = table / total
    expected = np.outer(p.sum(1), p.sum(0))
    g2 = 2 * total * sum(p[at] * math.log(p[at] / expected[at]) for at in np.ndindex(2, 2) if p[at] > 0)
    sign = 1 if n * total > a * b else -1
    got = formulas.log_likelihood(n, float(a), float(b), float(total))
    assert got == pytest.approx(sign * g2, abs=1e-12)
    assert (got > 0) == (n * total > a * b)


@pytest.mark.jit
@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), min_size=2, max_size=40),
    st.integers(1, 20_000),
)
@settings(max_examples=60)
def test_pearson_compiled_is_exact_where_the_product_of_variances_passes_64_bits(pairs, times):
    x, y = np.array(pairs, dtype=object).T
    n = len(x) * times
    sums = [int(s) * times for s in (sum(x), sum(y), sum(x * x), sum(y * y), sum(x * y))]
    vx, vy = n * sums[2] - sums[0] ** 2, n * sums[3] - sums[1] ** 2
    num = n * sums[4] - sums[0] * sums[1]
    got = kernel(formulas.pearson)(n, *sums, 0.0)
    if vx == 0 or vy == 0:
        assert math.isnan(got)
    else:
        assert got == float(num) / math.sqrt(float(vx) * float(vy))
        exact = Fraction(num * num, vx * vy)
        assert got * got == pytest.approx(float(exact), rel=1e-12)


@pytest.mark.jit
@pytest.mark.parametrize("name", FORMULAS)
def test_compiled_and_not_are_one_function(name):
    formula = FORMULAS[name]
    count = formula.function.__code__.co_argcount
    rng = np.random.default_rng(4)
    for _ in range(20):
        given_ = np.sort(rng.integers(1, 50, count)).astype(float).tolist()
        if name == "log_likelihood":
            given_[3] += given_[1] + given_[2]  # all who rated at all are more than those who rated either
        here, there = formula.function(*given_), kernel(formula.function)(*given_)
        assert here == pytest.approx(there, rel=1e-14, nan_ok=True)
