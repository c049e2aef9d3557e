"""``corated similar``: what is near an item, or who is near a user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from corated.cli.options import (
    SIDES,
    Count,
    command,
    measure_option,
    min_common_option,
    progress_option,
    threads_option,
)
from corated.cli.people import note_excess
from corated.cli.show import count
from corated.cli.source import Data, Source, model_or_ratings
from corated.cli.state import current
from corated.cli.write import Output, writes_rows
from corated.errors import ParameterError

if TYPE_CHECKING:
    import pyarrow as pa

    from corated import Recommender
    from corated.models.fitted_knn import FittedKNN
    from corated.ratings.ids import Id
    from corated.tables import Table

__all__ = ["similar_command"]


@command(
    examples="""
    corated similar --model items.corated 0342201
    corated similar ratings.dat 0342201 --catalog movies.dat --measure cosine
    corated similar ratings.dat 35 --of users --measure pearson --min-common 3 -k 20
    """
)
@model_or_ratings(
    "ID",
    {
        "measure": measure_option(None, help="How alike is measured; cosine by default."),
        "min_common": min_common_option(None),
    },
)
@click.option(
    "--of", type=click.Choice(SIDES), help="What ID is; by default what the model compares, or items."
)
@click.option(
    "-k", "--k", type=Count(example=10), metavar="N", default=10, show_default=True, help="How many."
)
@writes_rows
@threads_option
@progress_option
def similar_command(source: Source, of: str | None, k: int, to: Output) -> None:
    """Show what is most like an item, or a user.

    The closest first, by RATINGS, or by the neighbors that a kept model goes by. Rows: id, neighbor, rank,
    value, n_common, and title with a catalog.
    """
    to.keep_apart(*source.inputs)
    if len(source.rest) != 1:
        raise ParameterError(
            f"{count(len(source.rest), 'id')} given, and one is wanted.",
            expected="ID, of a user or an item",
            hint="corated neighbors takes several",
        )
    with to.opened(all_rows=True) as rows:
        data = source.read()
        if data.model is None:
            side, measure = of or "items", source.model.measure or "cosine"
            note_excess(data.ratings, side, k)
            id = _id(data, side, source.rest[0])
            found, told = _sought(data, id, side, k, measure, source), measure
        else:
            side, found, told = _of_model(data, data.model, of, k, source)
        rows.write(_with_titles(found, data, side))
    summary = {"of": side, "measure": told, "k": k, "rows": len(found), "output": to.output}
    to.finish(rows, summary, [f"{count(len(found), 'neighbor')} among {side}: {told}"])


def _id(data: Data, side: str, text: str) -> Id:
    """Return an id of the data; raises `UnknownIdError` for any other."""
    ids = data.ratings.users if side == "users" else data.ratings.items
    return ids.id(ids.code(ids.parse(text)))


def _sought(data: Data, id: Id, side: str, k: int, measure: Any, source: Source) -> Table:
    """Find the neighbors of one."""
    import corated as cr

    least = source.model.min_common or 1
    graph = cr.neighbors(
        data.ratings,
        of=side,
        measure=measure,
        k=k,
        min_common=least,
        subjects=[id],
        threads=source.threads,
        progress=current().bar or None,
    )
    return graph.of(id)


def _of_model(
    data: Data, model: Recommender, of: str | None, k: int, source: Source
) -> tuple[str, Table, str]:
    """Return the side, the neighbors that a model goes by, and the measure's shorthand."""
    import corated as cr

    part = next((one for one in _parts(model._fitted().part) if of in (None, one.settings.side)), None)
    if part is None:
        raise ParameterError(
            f"{type(model).__name__} compares no {of or 'users or items'}.",
            expected="a model of neighbors" + (f" of {of}" if of else ""),
            hint=f"corated similar RATINGS ID --of {of or 'items'}",
        )
    side, settings = part.settings.side, part.settings
    id = _id(data, side, source.rest[0])
    if part.graph is not None:
        if part.graph.k < k and _is_given("k"):
            current().notice(f"The model keeps {part.graph.k} neighbors each: there are no more to show.")
        from corated.tables import Table

        return side, Table(part.graph.of(id).to_arrow().slice(0, k)), str(settings.measure)
    graph = cr.neighbors(
        data.ratings,
        of=side,
        measure=settings.measure,
        k=k,
        min_common=settings.min_common,
        subjects=[id],
        threads=source.threads,
    )
    return side, graph.of(id), str(settings.measure)


def _parts(part: Any) -> Iterator[FittedKNN]:
    """Yield the parts of a fitted model that compare users or items, in their order."""
    from corated.models.fitted_knn import FittedKNN

    if isinstance(part, FittedKNN):
        yield part
    for inner in getattr(part, "parts", ()):
        yield from _parts(inner)


def _with_titles(found: Table, data: Data, side: str) -> pa.Table:
    table = found.to_arrow()
    if data.catalog is None or side == "users":
        return table
    import pyarrow as pa

    codes = data.catalog.ids.codes(table.column("neighbor").combine_chunks())
    return table.append_column("title", data.catalog.titles.take(pa.array(codes, mask=codes < 0)))


def _is_given(option: str) -> bool:
    source = click.get_current_context().get_parameter_source(option)
    return source is not click.core.ParameterSource.DEFAULT
