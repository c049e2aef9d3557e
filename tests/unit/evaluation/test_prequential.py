"""Playing a log: against the slow way, which fits everything anew before each event."""

import numpy as np
import pyarrow as pa
import pytest

import corated as cr
from corated.errors import DataError, ParameterError
from corated.evaluation.inference import clustered_interval
from corated.evaluation.prequential import RECENT, prequential

DAY = 86_400


def log(seed=0, users=12, items=9, n=90):
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(users * items)[:n]
    times = 1_400_000_000 + np.sort(rng.integers(0, 20 * DAY, n)) // 3600 * 3600  # many at the same time
    return cr.Ratings.from_arrays(
        pairs // items, pairs % items, rng.integers(1, 6, n).astype(float), times, scale=(1, 5, 1)
    )


def slowly(model, ratings, start, n, like=4):
    """The places, each found by a fit to all that came before."""
    rows = ratings.to_arrow().sort_by(
        [("timestamp", "ascending"), ("user_id", "ascending"), ("item_id", "ascending")]
    )
    times = rows["timestamp"].cast(pa.int64()).to_numpy()
    cut = np.sort(times)[int(start * len(times) + 1e-9) - 1]
    places = []
    for at in np.flatnonzero(times > cut).tolist():
        row = rows.slice(at, 1).to_pylist()[0]
        before = rows.slice(0, at)
        known = (
            row["user_id"] in before["user_id"].to_pylist()
            and row["item_id"] in before["item_id"].to_pylist()
        )
        if row["rating"] < like or not known:
            continue
        fitted = model.clone().fit(cr.Ratings.from_table(before, scale=(1, 5, 1)))
        listed = fitted.recommend([row["user_id"]], n=n).to_arrow()["item_id"].to_pylist()
        places.append(listed.index(row["item_id"]) + 1 if row["item_id"] in listed else 0)
    return places


@pytest.mark.parametrize(
    "model",
    [
        cr.UserKNN(measure="cosine", k=4),
        cr.Popularity(),
        cr.Fallback(models=[cr.UserKNN(measure="jaccard", k=3, min_support=2), cr.Popularity()]),
    ],
    ids=["neighbors", "popularity", "filled up"],
)
def test_places_are_those_of_fits_to_all_that_came_before(model):
    ratings = log()
    found = prequential({"m": model}, ratings, start=0.7, n=3)
    places = slowly(model, ratings, 0.7, 3)
    assert found.places["m"].tolist() == places
    assert 0 < sum(place > 0 for place in places) < len(places)
    row = found.to_pylist()[1]
    assert row["live"] and row["events"] == len(places) == found.facts["asked"]
    gains = [1 / np.log2(1 + place) if place else 0.0 for place in places]
    assert row["ndcg"] == pytest.approx(np.mean(gains), abs=1e-12)
    assert row["hit_rate"] == pytest.approx(np.mean([place > 0 for place in places]))
    assert row["mrr"] == pytest.approx(np.mean([1 / place if place else 0.0 for place in places]))
    assert found.value("m", "mrr") == row["mrr"]
    assert str(found).count("\n") == 3


def test_a_model_that_is_fitted_anew_knows_the_log_up_to_its_last_fit():
    ratings = log(1)
    always = prequential({"m": cr.ItemKNN(k=4)}, ratings, start=0.7, n=3, refit=1e-6)
    assert not always.to_pylist()[1]["live"]
    # Events of one time share a fit; the slow way fits before each, and these data have such times.
    assert "fitted anew" in str(always)
    never = prequential({"m": cr.ItemKNN(k=4)}, ratings, start=0.7, n=3, refit=1000.0)
    assert never.places["m"].tolist() != always.places["m"].tolist()
    alone = log(2, n=60)
    distinct = alone.times + np.arange(60) * 1_000_000
    spread = cr.Ratings(alone.users, alone.items, alone.scale, alone.by_user, alone.codes, np.sort(distinct))
    model = cr.ItemKNN(k=4)
    assert prequential({"m": model}, spread, start=0.5, n=3, refit=1e-9).places["m"].tolist() == slowly(
        model, spread, 0.5, 3
    )


def test_the_stretch_ends_where_it_is_told_to():
    ratings = log()
    whole = prequential(cr.Popularity(), ratings, start=0.5)
    part = prequential(cr.Popularity(), ratings, start=0.5, stop=0.8)
    assert 0 < part.facts["asked"] < whole.facts["asked"]
    assert whole.places["the model"][: part.facts["asked"]].tolist() == part.places["the model"].tolist()
    counts = whole.facts
    assert counts["liked"] == counts["asked"] + counts["by new users"] + counts["on new items"]


def test_aged_popularity_is_there_and_compared_with():
    found = prequential({"m": cr.Popularity(half_life=1.0)}, log(), start=0.5)
    first, second = found.to_pylist()
    assert first["model"] == RECENT and first["difference"] is None
    assert second["difference"] == second["low"] == second["high"] == 0.0


def test_what_cannot_be_played_is_refused():
    ratings = log()
    untimed = cr.Ratings.from_arrays([1, 2], [1, 2], [3.0, 4.0])
    with pytest.raises(DataError, match="have none"):
        prequential(cr.Popularity(), untimed)
    with pytest.raises(ParameterError, match="another name"):
        prequential({RECENT: cr.Popularity()}, ratings)
    with pytest.raises(ParameterError, match="cannot be used"):
        prequential({}, ratings)
    with pytest.raises(DataError, match="No rating lies"):
        prequential(cr.Popularity(), ratings, start=0.8, stop=0.6)
    with pytest.raises(ParameterError, match="no metric"):
        prequential(cr.Popularity(), ratings).value("the model", "rmse")


def test_an_interval_draws_users_whole():
    rng = np.random.default_rng(3)
    users = np.repeat(np.arange(40), 25)
    values = np.repeat(rng.normal(size=40), 25)  # all events of a user are alike
    mean, low, high = clustered_interval(values, users, seed=1)
    assert mean == pytest.approx(values.mean())
    alone = clustered_interval(values, np.arange(1000), seed=1)
    assert high - low > 3.5 * (alone[2] - alone[1])  # five times, were it not for chance
    assert low < mean < high


@pytest.mark.jit
def test_published_rows_of_movietweetings(data):
    """Aged popularity played over the last fifth: the 11,911 events of the published protocol."""
    ratings = cr.read_ratings(data("movietweetings-100k") / "ratings.dat")
    found = prequential(cr.Popularity(half_life=1.0), ratings)
    assert found.facts["asked"] == 11_911
    assert found.value(RECENT) == pytest.approx(0.1111, abs=0.0003)
    assert found.value(RECENT, "hit_rate") == pytest.approx(0.2007, abs=0.0003)
