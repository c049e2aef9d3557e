"""``corated backup``: a whole store, copied while it is used."""

from __future__ import annotations

import time
from pathlib import Path

import click

from corated.cli.machine import human_bytes
from corated.cli.options import command, json_option
from corated.cli.show import say, show_json
from corated.cli.stores import check_address, is_address, opened, own_files, shown, store_option
from corated.cli.write import apart

__all__ = ["backup_command"]


@command(
    examples="""
    corated backup copy.db --store shop.db
    corated backup again.db --store copy.db --json
    """
)
@click.argument("output", metavar="FILE")
@store_option
@json_option
def backup_command(output: str, store: str, as_json: bool) -> None:
    """Copy a whole store to FILE.

    Ratings, log, idempotency keys and catalog, as they are at one moment, while others read and write. FILE
    is a store itself. In its place the address of an empty PostgreSQL database may be given: so a backup is
    restored, and a store moved. A file that stood there is replaced.
    """
    start = time.perf_counter()
    if is_address(output):
        check_address(output)
    else:
        apart(output, "FILE", *own_files(store))
    with opened(store) as kept:
        kept.backup(output)
    size = None if is_address(output) else Path(output).stat().st_size
    if as_json:
        seconds = round(time.perf_counter() - start, 3)
        show_json({"store": shown(store), "backup": shown(output), "bytes": size, "seconds": seconds})
    else:
        told = "" if size is None else f" ({human_bytes(size)})"
        say(f"{shown(store)} is copied to {shown(output)}{told}")
