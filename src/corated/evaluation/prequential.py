"""The prequential protocol: play the log, ask before each event, then learn it."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import DataError, ParameterError
from corated.evaluation._words import shown
from corated.evaluation.inference import check_seed, clustered_interval
from corated.evaluation.outcomes import check_model
from corated.evaluation.splits import by_time
from corated.live.index import LiveIndex, Rating
from corated.models.base import Recommender
from corated.models.popularity import Popularity
from corated.models.rules import DAY, Like, check_amount, liked
from corated.neighborhood.engine import check_count, check_ratings
from corated.neighborhood.run import Run, resolve_threads
from corated.progress import Cancel, ProgressOption, check_cancel, reporting
from corated.ratings.ids import Id
from corated.ratings.ratings import Ratings
from corated.tables import Table

__all__ = ["Prequential", "prequential"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

RECENT: Final = "popularity, half-life 1 day"


def prequential(
    models: Mapping[str, Recommender] | Recommender,
    ratings: Ratings,
    *,
    start: float = 0.8,
    stop: float | None = None,
    n: int = 10,
    like: Like = None,
    refit: float = 1.0,
    seed: int = 0,
    threads: int | None = None,
    progress: ProgressOption = None,
    cancel: Cancel = None,
) -> Prequential:
    """Play the log: before each liked rating, recommend to its user from all that came before; then learn it.

    models : one, or several by the names that the result calls them; they stay as they are
    start, stop : the shares of the ratings, by time, at which asking begins, and ends (None for the end)
    n : places in a list
    like : what is relevant, and asked for; see `corated.models.knn.UserKNN`
    refit : days of the log after which a model that is not live (see `corated.live.index.LiveIndex`) is
        fitted anew; until then it does not know what came since, but it does not list it again either
    seed : of the bootstrap

    This is what a live service does (Dawid, JRSS A 1984; Vinagre et al., RecSys 2014). Events of equal time
    are in the order of (user, item). Only users and items that have been rated before are asked about:
    `Prequential.facts` counts the rest. Popularity with a half-life of a day is always among the models.

    Raises `DataError` for ratings without times or a scale, `ParameterError`, and `Cancelled`.
    """
    ratings, n, seed = check_ratings(ratings), check_count("n", n), check_seed(seed)
    refit = check_amount("refit", refit, "a number of days above 0", above=0.0)
    named = {RECENT: Popularity(like=like, half_life=1.0), **_named(models)}
    log = _Log.of(ratings, start, stop, like)
    with reporting(progress, "prequential") as report:
        run = Run(resolve_threads(threads), report, check_cancel(cancel))
        played = {
            name: _play(model, log, n, refit, run.within(at * log.size, len(named) * log.size))
            for at, (name, model) in enumerate(named.items())
        }
    said = {name: repr(model) for name, model in named.items()}
    return Prequential(played, said, log, n, seed)


@dataclass(frozen=True)
class _Played:
    """The place that each event's item had, 0 for none; and what it took."""

    place: Int64s
    seconds: float
    learning: float
    is_live: bool


@dataclass(frozen=True)
class _Log:
    """Ratings that come first, and events in their order: ids, values, times, and which are asked about."""

    before: Ratings
    users: list[Id]
    items: list[Id]
    values: list[float]
    times: list[int]
    asked: npt.NDArray[np.bool_]
    who: Int64s
    facts: dict[str, int]

    @property
    def size(self) -> int:
        """The number of events."""
        return len(self.users)

    @classmethod
    def of(cls, ratings: Ratings, start: float, stop: float | None, like: Like) -> _Log:
        split = by_time(ratings, quantile=start)
        assert ratings.times is not None and split.train.times is not None
        first, last = split.train.times.max(), ratings.times.max()
        if stop is not None:
            until = by_time(ratings, quantile=stop).train.times
            assert until is not None
            last = until.max()
        users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
        items, times = ratings.by_user.indices, ratings.times
        later = np.flatnonzero((times > first) & (times <= last))
        if not len(later):
            raise DataError(
                f"No rating lies after start={start:g} and up to stop={stop}.",
                expected="a log that goes on after the start",
                hint="choose a smaller start=, or leave stop= out",
            )
        order = later[np.lexsort((items[later], users[later], times[later]))]
        known_user, known_item = (
            _came_before(codes, times, order) for codes in (users, items.astype(np.int64))
        )
        likes = liked(ratings, like)[order]
        facts = {
            "events": len(order),
            "liked": int(likes.sum()),
            "by new users": int((likes & ~known_user).sum()),
            "on new items": int((likes & known_user & ~known_item).sum()),
            "asked": int((likes & known_user & known_item).sum()),
        }
        return cls(
            split.train,
            ratings.users.take(users[order]).to_pylist(),
            ratings.items.take(items[order]).to_pylist(),
            ratings.values[order].tolist(),
            times[order].tolist(),
            likes & known_user & known_item,
            users[order],
            facts,
        )


def _came_before(codes: Int64s, times: Int64s, order: Int64s) -> npt.NDArray[np.bool_]:
    """Tell for each event whether its user (or item) has a rating before it in the log."""
    in_log = np.full(len(codes), -1, dtype=np.int64)
    in_log[order] = np.arange(len(order))
    first = np.full(int(codes.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    earliest = times[order[0]]
    before = times < earliest
    first[codes[before]] = -1
    np.minimum.at(first, codes[order], in_log[order])
    known: npt.NDArray[np.bool_] = first[codes[order]] < np.arange(len(order))
    return known


class _Player(Protocol):
    """Answers before an event, and learns it."""

    def place(self, user: Id, item: Id, n: int, time: int) -> int:
        """Return the place of an item in a user's list of n, 0 where it is not there."""
        ...

    def learn(self, rating: Rating, time: int) -> None:
        """Take in one event."""
        ...


class _Live:
    """A model that answers on the ratings as they are."""

    def __init__(self, index: LiveIndex) -> None:
        self._index = index

    def place(self, user: Id, item: Id, n: int, time: int) -> int:
        return self._index.place(user, item, n=n, at=time)

    def learn(self, rating: Rating, time: int) -> None:  # noqa: ARG002 - it is in the rating
        self._index.write([rating])


class _Refitted:
    """A model that is fitted to the log so far every so many days of it."""

    def __init__(self, model: Recommender, before: Ratings, every: float, run: Run) -> None:
        self._index, self._model, self._run = LiveIndex(before, model=Popularity()), model, run
        self._every, self._fitted_at = int(every * DAY), int(before.times.max())  # type: ignore[union-attr]
        self._since: dict[Id, list[Id]] = {}
        self._fit()

    def _fit(self) -> None:
        self._model.fit(self._index.ratings(), threads=self._run.threads, cancel=self._run.cancel)
        self._since.clear()

    def place(self, user: Id, item: Id, n: int, time: int) -> int:
        if time >= self._fitted_at + self._every:
            self._fit()
            self._fitted_at = time
        if user not in self._model.ratings.users:
            return 0
        known = self._model.ratings.items
        seen = [one for one in self._since.get(user, ()) if one in known]
        listed = self._model.recommend([user], n=n, exclude=seen, threads=1).to_arrow()["item_id"].to_pylist()
        return listed.index(item) + 1 if item in listed else 0

    def learn(self, rating: Rating, time: int) -> None:  # noqa: ARG002
        self._index.write([rating])
        self._since.setdefault(rating.user, []).append(rating.item)


def _play(model: Recommender, log: _Log, n: int, refit: float, run: Run) -> _Played:
    began = clock.perf_counter()
    index = LiveIndex(log.before, model=model, threads=run.threads)
    player: _Player = _Live(index) if index.is_live else _Refitted(model.clone(), log.before, refit, run)
    learned, learning = clock.perf_counter() - began, 0.0
    place = np.zeros(log.size, dtype=np.int64)
    events = zip(log.users, log.items, log.values, log.times, log.asked.tolist(), strict=True)
    for at, (user, item, value, time, is_asked) in enumerate(events):
        if at % 256 == 0:
            run.progress(at, log.size)
            run.look()
        if is_asked:
            place[at] = player.place(user, item, n, time)
        start = clock.perf_counter()
        player.learn(Rating(user, item, value, time), time)
        learning += clock.perf_counter() - start
    run.progress(log.size, log.size)
    seconds = clock.perf_counter() - began - learned - learning
    return _Played(place[log.asked], seconds, learned + learning, index.is_live)


class Prequential(Table):
    """Models that played a log, a row for each, popularity first.

    Columns: model, ndcg, hit_rate, mrr, of the one item of each event among the n places; events; difference,
    low, high: of ``ndcg`` from that of popularity, with a 95 % interval by bootstrap over users; seconds that
    answering took, and learning (fits included); live: whether it answered on all that came before.

    Attributes
    ----------
    facts : how many events there were, and why some were not asked about
    models : what each name stands for, as text
    places : by model, int64, the place of each event's item from 1, 0 where it was not listed
    """

    def __init__(
        self, played: dict[str, _Played], said: dict[str, str], log: _Log, n: int, seed: int
    ) -> None:
        self.facts, self.models, self.n = log.facts, said, n
        self.places: dict[str, Int64s] = {name: one.place for name, one in played.items()}
        who = log.who[log.asked]
        gains = {name: _gain(place) for name, place in self.places.items()}
        differences = [
            clustered_interval(gains[name] - gains[RECENT], who, seed=seed) if name != RECENT else (None,) * 3
            for name in played
        ]
        columns: dict[str, Any] = {
            "model": list(played),
            "ndcg": [_mean(gain) for gain in gains.values()],
            "hit_rate": [_mean((place > 0).astype(np.float64)) for place in self.places.values()],
            "mrr": [_mean(_inverse(place)) for place in self.places.values()],
            "events": pa.array([len(who)] * len(played), pa.int64()),
            "difference": pa.array([found[0] for found in differences], pa.float64()),
            "low": pa.array([found[1] for found in differences], pa.float64()),
            "high": pa.array([found[2] for found in differences], pa.float64()),
            "answer_seconds": [one.seconds for one in played.values()],
            "learn_seconds": [one.learning for one in played.values()],
            "live": [one.is_live for one in played.values()],
        }
        super().__init__(pa.table(columns))

    def value(self, model: str, metric: str = "ndcg") -> float:
        """Return a model's value; raises `ParameterError` for a name that is not there."""
        for kind, given, known in (
            ("model", model, list(self.models)),
            ("metric", metric, ["ndcg", "hit_rate", "mrr"]),
        ):
            if given not in known:
                raise ParameterError(
                    f"There is no {kind} {given!r}.",
                    expected=f"one of {', '.join(known)}",
                    hint="check the spelling",
                )
        found: float = self.to_arrow()[metric][list(self.models).index(model)].as_py()
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the places, for JSON."""
        return {"protocol": "prequential", "n": self.n, "facts": self.facts, "rows": self.to_pylist()}

    def __str__(self) -> str:
        asked = self.facts["asked"]
        head = (
            f"Prequential: {asked:,} of {self.facts['liked']:,} liked events asked about "
            f"({self.facts['by new users']:,} by new users, {self.facts['on new items']:,} on new items)"
        )
        names = ("model", f"ndcg@{self.n}", "hit", "mrr", "ms/event", "vs popularity")
        lines = [head, "{:32} {:>8} {:>7} {:>7} {:>9}  {}".format(*names)]
        for row in self.to_pylist():
            more = ""
            if row["difference"] is not None:
                more = f"{row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f})"
            each = 1000.0 * row["answer_seconds"] / max(asked, 1)
            note = "" if row["live"] else "  fitted anew now and then"
            name, values = shown(row["model"])[:32], (row["ndcg"], row["hit_rate"], row["mrr"])
            cells = "{:8.4f} {:7.4f} {:7.4f}".format(*values)
            lines.append(f"{name:32} {cells} {each:9.2f}  {more}{note}".rstrip())
        return "\n".join(lines)


def _gain(place: Int64s) -> Floats:
    """Return NDCG of one relevant item: 1 / log2(1 + place)."""
    return np.where(place > 0, 1.0 / np.log2(1.0 + np.maximum(place, 1)), 0.0)


def _inverse(place: Int64s) -> Floats:
    return np.where(place > 0, 1.0 / np.maximum(place, 1), 0.0)


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0


def _named(models: Any) -> dict[str, Recommender]:
    """Return the models by name; raises `ParameterError` for what cannot be used."""
    if isinstance(models, Recommender):
        return {"the model": models}
    if not isinstance(models, Mapping) or not models:
        raise ParameterError(
            f"models={models!r} cannot be used.",
            expected="a recommender, or several by name",
            hint='for example {"best": preset("best")}',
        )
    if RECENT in models:
        raise ParameterError(f"{RECENT!r} is there already.", hint="give that model another name")
    return {str(name): check_model(model) for name, model in models.items()}
