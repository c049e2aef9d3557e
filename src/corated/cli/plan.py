"""``corated plan``: what the work would take."""

from __future__ import annotations

import click

from corated.cli.options import (
    SIDES,
    Count,
    command,
    json_option,
    measure_option,
    min_common_option,
    threads_option,
)
from corated.cli.reading import Reading, reads_ratings
from corated.cli.show import say, show_json

__all__ = ["plan_command"]


@command(
    examples="""
    corated plan ratings.dat
    corated plan ratings.parquet --of items --k 100 --json
    """
)
@reads_ratings
@click.option("--of", type=click.Choice(SIDES), default="users", show_default=True, help="Whose neighbors.")
@measure_option("pearson")
@click.option(
    "--k", type=Count(example=40), metavar="N", default=40, show_default=True, help="Neighbors each."
)
@min_common_option(1)
@threads_option
@json_option
def plan_command(
    reading: Reading, of: str, measure: str, k: int, min_common: int, threads: int | None, as_json: bool
) -> None:
    """Foresee pairs, memory and seconds, without doing the work."""
    import corated as cr

    planned = cr.plan(reading.ratings(), of=of, measure=measure, k=k, min_common=min_common, threads=threads)
    if as_json:
        show_json(planned.to_dict())
    else:
        say(str(planned))
