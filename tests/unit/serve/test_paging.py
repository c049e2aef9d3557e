"""Cursors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corated.serve.paging import after, cursor_of, page_of
from corated.serve.problems import Problem

IDS = st.integers(-(2**63), 2**63 - 1) | st.text(min_size=1, max_size=20)


@given(IDS)
def test_a_cursor_goes_round(id):
    cursor = cursor_of(id)
    assert cursor.isascii() and "=" not in cursor and after(cursor) == id


@given(st.lists(st.integers(0, 50), unique=True), st.integers(1, 7))
def test_pages_are_the_whole_list_once(ids, limit):
    ids.sort()
    seen, cursor = [], None
    for _ in range(60):
        here, cursor = page_of(ids, after(cursor), limit)
        assert len(ids[here]) <= limit
        seen += ids[here]
        if cursor is None:
            break
    assert seen == ids


@given(st.lists(st.integers(0, 50), unique=True), st.integers(-1, 51), st.integers(1, 7))
def test_a_page_begins_after_an_id_that_may_be_gone(ids, last, limit):
    ids.sort()
    here, _ = page_of(ids, last, limit)
    assert ids[here] == [id for id in ids if id > last][:limit]


@pytest.mark.parametrize("cursor", ["", "!", "bnVsbA", "W251bGxd", "WzEsMl0", "W3RydWVd", "WzEuNV0", "é"])
def test_others_are_none(cursor):
    with pytest.raises(Problem) as caught:
        after(cursor)
    assert caught.value.status == 422 and caught.value.field == "query/cursor"


def test_a_cursor_of_another_type_is_refused():
    with pytest.raises(Problem):
        page_of(["a"], 5, 1)
