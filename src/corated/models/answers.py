"""Ranked lists of items for some users, and how lists of several models come together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from corated.models.kernels import Lists

__all__ = ["Answer", "new_lists"]

Int64s = npt.NDArray[np.int64]


def new_lists(rows: int, n: int) -> Lists:
    """Return empty lists of n places each."""
    return Lists(
        np.zeros(rows * n, dtype=np.int64),
        np.zeros(rows * n),
        np.zeros(rows * n, dtype=np.int64),
        np.zeros(rows, dtype=np.int64),
    )


@dataclass(frozen=True)
class Answer:
    """Ranked lists of items for some users.

    lists : n places a row
    source : uint8 (rows * n,), index into ``sources``
    scored : whether scores mean something, by source
    """

    lists: Lists
    n: int
    source: npt.NDArray[np.uint8]
    sources: tuple[str, ...]
    scored: tuple[bool, ...]

    @classmethod
    def of(cls, lists: Lists, n: int, source: str, *, scored: bool = True) -> Answer:
        """Return lists that come of one source."""
        return cls(lists, n, np.zeros(len(lists.item), dtype=np.uint8), (source,), (scored,))

    @property
    def rows(self) -> int:
        """The number of lists."""
        return len(self.lists.size)

    def some(self, rows: Int64s) -> Answer:
        """Return some of the rows, in the order given."""
        return self._picked((rows[:, None] * self.n + np.arange(self.n)).ravel(), self.lists.size[rows])

    def rearranged(self, places: Int64s, size: Int64s, n: int) -> Answer:
        """Return lists of n places a row; ``places`` says where each place's entry stands here."""
        return replace(self._picked(places, size), n=n)

    def _picked(self, places: Int64s, size: Int64s) -> Answer:
        lists = self.lists
        picked = Lists(lists.item[places], lists.score[places], lists.support[places], size)
        return Answer(picked, self.n, self.source[places], self.sources, self.scored)

    def filled(self, rows: Int64s, more: Answer) -> Answer:
        """Append to some rows what another answer lists for them, as there is room; changes this one."""
        lists, room = self.lists, self.n - self.lists.size[rows]
        added = np.minimum(room, more.lists.size)
        row = np.repeat(np.arange(len(rows)), added)
        place = np.arange(int(added.sum())) - np.repeat(np.cumsum(added) - added, added)
        target = rows[row] * self.n + lists.size[rows][row] + place
        origin = row * more.n + place
        lists.item[target] = more.lists.item[origin]
        lists.score[target] = more.lists.score[origin]
        lists.support[target] = more.lists.support[origin]
        # A source that both name is one source.
        sources = list(self.sources)
        new = np.array([_place(sources, name) for name in more.sources], dtype=np.uint8)
        self.source[target] = new[more.source[origin]]
        lists.size[rows] += added
        scored = dict(zip(more.sources, more.scored, strict=True)) | dict(
            zip(self.sources, self.scored, strict=True)
        )
        return Answer(lists, self.n, self.source, tuple(sources), tuple(scored[name] for name in sources))

    @classmethod
    def stacked(cls, rows: int, n: int, parts: list[tuple[Int64s, Answer]]) -> Answer:
        """Return one answer of parts, each with the rows that it answers."""
        whole = cls(new_lists(rows, n), n, np.zeros(rows * n, dtype=np.uint8), (), ())
        for where, part in parts:
            whole = whole.filled(where, part)
        return whole


def _place(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)
