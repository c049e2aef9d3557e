"""BiasedMF and ALS: against their equations in NumPy, the library behind ALS, and their invariants."""

import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
import scipy.sparse
import threadpoolctl
from implicit.cpu.als import AlternatingLeastSquares

import corated as cr
from corated.errors import Cancelled, CoratedNotice, MemoryLimitError, MissingExtraError, ParameterError
from corated.models import factors, lists, rules
from corated.models.als import _blas
from corated.models.factor_kernels import Entries, Ridge
from corated.models.history import Profile
from corated.neighborhood.run import Run

N_USERS, N_ITEMS = 30, 14
MF = {"factors": 3, "epochs": 4, "reg": 0.7, "reg_u": 0.4, "reg_i": 0.3, "seed": 5}
LIKES = {"factors": 4, "regularization": 0.05, "alpha": 3.0, "iterations": 5, "seed": 5, "like": 4}
KINDS = [(cr.BiasedMF, MF), (cr.ALS, LIKES)]
both = pytest.mark.parametrize(("kind", "given"), KINDS, ids=["biasedmf", "als"])


def table(cells, values, scale=(1, 5, 1)):
    return cr.Ratings.from_arrays(cells // N_ITEMS, cells % N_ITEMS, values, scale=scale)


@pytest.fixture(scope="module")
def ratings():
    rng = np.random.default_rng(3)
    cells = rng.choice(N_USERS * N_ITEMS, 190, replace=False)
    return table(cells, rng.integers(1, 6, 190).astype(float))


@pytest.fixture(scope="module")
def dense(ratings):
    """Ratings by user and item, NaN where there is none."""
    x = np.full((ratings.n_users, ratings.n_items), np.nan)
    x[np.repeat(np.arange(ratings.n_users), ratings.user_counts), ratings.by_user.indices] = ratings.values
    return x


@pytest.fixture(scope="module")
def pairs(ratings):
    """All pairs of ids."""
    users, items = ratings.users.ids.to_pylist(), ratings.items.ids.to_pylist()
    return [u for u in users for _ in items], items * len(users)


def values(model, users, items, **options):
    return model.predict(users, items, **options).to_arrow()["value"].to_numpy(zero_copy_only=False)


def rows(answer):
    """Rows that show every bit, without the user."""
    return [(r["item_id"], r["rank"], r["score"].hex(), r["support"], r["source"]) for r in answer]


def of_each(model, **options):
    answer = model.recommend(**options).to_pylist()
    return {user: rows(r for r in answer if r["user_id"] == user) for user in {r["user_id"] for r in answer}}


# -- BiasedMF ---------------------------------------------------------------------------------------


def trained(x, *, factors, epochs, reg, reg_u, reg_i, seed):
    """The equations, one after another: (μ, σ, users' numbers, items' numbers, objective by epoch)."""
    known = ~np.isnan(x)
    mu, sigma = x[known].mean(), x[known].std()
    t = (x - mu) / sigma
    users, items = np.zeros((len(x), factors + 1)), np.zeros((x.shape[1], factors + 1))
    users[:, 1:] = 0.1 * np.random.default_rng(seed).standard_normal((len(x), factors))

    def solve(target, others, own):
        z = np.hstack([np.ones((len(others), 1)), others[:, 1:]])
        penalty = np.diag([own, *[reg] * factors])
        return np.linalg.solve(z.T @ z + penalty, z.T @ (target - others[:, 0]))

    objective = []
    for _ in range(epochs):
        for i in range(x.shape[1]):
            items[i] = solve(t[known[:, i], i], users[known[:, i]], reg_i)
        for u in range(len(x)):
            users[u] = solve(t[u, known[u]], items[known[u]], reg_u)
        left = t - (users[:, :1] + items[:, 0] + users[:, 1:] @ items[:, 1:].T)
        cost = reg * (np.square(users[:, 1:]).sum() + np.square(items[:, 1:]).sum())
        cost += reg_u * np.square(users[:, 0]).sum() + reg_i * np.square(items[:, 0]).sum()
        objective.append(np.square(left[known]).sum() + cost)
    return mu, sigma, users, items, objective


def test_biased_mf_is_alternating_least_squares(ratings, dense, pairs):
    mu, sigma, users, items, objective = trained(dense, **MF)
    expected = mu + sigma * (users[:, :1] + items[:, 0] + users[:, 1:] @ items[:, 1:].T)
    np.testing.assert_allclose(
        values(cr.BiasedMF(**MF).fit(ratings), *pairs), expected.ravel(), rtol=0, atol=1e-9
    )
    assert objective == sorted(objective, reverse=True)
    assert np.square(users[:, 1:]).sum() > 1.0  # factors that play a part


def test_biased_mf_lists_the_highest_unseen(ratings, dense):
    model = cr.BiasedMF(**MF, clip=True).fit(ratings)
    ids = ratings.items.ids.to_pylist()
    answer = model.recommend(n=5).to_pylist()
    assert max(row["score"] for row in answer) > 5  # ranked unclipped
    for code, user in enumerate(ratings.users.ids.to_pylist()):
        free = [item for item, seen in zip(ids, ~np.isnan(dense[code]), strict=True) if not seen]
        raw = values(cr.BiasedMF(**MF).fit(ratings), [user] * len(free), free).tolist()
        assert (
            model.predict([user] * len(free), free).to_arrow()["value"].to_pylist()
            == np.clip(raw, 1, 5).tolist()
        )
        counts = dict(zip(ids, ratings.item_counts.tolist(), strict=True))
        expected = sorted(zip(free, raw, strict=True), key=lambda p: (-p[1], -counts[p[0]], p[0]))
        mine = [row for row in answer if row["user_id"] == user]
        assert [(r["item_id"], r["score"], r["support"]) for r in mine] == [
            (item, value, counts[item]) for item, value in expected[:5]
        ]
        assert {r["source"] for r in mine} == {"biasedmf"}


def test_biased_mf_knows_what_it_can_of_unknown_ids(ratings, dense):
    model = cr.BiasedMF(**MF).fit(ratings)
    mu, sigma, users, items, _ = trained(dense, **MF)
    user, item = ratings.users.ids[3].as_py(), ratings.items.ids[4].as_py()
    found = model.predict([user, user, 999, 999], [item, 999, item, 999]).to_pylist()
    assert [row["status"] for row in found] == ["ok", "unknown_item", "unknown_user", "unknown_user"]
    assert [row["support"] for row in found] == [*[int(ratings.item_counts[4]), 0] * 2]
    expected = [mu + sigma * users[3, 0], mu + sigma * items[4, 0], mu]
    assert [row["value"] for row in found[1:]] == pytest.approx(expected, abs=1e-9)


def test_biased_mf_shares_are_the_users_own_ratings(ratings, dense, pairs):
    model = cr.BiasedMF(**MF).fit(ratings)
    part, predicted = model._fit.part, values(model, *pairs).reshape(dense.shape)
    mu, sigma, users, items, _ = trained(dense, **MF)
    features = np.hstack([np.ones((len(items), 1)), items[:, 1:]])
    for user in range(ratings.n_users):
        own = np.flatnonzero(~np.isnan(dense[user]))
        z, left = features[own], (dense[user, own] - mu) / sigma - items[own, 0]
        matrix = np.linalg.inv(z.T @ z + np.diag([MF["reg_u"], *[MF["reg"]] * MF["factors"]]))
        for item in range(ratings.n_items):
            found = part.account(user, item, 5, Run(1))
            assert found.score == predicted[user, item]
            total = sum(amount for _, amount in found.base) + found.share.sum()
            assert total == pytest.approx(found.score, abs=1e-9)
            base = [mu, sigma * users[user, 0], sigma * items[item, 0]]
            assert [amount for _, amount in found.base] == pytest.approx(base, abs=1e-9)
            assert found.of == "items"
            assert found.who.tolist() == own.tolist()
            assert found.rating.tolist() == dense[user, own].tolist()
            goal = np.concatenate([[0.0], items[item, 1:]])
            np.testing.assert_allclose(found.share, sigma * left * (z @ matrix @ goal), rtol=0, atol=1e-9)


def test_biased_mf_does_not_depend_on_the_unit_of_ratings(ratings, pairs):
    stretched = cr.Ratings.from_arrays(
        *(ratings.to_arrow()[name].to_pylist() for name in ("user_id", "item_id")),
        [2.5 * row["rating"] - 1 for row in ratings.to_arrow().to_pylist()],
    )
    plain, other = (values(cr.BiasedMF(**MF).fit(given), *pairs) for given in (ratings, stretched))
    np.testing.assert_allclose(other, 2.5 * plain - 1, rtol=0, atol=1e-9)


@pytest.mark.parametrize("rating", [0.0, 3.0, 0.1 + 0.2])
def test_biased_mf_of_equal_ratings(rating):
    same = cr.Ratings.from_arrays([1, 1, 2, 3], [1, 2, 1, 3], [rating] * 4)
    model = cr.BiasedMF(factors=2).fit(same)
    assert set(values(model, [1, 2, 3, 9], [3, 3, 1, 9]).tolist()) == {same.values[0]}


def test_biased_mf_of_numbers_of_any_size():
    rng = np.random.default_rng(0)
    cells = rng.choice(N_USERS * N_ITEMS, 150, replace=False)
    for size in (1e-6, 1e200):
        wide = table(cells, size * rng.standard_normal(150), scale=None)
        answer = cr.BiasedMF(factors=2).fit(wide).recommend(n=N_ITEMS).to_arrow()
        assert np.isfinite(answer["score"].to_numpy()).all()
        assert np.abs(answer["score"].to_numpy()).max() > size * 1e-3


@pytest.mark.jit
def test_biased_mf_on_five_folds_of_movielens(data):
    """MyMediaLite's BiasedMF with 320 factors has 0.911, Surprise's SVD on these folds 0.934 / 0.737."""
    users, items, stars = np.loadtxt(data("ml-100k") / "u.data", dtype=np.int64)[:, :3].T
    order = np.arange(100_000)
    np.random.RandomState(0).shuffle(order)
    found = []
    for test in order.reshape(5, -1):
        train = np.setdiff1d(order, test)
        given = cr.Ratings.from_arrays(
            users[train], items[train], stars[train].astype(float), scale=(1, 5, 1)
        )
        error = values(cr.BiasedMF().fit(given), users[test], items[test]) - stars[test]
        found.append((np.sqrt(np.mean(error**2)), np.mean(np.abs(error))))
    assert np.mean(found, axis=0) == pytest.approx([0.9105, 0.7173], abs=0.0005)


# -- ALS --------------------------------------------------------------------------------------------


def liked_of(dense, like=4):
    return np.nan_to_num(dense, nan=-1.0) >= like


def factors_of(likes, items, *, regularization, alpha):
    """Users' factors by their normal equations over all items."""
    made = np.zeros((len(likes), items.shape[1]))
    for user, row in enumerate(likes):
        c = 1.0 + alpha * row
        matrix = (items * c[:, None]).T @ items + regularization * np.eye(items.shape[1])
        made[user] = np.linalg.solve(matrix, items.T @ (c * row))
    return made


def test_als_users_solve_their_equations(ratings, dense):
    model = cr.ALS(**LIKES).fit(ratings)
    items, likes = model._fit.part.item, liked_of(dense)
    users = factors_of(likes, items, regularization=0.05, alpha=3.0)
    scores = users @ items.T
    ids, counts = ratings.items.ids.to_pylist(), likes.sum(axis=1)
    answer = model.recommend(n=4).to_pylist()
    for code, user in enumerate(ratings.users.ids.to_pylist()):
        mine = [row for row in answer if row["user_id"] == user]
        free = np.flatnonzero(np.isnan(dense[code]) & likes.any(axis=0) & (counts[code] > 0))
        order = free[np.lexsort((free, -scores[code, free].round(9)))][:4]
        assert [row["item_id"] for row in mine] == [ids[item] for item in order]
        assert [row["score"] for row in mine] == pytest.approx(scores[code, order].tolist(), abs=1e-9)
        assert {row["support"] for row in mine} <= {counts[code]}
        assert {row["source"] for row in mine} <= {"als"}


def test_als_items_solve_theirs_once_it_has_settled(ratings, dense):
    model = cr.ALS(**LIKES | {"iterations": 200}).fit(ratings, threads=1)
    part, likes = model._fit.part, liked_of(dense)
    expected = factors_of(likes.T, part.user, regularization=0.05, alpha=3.0)
    np.testing.assert_allclose(part.item, expected, rtol=0, atol=1e-3)
    assert np.abs(expected).max() > 0.5


def test_als_agrees_with_the_library(ratings):
    part = cr.ALS(**LIKES).fit(ratings)._fit.part
    library = AlternatingLeastSquares(factors=4, regularization=0.05, iterations=5, random_state=5)
    matrix = scipy.sparse.csr_matrix(
        (np.full(len(part.likes.indices), 4.0), part.likes.indices, part.likes.indptr),
        shape=(ratings.n_users, ratings.n_items),
    )
    library.dtype = np.dtype(np.float64)
    library.fit(matrix, show_progress=False)
    np.testing.assert_allclose(part.item, library.item_factors, rtol=0, atol=1e-6)
    users = library.recalculate_user(np.arange(ratings.n_users), matrix)
    np.testing.assert_allclose(part.user, users, rtol=0, atol=1e-5)
    found = cr.ALS(**LIKES).fit(ratings).recommend([ratings.users.ids[2].as_py()], n=3).to_pylist()
    library.user_factors = users
    theirs, scores = library.recommend(2, matrix[2], N=N_ITEMS)
    seen = set(ratings.profile(ratings.users.ids[2].as_py()))
    kept = [(ratings.items.ids[int(i)].as_py(), s) for i, s in zip(theirs, scores, strict=True) if s > -1e9]
    kept = [(item, score) for item, score in kept if item not in seen][:3]
    assert [row["item_id"] for row in found] == [item for item, _ in kept]
    assert [row["score"] for row in found] == pytest.approx([score for _, score in kept], abs=1e-5)


def test_als_shares_are_the_users_likes(ratings, dense):
    model = cr.ALS(**LIKES).fit(ratings)
    part, likes = model._fit.part, liked_of(dense)
    gram = part.item.T @ part.item
    seen = 0
    for user in range(ratings.n_users):
        own = np.flatnonzero(likes[user])
        y = part.item[own]
        inverse = np.linalg.inv(gram + 3.0 * y.T @ y + 0.05 * np.eye(4))
        for item in range(ratings.n_items):
            found = part.account(user, item, 5, Run(1))
            if not len(own) or not likes[:, item].any():
                assert np.isnan(found.score)
                assert found.reason
                continue
            seen += 1
            assert found.share.sum() == pytest.approx(found.score, abs=1e-9)
            assert found.score == pytest.approx(part.user[user] @ part.item[item], abs=1e-12)
            assert found.who.tolist() == own.tolist()
            assert found.rating.tolist() == dense[user, own].tolist()
            expected = 4.0 * y @ inverse @ part.item[item]
            np.testing.assert_allclose(found.share, expected, rtol=0, atol=1e-9)
    assert seen > 200


def test_als_without_the_library(ratings, monkeypatch):
    model = cr.ALS(**LIKES).fit(ratings)
    for name in [name for name in sys.modules if name.split(".")[0] == "implicit"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match="implicit") as raised:
        cr.ALS().fit(ratings)
    assert raised.value.hint == "pip install 'corated[als]'"
    # What was fitted is unpacked and folded in without it.
    part = cr.ALS(**LIKES).unpack(ratings, model._fit.part.pack(), Run(1))
    assert (part.user == model._fit.part.user).all()
    assert len(model.recommend(history={0: 5.0}))


def test_als_is_silent_and_leaves_blas_as_it_was():
    code = (
        "import threadpoolctl, numpy, scipy.linalg, corated as cr\n"
        "now = lambda: [(i['filepath'], i['num_threads']) for i in threadpoolctl.threadpool_info()\n"
        "               if i['user_api'] == 'blas']\n"
        "r = cr.Ratings.from_arrays([1, 1, 2, 2, 3], [1, 2, 1, 3, 2], [5.0] * 5, scale=(1, 5, 1))\n"
        "threadpoolctl.threadpool_limits(2, 'blas'); before = now()\n"
        "cr.ALS(factors=2, iterations=2).fit(r, threads=2)\n"
        "assert {n for _, n in before} == {2} and now()[:len(before)] == before, (before, now())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_als_fits_at_the_same_time_leave_blas_as_it_was():
    def now():
        return {i["num_threads"] for i in threadpoolctl.threadpool_info() if i["user_api"] == "blas"}

    with threadpoolctl.threadpool_limits(2, "blas"):
        before = now()
        with _blas.held():
            second = _blas.held()
            second.__enter__()
            assert now() == {1}
        assert now() == {1}  # the first is out, the second is not
        second.__exit__(None, None, None)
        assert now() == before == {2}


def test_als_where_nobody_likes_anything(ratings):
    with pytest.warns(CoratedNotice, match="Nobody likes anything"):
        model = cr.ALS(factors=2, like=6).fit(ratings)
        assert len(model.recommend()) == 0
        assert len(model.recommend(history={0: 5.0})) == 0


def test_als_items_that_nobody_likes_are_no_candidates():
    given = cr.Ratings.from_arrays([1, 1, 2, 2, 3], [1, 2, 1, 3, 2], [5, 5, 5, 1, 5.0], scale=(1, 5, 1))
    model = cr.ALS(factors=2).fit(given)
    assert {row["item_id"] for row in model.recommend(exclude_seen=False)} == {1, 2}
    assert model._fit.part.account(0, 2, 5, Run(1)).reason == "Nobody likes it."


def test_als_that_diverges(ratings, monkeypatch):
    with pytest.raises(ParameterError, match="alpha="):
        cr.ALS(**LIKES | {"alpha": 1e300}).fit(ratings)
    monkeypatch.setattr(rules, "_MOST", np.inf)  # as far as parameters alone could tell
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ParameterError, match="beyond all numbers"):
            cr.ALS(**LIKES | {"alpha": 1e300}).fit(ratings)


# -- both -------------------------------------------------------------------------------------------


@both
def test_folded_in_bit_for_bit(kind, given, ratings):
    model = kind(**given).fit(ratings)
    known = of_each(model, n=6)
    for user in ratings.users.ids.to_pylist():
        history = ratings.profile(user)
        assert rows(model.recommend(history=history, n=6)) == known.get(user, [])
        assert rows(model.recommend(history=history, user_id=user, n=6)) == known.get(user, [])


def test_predictions_for_a_history_bit_for_bit(ratings):
    model = cr.BiasedMF(**MF).fit(ratings)
    items = ratings.items.ids.to_pylist()
    for user in ratings.users.ids.to_pylist()[::5]:
        folded = values(model, None, items, history=ratings.profile(user))
        assert folded.tobytes() == values(model, [user] * len(items), items).tobytes()


@both
def test_explained_alike_after_folding_in(kind, given, ratings):
    model = kind(**given).fit(ratings)
    user = int(np.argmax(ratings.user_counts))
    history = ratings.profile(ratings.users.ids[user].as_py())
    for item in range(0, N_ITEMS, 3):
        id = ratings.items.ids[item].as_py()
        found = model.explain(ratings.users.ids[user].as_py(), id)
        folded = model.explain(None, id, history=history)
        assert found.score == folded.score
        assert found.contributions.to_pylist() == folded.contributions.to_pylist()


@both
def test_threads_blocks_and_batches_change_nothing(kind, given, ratings, monkeypatch):
    whole = of_each(kind(**given).fit(ratings, threads=1), n=5, threads=1)
    monkeypatch.setattr(factors, "_ROWS_PER_BLOCK", 3)
    monkeypatch.setattr(factors, "_USERS_PER_BLOCK", 2)
    monkeypatch.setattr(lists, "_SCORES", 7 * N_ITEMS)
    model = kind(**given).fit(ratings, threads=3)
    if kind is cr.BiasedMF:
        assert of_each(model, n=5, threads=3) == whole
    else:  # the library is not ours: within 1e-6, and from there on the same
        assert {user: [row[0] for row in rows] for user, rows in of_each(model, n=5).items()} == {
            user: [row[0] for row in rows] for user, rows in whole.items()
        }
    batch = of_each(model, n=5, threads=2)
    for user in batch:
        assert rows(model.recommend([user], n=5)) == batch[user]


@both
def test_fitted_twice(kind, given, ratings):
    before = ratings.to_arrow()
    one, two = (kind(**given).fit(ratings) for _ in range(2))
    assert of_each(one) == of_each(two)
    assert ratings.to_arrow() == before


@both
def test_row_order_plays_no_part(kind, given, ratings):
    shuffled = ratings.to_arrow().take(np.random.default_rng(0).permutation(ratings.n_ratings))
    again = cr.Ratings.from_table(shuffled, scale=(1, 5, 1))
    assert of_each(kind(**given).fit(ratings)) == of_each(kind(**given).fit(again))


@both
def test_packed_and_unpacked(kind, given, ratings):
    model = kind(**given).fit(ratings)
    known = of_each(model)
    packed = model._fit.part.pack()
    for array in packed.arrays.values():
        array.flags.writeable = False  # as read from a file
    assert all(isinstance(fact, float) for fact in packed.facts.values())
    again = kind(**given).fit(ratings)
    object.__setattr__(again._fit, "part", kind(**given).unpack(ratings, packed, Run(1)))
    assert of_each(again) == known
    history = ratings.profile(ratings.users.ids[0].as_py())
    assert rows(again.recommend(history=history)) == rows(model.recommend(history=history))
    assert again._fit.part.account(0, 3, 5, Run(1)).score == model._fit.part.account(0, 3, 5, Run(1)).score


CHANGES = {
    cr.BiasedMF: {"factors": 2, "epochs": 5, "reg": 0.9, "reg_u": 2.0, "reg_i": 2.0, "clip": True, "seed": 6},
    cr.ALS: {"factors": 3, "regularization": 1.0, "alpha": 1.0, "iterations": 6, "seed": 6, "like": 5},
}


@both
def test_each_option_changes_something(kind, given, ratings, pairs):
    def said(model):
        model.fit(ratings)
        return of_each(model), values(model, *pairs).tolist() if kind is cr.BiasedMF else None

    plain = said(kind(**given))
    assert set(CHANGES[kind]) == set(kind().get_params())
    for name, value in CHANGES[kind].items():
        assert said(kind(**given | {name: value})) != plain, name


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        *[(cr.BiasedMF, "factors", value) for value in (0, 1.5, True, "x")],
        *[(cr.BiasedMF, "epochs", value) for value in (0, None)],
        *[(cr.BiasedMF, "reg", value) for value in (0, -1, float("nan"), "x")],
        *[(cr.BiasedMF, name, value) for name in ("reg_u", "reg_i") for value in (-1, float("inf"), None)],
        (cr.BiasedMF, "clip", 1),
        (cr.BiasedMF, "seed", -1),
        *[(cr.ALS, "factors", value) for value in (0, True)],
        *[(cr.ALS, "regularization", value) for value in (0, -1, float("nan"))],
        *[(cr.ALS, "alpha", value) for value in (-1, "x")],
        (cr.ALS, "iterations", 0),
        (cr.ALS, "seed", None),
        (cr.ALS, "like", "all"),
    ],
)
def test_settings_are_checked_by_fit(kind, name, value, ratings):
    model = kind(**{name: value})  # the constructor only stores
    with pytest.raises(ParameterError, match=f"{name}=") as raised:
        model.fit(ratings)
    assert raised.value.expected
    assert raised.value.hint


@both
def test_parameters(kind, given, ratings):
    model = kind(**given)
    assert model.get_params() == kind().get_params() | given
    copy = model.clone()
    assert repr(copy) == repr(model)
    assert all(f"{name}={value!r}" in repr(model) for name, value in given.items())
    assert repr(kind()) == f"{kind.__name__}()"
    copy.set_params(factors=2)
    assert model.factors == given["factors"]
    with pytest.raises(ParameterError, match="no parameter"):
        model.set_params(rank=2)


@both
def test_little_data(kind, given):
    one = cr.Ratings.from_arrays(["u"], ["a"], [5.0], scale=(1, 5, 1))
    model = kind(**given).fit(one)
    assert len(model.recommend()) == 0  # seen everything
    found = model.recommend(exclude_seen=False).to_pylist()
    assert [row["item_id"] for row in found] == ["a"]
    assert np.isfinite(found[0]["score"])
    two = cr.Ratings.from_arrays(["u", "u", "v"], ["a", "b", "a"], [5.0, 4.0, 5.0], scale=(1, 5, 1))
    answer = kind(**given).fit(two).recommend(n=9).to_pylist()
    assert [(row["user_id"], row["item_id"]) for row in answer] == [("v", "b")]


@both
def test_somebody_without_ratings(kind, given, ratings):
    model = kind(**given).fit(ratings)
    answer = model.recommend(history={}, n=3).to_pylist()
    if kind is cr.ALS:
        assert answer == []
        return
    expected = values(model, [999] * N_ITEMS, ratings.items.ids.to_pylist())
    assert [row["score"] for row in answer] == sorted(expected.tolist(), reverse=True)[:3]
    folded = model._fit.part.fold_in(Profile(None, -1, np.zeros(0, np.int64), np.zeros(0)), Run(1))
    found = folded.part.account(folded.code, 2, 5, Run(1))
    assert len(found.share) == 0
    assert sum(amount for _, amount in found.base) == pytest.approx(found.score, abs=1e-12)


@both
def test_filters(kind, given, ratings):
    model = kind(**given).fit(ratings)
    user, items = ratings.users.ids[0].as_py(), ratings.items.ids.to_pylist()
    allowed = set(items[::2])
    answer = model.recommend([user], n=N_ITEMS, items=allowed, exclude=[items[0]], exclude_seen=False)
    assert {row["item_id"] for row in answer} <= allowed - {items[0]}
    supports = [row["support"] for row in model.recommend(n=N_ITEMS)]
    least = int(np.median(supports)) + 1
    kept = [row["support"] for row in model.recommend(n=N_ITEMS, min_support=least)]
    assert sorted(kept) == sorted(support for support in supports if support >= least)


@both
def test_progress_and_cancel(kind, given, ratings):
    seen = []
    kind(**given).fit(ratings, progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len({total for _, total in seen}) == 1
    assert seen[-1][0] == seen[-1][1]
    stop = threading.Event()

    def stopping(done, total):
        if done:
            stop.set()

    with pytest.raises(Cancelled):
        kind(**given).fit(ratings, progress=stopping, cancel=stop)

    def failing(done, total):
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        kind(**given).fit(ratings, progress=failing)


@both
def test_what_does_not_fit_is_refused(kind, given, ratings, monkeypatch):
    monkeypatch.setattr(factors, "available_memory", lambda: 1000)
    with pytest.raises(MemoryLimitError, match=f"{kind.__name__} takes") as raised:
        kind(**given).fit(ratings)
    assert "fewer factors" in raised.value.hint


def test_als_predicts_no_ratings(ratings):
    with pytest.raises(ParameterError, match="ALS predicts no ratings"):
        cr.ALS(**LIKES).fit(ratings).predict([0], [1])


def test_nothing_is_said_of_a_direction_without_evidence():
    """Features that say the same twice, and a penalty that rounding swallows."""
    features = np.array([[1e9, 1e9], [2e9, 2e9]])
    entries = Entries(np.array([0, 2, 2]), np.array([0, 1], np.int32), np.array([1e9, 2e9]))
    ridge = Ridge(factors.fixed(features), factors.fixed(1e-9 * np.eye(2)), 1.0)
    found = factors.solved(Entries(*map(factors.fixed, entries)), ridge, Run(1))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(features @ found[0], [1e9, 2e9])
    assert (found[1] == 0.0).all()
