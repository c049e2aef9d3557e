"""Neighbors of small, awkward matrices: the oracle's, and the same bits however they are asked for."""

import numba
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corated.errors import DataError
from corated.neighborhood import cost as cost_module
from corated.neighborhood import graph as graph_module
from corated.neighborhood import work as work_module
from corated.neighborhood.graph import Wanted, neighbors, search_of
from corated.neighborhood.work import held, work_of
from corated.ratings.ratings import Ratings
from corated.similarity import reference
from corated.similarity.measures import MEASURES

EXAMPLES = 40 if numba.config.DISABLE_JIT else 250
SCALES = [
    (1, 1, 1),
    (0, 1, 1),
    (-1, 0, 1),
    (1, 10, 1),
    (0, 10, 1),
    (-5, 5, 1),
    (0.5, 5, 0.5),
    (0, 1, 0.1),
    (0.1, 2.6, 0.1),
    (-1, 1, 0.25),
    (0, 255, 1),
    (-255, 0, 1),
    (1000, 1255, 1),
    (1.5, 9.5, 1),  # the cosines count in halves of a step
    (0.7, 9.1, 2.1),  # in thirds
    (0.1234567, 4.1234567, 1),  # in no small part: the cosines add up floats
]
PLAY_COUNTS = [1.0, 2.0, 3.0, 120.5, 0.001, 7.123456789, 20_000.0]
MORE_MEASURES = [
    *("pearson(shrink=10)", "pearson(adjust=lower_bound(0.8))", "pearson(weight=zscore(by=item))"),
    *("cosine(weight=binary)", "cosine(weight=bm25)", "cosine(weight=tfidf, shrink=3)", "msd(weight=minmax)"),
    *("cosine_common(adjust=shrink_add(0.5))", "euclidean(weight=center)", "tversky(alpha=0.2, beta=3)"),
    *("asymmetric_cosine(alpha=0.9)", "p3alpha(alpha=0.5)", "rp3beta(weight=bm25)"),
]
TEXT_IDS = ["10", "9", "09", "a", "B", "é", "e\u0301", "z", "\uffee", "\U0001f600", " ", "a b"]
INTEGER_IDS = [0, -1, 7, 10, 9, 2**62, -(2**63), 2**63 - 1, 100, 3, 5, 4]


@pytest.fixture(autouse=True, scope="module")
def one_query_a_block():
    """Small matrices would be one block, and the second thread would have nothing to do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost_module, "_SMALLEST_BLOCK", 1)
        patch.setattr(cost_module, "_BLOCKS_PER_THREAD", 10**6)
        patch.setattr(cost_module, "_PIECE_BYTES", 16)
        patch.setattr(cost_module, "_ENTRIES_PER_VISIT", 0)
        patch.setattr(work_module, "_LEAST_PART", 0)
        patch.setattr(graph_module, "check_preparation", lambda *args: None)  # it would be all that counts
        yield


@st.composite
def matrices(draw):
    """(rows of (user, item, rating), scale): few levels, so that ties and flat overlaps are common.

    The scale is None for play counts.
    """
    low, high, step = scale = draw(st.sampled_from(SCALES))
    top = round((high - low) / step)
    levels = draw(
        st.just([0, top])
        | st.lists(st.integers(0, top), min_size=1, max_size=3)
        | st.just(list(range(top + 1)))
    )
    palette = [round(low + step * code, 10) for code in levels]
    if draw(st.integers(0, 3)) == 0:
        scale, palette = None, draw(st.lists(st.sampled_from(PLAY_COUNTS), min_size=1, max_size=4))
    users = draw(ids())
    items = draw(ids())
    cell = st.none() | st.sampled_from(palette)
    shape = len(users) * len(items)
    cells = draw(st.lists(cell, min_size=shape, max_size=shape))
    rows = [
        (user, item, rating)
        for (user, item), rating in zip(((u, i) for u in users for i in items), cells, strict=True)
        if rating is not None
    ]
    if not rows:
        rows = [(users[0], items[0], palette[0])]
    return draw(st.permutations(rows)), scale


def ids():
    pool = st.sampled_from([TEXT_IDS, INTEGER_IDS])
    return pool.flatmap(lambda known: st.lists(st.sampled_from(known), min_size=1, max_size=9, unique=True))


def ratings_of(rows, scale):
    return Ratings.from_arrays(*zip(*rows, strict=True), **({} if scale is None else {"scale": scale}))


QUESTIONS = st.fixed_dictionaries(
    {
        "of": st.sampled_from(["users", "items"]),
        "measure": st.sampled_from([*MEASURES, *MORE_MEASURES]),
        "k": st.integers(1, 4) | st.just(12),
        "min_common": st.integers(1, 4),
    }
)


def answerable(ratings, question):
    """Whether the measure has a meaning for these ratings; where it has none, both sides must refuse."""
    try:
        reference.neighbors(ratings, subjects=[], **question)
    except DataError:
        with pytest.raises(DataError):
            neighbors(ratings, threads=1, **question)
        return False
    return True


@given(matrices(), QUESTIONS, st.sampled_from([1, 2, 3]))
@settings(max_examples=EXAMPLES)
def test_equal_to_the_oracle(rows_of, assert_lists, matrix, question, threads):
    ratings = ratings_of(*matrix)
    if answerable(ratings, question):
        everybody = reference.neighbors(ratings, **question | {"k": 1000})
        found = rows_of(neighbors(ratings, threads=threads, **question))
        assert_lists(ratings, question["measure"], found, everybody, question["k"])


@given(matrices(), QUESTIONS, st.sampled_from([1, 2, 3]), st.floats(0, 1))
@settings(max_examples=EXAMPLES)
def test_memory_changes_nothing(rows_of, matrix, question, threads, share):
    """Parts of one subject, pieces of two candidates, and everything in between."""
    ratings = ratings_of(*matrix)
    if answerable(ratings, question):
        search = search_of(ratings, Wanted(**question), None, in_parts=False)
        least, ample = (work_of(search, most, room).to_take for most, room in ((1, 0), (threads, None)))
        limit = held(search.engine) + least + round(share * max(ample - least, 0))
        found = neighbors(ratings, threads=threads, memory_limit=limit, **question)
        assert rows_of(found) == rows_of(neighbors(ratings, threads=1, **question))


@given(matrices(), QUESTIONS, st.data())
@settings(max_examples=EXAMPLES)
def test_some_subjects_get_what_they_get_among_all(rows_of, matrix, question, data):
    ratings = ratings_of(*matrix)
    if answerable(ratings, question):
        everyone = rows_of(neighbors(ratings, threads=1, **question))
        subjects = data.draw(st.lists(st.sampled_from(sorted(everyone)), max_size=6))
        threads = data.draw(st.sampled_from([1, 2]))
        some = rows_of(neighbors(ratings, threads=threads, subjects=subjects, **question))
        assert some == {subject: everyone[subject] for subject in sorted(set(subjects))}


@given(matrices(), QUESTIONS, st.randoms(use_true_random=False))
@settings(max_examples=EXAMPLES // 2)
def test_the_order_of_rows_plays_no_part(rows_of, matrix, question, random):
    rows, scale = matrix
    ratings = ratings_of(rows, scale)
    shuffled = ratings_of(random.sample(rows, len(rows)), scale)
    if answerable(ratings, question):
        once = neighbors(ratings, threads=1, **question)
        again = neighbors(shuffled, threads=2, **question)
        assert once.to_arrow().equals(again.to_arrow())
        assert rows_of(once) == rows_of(again)


@given(matrices(), QUESTIONS)
@settings(max_examples=EXAMPLES // 2)
def test_ids_that_keep_their_order_change_nothing_else(rows_of, matrix, question):
    rows, scale = matrix
    number = [{id: at for at, id in enumerate(sorted({row[column] for row in rows}))} for column in range(2)]
    ratings = ratings_of(rows, scale)
    numbered = ratings_of([(number[0][u], number[1][i], r) for u, i, r in rows], scale)
    new = number[0] if question["of"] == "users" else number[1]
    if answerable(ratings, question):
        before = rows_of(neighbors(ratings, threads=1, **question))
        assert rows_of(neighbors(numbered, threads=1, **question)) == {
            new[subject]: [(new[v], value, n) for v, value, n in found] for subject, found in before.items()
        }


@given(matrices(), QUESTIONS)
@settings(max_examples=EXAMPLES // 2)
def test_the_other_side_is_the_matrix_turned_over(rows_of, matrix, question):
    rows, scale = matrix
    ratings = ratings_of(rows, scale)
    turned = ratings_of([(item, user, rating) for user, item, rating in rows], scale)
    other = question | {"of": "items" if question["of"] == "users" else "users"}
    # What these make of ratings is not the same of users and of items.
    is_alike = question["measure"] != "pearson_baseline" and "by=" not in question["measure"]
    is_alike &= not any(word in question["measure"] for word in ("center)", "minmax)", "zscore)"))
    if is_alike and answerable(ratings, question):
        assert rows_of(neighbors(ratings, threads=1, **question)) == rows_of(
            neighbors(turned, threads=1, **other)
        )


@given(matrices(), QUESTIONS)
@settings(max_examples=EXAMPLES // 2)
def test_a_longer_list_begins_with_the_shorter(rows_of, matrix, question):
    ratings = ratings_of(*matrix)
    if answerable(ratings, question):
        short = rows_of(neighbors(ratings, threads=1, **question))
        long = rows_of(neighbors(ratings, threads=1, **question | {"k": 1000}))
        assert short == {subject: found[: question["k"]] for subject, found in long.items()}
