"""``corated inspect``: what is in a model file."""

from __future__ import annotations

import click

from corated.cli.options import command, json_option
from corated.cli.show import say, show_json
from corated.errors import ParameterError

__all__ = ["inspect_command"]


@command(
    examples="""
    corated inspect model.corated
    corated inspect model.corated --json
    """
)
@click.argument("model", metavar="MODEL")
@json_option
def inspect_command(model: str, as_json: bool) -> None:
    """Show what is in a model file.

    The model and its parameters, how many users, items and ratings, their scale and times, which version
    wrote it, and its arrays. Nothing of it is loaded.
    """
    from corated.models.files import inspect

    if model == "-":
        raise ParameterError("A model cannot be read from standard input.", hint="put it in a file")
    facts = inspect(model)
    if as_json:
        show_json(facts.to_dict())
    else:
        say(str(facts))
