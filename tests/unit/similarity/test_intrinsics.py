"""What kernels ask of the processor is what Python says."""

import numpy as np
import pytest

from corated.similarity.intrinsics import lowest, prefetch
from corated.similarity.jit import kernel


@kernel
def lowest_of(words, places):
    for i in range(len(words)):
        places[i] = lowest(words[i])


@kernel
def ask_for_all(numbers):
    for i in range(len(numbers) + 1):
        prefetch(numbers, i)


def test_the_lowest_bit():
    words = [*(1 << place for place in range(64)), *((1 << 64) - (1 << place) for place in range(64))]
    places = np.full(128, 99, dtype=np.uint64)
    lowest_of(np.array(words, dtype=np.uint64), places)
    assert places.tolist() == [*range(64), *range(64)] == [int(lowest(np.uint64(word))) for word in words]


@pytest.mark.parametrize("type_", [np.int32, np.int64, np.float64])
def test_asking_for_a_line_changes_nothing(type_):
    numbers = np.arange(1000).astype(type_)
    ask_for_all(numbers)
    ask_for_all(numbers[:0])
    prefetch(numbers, 3)
    assert (numbers == np.arange(1000)).all()
