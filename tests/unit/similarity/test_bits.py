"""Bits of numbers that reach a limit: the same as looking at each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corated.similarity.bits import WORD, list_bits, reaching
from corated.similarity.jit import kernel


@kernel
def listed(numbers, least, places):
    """List which of the numbers, as many as fill words, reach a limit."""
    found = np.uint64(0)
    for first in range(np.uint64(0), np.uint64(len(numbers)), np.uint64(WORD)):
        found = list_bits(reaching(numbers, np.uint64(first), least), np.uint64(first), places, found)
    return found


@pytest.mark.parametrize("type_", [np.uint8, np.int32, np.float32])
@given(numbers=st.lists(st.integers(0, 9), min_size=2 * WORD, max_size=2 * WORD), least=st.integers(0, 10))
def test_those_that_reach_the_limit_are_listed_in_order(type_, numbers, least):
    given_, places = np.array(numbers, dtype=type_), np.full(2 * WORD, 999, dtype=np.uint32)
    found = int(listed(given_, type_(least), places))
    assert places[:found].tolist() == np.flatnonzero(given_ >= least).tolist()
    assert (places[found:] == 999).all()


def test_nothing_reaches_what_is_no_number_and_no_number_reaches_anything():
    numbers, places = np.full(WORD, np.nan, dtype=np.float32), np.zeros(WORD, dtype=np.uint32)
    assert listed(numbers, np.float32(0.0), places) == 0
    assert listed(np.ones(WORD, dtype=np.float32), np.float32(np.nan), places) == 0
