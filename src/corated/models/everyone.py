"""Lists where everyone with a value is a neighbor: found for some users, walked, and forgotten again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from corated.models.answers import Answer, new_lists
from corated.models.kernels import Links, Work
from corated.models.lists import new_scored
from corated.models.predict_kernels import Found, Limits, near_rows
from corated.models.request import Request
from corated.neighborhood.engine import Block
from corated.neighborhood.run import Flag, Run, run_blocks
from corated.similarity.tasks import Pairs, Scratch, new_pairs

if TYPE_CHECKING:
    from corated.models.fitted_knn import FittedKNN

__all__ = ["answer"]

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_BLOCK_PAIRS = 1 << 19
"""Pairs that a thread holds at a time, one user's at least."""


@dataclass
class _Worker:
    scratch: Scratch
    pairs: Pairs
    near: Links
    dense: Floats
    work: Work


def answer(part: FittedKNN, request: Request, run: Run) -> Answer:
    """Rank up to n items for users, in constant memory but for the lists."""
    from corated.models.fitted_knn import Paths

    engine, settings = part.engine, part.settings
    # Each user once, in the order in which the kernels see them.
    codes, first_of, back = np.unique(request.codes, return_index=True, return_inverse=True)
    label = engine.profiles.label[codes]
    order = np.argsort(label)
    asked, labels = request.some(first_of[order]), label[order]
    n = min(request.n, part.ratings.n_items)
    lists, seen = new_lists(len(labels), n), asked.seen(part.ratings)
    task, events = engine.task(both=False, screen=False), engine.events(both=False)
    most = np.minimum(events // engine.min_common, engine.n - 1)
    blocks = [
        (int(events[block[1]].sum()) + 1, block)
        for _, block in engine.blocks(labels, np.maximum(most, events // 16) + 1, _BLOCK_PAIRS)
    ]
    room = max((int(most[queries].sum()) for _, (_, queries, _) in blocks), default=0)
    widest = max((len(queries) for _, (_, queries, _) in blocks), default=0)
    limits = Limits(engine.n, settings.measure.sign, settings.min_similarity, settings.rule == "votes")

    def make_state() -> _Worker:
        near = Links(
            np.zeros(widest + 1, dtype=np.int64), np.zeros(room, dtype=np.int32), np.zeros(room), np.zeros(0)
        )
        dense = np.full(engine.n, np.nan)
        return _Worker(
            engine.scratch(), new_pairs(room), near, dense, new_scored(n, asked, part.ratings.n_items)
        )

    def work(worker: _Worker, block: Block, flag: Flag) -> None:
        layout, queries, first = block
        pairs, near, rank = worker.pairs, worker.near, engine.profiles.rank
        count = engine.emit(task, layout, queries, worker.scratch, pairs, flag)
        if flag[0] != 0:
            return
        cuts = np.append(np.searchsorted(pairs.first[:count], queries), count)
        found = Found(cuts, rank[pairs.second[:count]], pairs.value[:count], pairs.n[:count])
        near_rows(found, limits, worker.dense, near.indptr, near.target, near.weight)
        users, rows = rank[queries], np.arange(len(queries))
        part.walk(Paths(near, part.likes, seen, asked, lists), worker.work, users, first, rows, flag)

    run_blocks(blocks, make_state, work, run)
    alone = Answer.of(lists, n, part.source)
    _answer_the_rest(part, asked, blocks, alone)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return part.finished(alone.some(place[back]), request)


def _answer_the_rest(
    part: FittedKNN, asked: Request, blocks: list[tuple[int, Block]], answer: Answer
) -> None:
    """Answer those who rated too little to have neighbors, and so are in no block: from everyone alone."""
    from corated.models.fitted_knn import Paths

    first = min((block[2] for _, block in blocks), default=len(asked.codes))
    if first == 0 or part.settings.everyone == 0.0:
        return
    rest = asked.some(np.arange(first))
    nobody = np.zeros(first + 1, dtype=np.int64)
    near = Links(nobody, np.zeros(0, dtype=np.int32), np.zeros(0), np.zeros(0))
    paths = Paths(near, part.likes, asked.seen(part.ratings), asked, answer.lists)
    state, flag = new_scored(answer.n, asked, part.ratings.n_items), np.zeros(1, dtype=np.uint8)
    part.walk(paths, state, rest.codes, 0, np.arange(first), flag)
