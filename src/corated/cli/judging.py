"""The options that say how models are judged: the split, the metrics, who counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from corated.cli.options import as_record

__all__ = ["Judging", "judging_options", "known_option", "listed", "split_option"]


@dataclass(frozen=True)
class Judging:
    """How models are judged, as it was said."""

    split: str
    metrics: str | None
    known_only: bool

    def options(self) -> dict[str, Any]:
        """Return the arguments of the library."""
        return {
            "split": self.split,
            "metrics": None if self.metrics is None else listed(self.metrics),
            "known_only": self.known_only,
        }


def listed(text: str) -> list[str]:
    """Return the parts between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


_SPLIT = click.option(
    "--split",
    metavar="RULE",
    default="time:0.8",
    show_default=True,
    help="What is held out: time:0.8 or time:2017-01-01 (what came later), last:1 (each user's last), one, "
    "random:0.2, users:0.2 (whole users), folds:5; a seed can follow what is drawn, as in random:0.2:7.",
)
_KNOWN = click.option(
    "--known-only",
    is_flag=True,
    help="Leave users and items out of the test that training does not have. Else such users get what is "
    "popular, and such items count as missed.",
)

judging_options = as_record(
    Judging,
    "judging",
    (
        _SPLIT,
        click.option(
            "--metrics",
            metavar="NAMES",
            help="Shorthands with commas between, such as ndcg@10,recall@20,rmse; the usual ones by default.",
        ),
        _KNOWN,
    ),
)
"""Add the options of judging to a command, which gets them as one `Judging`, ``judging``."""

split_option, known_option = _SPLIT, _KNOWN
