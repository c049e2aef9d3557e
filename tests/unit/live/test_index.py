"""The live index: what it refuses, what it shares between threads, and what only larger data shows."""

import threading
import time as clock

import numpy as np
import pytest

import corated as cr
from corated.errors import DataError, IdTypeError, ParameterError, UnknownIdError
from corated.live.index import LiveIndex, Rating
from corated.live.lock import ReadWriteLock
from corated.models.timely import Timely

DAY = 86_400_000_000
MODEL = cr.UserKNN(measure="pearson", k=5, min_common=2)


@pytest.fixture(scope="module")
def made():
    return cr.sample(users=60, items=40, ratings=900, seed=5)


@pytest.fixture
def index(made):
    return LiveIndex(made.ratings, model=MODEL, catalog=made.catalog)


def rows(table):
    return table.to_arrow().to_pylist()


# -- one write, the next answer ---------------------------------------------------------------


def test_a_rating_counts_in_the_next_answer(index, made):
    user = made.ratings.users.id(0)
    first = rows(index.recommend(user, n=3))[0]["item_id"]
    version = index.rate(user, first, 9)
    assert version == index.version == 1
    assert first not in [row["item_id"] for row in rows(index.recommend(user, n=100))]
    assert index.profile(user)[first] == 9.0
    assert index.rate(user, first, 9, time=index.ratings().times.max()) == 1  # nothing is different
    index.remove(user, first)
    assert rows(index.recommend(user, n=3))[0]["item_id"] == first


def test_newcomers_come_with_their_first_rating_and_go_with_their_last(index, made):
    item = made.ratings.items.id(3)
    with pytest.raises(UnknownIdError, match="no user 999999 among those with ratings"):
        index.recommend(999_999)
    before = index.n_users
    index.rate(999_999, item, 8)
    index.rate(999_999, made.ratings.items.id(4), 3)
    assert index.n_users == before + 1 and len(rows(index.neighbors(999_999, measure="cosine", k=3))) == 3
    index.remove_user(999_999)
    assert index.n_users == before and index.profile(999_999) == {}
    with pytest.raises(UnknownIdError):
        index.neighbors(999_999)


def test_an_item_that_nobody_rates_any_more_is_no_candidate(index, made):
    item = made.ratings.items.id(7)
    index.remove_item(item)
    assert index.n_items == made.ratings.n_items - 1
    for user in made.ratings.users.ids.to_pylist()[:20]:
        assert item not in [row["item_id"] for row in rows(index.recommend(user, n=100))]
    with pytest.raises(UnknownIdError, match="no item"):
        index.similar_items(item)
    with pytest.raises(UnknownIdError):
        index.explain(made.ratings.users.id(0), item)


# -- the same as a fit ------------------------------------------------------------------------


def test_filters_reasons_and_predictions_are_those_of_a_fit(made):
    model = cr.UserKNN(measure="cosine", k=6, rule="mean", center="mean")
    index = LiveIndex(made.ratings, model=model, catalog=made.catalog)
    index.write([(u, i, 7.0) for u, i in zip(range(1, 9), made.ratings.items.ids.to_pylist(), strict=False)])
    now = index.ratings()
    fitted = model.clone().fit(now, catalog=made.catalog)
    genres = made.catalog.to_arrow()["genres"][0].as_py()[:1]
    items = now.items.ids.to_pylist()
    for user in now.users.ids.to_pylist()[:15]:
        options = {"n": 7, "genres": genres, "exclude": items[:5], "diversity": 0.3, "min_support": 1}
        assert rows(index.recommend(user, **options)) == rows(fitted.recommend([user], **options))
        assert rows(index.recommend(user, exclude_seen=False)) == rows(
            fitted.recommend([user], exclude_seen=False)
        )
        live, plain = rows(index.predict(user, items)), rows(fitted.predict([user] * len(items), items))
        for mine, theirs in zip(live, plain, strict=True):
            assert mine.pop("value") == pytest.approx(theirs.pop("value"), rel=1e-12)
            assert mine == theirs
        listed = rows(fitted.recommend([user], n=2))
        for row in listed:
            mine, theirs = (m.explain(user, row["item_id"], n=2) for m in (index, fitted))
            assert mine.score == pytest.approx(theirs.score, rel=1e-12) and mine.rank == theirs.rank
            assert [r["neighbor"] for r in rows(mine.contributions)] == [
                r["neighbor"] for r in rows(theirs.contributions)
            ]
        unlisted = next(item for item in items if item not in [row["item_id"] for row in listed])
        assert str(index.why_not(user, unlisted, n=2)) == str(fitted.why_not(user, unlisted, n=2))


def test_a_model_that_is_not_live_is_fitted_anew_and_only_after_a_write(made, monkeypatch):
    fits = []
    learn = cr.ItemKNN.learn
    monkeypatch.setattr(cr.ItemKNN, "learn", lambda self, *args: fits.append(1) or learn(self, *args))
    index = LiveIndex(made.ratings, model=cr.ItemKNN(k=5))
    user = made.ratings.users.id(0)
    assert not index.is_live
    index.recommend(user)
    index.recommend(made.ratings.users.id(1))
    assert len(fits) == 1
    index.rate(user, made.ratings.items.id(0), 2)
    index.recommend(user)
    assert len(fits) == 2
    with pytest.raises(ParameterError, match="fitted anew"):
        index.recommend(user, at="2020-01-01")


def test_ages_are_counted_to_the_time_that_is_asked_for(made):
    model = cr.UserKNN(measure="cosine", k="all", half_life=30.0)
    index = LiveIndex(made.ratings, model=model)
    user = made.ratings.users.id(2)
    middle = np.datetime64(int(np.median(made.ratings.times)), "us")
    wanted = model.clone().set_params(at=middle).fit(made.ratings).recommend([user])
    found = index.recommend(user, at=str(middle))
    assert rows(found) == rows(wanted) != rows(index.recommend(user))


def test_a_choice_is_made_once_among_what_answers_at_once(made):
    near, popular = cr.UserKNN(measure="cosine", k=20), cr.Popularity()
    wide = cr.Chosen(models=[cr.ItemKNN(k=3), popular, near])
    index = LiveIndex(made.ratings, model=wide)
    best = cr.Chosen(models=[popular, near]).fit(made.ratings)
    assert index.choice == (2 if isinstance(best.chosen, cr.UserKNN) else 1) and index.is_live
    assert index.verify(users=5).ok
    assert LiveIndex(made.ratings, model=wide, choice=1).choice == 1
    slow = LiveIndex(made.ratings, model=cr.Chosen(models=[cr.ItemKNN(k=3), cr.ItemKNN(k=5)]))
    assert not slow.is_live and slow.choice in (0, 1)


def test_a_time_before_the_latest_hides_what_came_later_whatever_the_model(made):
    near = cr.UserKNN(measure="jaccard", k=20)
    models = [
        near,
        cr.Popularity(),
        cr.Popularity(half_life=40.0),
        cr.Fallback(models=[near, cr.Popularity()]),
    ]
    at = np.datetime64(int(np.median(made.ratings.times)), "us")
    for model in models:
        index = LiveIndex(made.ratings, model=model)
        parts = model.models if isinstance(model, cr.Fallback) else [model]
        early = [part.clone().set_params(at=at) for part in parts]
        wanted = cr.Fallback(models=early) if isinstance(model, cr.Fallback) else early[0]
        wanted.fit(made.ratings)
        for user in made.ratings.users.ids.to_pylist()[:6]:
            assert rows(index.recommend(user, at=str(at))) == rows(wanted.recommend([user]))


def test_timely_in_a_fallback_is_fitted_anew(made):
    model = cr.Fallback(models=[Timely(half_life=90.0), cr.Popularity()])
    index = LiveIndex(made.ratings, model=model)
    assert not index.is_live and index.verify(users=10).ok


def test_aged_likes_outlast_any_log(made):
    """A short half-life and years of log: 2^(age / half-life) is beyond float64 on the way."""
    model = cr.Popularity(half_life=0.5)
    index = LiveIndex(made.ratings, model=model)
    user, item = made.ratings.users.id(0), made.ratings.items.id(0)
    index.recommend(user)
    for days in (10, 400, 1000, 2000):
        index.rate(user, item, 9, time=int(made.ratings.times.max()) + days * DAY)
        other = made.ratings.users.id(1)
        found = rows(index.recommend(other, n=50))
        assert np.isfinite([row["score"] for row in found]).all() and index.verify(users=10).ok


def test_places_are_those_of_the_list(index, made):
    for user in made.ratings.users.ids.to_pylist()[:10]:
        listed = [row["item_id"] for row in rows(index.recommend(user, n=4))]
        for at, item in enumerate(listed, 1):
            assert index.place(user, item, n=4) == at
        assert index.place(user, next(iter(index.profile(user))), n=4) == 0


def test_what_is_timely_follows_the_latest_rating(made):
    """Likes fall out of every sum as the log goes on, and come back when the latest is taken out."""
    model = Timely(half_life=3.0, everyone_half_life=1.0)
    index = LiveIndex(made.ratings, model=model)
    user, (a, b) = made.ratings.users.id(0), made.ratings.items.ids.to_pylist()[:2]
    latest = int(made.ratings.times.max())
    index.recommend(user)
    for days in (1, 3, 30, 41, 44, 90, 200, 1000, 2500):
        index.rate(user, a, 8, time=latest + days * DAY)
        found = index.verify(users=20)
        assert found.ok, (days, str(found))
    index.rate(user, b, 9, time=latest + 2501 * DAY)
    index.remove(user, a)
    index.remove(user, b)
    assert index._current.state.latest == latest and index.verify(users=20).ok
    index.compact()
    assert index.verify(users=20).ok


def test_what_is_timely_is_asked_about_later_times(made):
    model = Timely(half_life=200.0, everyone_half_life=100.0, sitting_half_life=400.0)
    index = LiveIndex(made.ratings, model=model)
    for days in (0, 10, 1000, 2500):
        at = int(made.ratings.times.max()) + days * DAY
        wanted = model.clone().set_params(at=np.datetime64(at, "us")).fit(made.ratings)
        for user in made.ratings.users.ids.to_pylist()[:15]:
            assert rows(index.recommend(user, at=at)) == rows(wanted.recommend([user]))
    early = int(np.median(made.ratings.times))
    wanted = model.clone().set_params(at=np.datetime64(early, "us")).fit(made.ratings)
    user = made.ratings.users.id(3)
    assert rows(index.recommend(user, at=early)) == rows(wanted.recommend([user]))


def test_filters_hold_for_what_is_timely(made):
    index = LiveIndex(made.ratings, model=Timely(half_life=300.0), catalog=made.catalog)
    fitted = Timely(half_life=300.0).fit(made.ratings, catalog=made.catalog)
    items = made.ratings.items.ids.to_pylist()
    genres, told = made.catalog.to_arrow()["genres"][0].as_py()[:1], 0
    for user in made.ratings.users.ids.to_pylist()[:15]:
        for options in (
            {"n": 7, "genres": genres, "min_support": 2},
            {"n": 3, "exclude": items[:9], "diversity": 0.5},
            {"n": 9, "exclude_seen": False},
            {"n": 4, "items": items[5:12], "exclude": {user: items[5:7]}},
        ):
            assert rows(index.recommend(user, **options)) == rows(fitted.recommend([user], **options))
        for row in rows(fitted.recommend([user], n=1)):
            told += 1
            assert str(index.explain(user, row["item_id"])) == str(fitted.explain(user, row["item_id"]))
    assert told


TIMED = Timely(like=9, half_life=30.0, everyone_half_life=200.0, sitting_half_life=400.0, window=3.0)
NEAR = cr.UserKNN(measure="jaccard", k=9, rule="weighted_votes", min_support=2)
AGED = NEAR.clone().set_params(half_life=500.0)
REASONED = {
    "timely": (TIMED, True, {"neighbors", "sittings"}),
    "timely, without times": (TIMED, False, {"neighbors", "everyone"}),
    "likes of neighbors alone": (Timely(like=8, half_life=None, everyone=0, sittings=0), True, {"neighbors"}),
    "aged neighbors": (cr.Fallback(models=[AGED, cr.Popularity()]), True, {"neighbors", "popularity"}),
    "neighbors": (cr.Fallback(models=[NEAR, cr.Popularity()]), False, {"neighbors", "popularity"}),
}


@pytest.mark.parametrize(("model", "timed", "sources"), REASONED.values(), ids=REASONED)
def test_reasons_after_writes_are_a_fits_to_the_bit_though_nothing_is_fitted(
    model, timed, sources, monkeypatch
):
    made = cr.sample(users=25, items=18, ratings=200, seed=3)
    index = LiveIndex.empty(scale=(1, 10, 1), user_ids="integer", timed=timed, model=model)
    told = made.ratings.to_arrow().to_pylist()
    index.write([(r["user_id"], r["item_id"], r["rating"], r["timestamp"] if timed else None) for r in told])
    latest = int(made.ratings.times.max()) if timed else None
    for row in told[::9]:
        index.remove(row["user_id"], row["item_id"])
    for user in (999_999, told[0]["user_id"]):  # somebody new, and items of a new id before all others
        index.write([(user, item, 9, latest) for item in ("! new", told[4]["item_id"], told[70]["item_id"])])
    fitted = model.clone().fit(index.ratings())
    monkeypatch.setattr(type(model), "learn", lambda *_: pytest.fail("it was fitted"))
    kinds, pairs = set(), 0
    for user in index.ratings().users.ids.to_pylist():
        for item in index.ratings().items.ids.to_pylist()[user % 3 :: 3]:
            mine, theirs = index.explain(user, item, n=4), fitted.explain(user, item, n=4)
            assert mine.to_dict() == theirs.to_dict()
            kinds.add(mine.source)
            for row in rows(mine.contributions)[:1] if mine._compared is not None else []:
                pairs += 1
                assert str(mine.evidence(row["neighbor"])) == str(theirs.evidence(row["neighbor"]))
            assert str(index.why_not(user, item, n=4)) == str(fitted.why_not(user, item, n=4))
        for filters in ({"exclude": ["! new"]}, {}):
            listed, reasons = index.reasoned(user, n=4, anonymous=user % 2 == 0, **filters)
            assert rows(listed) == rows(fitted.recommend([user], n=4, **filters))
            for row, why in zip(rows(listed), reasons, strict=True):
                wanted = fitted.explain(user, row["item_id"], n=4, anonymous=user % 2 == 0)
                assert why.to_dict() == wanted.to_dict()
    assert kinds == sources and pairs > 20


def test_a_list_with_reasons_may_have_nothing_in_it(made):
    index = LiveIndex(made.ratings, model=Timely(), catalog=made.catalog)
    listed, reasons = index.reasoned(made.ratings.users.id(0), exclude=made.ratings.items.ids.to_pylist())
    assert len(listed) == 0 and reasons == []


# -- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("rating", [11, -1, 7.5, float("nan"), float("inf"), True, "7", None])
def test_a_rating_off_the_scale_is_refused_and_nothing_is_written(index, made, rating):
    user, item = made.ratings.users.id(0), made.ratings.items.id(0)
    if rating is None:
        assert index.remove(user, 10**6 if isinstance(item, int) else "none") == 0
        return
    with pytest.raises(DataError, match="off the scale"):
        index.write([(user, item, 3), (user, item, rating)])
    assert index.version == 0


@pytest.mark.parametrize("user", ["1", 1.0, True, None, b"1"])
def test_ids_of_another_type_are_refused(index, made, user):
    with pytest.raises(IdTypeError):
        index.rate(user, made.ratings.items.id(0), 5)
    with pytest.raises(IdTypeError):
        index.recommend(user)


@pytest.mark.parametrize("item", ["", "x" * 513, "\ud800"])
def test_text_that_can_be_no_id_is_refused(item):
    index = LiveIndex.empty(scale=(1, 5, 1))
    with pytest.raises(DataError, match="item id"):
        index.rate("ann", item, 5)
    assert index.version == index.n_items == 0


def test_times_that_are_none_and_ratings_without(index, made):
    user, item = made.ratings.users.id(0), made.ratings.items.id(0)
    with pytest.raises(ParameterError, match="no time"):
        index.rate(user, item, 5, time="yesterday")
    plain = LiveIndex(cr.Ratings.from_arrays([1, 2, 2], [1, 1, 2], [1.0, 2.0, 5.0]), model=MODEL)
    with pytest.raises(ParameterError, match="have no times"):
        plain.rate(1, 2, 5, time=0)
    before = clock.time_ns() // 1000
    index.rate(user, item, 5)
    assert before <= index._current.state.latest <= clock.time_ns() // 1000
    index.rate(user, item, 4, time=np.datetime64("2031-05-06T07:08:09"))
    assert index._current.state.latest == np.datetime64("2031-05-06T07:08:09", "us").astype(np.int64)
    index.remove(user, item)
    assert index._current.state.latest == int(np.array(index.ratings().times).max())


def test_ratings_on_no_scale_and_models_that_are_none_are_refused(made):
    loose = cr.Ratings.from_arrays([1, 2], [1, 1], [0.123, 4.567])
    with pytest.raises(DataError, match="on no scale"):
        LiveIndex(loose)
    with pytest.raises(ParameterError, match="cannot be used"):
        LiveIndex(made.ratings, model="best")
    with pytest.raises(ParameterError, match="no kind of ids"):
        LiveIndex.empty(scale=(1, 5, 1), user_ids="uuid")
    empty = LiveIndex.empty(scale=(1, 5, 1), user_ids="integer")
    with pytest.raises(UnknownIdError, match="none yet"):
        empty.recommend(1)
    assert empty.ratings().n_ratings == 0 and empty.verify().ok


# -- threads ----------------------------------------------------------------------------------


@pytest.mark.jit
def test_readers_see_whole_writes_while_one_writes_and_another_compacts(made):
    """Two ratings are written together, always alike; whoever reads must see both or neither."""
    index = LiveIndex(made.ratings, model=cr.UserKNN(measure="jaccard", k=10))
    user, (a, b) = made.ratings.users.id(0), made.ratings.items.ids.to_pylist()[:2]
    index.write([(user, a, 1), (user, b, 1)])
    stop, wrong, seen = threading.Event(), [], set()

    def read():
        while not stop.is_set():
            profile = index.profile(user)
            seen.add(profile.get(a))
            if profile.get(a) != profile.get(b):
                wrong.append(profile)
            listed = rows(index.recommend(user, n=5))
            if not listed or {row["item_id"] for row in listed} & {a, b}:
                wrong.append(listed)

    def compact():
        while not stop.is_set():
            index.compact()

    threads = [threading.Thread(target=work) for work in (read, read, read, compact)]
    for thread in threads:
        thread.start()
    try:
        for at in range(300):
            index.write([(user, a, at % 10 + 1), (user, b, at % 10 + 1)])
            index.rate(10_000 + at, a, 3)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong and len(seen) > 1
    assert index.profile(user)[a] == 10.0 and index.n_users == made.ratings.n_users + 300
    assert index.verify(users=20).ok


def test_a_writer_waits_for_readers_and_goes_before_new_ones():
    lock, order = ReadWriteLock(), []
    inside, leave = threading.Event(), threading.Event()

    def first():
        with lock.reading():
            inside.set()
            leave.wait(5)
            order.append("reader")

    def writer():
        with lock.writing():
            order.append("writer")

    def second():
        with lock.reading():
            order.append("late reader")

    threads = [threading.Thread(target=work) for work in (first, writer, second)]
    threads[0].start()
    inside.wait(5)
    threads[1].start()
    while not lock._waiting:
        clock.sleep(0.001)
    threads[2].start()
    clock.sleep(0.01)
    assert order == []
    leave.set()
    for thread in threads:
        thread.join(5)
    assert order == ["reader", "writer", "late reader"]


# -- what grows -------------------------------------------------------------------------------


def test_sums_are_packed_anew_before_they_would_overflow():
    """One user grows a hundredfold: more than the fields of the first layout could hold."""
    users, items = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
    rng = np.random.default_rng(0)
    start = cr.Ratings.from_arrays(users, items, rng.integers(0, 256, 12).astype(float), scale=(0, 255, 1))
    index = LiveIndex(start, model=cr.UserKNN(measure="pearson", k=5, min_common=2))
    index.neighbors(0)
    near = index._current.near("users", cr.measures.Pearson())
    assert near.capacity < 900
    index.write([(u, i, int(rng.integers(0, 256))) for i in range(3, 900) for u in (0, 1)])
    assert near.capacity >= 900
    assert index.verify().ok
    found = rows(index.neighbors(0, k=1))[0]
    x, y = (np.array([index.profile(u)[i] for i in range(900)]) for u in (0, 1))
    assert found["neighbor"] == 1 and found["value"] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-12)


def test_damage_is_told(index):
    index.neighbors(1, measure="cosine")
    assert index.verify(users=5).ok
    state = index._current.state
    at = int(state.by_user.arrays.first[3])
    state.by_user.arrays.code[at] ^= 1
    assert "Packed entries by user" in str(index.verify(users=5)) and "by user and by item differ" in str(
        index.verify(users=5)
    )
    state.by_user.arrays.code[at] ^= 1
    index._current.near("users", cr.measures.Cosine())._facts[2, 4] += 1
    assert "cosine" in str(index.verify(users=0))


def test_only_so_many_measures_are_kept_up(index):
    for alpha in range(40):
        index.neighbors(1, measure=f"tversky(alpha={alpha / 10})", k=2)
    assert len(index._current.state.kept) <= 17
    index.rate(1, index.ratings().items.id(0), 2)
    assert index.verify(users=3).ok


def test_tuples_and_records_are_written_alike(made):
    one, other = (LiveIndex(made.ratings, model=MODEL) for _ in range(2))
    one.write([Rating(1, "x1", 5, 10)] if made.ratings.items.kind == "text" else [Rating(1, 10**6, 5, 10)])
    other.write([(1, "x1" if made.ratings.items.kind == "text" else 10**6, 5, 10)])
    assert one.ratings().to_arrow().equals(other.ratings().to_arrow())
