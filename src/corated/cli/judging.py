"""The options that say how models are judged: the split, the metrics, who counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from corated.cli.options import as_record
from corated.cli.show import say, show_json
from corated.cli.state import current
from corated.errors import ParameterError

if TYPE_CHECKING:
    from corated import Ratings, Recommender
    from corated.evaluation import Prequential

__all__ = ["Judging", "judging_options", "known_option", "listed", "show_played", "split_option"]


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

    @property
    def plays(self) -> bool:
        """Whether the log is played, and not split."""
        return self.split.partition(":")[0] == "prequential"

    def played(
        self, models: Mapping[str, Recommender], ratings: Ratings, like: Any, threads: int | None
    ) -> Prequential:
        """Play the log; see `corated.evaluation.prequential.prequential`."""
        from corated.evaluation import prequential

        if self.metrics is not None or self.known_only:
            given = "--metrics" if self.metrics is not None else "--known-only"
            raise ParameterError(
                f"{given} cannot be used with --split {self.split}.",
                expected="no more: known users and items are asked about; NDCG, hit rate and MRR told",
                hint=f"leave {given} out",
            )
        shares = [_share(part, self.split) for part in self.split.split(":")[1:]] or [0.8]
        if len(shares) > 2:
            raise _no_shares(self.split)
        return prequential(
            models,
            ratings,
            start=shares[0],
            stop=shares[1] if len(shares) == 2 else None,
            like=like,
            threads=threads,
            progress=current().bar or None,
        )


def show_played(played: Prequential, as_json: bool) -> None:
    """Print what a log that was played came to."""
    if as_json:
        show_json(played.to_dict())
    else:
        say(str(played))


def _share(text: str, split: str) -> float:
    try:
        share = float(text)
    except ValueError:
        raise _no_shares(split) from None
    if not 0.0 < share < 1.0:
        raise _no_shares(split)
    return share


def _no_shares(split: str) -> ParameterError:
    return ParameterError(
        f"--split {split} cannot be read.",
        expected="prequential:START or prequential:START:STOP, shares of the ratings between 0 and 1",
        hint="for example --split prequential:0.8",
    )


def listed(text: str) -> list[str]:
    """Return the parts between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


_SPLIT = click.option(
    "--split",
    metavar="RULE",
    default="time:0.8",
    show_default=True,
    help="What is held out: time:0.8 or time:2017-01-01 (what came later), last:1 (each user's last), one, "
    "random:0.2, users:0.2 (whole users), folds:5; a seed can follow what is drawn, as in random:0.2:7. Or "
    "prequential:0.8, which plays the log from there: each liked rating is asked for, then learned.",
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
