"""A store and an index in one: ratings that are durable when a call returns, and count in the next answer."""

from __future__ import annotations

import os
import re
import threading
import time as clock
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from corated.cache import cache_folder
from corated.errors import (
    CoratedNotice,
    LogTrimmedError,
    ModelFileError,
    OutputError,
    ParameterError,
    StoreError,
    StoreUnavailableError,
)
from corated.live._closing import Closing
from corated.live.index import LiveIndex
from corated.live.restart import Restart, read_restart, write_restart
from corated.live.store import Change, Item, Store, open_store
from corated.live.verify import Verified
from corated.models.base import Recommendations, Recommender
from corated.models.filters import Filters
from corated.models.presets import preset
from corated.models.rules import instant
from corated.progress import ProgressOption
from corated.ratings.catalog import Catalog
from corated.ratings.ids import Id, IdKind
from corated.ratings.scale import Scale
from corated.similarity.measures import Measure
from corated.tables import Table

if TYPE_CHECKING:
    from corated.live._export import ExportFormat
    from corated.live._head import Head
    from corated.live._records import Erased
    from corated.models.explain import Explanation
    from corated.models.prediction import Predictions
    from corated.models.why import WhyNot

__all__ = ["Embedded", "open", "restart_path"]

T = TypeVar("T")

_DEFAULT_SCALE = Scale(0.0, 10.0, 0.5)
_MOST_DAYS = 100_000
_LOGGED = 50_000
"""Changes that are read from the log at a time."""


def open(
    where: str | os.PathLike[str],
    *,
    model: Recommender | None = None,
    scale: Scale | tuple[float, float, float] | None = None,
    user_ids: IdKind | None = None,
    item_ids: IdKind | None = None,
    timed: bool | None = None,
    widen: bool = False,
    create: bool = True,
    restart: str | os.PathLike[str] | bool = True,
    follow: float | None = None,
    threads: int | None = None,
    log_days: float | None = 30.0,
) -> Embedded:
    """Open a store of ratings and answer from it; made where there is none.

    where, scale, user_ids, item_ids, timed, widen, create : see `corated.live.store.open_store`. A store that
        gets its first rating without a scale gets 0 to 10 by halves, with a notice; an import brings its own.
    model : an unfitted recommender; None for ``preset("best")``
    restart : the file that the ratings are read from at the next start; True for one beside the store (for
        PostgreSQL in the cache folder), False for none
    follow : seconds between two looks at what other processes wrote; None for `refresh` and writes alone
    threads : of what is fitted anew; None for every core
    log_days : how long changes and idempotency keys are kept in the log, which other processes follow: `keep`
        and `close` forget those that are older; None for ever. A process that has not looked for so long
        reads every rating anew; a write that is repeated with its key after so long is written again.

    Errors as for `open_store`, and `ParameterError` for `log_days` below 0.
    """
    if log_days is not None and not 0 <= log_days <= _MOST_DAYS:
        raise ParameterError(
            f"log_days={log_days!r}.", expected=f"a number from 0 to {_MOST_DAYS:,}", hint="or None for ever"
        )
    store = open_store(
        where, create=create, scale=scale, user_ids=user_ids, item_ids=item_ids, timed=timed, widen=widen
    )
    try:
        opened = Embedded(store, where, model=model, restart=restart, follow=follow, threads=threads)
        opened._log_days = log_days
        return opened
    except BaseException:
        store.close()
        raise


class Embedded(Closing):
    """Ratings in a store, and an index of them in memory; see `corated.open`.

    Answers come from memory, on all that this process wrote and on what it has seen of others. A write is
    durable in the store first; the index has it when the call returns. Safe in any number of threads. It is
    a context manager; `close` keeps a file from which the next start is quick.
    """

    def __init__(
        self,
        store: Store,
        where: str | os.PathLike[str],
        *,
        model: Recommender | None,
        restart: str | os.PathLike[str] | bool,
        follow: float | None,
        threads: int | None,
    ) -> None:
        self._store, self._threads = store, threads
        self._model = preset("best") if model is None else model
        self._writing = threading.RLock()
        self._restart = restart_path(where, store, restart)
        self._index: LiveIndex | None = None
        self._position, self._kept, self._catalog_version = 0, -1, -1
        self._stale, self._stop, self._looked = False, threading.Event(), clock.monotonic()
        self._follower: threading.Thread | None = None
        self._log_days: float | None = None  # until `open` says how long
        self._load()
        if follow is not None:
            self._follower = threading.Thread(target=self._follow, args=(follow,), daemon=True)
            self._follower.start()

    # -- starting, following, stopping ------------------------------------------------------------

    def _load(self) -> None:
        """Make the index: from the file beside the store and the log, or of all ratings."""
        head = self._store.head()
        shape = head.shape
        if None in (shape.scale, shape.user_ids, shape.item_ids, shape.timed):
            return  # until the first write
        begun = self._from_restart(head)
        if begun is None:
            with self._store.read() as snapshot:
                begun = Restart(snapshot.ratings(), head.identity, snapshot.position)
        version, catalog = head.catalog_version, self._catalog()
        choice = begun.choice if begun.model == repr(self._model) else None
        self._index = LiveIndex(
            begun.ratings, model=self._model, catalog=catalog, threads=self._threads, choice=choice
        )
        self._position, self._catalog_version = begun.position, version
        self._catch_up()

    def _from_restart(self, head: Head) -> Restart | None:
        """Return what the file has, if it is of this store and the log goes on from there."""
        if self._restart is None or not self._restart.exists():
            return None
        try:
            found = read_restart(self._restart)
        except (ModelFileError, OutputError):
            return None  # it is made anew when the store is closed
        if found.store != head.identity or found.ratings.scale != head.shape.scale:
            return None
        try:
            self._store.changes(found.position, limit=1)
        except LogTrimmedError:
            return None
        self._kept = found.position
        return found

    def _catch_up(self) -> None:
        """Bring the index to what the store has; the lock is held, or nobody else knows of this yet."""
        if self._index is None:
            self._load()
            return
        try:
            while logged := self._store.changes(self._position, limit=_LOGGED):
                self._index.write(one.change for one in logged)
                self._position = logged[-1].position
        except LogTrimmedError:
            self._load()  # answers come from what there was until it is all read
            return
        version = self._store.catalog_version
        if version != self._catalog_version:
            self._index.set_catalog(self._catalog())
            self._catalog_version = version

    def _catalog(self) -> Catalog | None:
        """Return the catalog, None where nothing is in it: answers have no titles then."""
        found = self._store.catalog()
        return found if len(found) else None

    def refresh(self) -> int:
        """Take in what other processes wrote; returns the position that answers are of from now on.

        Raises `StoreUnavailableError` where the store cannot be reached; answers go on from memory then, and
        `stale` says so.
        """
        with self._writing:
            begun = clock.monotonic()
            try:
                self._catch_up()
            except StoreUnavailableError:
                self._stale = True
                raise
            self._stale, self._looked = False, begun
            return self._position

    def _follow(self, seconds: float) -> None:
        while not self._stop.wait(seconds):
            try:
                self.refresh()
            except StoreUnavailableError:
                continue  # until it is there again
            except Exception as error:  # noqa: BLE001 - a thread of its own has nobody to raise to
                self._stale = True
                warnings.warn(f"Following the store failed: {error}", CoratedNotice, stacklevel=1)

    @property
    def stale(self) -> bool:
        """Whether the store could not be reached when last looked at, so that answers may lack writes."""
        return self._stale

    @property
    def unseen_seconds(self) -> float:
        """For how long writes of other processes may have gone unseen; 0 where nobody follows them."""
        return clock.monotonic() - self._looked if self._follower is not None else 0.0

    @property
    def position(self) -> int:
        """The position in the store's log that answers are of."""
        return self._position

    @property
    def store(self) -> Store:
        """The store."""
        return self._store

    @property
    def index(self) -> LiveIndex:
        """The index; raises `StoreError` where there are no ratings and no scale yet."""
        if self._index is None:
            with self._writing:
                self._catch_up()
        if self._index is None:
            raise StoreError("There are no ratings yet.", hint="write one with rate(), or import some")
        return self._index

    def keep(self) -> None:
        """Write the file from which the next start is quick, and forget the log's oldest part; see `open`.

        Raises `OutputError` and `StoreError`.
        """
        with self._writing:
            self._trim()
            if self._index is None or self._restart is None or self._kept == self._position:
                return
            identity, choice = self._store.head().identity, self._index.choice
            made = Restart(self._index.ratings(), identity, self._position, repr(self._model), choice)
            write_restart(self._restart, made)
            self._kept = self._position

    def _trim(self) -> None:
        """Forget what is older than the log is to be, another time where that cannot be done now."""
        if self._log_days is None:
            return
        upto = datetime.now(UTC) - timedelta(days=self._log_days)
        with suppress(StoreError):
            if self._store.begins_before(upto):
                self._store.trim(upto)

    def close(self) -> None:
        """Keep the file for the next start, if it can be written, and close the store."""
        self._stop.set()
        if self._follower is not None:
            self._follower.join()
        try:
            self.keep()
        except (OutputError, StoreError) as error:
            warnings.warn(f"The next start will read every rating: {error}", CoratedNotice, stacklevel=2)
        finally:
            self._store.close()

    def __repr__(self) -> str:
        what = "nothing yet" if self._index is None else repr(self._index)
        return f"Embedded({self._store!r}: {what})"

    # -- writing ----------------------------------------------------------------------------------

    def rate(self, user: Id, item: Id, rating: float, *, time: Any = None, key: str | None = None) -> int:
        """Write a rating, durably, in place of one that there is; returns the position from which it counts.

        time : a datetime, its ISO text, or UTC microseconds; None for now
        key : an idempotency key: written again with the same key, it is written once

        Errors as for `corated.live.store.Store.write`. Nothing is written then.
        """
        return self.write([(user, item, rating, time)], key=key)

    def remove(self, user: Id, item: Id, *, key: str | None = None) -> int:
        """Take out a rating, durably, if it is there; returns the position from which it is gone."""
        return self.write([(user, item, None)], key=key)

    def remove_user(self, user: Id) -> int:
        """Take out all ratings of a user, durably; returns the position from which they are gone.

        The log still has them, so that other processes follow: see `erase` for a user to be forgotten.
        """
        return self._remove_all(lambda index: [(user, item, None) for item in index.profile(user)])

    def remove_item(self, item: Id) -> int:
        """Take out all ratings of an item, durably; returns the position from which they are gone.

        Its line in the catalog stays: see `delete_items`.
        """
        return self._remove_all(lambda index: [(user, item, None) for user in index.raters(item)])

    def _remove_all(self, of: Callable[[LiveIndex], list[tuple[Id, Id, None]]]) -> int:
        """Take out ratings until there are none: another process may write one meanwhile."""
        with self._writing:
            self._catch_up()
            while self._index is not None and (found := of(self._index)):
                self.write(found)
            return self._position

    def write(self, ratings: Iterable[tuple[Any, ...]], *, key: str | None = None) -> int:
        """Write and take out ratings: tuples (user, item, rating or None[, time]); all of them, or none."""
        given = [_change(one) for one in ratings]
        with self._writing:
            self._begin()
            if key is None and self._is_timed():
                now = clock.time_ns() // 1000
                given = [one._replace(time=now) if one.time is None else one for one in given]
            try:
                written = self._store.write(given, key=key)
            except StoreUnavailableError:
                self._stale = True
                raise
            self._stale = False
            if key is None and self._index is not None and written.before == self._position:
                self._index.write(given)
                self._position = written.position
            else:
                self._catch_up()
            return written.position

    def _is_timed(self) -> bool:
        """Whether ratings have times, as they do where nobody said otherwise."""
        if self._index is not None:
            return self._index.timed
        return self._store.head().shape.timed is not False

    def _begin(self) -> None:
        """Give a store without a scale one, before its first rating."""
        if self._index is not None or self._store.head().shape.scale is not None:
            return
        warnings.warn(
            f"This store had no scale: its ratings are from {_DEFAULT_SCALE} now. Open a new one with "
            "scale=(1, 5, 1) for stars.",
            CoratedNotice,
            stacklevel=4,
        )
        self._store.declare(scale=_DEFAULT_SCALE)

    def import_(self, data: Any, *, progress: ProgressOption = None) -> int:
        """Write many ratings in one transaction; see `corated.live.store.Store.import_`."""
        with self._writing:
            written = self._store.import_(data, progress=progress)
            self._catch_up()
            return written.position

    def put_items(self, items: Catalog | Iterable[Item]) -> int:
        """Put items into the catalog; see `corated.live.store.Store.put_items`."""
        with self._writing:
            count = self._store.put_items(items)
            self._catch_up()
            return count

    def delete_items(self, ids: Iterable[Id]) -> int:
        """Take items out of the catalog, not out of the ratings; returns how many were there."""
        with self._writing:
            count = self._store.delete_items(ids)
            self._catch_up()
            return count

    def erase(self, user: Id) -> Erased:
        """Erase a user everywhere: in the store, the index, and the file for the next start.

        See `corated.live.store.Store.erase`.
        """
        with self._writing:
            if self._restart is not None:
                self._restart.unlink(missing_ok=True)
                self._kept = -1
            erased = self._store.erase(user)
            self._catch_up()
            return erased

    def export(self, path: str | os.PathLike[str], *, format: ExportFormat | None = None) -> int:
        """Write all ratings to a file; see `corated.live.store.Store.export`."""
        return self._store.export(path, format=format)

    def backup(self, to: str | os.PathLike[str]) -> None:
        """Copy the whole store; see `corated.live.store.Store.backup`."""
        self._store.backup(to)

    # -- asking -----------------------------------------------------------------------------------

    def recommend(
        self, user: Id, *, n: int = 10, at: Any = None, **filters: Unpack[Filters]
    ) -> Recommendations:
        """Recommend up to n items; see `LiveIndex.recommend`."""
        return self.index.recommend(user, n=n, at=at, **filters)

    def explain(
        self, user: Id, item: Id, *, n: int = 10, anonymous: bool = False, most: int | None = None
    ) -> Explanation:
        """Tell what a score is made of; see `LiveIndex.explain`."""
        return self.index.explain(user, item, n=n, anonymous=anonymous, most=most)

    def reasoned(
        self,
        user: Id,
        *,
        n: int = 10,
        anonymous: bool = False,
        most: int | None = None,
        **filters: Unpack[Filters],
    ) -> tuple[Recommendations, list[Explanation]]:
        """Recommend, and tell of each row why it is there; see `LiveIndex.reasoned`."""
        return self.index.reasoned(user, n=n, anonymous=anonymous, most=most, **filters)

    def why_not(self, user: Id, item: Id, *, n: int = 10, **filters: Unpack[Filters]) -> WhyNot:
        """Tell why an item is not listed; see `LiveIndex.why_not`."""
        return self.index.why_not(user, item, n=n, **filters)

    def predict(self, user: Id, items: Iterable[Id]) -> Predictions:
        """Predict ratings; see `LiveIndex.predict`."""
        return self.index.predict(user, items)

    def neighbors(
        self, user: Id, *, measure: str | Measure = "pearson", k: int = 40, min_common: int = 1
    ) -> Table:
        """Return a user's nearest; see `LiveIndex.neighbors`."""
        return self.index.neighbors(user, measure=measure, k=k, min_common=min_common)

    def similar_items(
        self, item: Id, *, measure: str | Measure = "cosine", k: int = 40, min_common: int = 1
    ) -> Table:
        """Return an item's nearest; see `LiveIndex.similar_items`."""
        return self.index.similar_items(item, measure=measure, k=k, min_common=min_common)

    def profile(self, user: Id) -> dict[Id, float]:
        """Return a user's ratings by item id; empty for an unknown user."""
        return self.index.profile(user)

    def verify(self, *, users: int = 100) -> Verified:
        """Check the store, the index against a fit, and one against the other; see `Verified.ok`."""
        with self._writing:
            self._catch_up()
            problems = self._store.verify()
            if self._index is None:
                return Verified(0, 0, (), tuple(problems))
            found = self._index.verify(users=users)
            with self._store.read() as snapshot:
                stored, position = snapshot.ratings().to_arrow(), snapshot.position
            # Where another process has just written, there is nothing to compare with.
            if position == self._position and not stored.equals(self._index.ratings().to_arrow()):
                problems.append("The index differs from the store.")
            return Verified(found.ratings, found.users, found.measures, (*problems, *found.differences))


def _change(one: tuple[Any, ...]) -> Change:
    made = Change(*one)
    if made.time is None or (isinstance(made.time, int) and not isinstance(made.time, bool)):
        return made
    return made._replace(time=instant(made.time, hint="leave it out for now"))


def restart_path(
    where: str | os.PathLike[str], store: Store, given: str | os.PathLike[str] | bool
) -> Path | None:
    """Return the file that an index starts from; see `open`."""
    if given is False:
        return None
    if given is not True:
        return Path(os.fspath(given))
    text = os.fspath(where)
    if re.match(r"[a-z+]{2,}:", text):
        return cache_folder("restart", create=True) / f"{store.head().identity}.restart"
    return Path(text + ".restart")
