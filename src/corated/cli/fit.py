"""``corated fit``: a model fitted to ratings, kept in a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from corated.cli.machine import human_bytes
from corated.cli.model_options import Model, model_options
from corated.cli.options import catalog_option, command, json_option, progress_option, threads_option
from corated.cli.people import note_excess
from corated.cli.reading import Reading, read_catalog, reads_ratings
from corated.cli.show import count, say, show_json
from corated.cli.state import current
from corated.cli.write import apart
from corated.errors import ParameterError
from corated.neighborhood.memory import peak_memory

__all__ = ["fit_command"]


@command(
    examples="""
    corated fit ratings.dat --catalog movies.dat -o model.corated
    corated fit ratings.dat --preset surprise-knnbaseline -o baseline.corated
    corated fit ratings.csv --by items --measure cosine --k 50 --half-life 365 -o items.corated
    """
)
@reads_ratings
@click.option("-o", "--output", metavar="FILE", required=True, help="The file to keep the model in.")
@catalog_option
@model_options
@threads_option
@progress_option
@json_option
def fit_command(
    reading: Reading, output: str, catalog: str | None, model: Model, threads: int | None, as_json: bool
) -> None:
    """Fit a model and keep it in a file.

    Kept are its parameters, ratings and catalog, and what took long to find, so that recommend, predict,
    similar and explain answer at once where they are given the file as --model.
    """
    import corated as cr

    start = time.perf_counter()
    _check_output(output, reading.path, catalog)
    chosen = model.build()
    ratings = reading.ratings()
    titles = read_catalog(catalog, ratings)
    note_excess(ratings, model.by or "users", model.k)
    chosen.fit(ratings, catalog=titles, threads=threads, progress=current().bar or None)
    cr.save(chosen, output)
    summary: dict[str, Any] = {
        "model": repr(chosen),
        "users": ratings.n_users,
        "items": ratings.n_items,
        "ratings": ratings.n_ratings,
        "catalog_items": None if titles is None else len(titles),
        "seconds": round(time.perf_counter() - start, 3),
        "peak_memory_bytes": peak_memory(),
        "output": output,
        "bytes": Path(output).stat().st_size,
    }
    if as_json:
        show_json(summary)
        return
    say(f"model: {summary['model']}")
    say(
        f"fitted to {count(ratings.n_ratings, 'rating')} of {count(ratings.n_users, 'user')} and "
        f"{count(ratings.n_items, 'item')} in {summary['seconds']:.1f} s, "
        f"peak memory {human_bytes(summary['peak_memory_bytes'])}"
    )
    say(f"written to {output} ({human_bytes(summary['bytes'])})")


def _check_output(output: str, *read: str | None) -> None:
    """Refuse an output that is no file of its own, before anything is read."""
    if output == "-":
        raise ParameterError("A model is not written to standard output.", hint="give -o a file's name")
    apart(output, "-o", *read)
