"""What a split is, and splits that somebody else made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from corated.errors import DataError
from corated.neighborhood.engine import check_ratings
from corated.ratings.ids import IdMap
from corated.ratings.ratings import Ratings
from corated.ratings.scale import Scale, infer_scale

__all__ = ["Split", "given", "parted", "shown"]

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Ratings to learn from and ratings to be judged by; both with the caller's ids, on one scale.

    Users and items that only the test has stay in it. Models answer such users as they answer anybody they do
    not know (``status`` and ``source`` say so), and no model can list such items, so they count as missed:
    they are in the denominator of recall, and in the ideal list. `known` leaves them out instead.

    Attributes
    ----------
    train, test : the two sides; each has only the users and items that it has ratings of
    name : how the split was made, to be printed beside every result
    overlap : ratings of the test whose user and item are in training too
    left_out : ratings that `known` took from the test
    """

    train: Ratings
    test: Ratings
    name: str
    overlap: int = 0
    left_out: int = 0

    @cached_property
    def user_codes(self) -> Int64s:
        """The training code of each test user, −1 for a new one: int64[test.n_users]."""
        return self.train.users.codes(self.test.users.ids)

    @cached_property
    def item_codes(self) -> Int64s:
        """The training code of each test item: int64[test.n_items].

        New items go on from ``train.n_items``, by ascending id.
        """
        codes = self.train.items.codes(self.test.items.ids)
        new = codes < 0
        codes[new] = self.train.n_items + np.arange(int(new.sum()))
        return codes

    @property
    def new_users(self) -> int:
        """How many users only the test has."""
        return int((self.user_codes < 0).sum())

    @property
    def new_items(self) -> int:
        """How many items only the test has."""
        return int((self.item_codes >= self.train.n_items).sum())

    @cached_property
    def future_share(self) -> float | None:
        """The share of test ratings that are older than the latest rating in training; None without times."""
        if self.train.times is None or self.test.times is None:
            return None
        return float((self.test.times < self.train.times.max()).mean())

    @property
    def leaks(self) -> str:
        """What lets a model see more than it would in use, as sentences; "" where nothing does.

        Without times nobody can tell, and the sentence says that.
        """
        found = []
        if self.future_share is None:
            found.append("Without times nobody can tell whether training holds what came after the test.")
        elif self.future_share > 0.0:
            assert self.train.times is not None
            older = round(self.future_share * self.test.n_ratings)
            found.append(
                f"{older:,} of {self.test.n_ratings:,} test ratings are older than the latest rating in "
                f"training ({shown(int(self.train.times.max()))}): models learn from what came later, "
                f"and do better here than they would in use."
            )
        if self.overlap:
            found.append(f"{self.overlap:,} of the test ratings are of pairs that are in training too.")
        return " ".join(found)

    def known(self, *, users: bool = True, items: bool = True) -> Split:
        """Return the split without the test ratings of new users and of new items; ``left_out`` counts them.

        Raises `DataError` where nothing is left.
        """
        rows = np.repeat(self.user_codes, self.test.user_counts)
        columns = self.item_codes[self.test.by_user.indices]
        kept = np.ones(self.test.n_ratings, dtype=np.bool_)
        if users:
            kept &= rows >= 0
        if items:
            kept &= columns < self.train.n_items
        if not kept.any():
            raise DataError(
                "Every test rating is of a user or an item that training does not have.",
                expected="a test on some of what is known",
                hint="split otherwise: leave_last keeps every user in training",
            )
        left_out = self.left_out + int((~kept).sum())
        return replace(self, test=self.test.where(kept), left_out=left_out)

    def __repr__(self) -> str:
        gone = f", {self.left_out:,} left out of the test" if self.left_out else ""
        return (
            f"Split({self.name}: {self.train.n_ratings:,} ratings for training, {self.test.n_ratings:,} for "
            f"the test{gone}; {self.new_users:,} of {self.test.n_users:,} users and {self.new_items:,} of "
            f"{self.test.n_items:,} items only in the test)"
        )


def given(train: Ratings, test: Ratings, *, name: str = "given") -> Split:
    """Make a split of two sets of ratings that somebody else parted.

    Where their scales differ, one that holds all levels of both is taken for both. Raises `DataError` for ids
    of different types.
    """
    check_ratings(train), check_ratings(test)
    for ours, theirs in ((train.users, test.users), (train.items, test.items)):
        _same_kind(ours, theirs)
    for side, ratings in (("train", train), ("test", test)):
        if not ratings.n_ratings:
            raise DataError(f"{side} has no ratings.", expected="at least one", hint="check how it was made")
    train, test = _on_one_scale(train, test)
    split = Split(train, test, name)
    return replace(split, overlap=_overlap(split))


def parted(ratings: Ratings, test: Bools, name: str) -> Split:
    """Part ratings by a mask of the test; raises `DataError` where one side is empty."""
    tested = int(test.sum())
    if tested in (0, len(test)):
        side = "training" if tested else "the test"
        raise DataError(
            f"{name} leaves nothing for {side}: all {len(test):,} ratings are on the other side.",
            expected="at least one rating on each side",
            hint="cut elsewhere, or split more ratings",
        )
    return Split(ratings.where(~test), ratings.where(test), name)


def _same_kind(ours: IdMap, theirs: IdMap) -> None:
    if ours.kind != theirs.kind:
        raise DataError(
            f"The {ours.what} ids of training are {ours.kind}, those of the test {theirs.kind}.",
            expected="the same type of ids on both sides",
            hint='read both with ids="text", or both with ids="integer"',
        )


def _on_one_scale(train: Ratings, test: Ratings) -> tuple[Ratings, Ratings]:
    if train.scale == test.scale or test.scale is None:
        return train, test
    if train.scale is None:
        return train, replace(test, scale=None, codes=None, off_scale_values=test.values)
    scale = _joint(train.scale, test.scale)
    return (train, test) if scale is None else (_rescaled(train, scale), _rescaled(test, scale))


def _joint(one: Scale, other: Scale) -> Scale | None:
    """Return a scale that holds all levels of two; None where that would have too many."""
    for wide, narrow in ((one, other), (other, one)):
        if wide.contains(narrow.ratings).all():
            return wide
    return infer_scale(np.concatenate([one.ratings, other.ratings]))


def _rescaled(ratings: Ratings, scale: Scale) -> Ratings:
    return (
        ratings
        if ratings.scale == scale
        else replace(ratings, scale=scale, codes=scale.encode(ratings.values))
    )


def _overlap(split: Split) -> int:
    """Count the test ratings of pairs that are in training too."""
    train, test, width = split.train, split.test, split.train.n_items
    rows = np.repeat(split.user_codes, test.user_counts)
    columns = split.item_codes[test.by_user.indices]
    known = (rows >= 0) & (columns < width)
    ours = np.repeat(np.arange(train.n_users), train.user_counts) * width + train.by_user.indices
    return int(np.isin(rows[known] * width + columns[known], ours).sum())


def shown(time: int) -> str:
    """Return UTC microseconds as text, to the second."""
    return str(np.datetime64(time, "us").astype("M8[s]")).replace("T", " ")
