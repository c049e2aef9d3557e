"""Questions with a body: batches, histories of people without an id, explanations, predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from corated.errors import IdTypeError, ParameterError, UnknownIdError
from corated.models.base import Recommendations, Run
from corated.models.explain import Asked, Explanation, explain_all
from corated.ratings.ids import Id
from corated.serve.answers import (
    BatchAnswer,
    ExplanationAnswer,
    PredictAnswer,
    RecommendationsAnswer,
    rows_of,
    why_of,
)
from corated.serve.api.parts import PROBLEMS, Fresh, Served, known_queries, many
from corated.serve.bodies import BatchBody, ExplainBody, HistoryRow, PredictBody
from corated.serve.problems import Problem
from corated.serve.service import Service, unknown
from corated.serve.strict import Answer

__all__ = ["answer_user", "explained", "router", "why_empty"]

router = APIRouter(
    prefix="/v1", tags=["questions"], responses=PROBLEMS, dependencies=[Depends(known_queries)]
)

Rows = list[dict[str, Any]]


def answer_user(
    service: Service, user: Id, n: int, filters: dict[str, Any], *, explain: bool, popular: bool
) -> tuple[str, Rows]:
    """Return "ok", "popular" or "unknown_user", and the rows of one user's list."""
    found, reasons = None, list[Explanation]()
    try:
        if service.index is not None and explain:
            found, reasons = service.embedded.reasoned(user, n=n, **filters)
        elif service.index is not None:
            found = service.embedded.recommend(user, n=n, **filters)
    except IdTypeError:
        raise
    except UnknownIdError as error:
        if "item" in error.what.split()[:4]:  # one of exclude
            raise
    if found is not None:
        return "ok", _listed(service, found, reasons)
    if not popular or service.index is None:
        return "unknown_user", []
    found = service.snapshot().model.recommend([user], n=n, on_unknown="fallback", threads=1, **filters)
    return "popular", _listed(service, found)


def why_empty(service: Service, user: Id, filters: dict[str, Any]) -> str:
    """Say why a user's list has nothing in it."""
    index = service.index
    if index is not None and index.n_rated(user) >= index.n_items:
        return "The user has rated every item that there is."
    if filters:
        return "Nothing that speaks to the user is left under these filters."
    return "Nobody alike likes anything that the user has not rated."


def _listed(service: Service, found: Recommendations, reasons: Sequence[Explanation] = ()) -> Rows:
    service.metrics.count_list(found.by_source)
    rows = rows_of(found, "user_id")
    for row, why in zip(rows, reasons, strict=False):
        row["why"] = why_of(why)
    for row in rows:
        if row.get("title", "") is None:
            del row["title"]
    return rows


@router.post("/recommendations", response_model=BatchAnswer | RecommendationsAnswer)
async def batch(service: Served, body: BatchBody) -> Answer:
    """Recommend to several users, or to somebody by a history.

    A history is answered by a fit that is some seconds old at most; position says of when.
    """
    settings = service.settings
    many(body.n, settings.max_n, "body/n")
    if (body.users is None) == (body.history is None):
        raise Problem(
            422, "parameter", "Either users or a history is needed, and not both.", field="body/users",
            hint='send {"users": [7]} or {"history": [{"item": 9, "rating": 8}]}',
        )  # fmt: skip
    if body.history is not None:
        return await _for_history(service, body, body.history)
    users = body.users or []
    many(len(users), settings.max_users, "body/users")
    many(len(users) * body.n, settings.max_rows, "body/n")

    def work() -> Rows:
        made = []
        for user in users:
            status, items = answer_user(
                service, user, body.n, body.filters(), explain=body.explain, popular=body.popular
            )
            reason = {} if items or status != "ok" else {"reason": why_empty(service, user, body.filters())}
            made.append({"user_id": user, "status": status, "items": items, **reason})
        return made

    position, made = await service.ask(work, min_position=body.min_position)
    return Answer({"position": position, "users": made})


async def _for_history(service: Service, body: BatchBody, history: Sequence[HistoryRow]) -> Answer:
    given = _history(service, history, "body/history")

    def work() -> tuple[int, Rows]:
        snapshot = service.snapshot(body.min_position)
        model = snapshot.model
        found = model.recommend(history=given, n=body.n, threads=1, **body.filters())
        reasons = list[Explanation]()
        if body.explain and (items := found.to_arrow()["item_id"].to_pylist()):
            asked = Asked(None, items[0], body.n, given)
            reasons = explain_all(model._fitted(), asked, items, Run(1), anonymous=True, most=None)
        return snapshot.position, _listed(service, found, reasons)

    _, (position, rows) = await service.ask(work, min_position=body.min_position)
    return Answer({"position": position, "user_id": None, "items": rows})


def _history(service: Service, rows: Sequence[HistoryRow], field: str) -> dict[Id, float]:
    many(len(rows), service.settings.max_rows, field)
    if service.index is None:
        raise Problem(409, "no_ratings", "There are no ratings yet.", hint="write some first")
    made: dict[Id, float] = {}
    for at, row in enumerate(rows):
        if row.item in made:
            raise Problem(422, "twice", "The history names an item twice.", field=f"{field}/{at}/item")
        made[row.item] = row.rating
    return made


# -- why --------------------------------------------------------------------------------------------


def explained(service: Service, user: Id, item: Id, n: int, *, anonymous: bool) -> dict[str, Any]:
    """Return the explanation of a user's score of an item, with all contributions."""
    if service.index is None:
        raise unknown("user", user)
    found = service.embedded.explain(user, item, n=n, anonymous=anonymous)
    return why_of(found, most=service.settings.max_n)


@router.get("/explain", response_model=ExplanationAnswer)
async def explain_pair(
    service: Served,
    user: Annotated[str, Query(max_length=2048, description="a user's id")],
    item: Annotated[str, Query(max_length=2048, description="an item's id")],
    n: Annotated[int, Query(ge=1, le=2**31 - 1, description="of how many it would be one")] = 10,
    anonymous: Annotated[bool, Query(description="whether neighbors go unnamed")] = False,
    fresh: Fresh = 0,
) -> Answer:
    """Tell what the score of an item for a user is made of, at an address that stays."""
    many(n, service.settings.max_n, "query/n")
    who, what = service.user(user, field="query/user"), service.item(item, field="query/item")
    position, made = await service.ask(
        lambda: explained(service, who, what, n, anonymous=anonymous), min_position=fresh
    )
    return Answer({"position": position, **made})


@router.post("/explain", response_model=ExplanationAnswer)
async def explain(service: Served, body: ExplainBody) -> Answer:
    """Tell what the score of an item is made of, for a user or for somebody by a history."""
    many(body.n, service.settings.max_n, "body/n")
    if (body.user is None) == (body.history is None):
        raise Problem(
            422, "parameter", "Either a user or a history is needed, and not both.", field="body/user",
            hint="send one of them",
        )  # fmt: skip
    user, item = body.user, body.item
    if body.history is None:
        assert user is not None
        position, made = await service.ask(
            lambda: explained(service, user, item, body.n, anonymous=body.anonymous),
            min_position=body.min_position,
        )
        return Answer({"position": position, **made})
    given = _history(service, body.history, "body/history")

    def work() -> tuple[int, dict[str, Any]]:
        snapshot = service.snapshot(body.min_position)
        found = snapshot.model.explain(
            None, item, n=body.n, history=given, anonymous=body.anonymous, threads=1
        )
        return snapshot.position, why_of(found, most=service.settings.max_n)

    _, (position, made) = await service.ask(work, min_position=body.min_position)
    return Answer({"position": position, **made})


@router.post("/predict", response_model=PredictAnswer)
async def predict(service: Served, body: PredictBody) -> Answer:
    """Predict what a user would rate items.

    Where the model ranks and does not predict, the setting predictor names the model that does.
    """
    many(len(body.items), service.settings.max_rows, "body/items")
    if service.index is None:
        raise Problem(409, "no_ratings", "There are no ratings yet.", hint="write some first")

    def work() -> tuple[int, Rows]:
        position = service.embedded.position
        try:
            found = service.embedded.predict(body.user, body.items)
        except IdTypeError:
            raise
        except (ParameterError, UnknownIdError):
            position, model = service.predictor(body.min_position)
            found = model.predict([body.user] * len(body.items), body.items, threads=1)
        return position, rows_of(found)

    _, (position, rows) = await service.ask(work, min_position=body.min_position)
    return Answer({"position": position, "predictions": rows})
