"""Peaks: the largest of lanes, what k of them reach, and which lanes pass."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corated.similarity.peaks import (
    DEPTH,
    FOLDED,
    GROUP,
    LANES,
    count_peaks,
    fold,
    passing,
    reached,
    scaled_peaks,
)


def lanes_of(acc: np.ndarray) -> np.ndarray:
    """Groups × depth × lanes."""
    return acc.reshape(-1, DEPTH, LANES)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_peaks_of_counts(dtype: type) -> None:
    acc = np.random.default_rng(1).integers(0, 200, 3 * GROUP).astype(dtype)
    peak = np.zeros(3 * LANES, dtype=dtype)
    count_peaks(acc, peak, np.uint64(3))
    np.testing.assert_array_equal(peak.reshape(3, LANES), lanes_of(acc).max(axis=1))


def test_peaks_of_sums_times_factors() -> None:
    rng = np.random.default_rng(2)
    acc = rng.integers(0, 2**20, 2 * GROUP).astype(np.int32)
    factor = rng.random(2 * GROUP, dtype=np.float32) * np.float32(100)
    peak = np.zeros(2 * LANES, dtype=np.int32)
    scaled_peaks(acc, np.int32(5), factor, peak, np.uint64(2))
    scaled = ((acc >> 5).astype(np.float32) * factor).astype(np.int32)
    np.testing.assert_array_equal(peak.reshape(2, LANES), lanes_of(scaled).max(axis=1))


@pytest.mark.parametrize("groups", [1, 8, 11])
def test_folded_peaks_are_the_largest_of_every_eighth_group(groups: int) -> None:
    rng = np.random.default_rng(groups)
    peak = rng.integers(0, 50, groups * LANES).astype(np.uint8)
    unit = rng.random(groups, dtype=np.float32)
    near = np.full(FOLDED, 7.0, dtype=np.float32)
    fold(peak, unit, near, np.uint64(groups))
    worth = peak.reshape(groups, LANES).astype(np.float32) * unit[:, None]
    for row, found in enumerate(near.reshape(-1, LANES)):
        np.testing.assert_array_equal(found, worth[row::8].max(axis=0, initial=0.0))


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60), st.integers(1, 50))
def test_k_reach_what_is_reached(numbers: list[int], k: int) -> None:
    near = np.array(numbers, dtype=np.float32)
    low = reached(near, len(near), k)
    above = int((near >= low).sum())
    if low > 0:
        assert above >= k
    kth = np.sort(near)[-k] if k <= len(near) else np.float32(0.0)
    assert low <= kth
    # Few more than k are above, but for those so close to the k-th that halving did not part them.
    assert len(near) <= k + 4 or above <= k + 4 or kth - low <= near.max() / 2**15


def test_lanes_that_pass() -> None:
    peak = np.random.default_rng(4).integers(0, 9, 5 * LANES).astype(np.int32)
    limit = np.array([8, 9, 1, 4, 7], dtype=np.int32)
    lanes = np.zeros(5 * LANES + 1, dtype=np.uint32)
    found = int(passing(peak, limit, lanes, np.uint64(5)))
    group, lane = np.nonzero(peak.reshape(5, LANES) >= limit[:, None])
    assert 0 < found < 5 * LANES
    np.testing.assert_array_equal(lanes[:found], group * GROUP + lane)
