"""Packed sums: no field can overflow within a layout's capacity, and none is wider than it must be."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corated.errors import ParameterError
from corated.similarity.formulas import FORMULAS
from corated.similarity.statistics import MAX_WORDS, plan_layouts

WORD_BITS = 63  # all of an int64 but its sign
TERMS = {
    "n": lambda x, y: 1,
    "sx": lambda x, y: x,
    "sy": lambda x, y: y,
    "sxx": lambda x, y: x * x,
    "syy": lambda x, y: y * y,
    "sxy": lambda x, y: x * y,
    "sdd": lambda x, y: (x - y) ** 2,
    "sad": lambda x, y: abs(x - y),
}
# The last are what functions of the caller's own may read.
OWN = {("n", "sad", "sdd"), ("n", "sx", "sad"), ("n", "sy", "sxy")}
SUMS = sorted({formula.sums for formula in FORMULAS.values()} | OWN)


@st.composite
def problems(draw):
    """The sums of a measure, a scale, and the largest profile."""
    levels = draw(st.sampled_from([1, 2, 3, 5, 10, 11, 16, 51, 100, 256]) | st.integers(1, 256))
    low = draw(st.sampled_from([0, 1, -levels + 1, -(levels // 2)]) | st.integers(-300, 300))
    largest = 2 ** draw(st.integers(0, 18)) + draw(st.integers(-1, 1))
    return draw(st.sampled_from(SUMS)), np.arange(low, low + levels), max(largest, 1)


def words_of(layout, x, y):
    """What a pair of codes adds to each word, as Python integers."""
    return [int(layout.table[x, y * layout.words + w]) for w in range(layout.words)]


def unpacked(layout, words, n):
    return [
        ((words[w] >> int(shift)) & int(mask)) - n * int(bias)
        for w, shift, mask, bias in zip(layout.where, layout.shift, layout.mask, layout.bias, strict=True)
    ]


def extremes(names, integers):
    """Pairs of codes at which some sum, or some sum plus its bias, is largest or smallest."""
    codes = range(len(integers))
    corners = {0, len(codes) - 1, int(np.argmin(np.abs(integers)))}
    return list(itertools.product(sorted(corners), repeat=2))


def widest(peaks, words, largest):
    """The largest capacity at which some distribution of the fields over words has room, by trying all."""

    def fits(capacity):
        widths = [(capacity * peak).bit_length() for peak in peaks]
        for places in itertools.product(range(words), repeat=len(peaks) - 1):
            used = [0] * words
            for width, word in zip(widths, (0, *places), strict=True):
                used[word] += width
            if max(used) <= WORD_BITS:
                return True
        return False

    low, high = 0, largest
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


@given(problems(), st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_sums_at_capacity_unpack_exactly(problem, random):
    names, integers, largest = problem
    pairs = extremes(names, integers)
    for layout in plan_layouts(names, integers, largest):
        capacity = layout.capacity
        for a, b in itertools.product(pairs, repeat=2):
            some = random.choice([0, 0, capacity, capacity // 2, random.randint(0, capacity)])
            counts = ((a, capacity - some), (b, some))
            words = [0] * layout.words
            for (x, y), count in counts:
                words = [
                    word + count * more for word, more in zip(words, words_of(layout, x, y), strict=True)
                ]
            assert all(0 <= word < 2**WORD_BITS for word in words)
            expected = [
                sum(count * TERMS[name](int(integers[x]), int(integers[y])) for (x, y), count in counts)
                for name in names
            ]
            assert unpacked(layout, words, capacity) == expected


@given(problems())
@settings(max_examples=150)
def test_every_pair_of_levels_has_its_terms(problem):
    names, integers, largest = problem
    for layout in plan_layouts(names, integers, largest):
        levels = len(integers)
        table = layout.table.reshape(levels, levels, layout.words)
        x, y = integers[:, None], integers[None, :]
        for field, name in enumerate(names):
            word = table[:, :, layout.where[field]]
            got = ((word >> layout.shift[field]) & layout.mask[field]) - layout.bias[field]
            assert (got == TERMS[name](x, y) + 0 * (x + y)).all()
        assert layout.table.flags.c_contiguous
        assert layout.table.dtype == np.int64


@given(problems())
@settings(max_examples=100)
def test_layouts_are_maximal_ascending_and_enough(problem):
    names, integers, largest = problem
    values = [int(v) for v in integers]
    layouts = plan_layouts(names, integers, largest)
    assert layouts[-1].capacity == largest
    assert [layout.words for layout in layouts] == sorted({layout.words for layout in layouts})
    capacities = [layout.capacity for layout in layouts]
    assert capacities == sorted(set(capacities))
    ends = {values[0], values[-1], min(values, key=abs)}
    peaks = []
    for name in names:
        terms = [TERMS[name](x, y) for x in ends for y in ends]
        peaks.append(max(terms) + max(0, -min(terms)))
    for layout in layouts:
        assert layout.capacity == widest(peaks, layout.words, largest)
        # The kernels take the count from the lowest bits of the first word.
        assert (layout.where[0], layout.shift[0], layout.bias[0]) == (0, 0, 0)


@given(problems())
@settings(max_examples=100)
def test_fields_do_not_overlap(problem):
    names, integers, largest = problem
    for layout in plan_layouts(names, integers, largest):
        taken = [0] * layout.words
        for word, shift, mask in zip(layout.where, layout.shift, layout.mask, strict=True):
            bits = int(mask) << int(shift)
            assert taken[word] & bits == 0
            taken[word] |= bits
        assert max(taken) < 2**WORD_BITS


def test_one_word_serves_small_profiles_and_more_words_large_ones():
    integers, names = np.arange(10), FORMULAS["pearson"].sums
    assert [layout.words for layout in plan_layouts(names, integers, 20)] == [1]
    assert [layout.words for layout in plan_layouts(names, integers, 2000)] == [1, 2]
    assert [layout.words for layout in plan_layouts(names, np.arange(256), 5000)] == [2, 3]
    assert [layout.words for layout in plan_layouts(("n",), np.zeros(1, np.int64), 2**30)] == [1]


def test_beyond_three_words_is_refused_with_what_would_fit():
    names, integers = FORMULAS["pearson"].sums, np.arange(256)
    with pytest.raises(ParameterError, match="do not fit 3 words") as refused:
        plan_layouts(names, integers, 2**22)
    limit = int(refused.value.expected.split()[2].replace(",", ""))
    layouts = plan_layouts(names, integers, limit)
    assert layouts[-1].words == MAX_WORDS
    assert layouts[-1].capacity == limit
    with pytest.raises(ParameterError):
        plan_layouts(names, integers, limit + 1)


@pytest.mark.parametrize("integers", [np.arange(10), np.arange(-9, 1)])
def test_products_beyond_64_bits_are_refused(integers):
    names = ("n", "sx")
    limit = (2**31 - 1) // 9
    assert plan_layouts(names, integers, limit)[-1].capacity == limit
    with pytest.raises(ParameterError, match="too large for exact sums"):
        plan_layouts(names, integers, limit + 1)
