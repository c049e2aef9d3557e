"""``corated pair``: two users or items beside each other."""

from __future__ import annotations

import click

from corated.cli.options import SIDES, catalog_option, command, json_option, measure_option, min_common_option
from corated.cli.reading import Reading, read_catalog, reads_ratings
from corated.cli.show import say, show_json
from corated.cli.words import on_command_line

__all__ = ["pair_command"]

_SHOWN = 10


@command(
    examples="""
    corated pair ratings.dat 35 51 --catalog movies.dat
    corated pair ratings.dat 0342201 0103148 --of items --measure cosine
    """
)
@reads_ratings
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@catalog_option
@click.option("--of", type=click.Choice(SIDES), default="users", show_default=True, help="What A and B are.")
@measure_option("pearson")
@min_common_option(1)
@json_option
def pair_command(
    reading: Reading,
    a: str,
    b: str,
    catalog: str | None,
    of: str,
    measure: str,
    min_common: int,
    as_json: bool,
) -> None:
    """Show what two users (or items) share and how alike they are.

    The ratings both gave, the sums behind the measure, and its value, or why there is none. An id that
    starts with - goes after --.
    """
    import corated as cr

    ratings = reading.ratings(remarks=False)
    ids = ratings.users if of == "users" else ratings.items
    result = cr.pair(
        ratings,
        ids.parse(a),
        ids.parse(b),
        of=of,
        measure=measure,
        min_common=min_common,
        catalog=read_catalog(catalog, ratings),
    )
    if as_json:
        show_json(result.to_dict())
        return
    say(on_command_line(str(result)))
    if result.n_common > _SHOWN:
        say(f"(--json shows all {result.n_common:,} in common)")
