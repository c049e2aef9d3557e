"""``corated serve``: a store of ratings, or a file of them, answered over HTTP."""

from __future__ import annotations

from typing import Any

import click

from corated.cli.options import PRESETS, RULES, SIDES, Count, Scale, command, json_option, measure_option
from corated.cli.show import say, show_json
from corated.cli.state import current
from corated.errors import ParameterError

__all__ = ["serve_command"]


@command(
    examples="""
    corated serve ratings.dat --catalog movies.dat
    corated serve --store shop.db --scale 1:5:1
    corated serve --store shop.db --host 0.0.0.0 --keys keys.json
    corated serve --config corated.toml --set rate=50
    """
)
@click.argument("ratings", metavar="[RATINGS]", required=False)
@click.option("--store", metavar="STORE", help="The store: a file, or postgresql://user@host/database.")
@click.option("--catalog", metavar="PATH", help="File of item titles, put into the store at the start.")
@click.option("--config", metavar="FILE", help="Settings in TOML; CORATED_CONFIG names one too.")
@click.option("--host", metavar="ADDRESS", help="Address to listen on; 127.0.0.1 by default.")
@click.option(
    "--port", type=Count(least=0, most=65535, example=8000), metavar="N", help="Port; 0 for a free one."
)
@click.option("--keys", metavar="FILE", help="File of API keys, which are asked for then; see corated key.")
@click.option("--scale", type=Scale(), metavar="LOW:HIGH:STEP", help="Rating scale of a new store.")
@click.option("--preset", type=click.Choice(PRESETS), help="Named settings of the model; best by default.")
@click.option("--by", type=click.Choice(SIDES), help="Go by similar users (the default) or similar items.")
@measure_option(None, help="How alike is measured.")
@click.option("--k", type=Count(example=40), metavar="N", help="Neighbors each.")
@click.option("--min-common", type=Count(example=3), metavar="N", help="Rated in common at least.")
@click.option("--rule", type=click.Choice(RULES), help="How neighbors become a list.")
@click.option("--threads", type=Count(example=2), metavar="N", help="Threads of what is fitted; every core.")
@click.option(
    "--set",
    "others",
    metavar="NAME=VALUE",
    multiple=True,
    help="Any other setting, as in the file: see corated config show. May be given again.",
)
@json_option
def serve_command(config: str | None, others: tuple[str, ...], as_json: bool, **flags: Any) -> None:
    """Answer over HTTP until stopped.

    RATINGS are served from a temporary store, which ends with the service; --store keeps what is written.
    Settings come from --config, then from variables (CORATED_PORT=8000), then from options. Only this machine
    is answered, unless there are keys: corated key create makes one.
    """
    from corated.serve.run import serve
    from corated.serve.settings import load_settings

    settings = load_settings(config, flags={**_split(others), **flags})

    def listening(address: str) -> None:
        if as_json:
            show_json({"address": address})
        else:
            say(f"listening on {address} (Ctrl-C stops)")

    serve(settings, tell=current().notice, listening=listening)


def _split(others: tuple[str, ...]) -> dict[str, Any]:
    """Return what --set says, by name."""
    found: dict[str, Any] = {}
    for one in others:
        name, there, value = one.partition("=")
        if not there:
            raise ParameterError(
                f"--set {one} says nothing.", expected="NAME=VALUE", hint="try --set log_level=debug"
            )
        name = name.strip().replace("-", "_")
        found[name] = tuple(value.split(",")) if name == "hosts" else value
    return found
