"""Answers: result tables as rows that JSON can carry, and their form for OpenAPI."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from corated.models.explain import Explanation, strict
from corated.tables import Table

__all__ = [
    "BatchAnswer",
    "CatalogAnswer",
    "DoneAnswer",
    "ErasedAnswer",
    "ExplanationAnswer",
    "InfoAnswer",
    "ItemAnswer",
    "NearAnswer",
    "PredictAnswer",
    "ProblemAnswer",
    "RaterAnswer",
    "RatingAnswer",
    "RatingsAnswer",
    "RecommendationsAnswer",
    "SearchAnswer",
    "WrittenAnswer",
    "rows_of",
    "why_of",
]

Id = int | str
_SHOWN = 5


def rows_of(table: Table, *without: str) -> list[dict[str, Any]]:
    """Return the rows of a table, null for what is no finite number."""
    return [
        {name: strict(value) for name, value in row.items() if name not in without}
        for row in table.to_arrow().to_pylist()
    ]


def why_of(found: Explanation, most: int = _SHOWN) -> dict[str, Any]:
    """Return an explanation with so many of its contributions, and how many there are."""
    return {**found.to_dict(most=most), "n_contributions": len(found.contributions)}


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow")


class ProblemAnswer(_Answer):
    """What went wrong: problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    expected: str | None = None
    field: str | None = None
    next_step: str | None = None
    rows: list[str] | None = None
    request_id: str | None = None


class _Positioned(_Answer):
    position: int


class Contribution(_Answer):
    """Who contributes what to a score."""

    share: float | None


class Why(_Answer):
    """What a score is made of."""

    item_id: Id
    score: float | None
    source: str
    sentence: str
    rank: int | None
    seen: bool
    contributions: list[Contribution]
    n_contributions: int


class Recommended(_Answer):
    """One recommended item."""

    item_id: Id
    rank: int
    score: float | None
    support: int
    source: str
    title: str | None = None
    why: Why | None = None


class RecommendationsAnswer(_Positioned):
    """What is recommended to one person, the best first."""

    user_id: Id | None
    items: list[Recommended]
    reason: str | None = None


class BatchUser(_Answer):
    """What is recommended to one of several, or why nothing is."""

    user_id: Id | None
    status: str
    items: list[Recommended]
    reason: str | None = None


class BatchAnswer(_Positioned):
    """What is recommended to several, in the order asked."""

    users: list[BatchUser]


class Near(_Answer):
    """One neighbor."""

    neighbor: Id
    rank: int
    value: float
    n_common: int


class NearAnswer(_Positioned):
    """The nearest of a user or an item, the best first."""

    id: Id
    measure: str
    neighbors: list[Near]


class Rated(_Answer):
    """One rating of a user."""

    item_id: Id
    rating: float
    title: str | None = None


class RatingsAnswer(_Positioned):
    """Ratings of a user by item id, a page of them; next is the cursor of the next page."""

    user_id: Id
    total: int
    ratings: list[Rated]
    next: str | None


class RatingAnswer(_Positioned):
    """One rating."""

    user_id: Id
    item_id: Id
    rating: float


class RaterAnswer(_Positioned):
    """Who rated an item, the highest first."""

    item_id: Id
    total: int
    ratings: list[dict[str, Any]]


class DoneAnswer(_Positioned):
    """A write: answers from this position on have it."""


class WrittenRow(_Answer):
    """What became of one row."""

    row: int
    status: str
    problem: ProblemAnswer | None = None


class WrittenAnswer(_Positioned):
    """What became of each row; those that were written were written together."""

    written: int
    refused: int
    results: list[WrittenRow]


class ErasedAnswer(_Positioned):
    """What was erased of a user."""

    ratings: int
    logged: int
    keys: int
    complete: bool


class CatalogRow(_Answer):
    """What is known of an item."""

    item: Id
    title: str | None
    year: int | None
    genres: list[str]


class ItemAnswer(_Positioned, CatalogRow):
    """What is known of one item."""


class CatalogAnswer(_Positioned):
    """Items of the catalog by id, a page of them."""

    total: int
    items: list[CatalogRow]
    next: str | None


class PredictAnswer(_Positioned):
    """Predicted ratings, in the order asked."""

    predictions: list[dict[str, Any]]


class ExplanationAnswer(_Positioned, Why):
    """What the score of a pair is made of."""


class SearchAnswer(_Positioned):
    """Users and items that text may be meant for."""

    items: list[CatalogRow]
    users: list[Id]


class InfoAnswer(_Positioned):
    """What is served."""

    version: str
    model: str
    live: bool
    users: int
    items: int
    ratings: int
