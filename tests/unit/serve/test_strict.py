"""JSON that means one thing only."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corated.serve.strict import NotStrictError, json_bytes, read_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read(value):
    assert read_json(json_bytes(value), depth=100) == value
    assert read_json(json.dumps(value).encode(), depth=100) == value


def depth_of(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(VALUES, st.integers(0, 6))
def test_depth_is_counted_outside_of_text(value, most):
    text = json.dumps(value).encode()
    if depth_of(value) <= most:
        assert read_json(text, depth=most) == value
    else:
        with pytest.raises(NotStrictError, match=f"more than {most} deep"):
            read_json(text, depth=most)


def test_brackets_in_text_are_no_depth():
    assert read_json(rb'["[[[[{{{{\"[[["]', depth=1) == ['[[[[{{{{"[[[']


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"NaN", "it has NaN for a number"),
        (b"[-Infinity]", "it has -Infinity for a number"),
        (b"1e400", "it has a number beyond the floats, 1e400"),
        (b'{"a": 1, "b": {"a": 1, "a": 2}}', 'it has the key "a" twice'),
        (rb'"\ud800"', "half a character"),
        (rb'{"\udc00": 1}', "half a character"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        (b"[1,]", "line 1, column"),
        (b"", "line 1, column 1"),
        (b"9" * 5000, "too many digits"),
    ],
)
def test_what_is_not_strict_is_refused(text, told):
    with pytest.raises(NotStrictError, match=told):
        read_json(text, depth=5)


def test_surrogate_pairs_and_large_numbers_are_fine():
    assert read_json(rb'"\ud83d\ude00"', depth=1) == "😀"
    assert read_json(b"123456789012345678901234567890", depth=1) == 123456789012345678901234567890


def test_answers_have_no_nan():
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_bytes({"score": float("nan")})
