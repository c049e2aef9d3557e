"""What is no sensible argument is refused in a sentence, or answered; never a raw error from the inside."""

import numpy as np
import pandas as pd
import pytest

import corated as cr
from corated.errors import IdTypeError, ParameterError

GRID = np.array([[1, 2]])


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(1)
    pairs = np.sort(rng.permutation(20 * 15)[:150])
    ratings = cr.Ratings.from_arrays(
        pairs // 15, pairs % 15, rng.integers(1, 6, 150).astype(float), scale=(1, 5, 1)
    )
    catalog = cr.read_catalog({"item_id": list(range(15)), "title": ["t"] * 15, "genres": ["a"] * 15})
    return cr.UserKNN(rule="mean").fit(ratings, catalog=catalog)


@pytest.mark.parametrize("never", [2**63, -(2**70)])
def test_an_id_that_no_id_can_be_is_unknown(model, never):
    rows = model.predict([1, never, 1], [1, 1, never]).to_pylist()
    assert [row["status"] for row in rows] == [rows[0]["status"], "unknown_user", "unknown_item"]
    assert [row["user_id"] for row in rows] == [1, None, 1]
    many = model.predict(np.array([1, 2**63], dtype=np.uint64), [1, 1]).to_pylist()
    assert many[1]["status"] == "unknown_user"


def test_text_that_no_id_can_be_is_unknown():
    ratings = cr.Ratings.from_arrays(["a", "b"], ["x", "x"], [1.0, 2.0], scale=(1, 5, 1))
    (row,) = cr.UserKNN(rule="mean").fit(ratings).predict(["\ud800"], ["x"]).to_pylist()
    assert (row["status"], row["user_id"]) == ("unknown_user", None)


def test_ids_in_any_byte_order(model):
    plain = model.predict([1, 2], [3, 4]).to_pylist()
    assert model.predict(np.array([1, 2], dtype=">i8"), np.array([3, 4], dtype=">i4")).to_pylist() == plain


@pytest.mark.parametrize(
    ("ask", "error", "told"),
    [
        (lambda m: m.predict(None, "12", history={1: 5}), ParameterError, "items='12' is not a list of ids"),
        (lambda m: m.predict(None, None, history={1: 5}), ParameterError, "items=None is not a list"),
        (lambda m: m.predict(GRID, GRID), IdTypeError, "array of 2 dimensions"),
        (lambda m: m.predict(np.array(1), [1]), ParameterError, "is not a list of ids"),
        (lambda m: m.recommend(GRID), IdTypeError, "dimensions"),
        (lambda m: m.recommend(items=GRID), IdTypeError, "dimensions"),
        (lambda m: m.recommend(exclude=GRID), IdTypeError, "dimensions"),
        (lambda m: m.recommend(GRID, on_unknown="fallback"), IdTypeError, "dimensions"),
        (lambda m: m.recommend(2.0, on_unknown="fallback"), IdTypeError, "float"),
        (lambda m: m.recommend(b"x", on_unknown="fallback"), IdTypeError, "bytes"),
        (lambda m: m.recommend(on_unknown=GRID), ParameterError, "on_unknown="),
        (lambda m: m.recommend(history={1: 5}, on_unknown="zzz"), ParameterError, "on_unknown='zzz'"),
        (lambda m: m.recommend(history=GRID), ParameterError, "history="),
        (lambda m: m.recommend(history=np.array(3)), ParameterError, "history="),
        (lambda m: m.recommend(history=[(1, 5)]), ParameterError, "list of pairs"),
        (lambda m: m.recommend(genres=True), ParameterError, "genres=True"),
        (lambda m: m.recommend(genres=5), ParameterError, "genres=5"),
        (lambda m: m.recommend(diversity=2**70), ParameterError, "diversity="),
        (lambda m: m.recommend(diversity=10**400), ParameterError, "diversity="),
        (lambda m: m.explain(1, GRID), IdTypeError, "dimensions"),
        (lambda m: m.why_not(GRID, 1), IdTypeError, "dimensions"),
        (lambda m: cr.UserKNN(like=10**400).fit(m.ratings), ParameterError, "like="),
        (lambda m: cr.UserKNN(rule=GRID).fit(m.ratings), ParameterError, "Unknown rule"),
        (lambda m: cr.UserKNN(everyone=1e308).fit(m.ratings), ParameterError, "everyone="),
        (lambda m: cr.Kriging(noise=1e308).fit(m.ratings), ParameterError, "noise="),
        (lambda m: cr.GraphFilter(sharpen=1e200).fit(m.ratings), ParameterError, "sharpen="),
        (lambda m: cr.load("nothing.corated", verify="yes"), ParameterError, "verify='yes'"),
    ],
)
def test_it_is_refused_in_a_sentence(model, ask, error, told):
    with pytest.raises(error, match=told):
        ask(model)


def test_one_user_of_any_kind_of_number(model):
    rows = model.recommend([2], n=3).to_pylist()
    for one in (2, np.int64(2), np.int8(2)):
        assert model.recommend(one, n=3, on_unknown="fallback").to_pylist() == rows
        assert model.recommend(one, n=3).to_pylist() == rows


def test_a_series_is_a_history(model):
    plain = model.recommend(history={1: 5, 2: 3}, n=3).to_pylist()
    assert model.recommend(history=pd.Series([5.0, 3.0], index=[1, 2]), n=3).to_pylist() == plain


def test_nothing_excluded_for_a_user(model):
    assert model.recommend([2], exclude={2: None}).to_pylist() == model.recommend([2]).to_pylist()


def test_sentences_of_models_that_compare_nobody(model):
    fitted = cr.Kriging().fit(model.ratings)
    for user in list(model.ratings.users)[:5]:
        item = fitted.recommend([user], n=1).to_pylist()[0]["item_id"]
        told = fitted.explain(user, item)
        assert "other users rated adds" in told.sentence()
        assert "like" not in told.sentence()
        assert set(told.contributions.to_arrow()["n_common"].to_pylist()) == {None}
