"""``corated plan``: what the work would take."""

from __future__ import annotations

from typing import Any

import click

from corated.cli.options import (
    SIDES,
    Count,
    command,
    json_option,
    measure_option,
    memory_option,
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
@memory_option
@json_option
def plan_command(reading: Reading, as_json: bool, **given: Any) -> None:
    """Foresee pairs, memory and seconds, without doing the work."""
    import corated as cr

    # On the command line neighbors are always handed on part by part, as they are with to=.
    planned = cr.plan(reading.ratings(), to="neighbors.parquet", **given)
    if as_json:
        show_json(planned.to_dict())
    else:
        say(str(planned))
