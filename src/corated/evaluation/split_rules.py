"""How a split is asked for: as one that is there, as a function, or in a word such as ``"time:0.8"``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from corated.errors import DataError, ParameterError
from corated.evaluation.split import Split
from corated.evaluation.splits import Folds, at_random, by_time, k_folds, leave_last, leave_one_out
from corated.models.rules import instant
from corated.ratings.ratings import Ratings

__all__ = ["SplitRule", "again", "one_split", "splits_of"]

SplitRule = str | Callable[[Ratings], Split | Sequence[Split]] | None
"""``"time:0.8"``, ``"time:2017-01-01"``, ``"last:1"``, ``"one"``, ``"random:0.2"``, ``"users:0.2"`` or
``"folds:5"``, where a seed can follow what is drawn (``"random:0.2:7"``); or a function of the ratings, such
as `corated.evaluation.leave_last`; or None for ``"time:0.8"``.
"""

_FORMS: Final = "time:0.8, time:2017-01-01, last:1, one, random:0.2, users:0.2 or folds:5"


def splits_of(given: Any, rule: SplitRule, *, known_only: bool = False) -> Sequence[Split]:
    """Return the splits that are meant, one or several, which may be made one at a time.

    given : ratings, which are split by the rule; or a split or several, which are taken as they are
    known_only : whether users and items that only the test has are left out of it

    Raises `ParameterError` for a rule beside a split, and for what is none of these; errors of splitting.
    """
    if isinstance(given, Ratings):
        made = _made(given, rule)
    elif rule is not None:
        raise ParameterError(
            "A split and a rule to split by were both given.",
            expected="ratings with split=, or a split",
            hint="leave split out",
        )
    else:
        made = given
    splits: Sequence[Split] = [made] if isinstance(made, Split) else made
    if isinstance(splits, Folds):
        folds = splits
        return Folds(len(folds), lambda at: folds[at].known()) if known_only else folds
    if not isinstance(splits, Sequence) or not splits or not all(isinstance(one, Split) for one in splits):
        raise ParameterError(
            f"{_shown(given)} cannot be split or evaluated on.",
            expected="Ratings, a Split or Folds",
            hint="read_ratings(path) makes ratings, corated.evaluation.by_time(ratings) a split",
        )
    return [one.known() for one in splits] if known_only else splits


def one_split(given: Any, rule: SplitRule) -> Split:
    """Return the split that is meant; raises `ParameterError` where there are several."""
    splits = splits_of(given, rule)
    if len(splits) > 1:
        raise ParameterError(
            f"There are {len(splits):,} splits, and one is needed here.",
            expected="one split, whose test is left alone",
            hint="take one of them: folds[0]",
        )
    return splits[0]


def again(split: Split, rule: SplitRule) -> Split:
    """Part the training side of a split once more, in the way in which the split itself was made.

    rule : that way, where it is known; else it is told by the split's name. One that somebody else made is
        parted by time where there are times, at random where there are none.
    """
    train = split.train
    if rule is not None:
        return one_split(train, rule)
    name = split.name
    for pattern, make in _BY_NAME:
        if found := re.match(pattern, name):
            return make(train, *found.groups())
    return by_time(train) if train.times is not None else at_random(train)


def _last(train: Ratings, n: str) -> Split:
    return leave_last(train, int(n))


def _one(train: Ratings, seed: str) -> Split:
    return leave_one_out(train, seed=int(seed))


def _random(train: Ratings, share: str, seed: str, users: str | None) -> Split:
    return at_random(train, share=float(share), seed=int(seed), of="users" if users else "ratings")


def _part(train: Ratings, k: str, seed: str, users: str | None) -> Split:
    return at_random(train, share=1.0 / int(k), seed=int(seed), of="users" if users else "ratings")


_OF_USERS: Final = r'(?:(, of="users")|, of="ratings")?'
_BY_NAME: Final[list[tuple[str, Callable[..., Split]]]] = [
    (r"by_time\(quantile=([\d.e+-]+)\)", lambda train, share: by_time(train, quantile=float(share))),
    (r"leave_last\(n=(\d+)\)", _last),
    (r"leave_one_out\(seed=(\d+)\)", _one),
    (rf"at_random\(share=([\d.e+-]+), seed=(\d+){_OF_USERS}\)", _random),
    (rf"k_folds\(k=(\d+), seed=(\d+){_OF_USERS}\)", _part),
]


def _made(ratings: Ratings, rule: SplitRule) -> Any:
    if rule is None:
        rule = "time:0.8"
    if callable(rule):
        return rule(ratings)
    word, _, rest = rule.partition(":") if isinstance(rule, str) else ("", "", "")
    if word == "time" and ratings.times is None:
        raise DataError(
            "These ratings have no times, so they cannot be split by time.",
            expected="a column of times",
            hint='read them with their times, or say split="random:0.2"',
        )
    try:
        return _of_word(ratings, word, rest)
    except (KeyError, ValueError) as error:
        if isinstance(error, DataError | ParameterError):
            raise
    raise ParameterError(
        f"split={rule!r} cannot be used.",
        expected=f"{_FORMS}; a function of the ratings in Python",
        hint='try split="time:0.8"',
    )


def _of_word(ratings: Ratings, word: str, rest: str) -> Any:
    """Return what a word asks for; raises `KeyError` and `ValueError` for what is no such word."""
    if word == "time":
        if not rest or re.fullmatch(r"[\d.]+(e-?\d+)?", rest):
            return by_time(ratings, quantile=float(rest or 0.8))
        instant(rest, hint='for example split="time:2017-01-01", or split="time:0.8" for a share')
        return by_time(ratings, at=rest)
    what, _, seed = rest.partition(":")
    if word == "last" and not seed:
        return leave_last(ratings, int(what or 1))
    if word == "one" and not seed:
        return leave_one_out(ratings, seed=int(what or 0))
    if word in ("random", "users"):
        of: Any = "ratings" if word == "random" else "users"
        return at_random(ratings, share=float(what or 0.2), seed=int(seed or 0), of=of)
    if word == "folds":
        return k_folds(ratings, k=int(what or 5), seed=int(seed or 0))
    raise KeyError(word)


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str | int | float | None) else f"{type(value).__name__} object"
