"""What the routes share: the store with its index, where work is done, and how fresh an answer is."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote_to_bytes

from corated.errors import CoratedError, StoreUnavailableError
from corated.live.embedded import Embedded
from corated.live.index import LiveIndex
from corated.models.base import Recommender
from corated.models.presets import preset
from corated.ratings.ids import INT64_MAX, INT64_MIN, Id, IdKind, quote_id
from corated.ratings.ratings import Ratings
from corated.ratings.scale import Scale
from corated.serve.logs import log
from corated.serve.metrics import Metrics
from corated.serve.modeling import build_model
from corated.serve.problems import Problem
from corated.serve.settings import Settings
from corated.serve.warming import warm_up

__all__ = ["Service", "Snapshot", "segment", "unknown"]

T = TypeVar("T")

_CANONICAL = re.compile(r"(?:0|-?[1-9][0-9]{0,18})\Z")
_FITS = 6
_WAIT_SECONDS, _LOOK_SECONDS = 1.0, 0.02


@dataclass(frozen=True)
class Snapshot:
    """The ratings of a moment, and the model fitted to them.

    position : that they are of, at least;  made : on the monotonic clock
    """

    position: int
    made: float
    ratings: Ratings
    model: Recommender


class Service:
    """A store of ratings that is served. Everything that computes runs in threads, writes in their own."""

    def __init__(self, embedded: Embedded, settings: Settings) -> None:
        self.embedded, self.settings = embedded, settings
        self.metrics = Metrics()
        self.started = time.time()
        self.stopping = self.warm = self.failed = False
        self.model = build_model(settings)
        self._kinds: tuple[IdKind | None, IdKind | None] = (None, None)
        self._scale: Scale | None = None
        self._snapshot: Snapshot | None = None
        self._fits: OrderedDict[str, tuple[Snapshot, Recommender]] = OrderedDict()
        self._fitting = threading.Lock()
        self._predictor: tuple[Snapshot, Recommender] | None = None
        self._making = threading.Lock()
        self._readers = ThreadPoolExecutor(4, "corated-answer")
        self._writers = ThreadPoolExecutor(4, "corated-write")

    def start(self) -> None:
        """Begin to compile what answers; `warm` is true when that is done."""
        self._readers.submit(self._warm)

    def _warm(self) -> None:
        try:
            warm_up(self)
            self.warm = True
        except Exception as error:  # noqa: BLE001 - a thread of its own has nobody to raise to
            self.failed = True
            log("warming failed", level=logging.ERROR, error=error)

    def close(self) -> None:
        """Let work that runs come to its end, and no more begin."""
        self._readers.shutdown(cancel_futures=True)
        self._writers.shutdown(cancel_futures=True)

    # -- where work is done ---------------------------------------------------------------------

    async def ask(self, work: Callable[[], T], *, min_position: int = 0) -> tuple[int, T]:
        """Answer in a thread, on everything up to a position; returns what the answer is at least of."""
        await self.reach(min_position)
        position = self.embedded.position
        return position, await self._run(self._readers, work)

    async def write(self, work: Callable[[], T]) -> T:
        """Write in a thread; the store's latency is measured."""
        return await self._run(self._writers, functools.partial(self._timed, work))

    async def look(self, work: Callable[[], T]) -> T:
        """Read from the store in a thread."""
        return await self._run(self._readers, functools.partial(self._timed, work))

    def _timed(self, work: Callable[[], T]) -> T:
        with self.metrics.store_seconds.time():
            return work()

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        except RuntimeError as error:
            if self.stopping:
                raise Problem(
                    503, "stopping", "The service is stopping.", headers={"Retry-After": "5"}
                ) from error
            raise

    async def reach(self, wanted: int) -> None:
        """Wait until answers are of a position; raises `Problem` where that takes more than a second."""
        if wanted <= self.embedded.position:
            return
        until = time.monotonic() + _WAIT_SECONDS
        while True:
            try:
                reached = await self._run(self._writers, self.embedded.refresh)
            except StoreUnavailableError:
                reached = self.embedded.position
            if reached >= wanted:
                return
            if time.monotonic() >= until:
                raise Problem(
                    503,
                    "behind",
                    f"Answers are of position {reached:,}, and {wanted:,} was asked for.",
                    field="query/min_position",
                    hint="ask again, or without min_position",
                    headers={"Retry-After": "1"},
                )
            await asyncio.sleep(_LOOK_SECONDS)

    # -- what answers ---------------------------------------------------------------------------

    @property
    def index(self) -> LiveIndex | None:
        """The index; None where there are no ratings and no scale yet."""
        try:
            return self.embedded.index
        except StoreUnavailableError:
            raise
        except CoratedError:
            return None

    def index_or_none(self) -> LiveIndex | None:
        """Return the index; None also where the store cannot be reached."""
        try:
            return self.index
        except CoratedError:
            return None

    def snapshot(self, min_position: int = 0) -> Snapshot:
        """Return a fit that is `refit_seconds` old at most, if anything was written since; made once.

        It answers what the index cannot at once: histories, people who are not in the data, whole columns.
        """
        held = self._snapshot
        if held is not None and self._is_good(held, min_position):
            return held
        with self._making:
            held = self._snapshot
            if held is None or not self._is_good(held, min_position):
                position, index = self.embedded.position, self.embedded.index
                held = Snapshot(position, time.monotonic(), index.ratings(), index.fitted())
                self._snapshot = held
            return held

    def _is_good(self, held: Snapshot, wanted: int) -> bool:
        if held.position < wanted:
            return False
        is_young = time.monotonic() - held.made < self.settings.refit_seconds
        return is_young or held.position == self.embedded.position

    def predictor(self, min_position: int = 0) -> tuple[int, Recommender]:
        """Return a model that predicts ratings, and the position that it is of."""
        snapshot = self.snapshot(min_position)
        if hasattr(snapshot.model._fitted().part, "predict"):
            return snapshot.position, snapshot.model
        with self._making:
            held = self._predictor
            if held is None or held[0] is not snapshot:
                model = preset(self.settings.predictor)
                model.fit(snapshot.ratings, catalog=snapshot.model.catalog, threads=self.settings.threads)
                held = self._predictor = (snapshot, model)
            return held[0].position, held[1]

    def forget(self) -> None:
        """Let go of what was fitted before somebody was erased."""
        with self._making:
            self._snapshot = self._predictor = None
        with self._fitting:
            self._fits.clear()

    def fitted(self, model: Recommender, snapshot: Snapshot) -> Recommender:
        """Return a model fitted to the ratings of a snapshot; a few are kept, and one is fitted at a time."""
        key = repr(model)
        if key == repr(self.model):
            return snapshot.model
        with self._fitting:
            held = self._fits.pop(key, None)
            if held is None or held[0] is not snapshot:
                made = model.clone()
                made.fit(snapshot.ratings, catalog=snapshot.model.catalog, threads=self.settings.threads)
                held = (snapshot, made)
            self._fits[key] = held
            while len(self._fits) > _FITS:
                self._fits.popitem(last=False)
            return held[1]

    # -- ids ------------------------------------------------------------------------------------

    def kinds(self) -> tuple[IdKind | None, IdKind | None]:
        """Return the types of the ids of users and items; what is fixed stays so."""
        if None in self._kinds:
            shape = self.embedded.store.head().shape
            self._kinds = (shape.user_ids, shape.item_ids)
        return self._kinds

    def scale(self) -> Scale:
        """Return the scale of ratings, as last seen where the store is away."""
        try:
            self._scale = self.embedded.store.head().shape.scale or self._scale
        except StoreUnavailableError:
            if self._scale is None:
                raise
        assert self._scale is not None  # `run` declares one
        return self._scale

    def user(self, text: str, *, field: str = "path/user") -> Id:
        """Return the user id that text in an address stands for."""
        return _parsed(text, self.kinds()[0], "user", field)

    def item(self, text: str, *, field: str = "path/item") -> Id:
        """Return the item id that text in an address stands for."""
        return _parsed(text, self.kinds()[1], "item", field)


def segment(text: str) -> str:
    """Return what a segment of a path stands for: it is decoded once, and here, so that any id is one."""
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise Problem(
            400,
            "address",
            "The address is not UTF-8, percent-encoded.",
            field="path",
            hint="encode ids as UTF-8, or put them in a body",
        ) from None


def _parsed(text: str, kind: IdKind | None, what: str, field: str) -> Id:
    if kind == "text":
        return text
    if kind is None:
        raise Problem(
            409,
            "no_ratings",
            f"There are no ratings yet, so it is not fixed whether {what} ids are integers or text.",
            field=field,
            hint="write the first rating with POST /v1/ratings, where JSON tells the type",
        )
    if _CANONICAL.match(text) and INT64_MIN <= int(text) <= INT64_MAX:
        return int(text)
    raise Problem(
        422,
        "id_type",
        f"The {what} ids here are integers, and this is none: {text[:60]!r}.",
        expected="an integer, without leading zeros",
        field=field,
        hint=f"give the {what} id as a plain integer",
    )


def unknown(what: str, id: Id, where: str = "with ratings") -> Problem:
    """Return the problem of a user or an item that is not there."""
    return Problem(
        404,
        f"unknown_{what}",
        f"There is no {what} {quote_id(id)} {where}.",
        field=f"path/{what}",
        hint="check the id, or look for it: GET /v1/search?q=",
    )
