"""Values made from whole profiles: against pandas, SciPy and dense NumPy; the same bits from both sides."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from corated.errors import DataError
from corated.ratings.ratings import Ratings
from corated.similarity import values
from corated.similarity.values import Entries

NOTHING = np.nan


def entries_of(matrix, rows="users"):
    """Entries from a dense matrix, NaN where not rated."""
    matrix = np.asarray(matrix, dtype=np.float64)
    rated = ~np.isnan(matrix)
    indptr = np.concatenate([[0], np.cumsum(rated.sum(axis=1))])
    return Entries(indptr, np.nonzero(rated)[1].astype(np.int32), matrix[rated], matrix.shape[1], rows)


def dense(entries, numbers):
    """The matrix that entries with these numbers are of."""
    n = len(entries.indptr) - 1
    matrix = np.full((n, entries.n_objects), NOTHING)
    matrix[np.repeat(np.arange(n), np.diff(entries.indptr)), entries.objects] = numbers
    return matrix


def flipped(matrix):
    """The same ratings from the other side."""
    return entries_of(np.asarray(matrix).T, "items")


LEVELS = {
    "stars": [1, 2, 3, 4, 5],
    "tenths": [0.1, 0.2, 0.3, 0.7],
    "counts": [0.0, 1.0, 2.5, 1234.5, 1e6 / 3],
}


@st.composite
def matrices(draw, levels=None):
    """A matrix of ratings of at least one row, where no row and no column is empty."""
    palette = LEVELS[draw(st.sampled_from(sorted(LEVELS)))] if levels is None else levels
    shape = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    cell = st.sampled_from([NOTHING, *palette])
    matrix = np.array([[draw(cell) for _ in range(shape[1])] for _ in range(shape[0])], dtype=np.float64)
    for i in range(max(shape)):  # a rating in each row and column
        at = i % shape[0], i % shape[1]
        if np.isnan(matrix[at]):
            matrix[at] = draw(st.sampled_from(palette))
    return matrix


def close(expected):
    return pytest.approx(expected, rel=1e-12, abs=1e-9, nan_ok=True)


# -- deviations -----------------------------------------------------------------------------------


@given(matrices())
@settings(max_examples=100)
def test_centered_as_pandas_centers(matrix):
    frame, entries = pd.DataFrame(matrix), entries_of(matrix)
    by_row, by_column = (dense(entries, values.center(entries, axis)) for axis in ("rows", "columns"))
    assert by_row == close(frame.sub(frame.mean(axis=1), axis=0).to_numpy())
    assert by_column == close((frame - frame.mean()).to_numpy())
    assert values.means(entries, "rows") == close(frame.mean(axis=1).to_numpy())
    assert values.means(entries, "columns") == close(frame.mean().to_numpy())


@given(matrices())
@settings(max_examples=100)
def test_zscores_are_deviations_over_sigma(matrix):
    frame, entries = pd.DataFrame(matrix), entries_of(matrix)
    for axis, sigma in (("rows", frame.T.std(ddof=0)), ("columns", frame.std(ddof=0))):
        deviations = dense(entries, values.center(entries, axis))
        scores = dense(entries, values.zscore(entries, axis))
        if axis == "columns":
            deviations, scores = deviations.T, scores.T
        for ours, scored, spread in zip(deviations, scores, sigma, strict=True):
            given_ones = ~np.isnan(ours)
            if np.all(ours[given_ones] == 0.0):
                assert np.all(scored[given_ones] == 0.0)
            else:
                assert scored * spread == close(ours)
                row = scored[given_ones]
                assert row.mean() == pytest.approx(0.0, abs=1e-9)
                assert row.std() == pytest.approx(1.0)


def test_zscores_as_scipy_has_them():
    matrix = [[1.0, 4.0, 2.0, 2.0], [5.0, 3.0, 3.0, 1.0]]
    entries = entries_of(matrix)
    assert dense(entries, values.zscore(entries, "rows")) == close(scipy.stats.zscore(matrix, axis=1))
    assert dense(entries, values.zscore(entries, "columns")) == close(scipy.stats.zscore(matrix, axis=0))


@given(matrices())
@settings(max_examples=100)
def test_minmax_as_pandas_has_it(matrix):
    frame, entries = pd.DataFrame(matrix), entries_of(matrix)
    for axis, table in (("columns", frame), ("rows", frame.T)):
        expected = (table - table.min()) / (table.max() - table.min())
        expected = expected.where(table.isna() | (table.max() > table.min()), 0.0).to_numpy()
        found = dense(entries, values.minmax(entries, axis))
        assert (found if axis == "columns" else found.T) == close(expected)


@pytest.mark.parametrize("level", [0.1, 0.3, 1 / 3, 7, -2.2, 0.0])
@pytest.mark.parametrize("n", [1, 3, 7, 41])
def test_flat_is_exactly_flat(level, n):
    row = np.full((1, n), level)
    for entries, axis in ((entries_of(row), "rows"), (entries_of(row.T), "columns")):
        assert values.means(entries, axis).tolist() == [level]
        for function in (values.center, values.zscore, values.minmax):
            assert not function(entries, axis).any()
        assert not values.residuals(entries, 10, 15.0, 10.0).any()
    assert not values.mid_ranks(entries_of(row)).any()


def test_what_rounding_leaves_of_0_is_0():
    entries = entries_of([[0.1, 0.5, 0.9]])  # their mean is 0.5, but not in binary
    assert entries.values[1] - values.means(entries, "rows")[0] != 0.0
    assert values.center(entries, "rows")[1] == 0.0
    assert values.zscore(entries, "rows")[1] == 0.0
    small = entries_of([[1e-9, 2e-9, 4e-9]])  # small against 1, not against each other
    assert np.all(values.center(small, "rows") != 0.0)


@given(matrices())
@settings(max_examples=100)
def test_the_same_bits_from_both_sides(matrix):
    users, items = entries_of(matrix), flipped(matrix)
    for mine, theirs in (("rows", "columns"), ("columns", "rows")):
        assert values.means(users, mine).tobytes() == values.means(items, theirs).tobytes()
        for function in (values.center, values.zscore, values.minmax):
            here, there = dense(users, function(users, mine)), dense(items, function(items, theirs))
            assert here.tobytes() == there.T.tobytes()
    left, right = (values.residuals(side, 10, 15.0, 10.0) for side in (users, items))
    assert dense(users, left).tobytes() == dense(items, right).T.tobytes()


def test_many_ratings_have_the_same_bits_from_both_sides():
    rng = np.random.default_rng(5)
    matrix = np.where(rng.random((300, 200)) < 0.3, rng.random((300, 200)), NOTHING)
    users, items = entries_of(matrix), flipped(matrix)
    for mine, theirs in (("rows", "columns"), ("columns", "rows")):
        assert values.means(users, mine).tobytes() == values.means(items, theirs).tobytes()
    one, two = (values.baseline(side, 10, 15.0, 10.0) for side in (users, items))
    assert (one.mu, one.user.tobytes(), one.item.tobytes()) == (
        two.mu,
        two.user.tobytes(),
        two.item.tobytes(),
    )


@given(matrices())
@settings(max_examples=100)
def test_shifted_by_a_rating_of_the_row(matrix):
    entries = entries_of(matrix)
    shifted, mean = dense(entries, values.shifted(entries)), values.means(entries, "rows")
    for row, moved, center in zip(matrix, shifted, mean, strict=True):
        rated = ~np.isnan(row)
        by = (row - moved)[rated]
        assert by == close(np.full(len(by), by[0]))
        assert np.min(np.abs(row[rated] - center)) == close(abs(by[0] - center))
        assert 0.0 in moved[rated]


def test_shifted_keeps_differences_exactly():
    row = np.array([[3.0, 1e9, 4.0, 2.0, 5.0]])
    assert values.shifted(entries_of(row)).tolist() == [-2.0, 999_999_995.0, -1.0, -3.0, 0.0]


# -- ranks ----------------------------------------------------------------------------------------


@given(matrices())
@settings(max_examples=100)
def test_mid_ranks_as_scipy_ranks(matrix):
    entries = entries_of(matrix)
    found = dense(entries, values.mid_ranks(entries))
    for row, ranks in zip(matrix, found, strict=True):
        rated = ~np.isnan(row)
        expected = 2 * scipy.stats.rankdata(row[rated]) - (rated.sum() + 1)
        assert ranks[rated].tolist() == expected.tolist()
        assert ranks[rated].sum() == 0.0


# -- baseline -------------------------------------------------------------------------------------


def slow_baseline(matrix, epochs, reg_u, reg_i):
    """The alternating least squares of `baseline`, cell by cell."""
    rated = ~np.isnan(matrix)
    mu = matrix[rated].mean()
    user, item = np.zeros(matrix.shape[0]), np.zeros(matrix.shape[1])
    for _ in range(epochs):
        for i in range(matrix.shape[1]):
            left = [matrix[u, i] - mu - user[u] for u in np.flatnonzero(rated[:, i])]
            item[i] = sum(left) / (reg_i + len(left))
        for u in range(matrix.shape[0]):
            left = [matrix[u, i] - mu - item[i] for i in np.flatnonzero(rated[u])]
            user[u] = sum(left) / (reg_u + len(left))
    return mu, user, item


@given(matrices(), st.integers(1, 4), st.sampled_from([0.0, 1.0, 15.0]))
@settings(max_examples=60)
def test_the_baseline_cell_by_cell(matrix, epochs, reg_u):
    mu, user, item = slow_baseline(matrix, epochs, reg_u, 10.0)
    for entries in (entries_of(matrix), flipped(matrix)):
        fit = values.baseline(entries, epochs, reg_u, 10.0)
        assert fit.mu == close(mu)
        assert fit.user == close(user)
        assert fit.item == close(item)
    entries = entries_of(matrix)
    left = dense(entries, values.residuals(entries, epochs, reg_u, 10.0))
    assert left == close(matrix - mu - user[:, None] - item)


def test_the_baseline_of_surprise_on_ml_100k(data):
    rows = np.loadtxt(data("ml-100k") / "u.data", dtype=np.int64)[:, :3]
    order = np.arange(100_000)
    np.random.RandomState(0).shuffle(order)
    errors = []
    for fold in range(5):
        test = np.zeros(100_000, dtype=np.bool_)
        test[order[20_000 * fold : 20_000 * (fold + 1)]] = True
        ratings = Ratings.from_arrays(*rows[~test].T, scale=(1, 5, 1))
        entries = Entries(*ratings.by_user, ratings.values, ratings.n_items, "users")
        mu, user, item = values.baseline(entries, 10, 15.0, 10.0)
        users, items = ratings.users.codes(rows[test, 0]), ratings.items.codes(rows[test, 1])
        known = np.where(users >= 0, user[users], 0.0) + np.where(items >= 0, item[items], 0.0)
        errors.append(np.clip(mu + known, 1, 5) - rows[test, 2])
    by_fold = np.sqrt([np.mean(error**2) for error in errors])
    assert by_fold == pytest.approx([0.9447, 0.9401, 0.9383, 0.9417, 0.9551], abs=1e-4)
    assert by_fold.mean() == pytest.approx(0.94397, abs=1e-5)
    assert np.mean([np.abs(error).mean() for error in errors]) == pytest.approx(0.74837, abs=1e-5)


# -- walks ----------------------------------------------------------------------------------------


@given(matrices(), st.sampled_from([0.0, 0.5, 1.0, 1.7]))
@settings(max_examples=80)
def test_products_of_walks_are_the_matrix_product(matrix, alpha):
    """Between rows i and j: P(i → u)^α P(u → j)^α summed over u, but for the sum of row i."""
    entries = entries_of(matrix)
    z = np.nan_to_num(dense(entries, values.walk(entries, alpha)))
    rated, x = ~np.isnan(matrix), np.nan_to_num(matrix)
    shares = np.divide(x, x.sum(axis=0), out=np.zeros_like(x), where=x.sum(axis=0) > 0)
    back = np.where(rated & (x.sum(axis=0) > 0), shares**alpha, 0.0)
    there = np.where(rated, x**alpha, 0.0)
    assert z @ z.T == pytest.approx(there @ back.T, rel=1e-11, abs=1e-12)


def test_a_column_of_zeros_leads_nowhere():
    entries = entries_of([[0.0, 1.0], [0.0, 3.0]])
    for alpha in (0.0, 1.0):
        assert values.walk(entries, alpha)[[0, 2]].tolist() == [0.0, 0.0]
    assert values.walk(entries, 1.0)[[1, 3]].tolist() == [0.5, 1.5]


def test_negative_ratings_take_no_walk():
    with pytest.raises(DataError) as error:
        values.walk(entries_of([[1.0, -2.0, 3.0], [-0.5, 0.0, -1.0]]), 1.0)
    text = str(error.value)
    assert "3 negative of 6 ratings: -2, -0.5, -1." in text
    assert "Next step:" in text
    with pytest.raises(DataError, match=r"6 negative of 6 ratings: -1, -1, -1, -1, -1, …"):
        values.walk(entries_of(-np.ones((2, 3))), 1.0)


def test_without_ratings_there_are_no_values():
    empty = Entries(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0), 0, "users")
    for function in (values.center, values.zscore, values.minmax):
        assert len(function(empty, "rows")) == len(function(empty, "columns")) == 0
    assert len(values.mid_ranks(empty)) == len(values.walk(empty, 1.0)) == len(values.shifted(empty)) == 0
    assert len(values.residuals(empty, 10, 15.0, 10.0)) == 0


def test_an_empty_row_changes_nothing():
    full = entries_of([[1.0, 2.0], [4.0, 4.0]])
    gap = entries_of([[1.0, 2.0], [NOTHING, NOTHING], [4.0, 4.0]])
    assert values.means(gap, "rows").tolist() == [1.5, 0.0, 4.0]
    for function in (values.center, values.zscore, values.minmax):
        assert function(gap, "rows").tolist() == function(full, "rows").tolist()
    assert values.mid_ranks(gap).tolist() == values.mid_ranks(full).tolist()
    assert values.shifted(gap).tolist() == values.shifted(full).tolist()
