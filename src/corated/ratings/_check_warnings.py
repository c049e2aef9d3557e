"""What a data report warns of: one short rule each, with what to do about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from corated.ratings.sources import counted

if TYPE_CHECKING:
    from corated.ratings.check import Report

__all__ = ["Finding", "findings"]


@dataclass(frozen=True)
class Finding:
    """One thing to mind: a stable code, what was found, what to do."""

    code: str
    message: str
    hint: str


Found = Iterator[tuple[str, str, str]]


def findings(report: Report, swapped: bool) -> tuple[Finding, ...]:
    """Return everything worth minding in a report, the gravest first."""
    rules: tuple[Callable[[Report], Found], ...] = (
        lambda report: _swapped(report, swapped),
        _too_few,
        _reach,
        _levels,
        _zeros,
        _wide,
        _flat,
        _thin,
        _heavy,
        _times,
        _titles,
    )
    return tuple(Finding(*found) for rule in rules for found in rule(report))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _swapped(report: Report, catalog_fits_users: bool) -> Found:
    hint = "Compare the columns; give user= and item= when reading."
    if catalog_fits_users:
        yield "swapped", "The catalog knows the users' ids, not the items': columns swapped?", hint
    elif report.n_items >= 50 * report.n_users and report.n_users > 1 and report.n_ratings >= 1000:
        yield (
            "swapped",
            f"{report.n_items:,} items for {report.n_users:,} users: columns swapped?",
            hint,
        )


def _too_few(report: Report) -> Found:
    if report.n_users == 1:
        yield "one_user", "There is one user, so nobody to compare with.", "Add ratings of other users."
    if report.n_items == 1:
        yield (
            "one_item",
            "There is one item, so nothing to recommend to those who rated it.",
            "Add ratings of other items, or check the item column.",
        )


def _reach(report: Report) -> Found:
    reached = _share(report.users_in_reach, report.n_users)
    if report.n_users > 1 and report.users_in_reach == 0:
        yield (
            "no_overlap",
            "No two users rated the same item, so nobody has a neighbor.",
            "Check the item column, or add ratings.",
        )
    elif report.n_users > 1 and reached < 0.5:
        yield (
            "little_overlap",
            f"Only {reached:.0%} of the users share an item with anybody.",
            "The others can be given popular items only; check the item column.",
        )


def _levels(report: Report) -> Found:
    if report.levels_used == 1:
        yield (
            "all_equal",
            f"All ratings are {report.lowest:g}: this looks like implicit data, or a wrong column.",
            "Use a measure that reads no ratings, such as jaccard; Pearson is undefined here.",
        )
    elif _looks_like_counts(report):
        yield (
            "counts",
            f"Ratings up to {report.highest:,.10g}, most of them small: these look like counts.",
            "Take a measure that reads no ratings (jaccard), or a weight such as log counts.",
        )


def _looks_like_counts(report: Report) -> bool:
    """Tell whether small values are by far the most frequent and the largest lie far above them."""
    positive = [part for part in report.histogram if part.high > 0]
    return (
        report.lowest >= 0
        and report.highest > 20
        and len(positive) > 1
        and positive[0].count > 0.4 * report.n_ratings
        and report.mean < report.highest / 10
    )


def _zeros(report: Report) -> Found:
    zeros = sum(part.count for part in report.histogram if part.low == part.high == 0)
    share = _share(zeros, report.n_ratings)
    if report.lowest in (0, -1) and report.levels_used > 2 and zeros and (share < 0.005 or share > 0.3):
        yield (
            "zeros",
            f"{counted(zeros, 'rating')} {'is' if zeros == 1 else 'are'} 0 ({share:.2%}), "
            f"and 0 counts as a rating.",
            "If 0 stands for 'not rated' in this data, remove those rows.",
        )
    first = report.histogram[0]
    if first.low == first.high == -1 and report.levels_used > 2:
        yield (
            "minus_one",
            f"{counted(first.count, 'rating')} {'is' if first.count == 1 else 'are'} -1, "
            f"and -1 counts as a rating.",
            "If -1 stands for 'not rated' in this data, remove those rows.",
        )


def _wide(report: Report) -> Found:
    if any(code == "counts" for code, _, _ in _levels(report)):
        return
    span = f"from {report.lowest:,.10g} to {report.highest:,.10g}"
    if report.highest >= 1000 or report.lowest <= -1000:
        yield (
            "large_ratings",
            f"Ratings run {span}.",
            "Check that the rating column is not a count, an amount or a time.",
        )
    elif report.scale is None:
        yield (
            "no_scale",
            f"Ratings run {span} on no scale of at most 256 levels; sums are floats, not exact.",
            "Round the ratings to a scale if they are meant to be on one.",
        )
    elif report.highest - report.lowest > 20:
        yield (
            "wide_scale",
            f"Ratings run {span}, more than a usual scale.",
            "Check the rating column; declare scale= if this is right.",
        )


def _flat(report: Report) -> Found:
    share = _share(report.flat_users, report.users_with_2_or_more)
    if report.levels_used > 1 and share >= 0.1:
        yield (
            "flat_raters",
            f"{share:.0%} of the users with 2 or more ratings gave one value only.",
            "Pearson is undefined for them; use msd, cosine or jaccard to include them.",
        )


def _thin(report: Report) -> Found:
    share = _share(report.users_with_3_or_more, report.n_users)
    if share < 0.5:
        yield (
            "few_ratings",
            f"Only {share:.0%} of the users have 3 ratings or more.",
            "min_common=3 leaves the others without neighbors; use 1 or 2, or popularity.",
        )


def _heavy(report: Report) -> Found:
    top = report.heaviest_users[0]
    share = _share(top.count, report.n_ratings)
    if report.n_users >= 20 and share > 0.1:
        yield (
            "heavy_user",
            f"User {str(top.id)[:20]} gave {share:.0%} of all ratings.",
            "Leave out accounts that are shared or automatic.",
        )


def _times(report: Report) -> Found:
    if report.first_time is None or report.last_time is None:
        return
    first, last = (np.datetime64(text.removesuffix("Z")) for text in (report.first_time, report.last_time))
    # A day's grace, as clocks and zones differ.
    if last > np.datetime64(int(time.time()) + 86_400, "s"):
        yield (
            "future_dates",
            f"The latest rating is of {report.last_time[:10]}, in the future.",
            "Check the time column, time_unit= and tz=.",
        )
    if first < np.datetime64("1990-01-01"):
        yield (
            "old_dates",
            f"The earliest rating is of {report.first_time[:10]}.",
            "Check the time column and time_unit=.",
        )


def _titles(report: Report) -> Found:
    if report.titled_items is None:
        return
    missing = report.n_items - report.titled_items
    if _share(missing, report.n_items) > 0.1:
        yield (
            "untitled_items",
            f"{missing:,} of {counted(report.n_items, 'item')} {'has' if missing == 1 else 'have'} "
            f"no title in the catalog.",
            "They are named by their ids; check that catalog and ratings belong together.",
        )
