"""``corated export``: all ratings of a store, to a file or to standard output."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from corated.cli.machine import human_bytes
from corated.cli.options import FORMATS, command, json_option
from corated.cli.show import STDOUT, count, say, show_json
from corated.cli.stores import opened, own_files, shown, store_option
from corated.cli.write import apart
from corated.errors import ParameterError

if TYPE_CHECKING:
    from corated.live._export import ExportFormat
    from corated.live.store import Store

__all__ = ["export_command"]


@command(
    examples="""
    corated export exported.parquet --store shop.db
    corated export exported.csv --store shop.db --json
    corated export - --store shop.db --format jsonl
    """
)
@click.argument("output", metavar="OUT")
@store_option
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Format of OUT; by default told by its ending, csv for -.",
)
@json_option
def export_command(output: str, store: str, form: ExportFormat | None, as_json: bool) -> None:
    """Write all ratings of a store to OUT.

    OUT is a .parquet, .csv or .jsonl file, or - for standard output, with the columns user_id, item_id,
    rating and, where ratings have times, timestamp. All are of one moment. Text is written as it is, also in
    csv and where a spreadsheet would take it for a formula, so that it can be imported again.
    """
    start = time.perf_counter()
    if output == "-":
        _check_stdout(form, as_json)
        with opened(store) as kept:
            _to_stdout(kept, form or "csv")
        return
    apart(output, "OUT", *own_files(store))
    with opened(store) as kept:
        written = kept.export(output, format=form)
    size = Path(output).stat().st_size
    if as_json:
        seconds = round(time.perf_counter() - start, 3)
        summary = {"store": shown(store), "output": output, "ratings": written, "bytes": size}
        show_json({**summary, "seconds": seconds})
    else:
        say(f"{count(written, 'rating')} written to {output} ({human_bytes(size)})")


def _check_stdout(form: str | None, as_json: bool) -> None:
    if as_json:
        raise ParameterError(
            "OUT - writes the ratings to standard output, and --json the summary.", hint="choose one"
        )
    if form == "parquet" and sys.stdout.isatty():
        raise ParameterError("Parquet is not for a terminal.", hint="write to a file or through a pipe")


def _to_stdout(kept: Store, form: ExportFormat) -> None:
    """Write all ratings to a file that is passed on: whoever reads slowly holds no moment of the store."""
    from corated.output import named

    with tempfile.TemporaryDirectory(prefix="corated-") as folder:
        path = Path(folder, "ratings")
        kept.export(path, format=form)
        with named(STDOUT), path.open("rb") as file:
            sys.stdout.flush()
            shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
            sys.stdout.buffer.flush()
