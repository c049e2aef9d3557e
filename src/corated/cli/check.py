"""``corated check``: the data report."""

from __future__ import annotations

import dataclasses

from corated.cli.options import catalog_option, command, json_option
from corated.cli.reading import Reading, read_catalog, reads_ratings
from corated.cli.show import say, show_json
from corated.cli.words import on_command_line

__all__ = ["check_command"]


@command(
    examples="""
    corated check ratings.dat --catalog movies.dat
    corated check reviews.csv --user reviewer --item film --json
    zcat ratings.csv.gz | corated check -
    """
)
@reads_ratings
@catalog_option
@json_option
def check_command(reading: Reading, catalog: str | None, as_json: bool) -> None:
    """Report on ratings before anything is computed from them.

    Counts, scale, duplicates, heavy and flat raters, who can have neighbors at all, and what to mind.
    """
    from corated.ratings._check_text import as_text
    from corated.ratings.check import check

    ratings = reading.ratings(remarks=False)
    report = check(ratings, read_catalog(catalog, ratings))
    if as_json:
        show_json(report.to_dict())
        return
    # Notices have been shown; the report need not repeat them.
    text = as_text(dataclasses.replace(report, notices=()), more=": see --json")
    say(on_command_line(text))
