"""``corated neighbors``: everyone's nearest neighbors, or every pair there is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from corated.cli.options import (
    SIDES,
    Count,
    as_record,
    catalog_option,
    command,
    measure_option,
    memory_option,
    min_common_option,
    progress_option,
    threads_option,
)
from corated.cli.people import note_excess, subjects
from corated.cli.reading import Reading, read_catalog, reads_ratings
from corated.cli.show import count, say, show_json
from corated.cli.state import current
from corated.cli.write import Output, writes_rows
from corated.errors import ParameterError

if TYPE_CHECKING:
    import pyarrow as pa

    from corated import Catalog, Neighbors, Ratings
    from corated.ratings.ids import Id

__all__ = ["neighbors_command"]


@dataclass(frozen=True)
class Search:
    """Whose neighbors, and what counts as near."""

    asked: tuple[str, ...]
    of: str
    measure: str | None
    k: int | None
    min_common: int
    all_pairs: bool
    threads: int | None
    memory_limit: int | None

    @property
    def whose(self) -> dict[str, Any]:
        """What decides the pairs, as the library is told it."""
        chosen = {} if self.measure is None else {"measure": self.measure}
        return {**chosen, "of": self.of, "min_common": self.min_common}

    @property
    def how(self) -> dict[str, Any]:
        """What the answer does not depend on."""
        return {"threads": self.threads, "progress": current().bar or None}

    def parts(self, ratings: Ratings, asked: list[Id] | None) -> Iterator[Neighbors]:
        """Find the neighbors, part by part, so that rows need not all be in memory."""
        from corated.neighborhood.graph import Wanted, neighbor_parts

        wanted = Wanted(k=self.k or 40, subjects=asked, **self.whose)
        return neighbor_parts(ratings, wanted, memory_limit=self.memory_limit, **self.how)


_search = as_record(
    Search,
    "search",
    (
        click.argument("asked", metavar="[ID]...", nargs=-1),
        click.option(
            "--of", type=click.Choice(SIDES), default="users", show_default=True, help="Whose neighbors."
        ),
        measure_option(None, help="How alike is measured; pearson by default, euclidean with --all-pairs."),
        click.option("--k", type=Count(example=40), metavar="N", help="Neighbors each; 40 by default."),
        min_common_option(1),
        click.option(
            "--all-pairs",
            is_flag=True,
            help="Write each pair once instead, with its value and count in common, to a .parquet file.",
        ),
        threads_option,
        memory_option,
    ),
)


@command(
    examples="""
    corated neighbors ratings.dat 35 51 --k 5
    corated neighbors ratings.dat --of items --measure cosine --k 20 -o similar.parquet
    corated neighbors ratings.dat --all-pairs --min-common 3 -o pairs.parquet
    """
)
@reads_ratings
@_search
@catalog_option
@writes_rows
@progress_option
def neighbors_command(reading: Reading, search: Search, catalog: str | None, to: Output) -> None:
    """Find the nearest neighbors of every user (or item), exactly.

    With one ID or more, of these only. Rows: id, neighbor, rank, value, n_common; an item's neighbor also has
    its title where there is a catalog. An id that starts with - goes after --.
    """
    to.keep_apart(reading.path, catalog)
    if search.all_pairs:
        _every_pair(reading, search, catalog, to)
        return
    start = time.perf_counter()
    with to.opened(all_rows=bool(search.asked)) as rows:
        ratings = reading.ratings()
        titles = read_catalog(catalog, ratings)
        if catalog is not None and search.of == "users":
            current().notice("--catalog names items, and users have neighbors here: it changes nothing.")
        note_excess(ratings, search.of, search.k)
        ids = ratings.users if search.of == "users" else ratings.items
        asked = subjects(ids, search.asked, None, reading.path)
        tally = Tally()
        for part in search.parts(ratings, asked):
            rows.write(_with_titles(part, ratings, titles if search.of == "items" else None))
            tally.add(part)
            del part  # before the next is made
    summary = {**tally.summary, "seconds": round(time.perf_counter() - start, 3)}
    to.finish(rows, {**summary, "output": to.output}, _lines(summary))


def _with_titles(graph: Neighbors, ratings: Ratings, catalog: Catalog | None) -> pa.Table:
    table = graph.to_arrow()
    if catalog is None:
        return table
    import pyarrow as pa

    return table.append_column("title", catalog.aligned(ratings.items).take(pa.array(graph.neighbor)))


class Tally:
    """What was found, counted part by part."""

    def __init__(self) -> None:
        self.summary: dict[str, Any] = {}

    def add(self, part: Neighbors) -> None:
        """Count a part."""
        before = self.summary or {"subjects": 0, "without_neighbors": 0, "rows": 0}
        self.summary = {
            "of": part.side,
            "measure": str(part.measure),
            "k": part.k,
            "min_common": part.min_common,
            "subjects": before["subjects"] + len(part.subjects),
            "without_neighbors": before["without_neighbors"] + part.without_neighbors,
            "rows": before["rows"] + len(part),
        }


def _lines(summary: dict[str, Any]) -> list[str]:
    """Return the summary as text."""
    one, alone = summary["of"][:-1], summary["without_neighbors"]
    lines = [
        f"{count(summary['rows'], 'row')} for {count(summary['subjects'], one)} "
        f"in {summary['seconds']:.1f} s: {summary['measure']}, k {summary['k']}, "
        f"at least {summary['min_common']} in common"
    ]
    if alone:
        lines.append(f"{count(alone, one)} without a neighbor")
    return lines


def _every_pair(reading: Reading, search: Search, catalog: str | None, to: Output) -> None:
    """Write all pairs with enough in common."""
    others = (
        ("--k", search.k is not None),
        ("ID", search.asked),
        ("--catalog", catalog),
        ("--memory-limit", search.memory_limit),
    )
    for name, is_given in others:
        if is_given:
            raise ParameterError(f"--all-pairs writes every pair, whatever {name}.", hint=f"leave {name} out")
    if to.output is None or to.to_stdout or to.format != "parquet":
        raise ParameterError("--all-pairs writes a Parquet file.", hint="add -o FILE.parquet")
    import corated as cr

    written = cr.all_pairs(reading.ratings(), to=to.output, **search.whose, **search.how)
    if to.as_json:
        show_json(written.to_dict())
    else:
        say(str(written))
