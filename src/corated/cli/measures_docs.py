"""The page docs/measures.md: ``python -m corated.cli.measures_docs > docs/measures.md``.

Names, parameters, formulas and sources are those of the records; the values of the examples are the engine's.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap

import click

from corated.cli.measures_examples import ADJUSTED, EXAMPLES, ONE, OTHER, TABLE, WEIGHTED, Example, facts
from corated.cli.measures_text import (
    ADJUSTED_HEAD,
    EXACTNESS,
    GUIDE,
    HEAD,
    ONE_ITEM,
    OWN,
    SHARED,
    SHORTHANDS,
    UNDEFINED,
)
from corated.measures import ADJUSTMENTS, MEASURES, WEIGHTS, get_measure
from corated.neighborhood.graph import neighbors
from corated.ratings.ratings import Ratings
from corated.similarity import weights
from corated.similarity.records import Record

__all__ = ["page", "ratings_of_examples"]

_SYMMETRY = {"tversky": "where α = β", "asymmetric_cosine": "where α = ½"}


def page() -> str:
    """Return the page."""
    parts = [
        HEAD,
        f"## All measures\n\n{_overview()}\n\nDistances: smaller is closer. All others: larger is closer.\n",
        *(UNDEFINED, EXACTNESS, ONE_ITEM, GUIDE, SHORTHANDS, SHARED),
        f"## The example\n\n{_table()}\n\n{_filled(facts())}\n",
        "## Measures\n",
        *(_section(kind, EXAMPLES[name]) for name, kind in MEASURES.items()),
        f"## Weights\n\n{_about((inspect.getdoc(weights) or '').partition(chr(10))[2].strip())}\n",
        *(_section(kind, WEIGHTED[name]) for name, kind in WEIGHTS.items()),
        ADJUSTED_HEAD,
        *(_section(kind, ADJUSTED[name]) for name, kind in ADJUSTMENTS.items()),
        OWN,
    ]
    return "\n".join(parts)


def ratings_of_examples() -> Ratings:
    """Return the table of the examples as ratings."""
    rows = [(user, movie, rating) for user, profile in TABLE.items() for movie, rating in profile.items()]
    users, movies, given = zip(*rows, strict=True)
    return Ratings.from_arrays(users, movies, given, scale=(1, 5, 1))


def _overview() -> str:
    lines = ["| name | value | closer | symmetric | also undefined |", "|---|---|---|---|---|"]
    for name, kind in MEASURES.items():
        measure = get_measure(name)
        value = _first(kind).rstrip(".").replace("|", "\\|")
        symmetric = _SYMMETRY.get(name, "yes" if measure.symmetric else "no")
        lines.append(
            f"| [`{name}`](#{name}) | {value} | {measure.better} | {symmetric} | {_undefined(kind)} |"
        )
    return "\n".join(lines)


def _first(kind: type[Record]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def _undefined(kind: type[Record]) -> str:
    text = re.sub(r"\s+", " ", inspect.getdoc(kind) or "")
    found = re.search(r"Undefined (?:also )?(.*?)[.;:](?: |$)", text)
    return found[1] if found else ""


def _table() -> str:
    movies = sorted({movie for profile in TABLE.values() for movie in profile})
    lines = [f"| | {' | '.join(movies)} |", "|---" * (len(movies) + 1) + "|"]
    for user, profile in TABLE.items():
        lines.append(f"| {user} | {' | '.join(str(profile.get(movie, '')) for movie in movies)} |")
    return "\n".join(lines)


def _section(kind: type[Record], example: Example) -> str:
    """Return one measure, weight or adjustment: what its docstring says, its parameters, the example."""
    fields = dataclasses.fields(kind)
    given = ", ".join(f"{field.name}={field.default!r}" for field in fields)
    parts = [
        f"### {kind.name}",
        _about(inspect.getdoc(kind) or ""),
        f"`cr.measures.{kind.__name__}({given})`",
    ]
    parts += [_filled(example.about)] if example.about else []
    return "\n\n".join([*parts, _worked(example)]) + "\n"


def _worked(example: Example) -> str:
    """Return the chain of expressions, ending in the engine's value."""
    ratings, measure = ratings_of_examples(), get_measure(example.measure)
    there, back = (_value(ratings, example.measure, *pair) for pair in ((ONE, OTHER), (OTHER, ONE)))
    sign = "≈" if example.rounded else "="
    first, *rest = [*example.steps, f"{there:.6g}".replace("-", "−")]
    indent = " " * len(example.measure)
    lines = [f"{example.measure} {sign} {first}", *(f"{indent} {sign} {step}" for step in rest)]
    text = "\n".join(["```text", *lines, "```"])
    if not measure.symmetric:
        text += f"\n\nThat is {ONE} asking about {OTHER}; {OTHER} asking about {ONE} gets {back:.6g}."
    return text


def _value(ratings: Ratings, measure: str, a: str, b: str) -> float:
    """Return the engine's value of a pair."""
    found = neighbors(ratings, measure=measure, k=len(TABLE), subjects=[a], threads=1)
    return float(next(row["value"] for row in found.to_pylist() if row["neighbor"] == b))


def _about(text: str) -> str:
    """Return a docstring as Markdown: paragraphs, and lists of parameters."""
    parts = []
    for part in text.replace("``", "`").split("\n\n"):
        lines = re.sub(r"\n {4,}", " ", part.strip()).splitlines()
        if all(re.match(r"\w+(, \w+)* : ", line) for line in lines):
            parts.append("\n".join(_filled(_item(line), "  ") for line in lines))
        else:
            parts.append(_filled(" ".join(lines)))
    return "\n\n".join(parts)


def _item(line: str) -> str:
    """Return a line "name, name : text" as an item of a list."""
    names, _, text = line.partition(" : ")
    return f"- {', '.join(f'`{name}`' for name in names.split(', '))}: {text}"


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    click.echo(page(), nl=False)
