"""Predicting ratings: the table of answers, and the pairs asked for shared out over threads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import ParameterError
from corated.models.predict_kernels import Asked, Desk, Found, Limits, Raters, score_pairs
from corated.neighborhood.engine import Block, Engine
from corated.neighborhood.run import Flag, Run, run_blocks
from corated.ratings.ids import Id, IdMap
from corated.similarity.tasks import Pairs, Scratch, new_pairs
from corated.tables import Table

__all__ = [
    "FALLBACK",
    "OK",
    "STATUSES",
    "TOO_FEW",
    "UNKNOWN_ITEM",
    "UNKNOWN_USER",
    "Predicted",
    "Predictions",
    "Predictor",
    "Sums",
    "asked_pairs",
    "graph_sums",
    "id_column",
    "neighbor_sums",
]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

OK, FALLBACK, UNKNOWN_USER, UNKNOWN_ITEM, TOO_FEW = range(5)
STATUSES = ("ok", "fallback", "unknown_user", "unknown_item", "too_few")
_BLOCK_PAIRS = 1 << 19
"""Pairs of subjects that a thread holds at a time, one subject's at least."""
_BLOCK_SUBJECTS = 256


@dataclass(frozen=True)
class Predicted:
    """What a model makes of pairs: float64 values (NaN where there is none), int64 support, uint8 status."""

    value: Floats
    support: Int64s
    status: npt.NDArray[np.uint8]


class Predictor(Protocol):
    """A fitted model that predicts ratings."""

    def predict(self, users: Int64s, items: Int64s, run: Run) -> Predicted:
        """Predict for pairs of codes, −1 for an unknown id; never raises for those."""
        ...


class Predictions(Table):
    """Predicted ratings: columns user_id, item_id, value, support, status, a row a pair, in the order asked.

    An id that no id can be (an integer past 64 bits) is null. ``value`` is null only where there is no
    fallback; ``support`` counts the neighbors behind it. ``status``: ``ok``; ``unknown_user`` or
    ``unknown_item`` for an id that is not in the data; for others with fewer neighbors than the model
    wants, ``fallback`` where there is a value and ``too_few`` where there is none.
    """

    def __init__(self, users: pa.Array, items: pa.Array, predicted: Predicted) -> None:
        self._predicted = predicted
        status = pa.DictionaryArray.from_arrays(pa.array(predicted.status.astype(np.int8)), list(STATUSES))
        columns = {
            "user_id": users,
            "item_id": items,
            "value": pa.array(predicted.value, mask=np.isnan(predicted.value)),
            "support": pa.array(predicted.support),
            "status": status,
        }
        super().__init__(pa.table(columns))

    @property
    def by_status(self) -> dict[str, int]:
        """How many rows have each status."""
        counts = np.bincount(self._predicted.status, minlength=len(STATUSES))
        return dict(zip(STATUSES, counts.tolist(), strict=True))


def asked_pairs(
    user_ids: IdMap, item_ids: IdMap, users: Iterable[Id], items: Iterable[Id]
) -> tuple[tuple[pa.Array, Int64s], tuple[pa.Array, Int64s]]:
    """Return the ids and the codes of the users and of the items, −1 for unknown ones.

    Raises `ParameterError` where they are not equally many, `IdTypeError` for ids of another type.
    """
    (user_column, user_codes), (item_column, item_codes) = (
        id_column(user_ids, users, "users"),
        id_column(item_ids, items, "items"),
    )
    if len(user_codes) != len(item_codes):
        raise ParameterError(
            f"{len(user_codes):,} users and {len(item_codes):,} items were given.",
            expected="one item for each user: pairs",
            hint="repeat the user for each of their items",
        )
    return (user_column, user_codes), (item_column, item_codes)


def id_column(ids: IdMap, given: Iterable[Id], what: str) -> tuple[pa.Array, Int64s]:
    """Return ids as an array and their codes, −1 for unknown ones; null for what no id can be.

    Raises `ParameterError` for what is no list, `IdTypeError` for ids of another type.
    """
    is_one = isinstance(given, np.ndarray) and given.ndim == 0
    if is_one or isinstance(given, str | bytes | int | float) or not isinstance(given, Iterable):
        raise ParameterError(
            f"{what}={given!r} is not a list of ids.",
            expected="one id for each pair",
            hint=f"put it in a list: {what}=[{given!r}]",
        )
    column = ids.as_array(given)
    return column, ids.codes_in(column)


@dataclass(frozen=True)
class Sums:
    """By pair: Σ s w, Σ |s|, and the number of neighbors."""

    total: Floats
    weight: Floats
    support: Int64s


@dataclass
class _Worker:
    scratch: Scratch
    pairs: Pairs
    desk: Desk


def neighbor_sums(
    engine: Engine, subjects: Int64s, objects: Int64s, raters: Raters, limits: Limits, run: Run
) -> Sums:
    """Ask the neighbors of subjects about objects, pair by pair; pairs with a code below 0 get nothing.

    Each subject is compared with everyone once, and its neighbors are forgotten again.
    """
    n = engine.n
    sums, queries, starts, order = _arranged(engine.profiles.label, subjects, objects)
    task, events = engine.task(both=False, screen=False), engine.events(both=False)
    most = np.minimum(events // engine.min_common, n - 1)
    cost = np.maximum(most, events // 16)
    blocks = [
        (int(events[labels].sum()), (layout, labels, first))
        for _, (layout, labels, first) in engine.blocks(queries, cost, _BLOCK_PAIRS)
    ]
    room = max((int(most[labels].sum()) for _, (_, labels, _) in blocks), default=0)

    def make_state() -> _Worker:
        return _Worker(engine.scratch(), new_pairs(room), _desk(n))

    def work(worker: _Worker, block: Block, flag: Flag) -> None:
        layout, labels, first = block
        count = engine.emit(task, layout, labels, worker.scratch, worker.pairs, flag)
        pairs, rank = worker.pairs, engine.profiles.rank
        cuts = np.append(np.searchsorted(pairs.first[:count], labels), count)
        found = Found(cuts, rank[pairs.second[:count]], pairs.value[:count], pairs.n[:count])
        here = starts[first : first + len(labels) + 1]
        places = order[here[0] : here[-1]]
        asked = Asked(here - here[0], objects[places], places)
        score_pairs(found, asked, raters, limits, worker.desk, sums.total, sums.weight, sums.support, flag)

    _compile(engine, raters, limits)
    run_blocks(blocks, make_state, work, run)
    return sums


def graph_sums(
    near: Found, subjects: Int64s, objects: Int64s, raters: Raters, limits: Limits, run: Run
) -> Sums:
    """Ask known neighbors, pair by pair; as `neighbor_sums`, with a row of ``near`` for each subject code."""
    n = len(near.starts) - 1
    sums, queries, starts, order = _arranged(np.arange(n), subjects, objects)
    blocks = [
        (int(starts[stop] - starts[first]), (first, stop))
        for first, stop in pairwise([*range(0, len(queries), _BLOCK_SUBJECTS), len(queries)])
    ]

    def work(desk: Desk, block: tuple[int, int], flag: Flag) -> None:
        first, stop = block
        rows = queries[first:stop]
        size = near.starts[rows + 1] - near.starts[rows]
        cuts = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        at = np.repeat(near.starts[rows] - cuts[:-1], size) + np.arange(cuts[-1])
        found = Found(cuts, near.who[at], near.value[at], near.n[at])
        here = starts[first : stop + 1]
        places = order[here[0] : here[-1]]
        asked = Asked(here - here[0], objects[places], places)
        score_pairs(found, asked, raters, limits, desk, sums.total, sums.weight, sums.support, flag)

    run_blocks(blocks, lambda: _desk(n), work, run)
    return sums


def _arranged(
    label: Int64s, subjects: Int64s, objects: Int64s
) -> tuple[Sums, Int64s, npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    """Return empty sums, the labels asked about, where the pairs of each start, and the pairs in order."""
    sums = Sums(np.zeros(len(subjects)), np.zeros(len(subjects)), np.zeros(len(subjects), dtype=np.int64))
    known = np.flatnonzero((subjects >= 0) & (objects >= 0))
    labels = label[subjects[known]]
    order = known[np.argsort(labels, kind="stable")]
    queries, counts = np.unique(labels, return_counts=True)
    return sums, queries, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), order


def _desk(n: int) -> Desk:
    whole = [np.zeros(n + 1, dtype=np.int64) for _ in range(4)]
    return Desk(np.full(n, np.nan), whole[0], whole[1], whole[2], np.zeros(n), whole[3])


def _compile(engine: Engine, raters: Raters, limits: Limits) -> None:
    """Compile (or load) the kernels here, where Ctrl-C can interrupt it, and not in a worker thread."""
    flag, nobody, nothing = np.zeros(1, dtype=np.uint8), np.zeros(0, dtype=np.int64), np.zeros(0)
    pairs, start = new_pairs(0), np.zeros(1, dtype=np.int64)
    task = engine.task(both=False, screen=False)
    engine.emit(task, engine.layouts[0], nobody, engine.scratch(), pairs, flag)
    found = Found(start, engine.profiles.rank[pairs.second[:0]], pairs.value[:0], pairs.n[:0])
    asked = Asked(start, nobody, nobody)
    score_pairs(found, asked, raters, limits, _desk(1), nothing, nothing, nobody, flag)
