"""``corated fetch``: public data sets, downloaded and checked."""

from __future__ import annotations

from pathlib import Path

import click

from corated.cli.options import DATASETS, command, json_option, progress_option
from corated.cli.show import say, show_json, show_rows
from corated.cli.state import current
from corated.errors import ParameterError

__all__ = ["fetch_command"]


@command(
    examples="""
    corated fetch --list
    corated fetch movietweetings-100k
    corated fetch ml-latest-small --folder data
    """
)
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "--list", "listing", is_flag=True, help="List the data sets, their licenses, and which are here already."
)
@click.option(
    "--folder", metavar="PATH", help="Keep it in a folder of its name in this one; by default in the cache."
)
@click.option("--accept-license", is_flag=True, help="You know the license: do without the notice.")
@progress_option
@json_option
def fetch_command(
    name: str | None, listing: bool, folder: str | None, accept_license: bool, as_json: bool
) -> None:
    """Download a public data set, check it and keep it.

    The next time it is there without the network.
    """
    if listing:
        if name is not None:
            raise ParameterError("--list lists every data set.", hint="leave NAME out")
        _list(folder, as_json)
        return
    if name is None:
        raise ParameterError(
            "NAME is missing.",
            expected=f"one of {', '.join(DATASETS)}",
            hint="corated fetch --list lists them",
        )
    import corated as cr

    found = cr.fetch(name, folder=folder, accept_license=accept_license, progress=current().bar or None)
    if as_json:
        show_json(
            {
                "name": found.name,
                "folder": found.folder,
                "ratings": found.ratings,
                "catalog": found.catalog,
                "license": found.license,
                "source": found.source,
            }
        )
        return
    say(f"{found.name} is in {found.folder}. License: {found.license}. Source: {found.source}")
    say(f"Next: corated check {found.ratings} --catalog {found.catalog}")


def _list(folder: str | None, as_json: bool) -> None:
    from corated.cache import cache_folder
    from corated.ratings import fetch as library

    kept = Path(folder) if folder is not None else cache_folder("datasets")
    rows = [
        {
            "name": info.name,
            "folder": str(kept / info.name) if (kept / info.name).is_dir() else None,
            "license": info.license,
            "source": info.source,
        }
        for info in library.DATASETS.values()
    ]
    if as_json:
        show_json({"datasets": rows})
        return
    show_rows(rows, list(rows[0]))
    say("corated fetch NAME downloads one.")
