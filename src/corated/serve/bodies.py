"""Bodies of requests and answers: what OpenAPI shows, and what is checked of what comes in."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "BatchBody",
    "CatalogItem",
    "ExplainBody",
    "ItemRow",
    "ItemsBody",
    "OneRating",
    "PredictBody",
    "RatingRow",
    "RatingsBody",
    "UserRatingRow",
    "UserRatingsBody",
]

IdValue = Annotated[
    int | Annotated[str, Field(min_length=1, max_length=512)],
    Field(description="of the stored type: an integer, or text"),
]
Time = Annotated[
    int | str | None,
    Field(description="microseconds since 1970 in UTC, or ISO 8601 with a zone; null for now"),
]


class _Body(BaseModel):
    """Nothing is taken for something else, and nothing unknown is passed over."""

    model_config = ConfigDict(strict=True, extra="forbid")


def _example(value: dict[str, Any]) -> ConfigDict:
    return ConfigDict(strict=True, extra="forbid", json_schema_extra={"examples": [value]})


class OneRating(_Body):
    """A rating of an item that the address names."""

    model_config = _example({"rating": 8})
    rating: float = Field(description="on the scale of the store")
    time: Time = None


class UserRatingRow(_Body):
    """A rating of a user that the address names."""

    item: IdValue
    rating: float | None = Field(description="on the scale of the store; null takes the rating out")
    time: Time = None


class UserRatingsBody(_Body):
    """Ratings of one user."""

    model_config = _example({"ratings": [{"item": 114709, "rating": 9}, {"item": 133093, "rating": None}]})
    ratings: list[UserRatingRow]


class RatingRow(UserRatingRow):
    """A rating of anybody."""

    user: IdValue


class RatingsBody(_Body):
    """Ratings of anybody."""

    model_config = _example({"ratings": [{"user": 7, "item": 114709, "rating": 9}]})
    ratings: list[RatingRow]


class HistoryRow(_Body):
    """A rating of somebody who has no id."""

    item: IdValue
    rating: float


class Wishes(_Body):
    """What is left out before anything is ranked."""

    genres: list[str] | None = Field(None, min_length=1, description="only items of one of these genres")
    first_year: int | None = Field(None, ge=-9999, le=99_999, description="only items from this year on")
    last_year: int | None = Field(None, ge=-9999, le=99_999, description="only items up to this year")
    exclude: list[IdValue] | None = Field(None, description="items that nobody gets")
    min_support: int = Field(0, ge=0, le=2**31 - 1, description="the support that an item must have")
    diversity: float = Field(0.0, ge=0.0, le=1.0, description="from 0, which ranks by score alone, to 1")

    def filters(self) -> dict[str, Any]:
        """Return what is said, as `corated.models.filters.Filters`."""
        found: dict[str, Any] = {}
        if self.genres is not None:
            found["genres"] = self.genres
        if self.first_year is not None or self.last_year is not None:
            found["years"] = (self.first_year, self.last_year)
        if self.exclude:
            found["exclude"] = self.exclude
        if self.min_support:
            found["min_support"] = self.min_support
        if self.diversity:
            found["diversity"] = self.diversity
        return found


class BatchBody(Wishes):
    """Whom to recommend to: users, or one person by a history."""

    model_config = _example({"users": [7, 12], "n": 5})
    users: list[IdValue] | None = Field(None, min_length=1, description="answered in this order")
    history: list[HistoryRow] | None = Field(None, description="ratings of somebody who has no id")
    n: int = Field(10, ge=1, le=2**31 - 1)
    explain: bool = False
    popular: bool = Field(False, description="whether unknown users get what is popular, which source tells")
    min_position: int = Field(0, ge=0, le=2**63 - 1)


class ExplainBody(_Body):
    """A pair to be explained."""

    model_config = _example({"user": 7, "item": 114709})
    user: IdValue | None = None
    history: list[HistoryRow] | None = Field(None, description="in place of the user")
    item: IdValue
    n: int = Field(10, ge=1, le=2**31 - 1, description="of how many recommendations it would be one")
    anonymous: bool = Field(False, description="whether neighbors who are users go unnamed")
    min_position: int = Field(0, ge=0, le=2**63 - 1)


class PredictBody(_Body):
    """Whose ratings are to be predicted, and of what."""

    model_config = _example({"user": 7, "items": [114709, 133093]})
    user: IdValue
    items: list[IdValue] = Field(min_length=1)
    min_position: int = Field(0, ge=0, le=2**63 - 1)


class ItemRow(_Body):
    """What is known of an item that the address names."""

    model_config = _example({"title": "Toy Story", "year": 1995, "genres": ["Animation", "Comedy"]})
    title: str | None = Field(None, max_length=2000)
    year: int | None = Field(None, ge=-9999, le=99_999)
    genres: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list, max_length=100
    )


class CatalogItem(ItemRow):
    """An item of the catalog."""

    model_config = _example({"item": 114709, "title": "Toy Story", "year": 1995, "genres": ["Animation"]})
    item: IdValue


class ItemsBody(_Body):
    """Items to be put into the catalog."""

    model_config = _example({"items": [{"item": 114709, "title": "Toy Story", "year": 1995, "genres": []}]})
    items: list[CatalogItem]
