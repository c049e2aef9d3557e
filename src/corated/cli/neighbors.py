"""``corated neighbors``: everyone's nearest neighbors, or every pair there is."""

from __future__ import annotations

import time
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

    @property
    def given(self) -> dict[str, Any]:
        """What goes to the library as it is."""
        chosen = {} if self.measure is None else {"measure": self.measure}
        return {
            **chosen,
            "of": self.of,
            "min_common": self.min_common,
            "threads": self.threads,
            "progress": current().bar or None,
        }


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
    import corated as cr

    start = time.perf_counter()
    with to.opened(all_rows=bool(search.asked)) as rows:
        ratings = reading.ratings()
        titles = read_catalog(catalog, ratings)
        if titles is not None and search.of == "users":
            current().notice("--catalog names items, and users have neighbors here: it changes nothing.")
        note_excess(ratings, search.of, search.k)
        ids = ratings.users if search.of == "users" else ratings.items
        asked = subjects(ids, search.asked, None, reading.path)
        graph = cr.neighbors(ratings, k=search.k or 40, subjects=asked, **search.given)
        rows.write(_with_titles(graph, ratings, titles if search.of == "items" else None))
    summary = _summary(graph, time.perf_counter() - start)
    to.finish(rows, {**summary, "output": to.output}, _lines(summary))


def _with_titles(graph: Neighbors, ratings: Ratings, catalog: Catalog | None) -> pa.Table:
    table = graph.to_arrow()
    if catalog is None:
        return table
    import pyarrow as pa

    return table.append_column("title", catalog.aligned(ratings.items).take(pa.array(graph.neighbor)))


def _summary(graph: Neighbors, seconds: float) -> dict[str, Any]:
    return {
        "of": graph.side,
        "measure": graph.measure.name,
        "k": graph.k,
        "min_common": graph.min_common,
        "subjects": len(graph.subjects),
        "without_neighbors": int((graph.indptr[1:] == graph.indptr[:-1]).sum()),
        "rows": len(graph.neighbor),
        "seconds": round(seconds, 3),
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
    for name, is_given in (("--k", search.k is not None), ("ID", search.asked), ("--catalog", catalog)):
        if is_given:
            raise ParameterError(f"--all-pairs writes every pair, whatever {name}.", hint=f"leave {name} out")
    if to.output is None or to.to_stdout or to.format != "parquet":
        raise ParameterError("--all-pairs writes a Parquet file.", hint="add -o FILE.parquet")
    import corated as cr

    written = cr.all_pairs(reading.ratings(), to=to.output, **search.given)
    if to.as_json:
        show_json(written.to_dict())
    else:
        say(str(written))
