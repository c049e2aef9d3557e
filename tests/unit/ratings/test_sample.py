"""The sample: exact totals, the promised shape, the same bits for a seed, and a signal in it."""

from __future__ import annotations

import hashlib
import math
import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from corated.errors import OutputError, ParameterError
from corated.ratings._sample_wiring import degrees, separate
from corated.ratings._sample_words import CAPACITY, GENRES, STEP, invent_titles, title
from corated.ratings.catalog import read_catalog
from corated.ratings.ratings import Ratings
from corated.ratings.read import read_ratings
from corated.ratings.sample import SIZES, Sample, sample
from corated.ratings.scale import Scale


@pytest.fixture(scope="module")
def small() -> Sample:
    return sample("small")


@pytest.fixture(scope="module")
def notebook() -> Sample:
    return sample()


def pairs(ratings: Ratings) -> np.ndarray:
    users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
    return users * ratings.n_items + ratings.by_user.indices


def squares(counts: np.ndarray) -> int:
    return int((counts.astype(np.int64) ** 2).sum())


def bits(made: Sample) -> str:
    found = hashlib.sha256()
    ratings = made.ratings
    for array in (*ratings.by_user, ratings.codes, ratings.times):
        found.update(np.ascontiguousarray(array).tobytes())
    for column in (ratings.items.ids, made.catalog.titles, made.catalog.years, made.catalog.genres):
        found.update(repr(column.to_pylist()).encode())
    return found.hexdigest()


def is_well_formed(ratings: Ratings) -> bool:
    return bool(
        (np.diff(pairs(ratings)) > 0).all()
        and ratings.user_counts.min() > 0
        and ratings.item_counts.min() > 0
    )


# -- the shape --------------------------------------------------------------------------------


def test_notebook_has_the_promised_shape(notebook: Sample) -> None:
    ratings = notebook.ratings
    assert (ratings.n_users, ratings.n_items, ratings.n_ratings) == (53_968, 31_245, 712_337)
    assert is_well_formed(ratings)
    assert ratings.scale == Scale(1, 10, 1)
    assert 7.2 < ratings.values.mean() < 7.4
    assert set(np.unique(ratings.codes)) == set(range(10))
    assert ratings.user_counts.max() == 1_800
    assert np.median(ratings.user_counts) in (2, 3)
    assert 5_800 <= ratings.item_counts.max() <= 6_000
    assert squares(ratings.item_counts) == pytest.approx(5.8e8, rel=0.05)


def test_notebook_spans_five_years(notebook: Sample) -> None:
    times = notebook.ratings.times
    assert times is not None
    days = times.astype("M8[us]").astype("M8[D]")
    assert np.datetime64("2013-01-01") <= days.min() < np.datetime64("2013-02-01")
    assert np.datetime64("2017-12-01") < days.max() <= np.datetime64("2017-12-31")


def test_small_has_the_promised_shape(small: Sample) -> None:
    ratings = small.ratings
    assert (ratings.n_users, ratings.n_items, ratings.n_ratings) == (600, 400, 12_000)
    assert is_well_formed(ratings)
    assert ratings.user_counts.max() == 150
    assert ratings.item_counts.max() == 200
    assert np.median(ratings.user_counts) < ratings.user_counts.mean()
    assert 7.2 < ratings.values.mean() < 7.4


@pytest.mark.slow
def test_a_million_users_with_five_ratings_each() -> None:
    ratings = sample("million").ratings
    assert (ratings.n_users, ratings.n_items, ratings.n_ratings) == (1_000_000, 50_000, 5_000_000)
    assert (ratings.user_counts == 5).all()
    assert is_well_formed(ratings)


@pytest.mark.slow
def test_ml_20m_has_the_promised_shape() -> None:
    ratings = sample("ml-20m").ratings
    assert (ratings.n_users, ratings.n_items, ratings.n_ratings) == (138_493, 26_744, 20_000_263)
    assert is_well_formed(ratings)
    assert ratings.user_counts.min() >= 20
    assert ratings.user_counts.max() == 9_254
    assert 65_000 <= ratings.item_counts.max() <= 72_000
    assert squares(ratings.item_counts) == pytest.approx(4e11, rel=0.05)
    assert ratings.scale == Scale(0.5, 5, 0.5)


@pytest.mark.parametrize(
    ("users", "items", "ratings"),
    [
        (1, 1, 1),
        (1, 50, 50),
        (50, 1, 50),
        (2, 3, 5),
        (50, 40, 50),
        (40, 50, 50),
        (50, 40, 1_900),
        (50, 40, 1_999),
        (50, 40, 2_000),
        (7, 5_000, 5_000),
        (3_000, 20, 50_000),
        (2_000, 2_000, 2_000),
    ],
)
def test_any_numbers_are_met_exactly(users: int, items: int, ratings: int) -> None:
    for seed in range(3):
        made = sample(users=users, items=items, ratings=ratings, seed=seed).ratings
        assert (made.n_users, made.n_items, made.n_ratings) == (users, items, ratings)
        assert is_well_formed(made)


# -- the same bits ----------------------------------------------------------------------------


def test_a_seed_gives_the_same_bits(small: Sample) -> None:
    assert bits(sample("small", seed=0)) == bits(small)
    assert bits(sample("small", seed=np.int64(0))) == bits(small)  # type: ignore[arg-type]
    own = [bits(sample(users=70, items=30, ratings=500, seed=5)) for _ in range(2)]
    assert own[0] == own[1]


def test_another_seed_gives_another_sample(small: Sample) -> None:
    other = sample("small", seed=1)
    assert bits(other) != bits(small)
    assert len(np.intersect1d(pairs(other.ratings), pairs(small.ratings))) < 4_000


def test_the_global_generator_plays_no_part(small: Sample) -> None:
    np.random.seed(1)
    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    assert bits(sample("small")) == bits(small)
    assert (np.random.get_state()[1] == before).all()  # type: ignore[index]


# -- ids and catalog --------------------------------------------------------------------------


def test_ids(small: Sample, notebook: Sample) -> None:
    for made in (small, notebook):
        assert made.ratings.users.ids.to_pylist() == list(range(1, made.ratings.n_users + 1))
        ids = made.ratings.items.ids.to_pylist()
        assert ids == sorted(set(ids))
        assert all(re.fullmatch(r"[0-9]{7}", text) for text in ids)
        assert ids[0].startswith("0")
        assert made.catalog.ids.ids.equals(made.ratings.items.ids)


def test_titles_are_different_and_awkward(notebook: Sample) -> None:
    titles = notebook.catalog.titles.to_pylist()
    assert len(set(titles)) == len(titles)
    for sign in (":", ",", '"', "'", "é", "ø", "Ł", "–", "?", "&"):
        assert any(sign in title for title in titles), sign
    assert not any("::" in title or "|" in title or "\n" in title for title in titles)
    years = notebook.catalog.years.to_pylist()
    assert all(title.endswith(f" ({year})") for title, year in zip(titles, years, strict=True))


def test_titles_do_not_run_out() -> None:
    titles = invent_titles(100_000, np.random.default_rng(0))
    assert len(set(titles)) == len(titles)
    # The walk meets every title before any returns, and returning ones carry another number.
    assert math.gcd(STEP, CAPACITY) == 1
    assert title(5, 0) != title(5, 1) != title(5, 2)


def test_genres_and_years(notebook: Sample) -> None:
    counts = {len(genres) for genres in notebook.catalog.genres.to_pylist()}
    assert counts == {1, 2, 3}
    assert all(len(set(genres)) == len(genres) for genres in notebook.catalog.genres.to_pylist())
    assert set(notebook.catalog.genres.flatten().to_pylist()) == set(GENRES)
    ratings = notebook.ratings
    assert ratings.times is not None
    year = ratings.times.astype("M8[us]").astype("M8[Y]").astype(int) + 1970
    released = notebook.catalog.years.to_numpy(zero_copy_only=False)
    assert (released[ratings.by_user.indices] <= year).all()
    assert released.min() >= 1_900


# -- the signal -------------------------------------------------------------------------------


def split(ratings: Ratings) -> tuple[sp.csr_array, sp.csr_array]:
    """Return the known ratings and the held-out likes, one rating in five held out."""
    held = np.random.default_rng(0).random(ratings.n_ratings) < 0.2
    users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
    shape = (ratings.n_users, ratings.n_items)
    where = (users, ratings.by_user.indices)
    known = sp.csr_array((ratings.values * ~held, where), shape=shape)
    wanted = sp.csr_array(((held & (ratings.values >= 7)).astype(float), where), shape=shape)
    known.eliminate_zeros()
    wanted.eliminate_zeros()
    return known, wanted


def hit_rate(scores: np.ndarray, known: sp.csr_array, wanted: sp.csr_array) -> float:
    """Return the share of users with a held-out like among the first ten they do not know."""
    scores = np.where(known.toarray() > 0, -np.inf, scores)
    first = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    return float(np.take_along_axis(wanted.toarray(), first, axis=1).any(axis=1).mean())


def neighbors_score(known: sp.csr_array, rows: np.ndarray, k: int) -> np.ndarray:
    """Score items by the likes of the k users closest by cosine."""
    unit = sp.diags_array(1 / np.maximum(np.sqrt(known.multiply(known).sum(axis=1)), 1e-12)) @ known
    alike = (unit[rows] @ unit.T).toarray()
    alike[np.arange(len(rows)), rows] = 0
    alike[alike < -np.partition(-alike, k, axis=1)[:, k : k + 1]] = 0
    return np.asarray((sp.csr_array(alike) @ (known >= 7).astype(float)).toarray())


@pytest.mark.parametrize("size", ["small", "notebook"])
def test_neighbors_find_held_out_likes(size: str, request: pytest.FixtureRequest) -> None:
    known, wanted = split(request.getfixturevalue(size).ratings)
    rows = np.flatnonzero((np.diff(known.indptr) >= 3) & (np.diff(wanted.indptr) > 0))
    rows = rows[:: len(rows) // 400 + 1]
    mine, theirs = known[rows], wanted[rows]
    likes = np.asarray((known >= 7).sum(axis=0), float)
    neighbors = hit_rate(neighbors_score(known, rows, k=100), mine, theirs)
    popular = hit_rate(np.broadcast_to(likes, mine.shape), mine, theirs)
    chance = hit_rate(np.random.default_rng(1).random(mine.shape), mine, theirs)
    assert neighbors > 1.05 * popular
    assert popular > 2 * chance


def test_what_is_popular_now_beats_what_was_ever_popular(notebook: Sample) -> None:
    ratings = notebook.ratings
    assert ratings.times is not None
    until = np.quantile(ratings.times, 0.8)
    days = (until - ratings.times) / 86_400e6
    liked = ratings.values >= 7
    items = ratings.by_user.indices
    n = ratings.n_items
    ever = np.bincount(items, liked & (days >= 0), minlength=n)
    lately = np.bincount(items, (liked & (days >= 0)) * 2.0 ** (-np.maximum(days, 0) / 60), minlength=n)
    soon = np.bincount(items, liked & (days < 0) & (days > -60), minlength=n)
    assert soon[np.argsort(-lately)[:50]].sum() > 1.3 * soon[np.argsort(-ever)[:50]].sum()


def test_ratings_follow_user_item_and_taste(notebook: Sample) -> None:
    """Users differ, items differ, and beyond both a user rates one genre above another."""
    ratings = notebook.ratings
    users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
    items = ratings.by_user.indices
    values = ratings.values
    held = np.random.default_rng(0).random(len(values)) < 0.2

    def means(codes: np.ndarray, rest: np.ndarray, count: int) -> np.ndarray:
        sums = np.bincount(codes[~held], rest[~held], minlength=count)
        return sums / (np.bincount(codes[~held], minlength=count) + 4)

    rest = values - values[~held].mean()
    errors = [rest[held].std()]
    genre = np.array([GENRES.index(g[0]) for g in notebook.catalog.genres.to_pylist()])
    groups = (items, users, users * len(GENRES) + genre[items])
    for codes, count in zip(groups, (ratings.n_items, ratings.n_users, ratings.n_users * 20), strict=True):
        rest = rest - means(codes, rest, count)[codes]
        errors.append(rest[held].std())
    assert errors[1] < 0.95 * errors[0]
    assert errors[2] < 0.95 * errors[1]
    assert errors[3] < 0.995 * errors[2]


# -- parts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "total", "low", "high", "head"),
    [(1, 1, 1, 1, 1), (5, 5, 1, 9, 1), (5, 45, 1, 9, 1), (1000, 20_000, 3, 400, 7.5), (10, 50, 5, 5, 1)],
)
def test_degrees(count: int, total: int, low: int, high: int, head: float) -> None:
    made = degrees(count, total, low, high, head)
    assert made.shape == (count,)
    assert made.sum() == total
    assert made.min() >= low
    assert made.max() <= high


def test_separate_keeps_the_degrees_of_users_and_takes_every_pair_apart() -> None:
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(60, dtype=np.int32), rng.integers(1, 40, size=60))
    items = np.concatenate((np.arange(40), rng.integers(8, size=len(users) - 40))).astype(np.int32)
    items = rng.permutation(items)
    before = users.copy()
    separate(users, items, 40, 100, rng)
    assert (users == before).all()
    assert len(np.unique(users * 40 + items)) == len(users)
    assert len(np.unique(items)) == 40


# -- files ------------------------------------------------------------------------------------


def test_written_files_read_back_the_same(small: Sample, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    files = small.write(folder)
    assert files == (folder / "ratings.dat", folder / "movies.dat")
    assert sorted(p.name for p in folder.iterdir()) == ["movies.dat", "ratings.dat"]
    read = read_ratings(files[0])
    assert read.users.ids.equals(small.ratings.users.ids)
    assert read.items.ids.equals(small.ratings.items.ids)
    assert read.scale == small.ratings.scale
    for name in ("codes", "times"):
        assert (getattr(read, name) == getattr(small.ratings, name)).all()
    assert (read.by_user.indices == small.ratings.by_user.indices).all()
    catalog = read_catalog(files[1], ids=read)
    assert catalog.to_arrow().equals(small.catalog.to_arrow())


def test_lines_have_the_form(small: Sample, tmp_path: Path) -> None:
    ratings, movies = (path.read_text("utf-8").splitlines() for path in small.write(tmp_path))
    assert len(ratings) == 12_000
    assert all(re.fullmatch(r"\d+::\d{7}::(?:[1-9]|10)::\d{10}", line) for line in ratings)
    assert len(movies) == 400
    assert all(re.fullmatch(r"\d{7}::.+ \(\d{4}\)::[\w|-]+", line) for line in movies)


def test_half_stars_are_written_as_such(small: Sample, tmp_path: Path) -> None:
    ratings = small.ratings
    halves = Ratings(
        ratings.users, ratings.items, Scale(0.5, 5, 0.5), ratings.by_user, ratings.codes, ratings.times
    )
    path = Sample(halves, small.catalog).write(tmp_path)[0]
    assert (read_ratings(path).values == ratings.values / 2).all()


def test_a_second_write_replaces_the_files(small: Sample, tmp_path: Path) -> None:
    first = [path.read_bytes() for path in small.write(tmp_path)]
    sample("small", seed=3).write(tmp_path)
    assert [path.read_bytes() for path in small.write(tmp_path)] == first


def test_a_failed_write_leaves_the_old_file_whole(
    small: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = small.write(tmp_path)[0].read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        sample("small", seed=3).write(tmp_path)
    assert (tmp_path / "ratings.dat").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_is_a_file_is_refused(small: Sample, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="taken"):
        small.write(tmp_path / "taken")


# -- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": "huge"}, '"small", "notebook", "ml-20m", "million"'),
        ({"users": 5}, "items and ratings missing"),
        ({"users": 5, "items": 5, "ratings": 4}, "ratings is 4 .*\n.*from 5 .* to 25"),
        ({"users": 5, "items": 5, "ratings": 26}, "ratings is 26 .*\n.*from 5 .* to 25"),
        ({"users": 0, "items": 5, "ratings": 5}, "users is 0"),
        ({"users": 5, "items": -1, "ratings": 5}, "items is -1"),
        ({"users": 5, "items": 5, "ratings": 7.5}, "ratings is 7.5"),
        ({"users": "5", "items": 5, "ratings": 7}, "users is '5'"),
        ({"users": True, "items": 5, "ratings": 7}, "users is True"),
        ({"users": 2**31, "items": 5, "ratings": 2**31}, "too many"),
        ({"size": "small", "users": 5, "items": 5, "ratings": 7}, "a size or the three numbers"),
        ({"size": "small", "seed": -1}, "seed is -1"),
        ({"size": "small", "seed": None}, "seed is None"),
    ],
)
def test_wrong_parameters(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        sample(**arguments)  # type: ignore[arg-type]


def test_sizes_are_named() -> None:
    assert set(SIZES) == {"small", "notebook", "ml-20m", "million"}
    assert isinstance(sample("small").catalog.to_arrow(), pa.Table)
