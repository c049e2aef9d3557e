import numpy as np
import pytest

from corated.errors import DataError, ParameterError
from corated.ratings.scale import Scale, as_scale, infer_scale


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 5, 3], (1, 5, 1)),
        ([0, 10], (0, 10, 1)),
        ([2, 4, 10], (2, 10, 1)),
        ([0.5, 5, 4], (0.5, 5, 0.5)),
        ([1, 1.25, 2], (1, 2, 0.25)),
        ([0, 0.2, 0.6], (0, 0.6, 0.2)),
        ([0.1, 0.3, 0.7], (0.1, 0.7, 0.2)),
        ([0.1, 0.2, 0.7], (0.1, 0.7, 0.1)),
        ([0, 0.05, 0.1], (0, 0.1, 0.05)),
        ([0, 0.01, 2.55], (0, 2.55, 0.01)),
        ([-3, 0, 3], (-3, 3, 1)),
        ([0.3, 1.3, 4.3], (0.3, 4.3, 1)),
        ([7, 7, 7], (7, 7, 1)),
        ([1 + 1e-12, 2, 3 - 1e-12], (1 + 1e-12, 3 - 1e-12, 1)),
    ],
)
def test_infer(values, expected):
    scale = infer_scale(values)
    assert scale == Scale(*expected)
    assert np.array_equal(
        np.round(np.asarray(values, float), 9), np.round(scale.decode(scale.encode(values)), 9)
    )


@pytest.mark.parametrize(
    "values",
    [[], [0, 256], [0, 0.01, 2.56], [0, 1 / 3], [0, 0.001], [0, 1 + 1e-8], np.arange(300), [1e300, -1e300]],
)
def test_no_scale(values):
    assert infer_scale(values) is None


def test_256_levels_are_the_most():
    scale = infer_scale(np.arange(256))
    assert scale.levels == 256
    assert scale.encode([255]).tolist() == [255]
    assert scale.encode([255]).dtype == np.uint8


def test_properties():
    scale = Scale(0.5, 5, 0.5)
    assert (scale.levels, scale.low_units, scale.midpoint) == (10, 1, 2.75)
    assert scale.ratings.tolist() == [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]
    assert Scale(0, 10).low_units == 0
    assert Scale(-2, 2).low_units == -2
    assert Scale(0.3, 4.3, 1).low_units is None
    assert str(scale) == "0.5 to 5 by 0.5"
    assert str(Scale(3, 3)) == "3 (one level)"


def test_decoding_prints_well():
    scale = Scale(0, 1, 0.1)
    assert scale.decode(np.arange(11)).tolist() == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


def test_every_code_comes_back():
    for scale in (Scale(1, 5), Scale(0.5, 5, 0.5), Scale(-1, 1.55, 0.01), Scale(0, 255)):
        codes = np.arange(scale.levels)
        assert np.array_equal(scale.encode(scale.decode(codes)), codes)


@pytest.mark.parametrize("value", [0.75, 0, 5.5, np.nan, np.inf, 1e300, 1 + 2e-9])
def test_off_the_scale(value):
    scale = Scale(0.5, 5, 0.5)
    assert not scale.contains([value])[0]
    with pytest.raises(DataError, match="1 of 3 ratings are off the scale") as caught:
        scale.encode([1, 5, value])
    assert "position 2" in str(caught.value)
    assert "0.5 to 5 by 0.5" in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        (5, 1, 1),
        (1, 5, 0),
        (1, 5, -1),
        (1, 5, 3),
        (1, 5, np.nan),
        (np.inf, 5, 1),
        ("1", 5, 1),
        (1, 2, 3, 4),
        5,
        "1-5",
    ],
)
def test_not_a_scale(given):
    with pytest.raises(ParameterError, match="not a rating scale"):
        as_scale(given)


def test_more_levels_than_codes():
    scale = Scale(0, 100, 0.1)
    assert not scale.is_coded()
    assert scale.contains([99.9, 99.95]).tolist() == [True, False]
    with pytest.raises(ParameterError, match="1,001 levels"):
        scale.encode([1])


def test_as_scale():
    assert as_scale(None) is None
    assert as_scale((1, 5, 1)) == as_scale([1, 5]) == Scale(1, 5, 1)
    assert as_scale(Scale(1, 5)) == Scale(1.0, 5.0, 1.0)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("values", [[1e300], [1e300, 1.0], [-1.7e308, 1.7e308]])
def test_huge_ratings_do_not_overflow(values):
    scale = infer_scale(values)
    if len(values) == 1:
        assert scale.decode(scale.encode(values)).tolist() == values
    else:
        assert scale is None
