"""``corated diagnose``: why pairs have no value, and who has no neighbor."""

from __future__ import annotations

import click

from corated.cli.options import (
    SIDES,
    command,
    json_option,
    measure_option,
    min_common_option,
    progress_option,
    threads_option,
)
from corated.cli.reading import Reading, reads_ratings
from corated.cli.show import say, show_json
from corated.cli.state import current
from corated.cli.words import on_command_line

__all__ = ["diagnose_command"]


@command(
    examples="""
    corated diagnose ratings.dat
    corated diagnose ratings.dat --measure pearson --min-common 3
    corated diagnose ratings.dat --of items --json
    """
)
@reads_ratings
@click.option("--of", type=click.Choice(SIDES), default="users", show_default=True, help="Whose pairs.")
@measure_option("pearson")
@min_common_option(1)
@threads_option
@json_option
@progress_option
def diagnose_command(
    reading: Reading, of: str, measure: str, min_common: int, threads: int | None, as_json: bool
) -> None:
    """Tell why a correlation is NaN: for all pairs at once.

    How many pairs have a value, why the others have none, how much they share, who has no neighbor at all,
    and what another measure or --min-common would change. With --json also each user without a neighbor.
    """
    import corated as cr

    found = cr.diagnose(
        reading.ratings(remarks=False),
        of=of,
        measure=measure,
        min_common=min_common,
        threads=threads,
        progress=current().bar or None,
    )
    if as_json:
        show_json(found.to_dict())
    else:
        say(on_command_line(str(found)))
