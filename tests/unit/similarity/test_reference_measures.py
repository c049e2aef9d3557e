"""The oracle's measures: against SciPy, pandas, dense NumPy, and figures worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.spatial.distance
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from corated.errors import DataError, ParameterError
from corated.ratings.ratings import Ratings
from corated.similarity import reference
from corated.similarity.custom import Custom
from corated.similarity.measures import MEASURES, Pearson

NONE = math.nan


def ratings_of(matrix, scale=(1, 5, 1)):
    """Ratings from a users × items matrix, NaN where not rated; ids are the indices."""
    users, items = np.nonzero(~np.isnan(matrix))
    return Ratings.from_arrays(users, items, np.asarray(matrix)[users, items], scale=scale)


def value(ratings, measure, u=0, v=1, of="users"):
    return reference.value(ratings, u, v, of=of, measure=measure).value


def close(expected):
    return pytest.approx(expected, rel=1e-11, abs=1e-12)


@st.composite
def matrices(draw, low=1, high=5, rows=(2, 6), columns=(2, 7), off_scale=False):
    """A matrix where the first two rows share the first column, and no row or column is empty."""
    shape = draw(st.integers(*rows)), draw(st.integers(*columns))
    level = st.integers(low, high)
    if off_scale:
        level = level.map(lambda x: [0.0, 0.5, 1.0, 3.0, 17.25, 1000.0][x])
    cell = st.one_of(st.just(NONE), level)
    matrix = np.array([[draw(cell) for _ in range(shape[1])] for _ in range(shape[0])], dtype=np.float64)
    for at in [(u, 0) for u in range(shape[0])] + [(0, i) for i in range(shape[1])]:
        if np.isnan(matrix[at]):
            matrix[at] = draw(level)
    return matrix


def both(matrix):
    """The columns that the first two rows share."""
    return ~np.isnan(matrix[0]) & ~np.isnan(matrix[1])


# -- against SciPy and pandas ---------------------------------------------------------------------


@given(matrices())
@settings(max_examples=60)
def test_set_measures_as_scipy_has_them(matrix):
    ratings, (x, y) = ratings_of(matrix), ~np.isnan(matrix[:2])
    assert value(ratings, "jaccard") == close(1 - scipy.spatial.distance.jaccard(x, y))
    assert value(ratings, "dice") == close(1 - scipy.spatial.distance.dice(x, y))
    assert value(ratings, "overlap") == close((x & y).sum() / min(x.sum(), y.sum()))
    assert value(ratings, "conditional") == close(np.mean(x[y]))


@given(matrices())
@settings(max_examples=60)
def test_one_family_of_set_measures(matrix):
    ratings = ratings_of(matrix)
    for of in ("users", "items"):
        assert value(ratings, "tversky(alpha=1, beta=1)", of=of) == value(ratings, "jaccard", of=of)
        assert value(ratings, "tversky(alpha=0.5, beta=0.5)", of=of) == value(ratings, "dice", of=of)
        assert value(ratings, "tversky(alpha=0, beta=1)", of=of) == value(ratings, "conditional", of=of)
        swapped = value(ratings, "tversky(alpha=0.9, beta=0.2)", 1, 0, of=of)
        assert value(ratings, "tversky(alpha=0.2, beta=0.9)", of=of) == swapped


@given(matrices(low=0), st.floats(0, 1))
@settings(max_examples=60)
def test_cosines_of_whole_profiles(matrix, alpha):
    ratings, (x, y) = ratings_of(matrix, scale=(0, 5, 1)), np.nan_to_num(matrix[:2])
    if not (x.any() and y.any()):
        assert reference.value(ratings, 0, 1, measure="cosine").reason == "a norm is 0"
        assert reference.value(ratings, 0, 1, measure="asymmetric_cosine").reason == "a norm is 0"
        return
    cosine = close(1 - scipy.spatial.distance.cosine(x, y))
    assert value(ratings, "cosine") == cosine
    assert value(ratings, "asymmetric_cosine") == cosine
    one, other = np.linalg.norm(x), np.linalg.norm(y)
    expected = x @ y / (one ** (2 * alpha) * other ** (2 * (1 - alpha)))
    assert value(ratings, f"asymmetric_cosine(alpha={alpha})") == close(expected)
    assert value(ratings, f"asymmetric_cosine(alpha={1 - alpha})", 1, 0) == close(expected)


@given(matrices(), st.sampled_from(["users", "items"]))
@settings(max_examples=60)
def test_centered_cosines(matrix, of):
    ratings, frame = ratings_of(matrix), pd.DataFrame(matrix)
    by_user, by_item = frame.sub(frame.mean(axis=1), axis=0), frame - frame.mean()
    if of == "items":
        by_user, by_item = by_item.T, by_user.T
    # Whole profiles by their own mean; the overlap by the means of what is rated.
    whole, common = by_user.to_numpy()[:2], by_item.to_numpy()[:2]
    shared = both(whole)
    x, y = np.nan_to_num(whole)
    if np.abs(x).max() < 1e-9 or np.abs(y).max() < 1e-9:
        found = reference.value(ratings, 0, 1, of=of, measure="centered_cosine")
        assert found.reason == ("flat profile" if shared.any() else "nothing in common")
    else:
        assert value(ratings, "centered_cosine", of=of) == close(1 - scipy.spatial.distance.cosine(x, y))
    x, y = common[:, shared]
    if np.abs(x).max() < 1e-9 or np.abs(y).max() < 1e-9:
        assert reference.value(ratings, 0, 1, of=of, measure="adjusted_cosine").reason == "a norm is 0"
    else:
        assert value(ratings, "adjusted_cosine", of=of) == close(1 - scipy.spatial.distance.cosine(x, y))


@given(matrices(columns=(3, 8)))
@settings(max_examples=60)
def test_correlations_as_pandas_and_scipy_have_them(matrix):
    ratings, shared = ratings_of(matrix), both(matrix)
    x, y = matrix[:2, shared]
    ranks = [scipy.stats.rankdata(row, nan_policy="omit")[shared] for row in matrix[:2]]
    found = {name: reference.value(ratings, 0, 1, measure=name) for name in ("pearson", "spearman")}
    for name, (a, b) in {"pearson": (x, y), "spearman": ranks}.items():
        if shared.sum() < 2:
            assert found[name].reason == "fewer than 2 in common"
        elif np.ptp(a) == 0 or np.ptp(b) == 0:
            assert found[name].reason == "flat on the overlap"
        else:
            assert found[name].value == close(scipy.stats.pearsonr(a, b).statistic)
    if found["pearson"].value is not None:
        assert found["pearson"].value == close(pd.DataFrame(matrix[:2].T).corr(method="pearson")[0][1])


@given(matrices(low=0, high=5, off_scale=True))
@settings(max_examples=60)
def test_off_a_scale(matrix):
    matrix[0, 0] = 1234.5  # so that no step fits
    ratings, (x, y) = ratings_of(matrix, scale=None), matrix[:2, both(matrix)]
    assert ratings.scale is None
    assert value(ratings, "euclidean") == close(np.linalg.norm(x - y))
    assert value(ratings, "manhattan") == close(np.abs(x - y).sum())
    assert value(ratings, "msd") == close(1 / (1 + np.mean((x - y) ** 2)))
    if y.any():
        norms = np.linalg.norm(x) * np.linalg.norm(y)
        assert value(ratings, "cosine_common") == close(x @ y / norms)
        wholes = np.nan_to_num(matrix[:2])
        assert value(ratings, "cosine") == close(1 - scipy.spatial.distance.cosine(*wholes))
    if len(x) > 1 and np.ptp(x) > 0 and np.ptp(y) > 0:
        assert value(ratings, "pearson") == close(scipy.stats.pearsonr(x, y).statistic)
    else:
        assert value(ratings, "pearson") is None
    assert value(ratings, "jaccard") == value(ratings_of(matrix * 0 + 1), "jaccard")


def test_flat_off_a_scale_is_flat():
    ratings = ratings_of(np.array([[1 / 3] * 7, [0.1, 2, 3, 5.5, 8, 13, 21]]), scale=None)
    assert reference.value(ratings, 0, 1).reason == "flat on the overlap"
    weighted = reference.value(ratings, 1, 0, measure="pearson(weight=zscore)")
    assert weighted.reason == "flat on the overlap"


@given(matrices(low=0, rows=(2, 8)), st.sampled_from(["users", "items"]))
@settings(max_examples=60)
def test_log_likelihood_as_scipy_has_it(matrix, of):
    ratings = ratings_of(matrix, scale=(0, 5, 1))
    rated = ~np.isnan(matrix) if of == "users" else ~np.isnan(matrix).T
    x, y = rated[:2]
    if not (x & y).any():
        return
    table = np.array([[(x & y).sum(), (x & ~y).sum()], [(~x & y).sum(), (~x & ~y).sum()]])
    found = value(ratings, "log_likelihood", of=of)
    if (table.sum(axis=0) == 0).any() or (table.sum(axis=1) == 0).any():
        assert found == 0.0  # one of the two has everything: there is nothing to tell
        return
    g2 = scipy.stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    together = table[0, 0] * table.sum() > x.sum() * y.sum()
    assert found == close(g2 if together else -g2)


@given(
    matrices(low=0),
    st.sampled_from([0.0, 0.5, 1.0, 1.6]),
    st.sampled_from([0.0, 0.4, 1.0]),
    st.sampled_from(["users", "items"]),
)
@settings(max_examples=60)
def test_walks_are_matrix_products(matrix, alpha, beta, of):
    ratings = ratings_of(matrix, scale=(0, 5, 1))
    rows = matrix if of == "users" else matrix.T
    rated, x = ~np.isnan(rows), np.nan_to_num(rows)

    def steps(x, rated):
        total = x.sum(axis=1, keepdims=True)
        shares = np.divide(x, total, out=np.zeros_like(x), where=total > 0)
        return np.where(rated & (total > 0), shares**alpha, 0.0)

    there_and_back = steps(x, rated) @ steps(x.T, rated.T) / rated.sum(axis=1) ** beta
    for u in range(len(rows)):
        for v in range(len(rows)):
            found = reference.value(ratings, u, v, of=of, measure=f"rp3beta(alpha={alpha}, beta={beta})")
            if found.value is None:
                assert found.reason == (
                    "ratings add up to 0" if (rated[u] & rated[v]).any() else "nothing in common"
                )
            else:
                assert found.value == close(there_and_back[u, v])
                if beta == 0.0:
                    assert value(ratings, f"p3alpha(alpha={alpha})", u, v, of) == found.value


# -- by hand --------------------------------------------------------------------------------------

PAIR = np.array([[1, 2, 3, NONE, 5], [2, 4, 5, 1, NONE]])


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("constrained_pearson", (-2 * -1 + -1 * 1 + 0 * 2) / math.sqrt(5 * 6)),
        ("centered_cosine", (1.75 * 1 + -0.75 * 1 + 0.25 * 2) / math.sqrt(8.75 * 10)),
        ("dice", 6 / 8),
        ("overlap", 3 / 4),
        ("conditional", 3 / 4),
        ("tversky(alpha=0.25, beta=2)", 3 / (3 + 0.25 + 2)),
        ("msd(shrink=6)", 1 / (1 + 9 / 3) * (3 / 9)),
        ("msd(adjust=shrink_mul1(6))", 1 / (1 + 9 / 3) * (2 / 8)),
        ("msd(adjust=significance(4))", 1 / (1 + 9 / 3) * (3 / 4)),
        ("msd(adjust=significance(2))", 1 / (1 + 9 / 3)),
        ("msd(adjust=shrink_add(6))", 1 / (1 + 9 / 3 + 6)),
        ("pearson(adjust=shrink_add(6))", 9 / (math.sqrt(6 * 14) + 6)),
        ("cosine(adjust=shrink_add(6))", 25 / (math.sqrt(39 * 46) + 6)),
        ("cosine_common(adjust=shrink_add(6))", 25 / (math.sqrt(14 * 45) + 6)),
        ("asymmetric_cosine(alpha=0.2, adjust=shrink_add(6))", 25 / (39**0.2 * 46**0.8 + 6)),
        ("jaccard(adjust=shrink_add(6))", 3 / (5 + 6)),
        ("dice(adjust=shrink_add(6))", 6 / (8 + 6)),
        ("overlap(adjust=shrink_add(6))", 3 / (4 + 6)),
        ("conditional(adjust=shrink_add(6))", 3 / (4 + 6)),
        ("tversky(alpha=0.25, beta=2, adjust=shrink_add(6))", 3 / (3 + 0.25 + 2 + 6)),
        # Doubled ranks less their mean are -3, -1, 1 and -1, 1, 3 on the overlap.
        ("spearman", 1.0),
        ("spearman(adjust=shrink_add(6))", 6 / (6 + 6)),
        ("euclidean(weight=binary)", 0.0),
        ("cosine(weight=binary)", 3 / 4),
        ("manhattan(weight=center)", 1.75 - 1 + 1 + 0.75 + 2 - 0.25),
        ("cosine_common(weight='center(item)')", -1.0),
        ("manhattan(weight=minmax)", 0.25 + 0.5 + 0.5),
    ],
)
def test_by_hand(measure, expected):
    assert value(ratings_of(PAIR), measure) == close(expected)


def test_the_added_number_is_in_rating_units():
    """The same ratings on a scale, off it, and weighted by nothing give the same shrunk values."""
    half = np.array([[0.5, 2.5, 3.0, 1.0], [1.0, 2.0, 4.5, NONE]])
    on, off = ratings_of(half, scale=(0.5, 5, 0.5)), ratings_of(np.vstack([half, [1 / 3] * 4]), scale=None)
    assert off.scale is None
    for measure in ("pearson", "cosine", "cosine_common", "msd", "asymmetric_cosine"):
        shrunk = f"{measure}(adjust=shrink_add(0.7))"
        assert value(on, shrunk) == close(value(off, shrunk))
        assert value(on, shrunk) < value(on, measure)


def test_the_lower_bound_by_hand():
    x, y = [1, 2, 3, 4, 5, 5], [2, 1, 4, 3, 5, 4]
    ratings = ratings_of(np.array([x, y], dtype=float))
    interval = scipy.stats.pearsonr(x, y).confidence_interval(0.9)
    assert value(ratings, "pearson(adjust=lower_bound(0.9))") == close(interval.low)
    three = ratings_of(np.array([[1, 2, 3], [2, 4, 5]], dtype=float))
    assert reference.value(three, 0, 1, measure="pearson(adjust=lower_bound)").reason == (
        "fewer than 4 in common"
    )
    same = ratings_of(np.array([[1, 2, 3, 4]] * 2, dtype=float))
    capped = math.tanh(math.atanh(7 / 8) - 1.959963984540054)  # 1 − 1/(2n) instead of 1; √(4 − 3) = 1
    assert value(same, "pearson(adjust=lower_bound)") == close(capped)
    opposed = ratings_of(np.array([[1, 2, 3, 4], [4, 3, 2, 1]], dtype=float))
    capped = math.tanh(-math.atanh(7 / 8) - 1.959963984540054)
    assert value(opposed, "pearson(adjust=lower_bound)") == close(capped)


def test_the_baseline_takes_out_what_is_usual():
    """u and v rate alike but for where each is generous; one item is loved by both."""
    matrix = np.array([[4, 5, 3, 1], [2, 3, 1, NONE], [1, 1, 5, 2.0]])
    ratings = ratings_of(matrix)
    rated, mu = ~np.isnan(matrix), np.nanmean(matrix)
    users, items = np.zeros(3), np.zeros(4)
    for _ in range(3):
        items = np.nansum(matrix - mu - users[:, None], axis=0) / (10 + rated.sum(axis=0))
        users = np.nansum(matrix - mu - items, axis=1) / (15 + rated.sum(axis=1))
    x, y = (matrix - mu - users[:, None] - items)[:2, :3]
    cosine = x @ y / (np.linalg.norm(x) * np.linalg.norm(y))
    assert value(ratings, "pearson_baseline(epochs=3, shrink=0)") == close(cosine)
    assert value(ratings, "pearson_baseline(epochs=3)") == close(cosine * (2 / 102))
    pair = ratings_of(np.array([[1, NONE], [2, 3]]))
    assert reference.value(pair, 0, 1, measure="pearson_baseline").reason == "fewer than 2 in common"


def test_flat_data_have_no_baseline_left():
    ratings = ratings_of(np.full((3, 3), 0.1), scale=(0, 1, 0.1))
    assert reference.value(ratings, 0, 1, measure="pearson_baseline").reason == "a norm is 0"


# -- weights and adjustments ----------------------------------------------------------------------

WEIGHTED = ["pearson", "euclidean", "msd", "manhattan", "cosine", "cosine_common"]


@given(matrices(), st.sampled_from(WEIGHTED), st.sampled_from(["users", "items"]))
@settings(max_examples=60)
def test_a_weight_is_a_change_of_the_ratings(matrix, measure, of):
    """A measure of weighted ratings is that measure of a matrix that was weighted before."""
    ratings, frame = ratings_of(matrix), pd.DataFrame(matrix if of == "users" else matrix.T)
    rated = frame.notna()
    tables = {
        "binary": frame * 0 + 1,
        "center(by=user)": frame.sub(frame.mean(axis=1), axis=0) if of == "users" else frame - frame.mean(),
        "tfidf": np.sqrt(frame) * np.log(len(frame) / (1 + rated.sum())),
        "tfidf(tf=freq, idf=base)": frame.div(frame.sum(axis=1), axis=0) * np.log(len(frame) / rated.sum()),
    }
    for weight, table in tables.items():
        x, y = table.to_numpy()[:2]
        shared = ~np.isnan(x) & ~np.isnan(y)
        found = reference.value(ratings, 0, 1, of=of, measure=f"{measure}(weight={weight!r})")
        if not shared.any():
            assert found.reason == "nothing in common"
            continue
        if found.value is not None:
            assert found.value == close(plain(measure, x, y, shared))
        else:
            assert measure in ("pearson", "cosine", "cosine_common")
            with np.errstate(invalid="ignore", divide="ignore"):
                assert not abs(plain(measure, np.round(x, 9), np.round(y, 9), shared)) <= 1.1


def plain(measure, x, y, shared):
    """A measure of two vectors as NumPy has it, NaN where it is undefined."""
    a, b = x[shared], y[shared]
    if measure == "pearson":
        a, b = a - a.mean(), b - b.mean()
        flat = min(np.abs(a).max(), np.abs(b).max()) < 1e-9
        return NONE if flat else a @ b / np.sqrt((a @ a) * (b @ b))
    if measure == "cosine":
        x, y = np.nan_to_num(x), np.nan_to_num(y)
        return x @ y / (np.linalg.norm(x) * np.linalg.norm(y))
    return {
        "euclidean": lambda: np.linalg.norm(a - b),
        "manhattan": lambda: np.abs(a - b).sum(),
        "msd": lambda: 1 / (1 + np.mean((a - b) ** 2)),
        "cosine_common": lambda: a @ b / (np.linalg.norm(a) * np.linalg.norm(b)),
    }[measure]()


SHRUNK = ["pearson", "msd", "cosine", "constrained_pearson", "spearman", "jaccard", "dice", "overlap"]


@given(matrices(columns=(3, 8)), st.sampled_from(SHRUNK), st.floats(0.1, 50), st.floats(0.1, 50))
@settings(max_examples=80)
def test_more_shrinkage_draws_nearer_to_0(matrix, measure, s, more):
    ratings = ratings_of(matrix)
    unadjusted = value(ratings, measure)
    for kind in ("shrink_mul", "shrink_mul1", "shrink_add", "significance"):
        less, further = (value(ratings, f"{measure}(adjust={kind}({by!r}))") for by in (s, s + more))
        if unadjusted is None:
            assert less is further is None
        else:
            assert abs(further) <= abs(less) <= abs(unadjusted)
            assert math.copysign(1, less) == math.copysign(1, unadjusted) or less == 0.0
    if unadjusted:
        assert abs(value(ratings, f"{measure}(shrink={s + more!r})")) < abs(unadjusted)
        assert value(ratings, f"{measure}(shrink={s!r})") == value(
            ratings, f"{measure}(adjust=shrink_mul({s!r}))"
        )


@given(matrices(columns=(4, 8)), st.floats(0.05, 0.9))
@settings(max_examples=60)
def test_the_lower_bound_is_below(matrix, level):
    ratings, plainly = ratings_of(matrix), value(ratings_of(matrix), "pearson")
    bound, surer = (value(ratings, f"pearson(adjust=lower_bound({at!r}))") for at in (level, level + 0.05))
    if both(matrix).sum() < 4 or plainly is None:
        assert bound is None
    else:
        assert -1 < surer < bound
        assert bound < plainly or plainly < -1 + 1 / both(matrix).sum()  # what is capped below


# -- who is who -----------------------------------------------------------------------------------


@given(matrices(), st.sampled_from(sorted(MEASURES)), st.sampled_from(["users", "items"]))
@settings(max_examples=80)
def test_symmetric_measures_are_symmetric(matrix, measure, of):
    ratings = ratings_of(matrix)
    record = MEASURES[measure]()
    if record.symmetric:
        assert value(ratings, record, 0, 1, of) == value(ratings, record, 1, 0, of)
    assert reference.is_distance(record) == (record.better == "smaller")


def test_asymmetric_measures_are_seen_from_the_query():
    ratings = ratings_of(np.array([[1, 2, 3, 4.0], [1, NONE, NONE, NONE]]))
    assert value(ratings, "conditional") == 1.0  # all that user 1 rated, user 0 did
    assert value(ratings, "conditional", 1, 0) == 0.25
    assert reference.neighbors(ratings, measure="conditional")[1][0].value == 0.25
    assert value(ratings, "tversky(alpha=1, beta=0)") == 0.25
    walks = ratings_of(np.array([[1, 3.0], [1, NONE]]))
    # From item 0: half to user 0, whence three quarters to item 1; back, all to user 0, whence a quarter.
    assert value(walks, "p3alpha", 0, 1, "items") == close(0.5 * 0.75)
    assert value(walks, "p3alpha", 1, 0, "items") == close(1 * 0.25)
    assert value(walks, "rp3beta(beta=1)", 1, 0, "items") == close(0.25 / 2)


def test_what_cannot_be_done_is_refused():
    none = ratings_of(np.array([[0.123, 2], [0.9, 7.77]]), scale=None)
    with pytest.raises(DataError, match="midpoint"):
        reference.value(none, 0, 1, measure="constrained_pearson")
    negative = ratings_of(np.array([[-1, 2], [1, -2.0]]), scale=(-2, 2, 1))
    for measure in ("p3alpha", "rp3beta", "cosine(weight=tfidf)", "pearson(weight=bm25)"):
        with pytest.raises(DataError, match="at least 0"):
            reference.value(negative, 0, 1, measure=measure)
    with pytest.raises(ParameterError, match="no definition"):
        reference.value(negative, 0, 1, measure=Custom(lambda n: n))


def test_a_measure_can_be_given_as_a_record():
    ratings = ratings_of(PAIR)
    assert value(ratings, Pearson(shrink=6)) == value(ratings, "pearson(shrink=6)")
    near = reference.neighbors(ratings, measure=Pearson(shrink=6))
    assert near[0] == [(1, value(ratings, "pearson(shrink=6)"), 3)]
    assert reference.merge([near[0]], 5, measure=Pearson(shrink=6)) == near[0]
    assert reference.sums(ratings, 0, 1, measure=Pearson()).sxy == 25


def test_deviations_that_only_rounding_tells_apart_are_flat():
    """1 − 5/3 and 2 − 8/3 are both −2/3, but not in binary."""
    assert 1 - 5 / 3 != 2 - 8 / 3
    ratings = ratings_of(np.array([[1, 3, 1.0], [1, 5, 2]]))
    found = reference.value(ratings, 1, 2, of="items", measure="pearson(weight=center)")
    assert found == (None, "flat on the overlap")
