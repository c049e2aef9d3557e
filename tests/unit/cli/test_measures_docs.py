"""The page of measures: what is committed is what would be written now, and its arithmetic is right."""

import math
import re
from pathlib import Path

import pytest

from corated.cli import measures_examples
from corated.cli.measures_docs import page, ratings_of_examples
from corated.measures import ADJUSTMENTS, MEASURES, WEIGHTS, get_measure
from corated.neighborhood.graph import neighbors
from corated.similarity import reference

PAGE = Path(__file__).parents[3] / "docs" / "measures.md"
BLOCKS = re.findall(r"^```text\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
ONE, OTHER = measures_examples.ONE, measures_examples.OTHER
NOTATION = [
    ("·", "*"), ("−", "-"), ("²", "**2"), ("^", "**"), ("√(", "sqrt("), ("ln(", "log("),
]  # fmt: skip


def steps_of(block):
    """(shorthand, whether numbers are rounded, expressions, the last of them the value)"""
    first, *rest = [line for line in block.splitlines() if line]
    measure, sign, expression = re.fullmatch(r"(\S.*?) ([=≈]) (.*)", first).groups()
    return measure, sign == "≈", [expression, *(line.strip()[2:] for line in rest)]


def computed(expression):
    """The number that an expression in the page's notation stands for."""
    for there, here in NOTATION:
        expression = expression.replace(there, here)
    expression = re.sub(r"\|([^|]*)\|", r"abs(\1)", expression)
    known = {name: getattr(math, name) for name in ("sqrt", "log", "tanh", "atanh")}
    return eval(expression, {"__builtins__": {}, "abs": abs, "min": min, **known})


def engines(measure, a, b):
    found = neighbors(ratings_of_examples(), measure=measure, k=10, subjects=[a]).to_pylist()
    return next(row["value"] for row in found if row["neighbor"] == b)


def test_the_page_is_what_would_be_written():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "python -m corated.cli.measures_docs > docs/measures.md"
    )


def test_there_is_an_example_of_everything():
    shorthands = " ".join(steps_of(block)[0] for block in BLOCKS)
    for name in (*MEASURES, *WEIGHTS, *set(ADJUSTMENTS) - {"shrink_mul"}):
        assert re.search(rf"\b{name}\b", shorthands), name
    assert "pearson(shrink=10)" in shorthands


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: steps_of(block)[0])
def test_the_arithmetic_is_right(block):
    measure, is_rounded, (*expressions, value) = steps_of(block)
    there = engines(measure, ONE, OTHER)
    oracle = reference.value(ratings_of_examples(), ONE, OTHER, measure=measure).value
    assert there == pytest.approx(oracle, rel=1e-12, abs=1e-12)
    assert value == f"{there:.6g}".replace("-", "−")
    assert expressions
    for expression in expressions:
        assert computed(expression) == pytest.approx(there, rel=3e-4 if is_rounded else 1e-12, abs=1e-12)


def test_the_facts_are_those_of_the_table():
    s = reference.sums(ratings_of_examples(), ONE, OTHER, measure="cosine")
    shown = measures_examples.facts()
    for text in (
        f"n = {s.n},", f"Σx = {s.sx},", f"Σy = {s.sy},", f"Σx² = {s.sxx},", f"Σy² = {s.syy},",
        f"Σxy = {s.sxy},", f"Σ(x−y)² = {s.sdd},", f"Σ|x−y| = {s.sad}.", f"a = {s.count_x},",
        f"b = {s.count_y},", f"‖X‖² = {s.norm_x},", f"‖Y‖² = {s.norm_y};",
    ):  # fmt: skip
        assert text in shown


def test_who_asks_is_shown_where_it_matters():
    text = PAGE.read_text(encoding="utf-8")
    backward = re.findall(rf"{OTHER} asking about {ONE} gets (\S+)\.$", text, re.MULTILINE)
    asked = [steps_of(block)[0] for block in BLOCKS]
    expected = [f"{engines(m, OTHER, ONE):.6g}" for m in asked if not get_measure(m).symmetric]
    assert backward == expected and len(backward) == 5


def test_a_row_for_each_measure():
    rows = [line.split(" | ") for line in page().splitlines() if line.startswith("| [`")]
    assert [re.search(r"`(\w+)`", row[0])[1] for row in rows] == list(MEASURES)
    for row, name in zip(rows, MEASURES, strict=True):
        assert row[2] == get_measure(name).better
        assert row[3] == ("no" if not get_measure(name).symmetric else row[3]) != ""
        assert row[1] and "|" not in row[1].replace("\\|", "")
