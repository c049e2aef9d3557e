"""What a task takes: bytes for a pair of blocks, in one place, and how many blocks follow from that."""

from __future__ import annotations

import numpy as np

from corated.similarity.topk import room_for

__all__ = ["PROCESS", "merge_bytes", "pair_bytes", "pairs_of", "tasks_of"]

PROCESS = 450_000_000
"""Bytes of a Python worker with the libraries loaded, before any data; also where it compiles kernels."""
_RATING, _SUBJECT = 120, 160
"""Bytes for each rating and each subject of both blocks while they are put together and met."""
_CANDIDATE, _ENTRY = 16, 20
"""Bytes of a place in a selection, and of an entry that is written out."""
_LOOKED_UP = 26_000_000
"""The most that `corated.similarity.profiles.popular` takes."""


def pair_bytes(subjects: int, ratings: int, k: int, words: int, *, floats: bool, deferred: bool) -> int:
    """Return the bytes a task takes at most, its process included, for so many in both blocks together."""
    room = int(room_for(k, np.array([subjects]))[0])
    per_subject = _SUBJECT + 8 * words + room * _CANDIDATE + min(k, subjects) * _ENTRY
    per_rating = _RATING + (40 if floats else 0)
    return PROCESS + subjects * per_subject + ratings * per_rating + (_LOOKED_UP if deferred else 0)


def merge_bytes(subjects: int, k: int) -> int:
    """Return the bytes that merging the lists of a block takes at most, its process included."""
    return PROCESS + subjects * (100 + k * 140)


def pairs_of(blocks: int) -> list[tuple[int, int]]:
    """Return every pair of blocks once, those with themselves included."""
    return [(first, second) for first in range(blocks) for second in range(first, blocks)]


def tasks_of(blocks: int) -> int:
    """Return how many pairs of blocks there are."""
    return blocks * (blocks + 1) // 2
