"""``corated explain``: what a recommendation is made of, why there is none, what it hangs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from corated.cli.options import Count, command, json_option, progress_option, threads_option
from corated.cli.show import count, say, show_json
from corated.cli.source import Data, Source, model_or_ratings
from corated.cli.state import current
from corated.cli.wishes import Wishes, one_stdin, wishes_options
from corated.cli.words import on_command_line
from corated.errors import ParameterError

if TYPE_CHECKING:
    from corated.models.explain import Explanation
    from corated.models.why import WhatIf, WhyNot
    from corated.ratings.ids import Id

__all__ = ["explain_command"]


@command(
    examples="""
    corated explain --model model.corated 35 0342201
    corated explain --model model.corated 35 0342201 --why-not --years 1990-1999
    corated explain --model model.corated 35 4748399 --what-if
    corated explain --model model.corated --history mine.csv 0342201
    corated explain ratings.dat 35 0342201 --catalog movies.dat --anonymous
    """
)
@model_or_ratings("USER ITEM")
@click.option("--why-not", is_flag=True, help="Why the item is not among the user's n, under the filters.")
@click.option("--what-if", is_flag=True, help="Which rating, if it were gone, would take the item off the n.")
@click.option("--anonymous", is_flag=True, help="Leave users who contribute unnamed.")
@click.option(
    "-n", type=Count(), metavar="N", default=10, show_default=True, help="Of how many recommendations."
)
@wishes_options
@json_option
@threads_option
@progress_option
def explain_command(
    source: Source, why_not: bool, what_if: bool, anonymous: bool, n: int, wishes: Wishes, as_json: bool
) -> None:
    """Tell what a recommendation is made of.

    Who adds what to the score of an ITEM for a USER. With --why-not or --what-if, something else about the
    same pair. With --history, ITEM alone is named. The filters are those of corated recommend, and for
    --why-not.
    """
    one_stdin(*source.inputs, *wishes.inputs)
    _check(wishes, source.rest, why_not=why_not, what_if=what_if, anonymous=anonymous)
    chosen = None if source.file is not None else source.model.build()
    data = source.read()
    asked = _asked(data, source.rest)
    filters = wishes.filters(data, is_kept=chosen is None)
    history, threads = wishes.history_of(data), source.threads
    model = source.fitted(data, chosen)
    found: Explanation | WhyNot | WhatIf
    if why_not:
        found = model.why_not(*asked, n=n, history=history, threads=threads, **filters)
    elif what_if:
        bar = current().bar or None
        found = model.what_if(*asked, n=n, history=history, threads=threads, progress=bar)
    else:
        found = model.explain(*asked, n=n, history=history, threads=threads, anonymous=anonymous)
    if as_json:
        show_json(found.to_dict())
    else:
        say(_told(found))


def _asked(data: Data, rest: tuple[str, ...]) -> tuple[Id | None, Id]:
    """Return the user, None for the one whose history is given, and the item."""
    *users, item = rest
    user = data.ratings.users.parse(users[0]) if users else None
    return user, data.ratings.items.parse(item)


def _told(found: Explanation | WhyNot | WhatIf) -> str:
    """Return the text of an answer, with filters named as options."""
    text = str(found)
    if getattr(found, "status", None) != "filtered":
        return text
    before, by, filters = text.rpartition(" is left out by ")  # a title may read like a setting
    return f"{before}{by}{on_command_line(filters)}"


def _check(wishes: Wishes, rest: tuple[str, ...], *, why_not: bool, what_if: bool, anonymous: bool) -> None:
    """Refuse what does not go together."""
    wanted = "USER ITEM" if wishes.history is None else "ITEM, for the user of --history"
    if len(rest) != len(wanted.split(",")[0].split()):
        raise ParameterError(
            f"{count(len(rest), 'id')} given.", expected=wanted, hint="corated explain --help"
        )
    if why_not and what_if:
        raise ParameterError("--why-not and --what-if are two questions.", hint="choose one")
    if anonymous and (why_not or what_if):
        raise ParameterError("--anonymous is for what a score is made of.", hint="leave it out")
    if not why_not:
        for name in ("genre", "years", "items", "exclude", "include_seen", "diversity"):
            if getattr(wishes, name):
                option = name.replace("_", "-")
                raise ParameterError(f"--{option} is for --why-not.", hint=f"leave --{option} out")
