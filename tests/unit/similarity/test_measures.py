"""The formulas the kernels compile, one pair at a time."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corated.errors import ParameterError
from corated.similarity import measures
from corated.similarity.jit import kernel
from corated.similarity.measures import MEASURES, Measure, get_measure


def test_codes_are_places_in_the_table():
    assert [measure.code for measure in MEASURES.values()] == list(range(len(MEASURES)))
    assert [measure.name for measure in MEASURES.values()] == list(MEASURES)
    assert {name for name, measure in MEASURES.items() if measure.sign < 0} == {"euclidean", "manhattan"}
    assert all(measure.sums[0] == "n" for measure in MEASURES.values())


def test_get_measure():
    pearson = get_measure("pearson")
    assert isinstance(pearson, Measure)
    assert get_measure(pearson) is pearson
    for unknown in ("Pearson", "", None, 3, ["pearson"]):
        with pytest.raises(ParameterError, match="Unknown measure"):
            get_measure(unknown)


def test_by_hand():
    # x = 1, 2, 3; y = 2, 4, 5
    assert measures.pearson(3, 6, 11, 14, 45, 25) == 9 / math.sqrt(6 * 14)
    assert measures.euclidean(9, 0.5) == 1.5
    assert measures.msd(4, 10, 0.5) == 1 / (1 + 10 * 0.25 / 4)
    assert measures.manhattan(5, 0.5) == 2.5
    assert measures.cosine(25, 14.0, 45.0) == 25 / math.sqrt(14 * 45)
    assert measures.cosine_common(14, 45, 25) == 25 / math.sqrt(14 * 45)
    assert measures.jaccard(2, 3.0, 5.0) == 2 / 6


def test_undefined_is_nan():
    assert math.isnan(measures.cosine(0, 0.0, 4.0))
    assert math.isnan(measures.cosine(0, 4.0, 0.0))
    assert math.isnan(measures.cosine_common(0, 4, 0))


@pytest.mark.jit
@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), min_size=2, max_size=40),
    st.integers(1, 20_000),
)
@settings(max_examples=60, deadline=None)
def test_pearson_compiled_is_exact_where_the_product_of_variances_passes_64_bits(pairs, times):
    x, y = np.array(pairs, dtype=object).T
    n = len(x) * times
    sums = [int(s) * times for s in (sum(x), sum(y), sum(x * x), sum(y * y), sum(x * y))]
    vx, vy = n * sums[2] - sums[0] ** 2, n * sums[3] - sums[1] ** 2
    num = n * sums[4] - sums[0] * sums[1]
    got = kernel(measures.pearson)(n, *sums)
    if vx == 0 or vy == 0:
        assert math.isnan(got)
    else:
        assert got == float(num) / math.sqrt(float(vx) * float(vy))
        exact = Fraction(num * num, vx * vy)
        assert got * got == pytest.approx(float(exact), rel=1e-12)
