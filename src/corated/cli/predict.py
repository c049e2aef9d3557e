"""``corated predict``: what users would rate items."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from corated.cli.options import command, progress_option, threads_option
from corated.cli.show import count
from corated.cli.source import Data, Source, model_or_ratings
from corated.cli.state import current
from corated.cli.wishes import fields_of, one_stdin
from corated.cli.write import Output, writes_rows
from corated.errors import CoratedError, IdTypeError, ParameterError

if TYPE_CHECKING:
    import pyarrow as pa

    from corated import Recommender
    from corated.models.prediction import Predictions
    from corated.ratings.ids import Id, IdMap

__all__ = ["predict_command"]

_SHOWN = 5
_PREDICTS = "surprise-knnbaseline"


@command(
    examples="""
    corated predict --model baseline.corated 35 0342201
    corated predict ratings.dat 35 0342201 --by items --measure pearson
    corated predict --model baseline.corated --pairs pairs.csv -o predicted.parquet
    """
)
@model_or_ratings("[USER ITEM]")
@click.option(
    "--pairs",
    metavar="FILE",
    help="Predict for the pairs in this file: user,item in each line, or tabs; - for standard input.",
)
@writes_rows
@threads_option
@progress_option
def predict_command(source: Source, pairs: str | None, to: Output) -> None:
    """Predict what users would rate items.

    A USER and an ITEM, or the pairs of a file. Rows, in the order asked: user_id, item_id, value, support,
    status, and title with a catalog. Who or what is not in the data is answered too, and status says so. By
    RATINGS, --preset surprise-knnbaseline is the default, which the options change.
    """
    start = time.perf_counter()
    to.keep_apart(*source.inputs, pairs)
    one_stdin(*source.inputs, pairs)
    _check_asked(source.rest, pairs)
    chosen = None if source.file is not None else source.model.build_predictor()
    with to.opened(all_rows=pairs is None) as rows:
        data = source.read()
        users, items = _asked(data, source.rest, pairs)
        model = source.fitted(data, chosen)
        _check_predicts(model, source)
        bar = current().bar or None
        found = model.predict(users, items, threads=source.threads, progress=bar)
        rows.write(_with_titles(found, data))
    summary: dict[str, Any] = {
        "model": repr(model),
        "pairs": len(found),
        "rows_by_status": {status: many for status, many in found.by_status.items() if many},
        "seconds": round(time.perf_counter() - start, 3),
        "output": to.output,
    }
    states = ", ".join(f"{many:,} {status}" for status, many in summary["rows_by_status"].items())
    lines = [f"{count(len(found), 'pair')} in {summary['seconds']:.1f} s: {states}", f"model: {model!r}"]
    to.finish(rows, summary, lines)


def _check_asked(rest: tuple[str, ...], pairs: str | None) -> None:
    if pairs is not None and rest:
        raise ParameterError("Pairs are given on the command line and in a file.", hint="choose one")
    if pairs is None and len(rest) != 2:
        raise ParameterError(
            f"{count(len(rest), 'id')} given, and a user and an item are wanted.",
            expected="USER ITEM, or --pairs FILE",
            hint="corated predict --help",
        )


def _check_predicts(model: Recommender, source: Source) -> None:
    """Refuse a fitted model that only ranks, with a next step in the command line's terms."""
    part = model._fitted().part
    has_no_values = getattr(getattr(part, "settings", None), "rule", None) == "closest"
    if hasattr(part, "predict") and not has_no_values:
        return
    ours = f"--preset {_PREDICTS}"
    step = f"leave --preset {source.model.preset} out, or give {ours}"  # what has no preset predicts
    if source.file is not None:
        step = f"keep one that does: corated fit RATINGS {ours} -o FILE"
    raise ParameterError(
        f"This {type(model).__name__} predicts no ratings: it ranks.",
        expected=f"a model that predicts, such as that of {ours}",
        hint=step,
    )


def _asked(data: Data, rest: tuple[str, ...], pairs: str | None) -> tuple[list[Id], list[Id]]:
    """Return the users and the items that are asked about, pair by pair."""
    ids = data.ratings.users, data.ratings.items
    if pairs is None:
        return [ids[0].parse(rest[0])], [ids[1].parse(rest[1])]
    rows = fields_of(pairs, ("user", "item"), *ids)
    name = "standard input" if pairs == "-" else pairs
    return _parsed(ids[0], rows, 0, name), _parsed(ids[1], rows, 1, name)


def _parsed(ids: IdMap, rows: list[tuple[str, list[str]]], at: int, name: str) -> list[Id]:
    """Return ids from text; raises `IdTypeError` for those that no id of the data looks like."""
    found: list[Id] = []
    wrong: list[tuple[str, CoratedError]] = []
    for place, row in rows:
        try:
            found.append(ids.parse(row[at]))
        except IdTypeError as error:
            wrong.append((f"{place}: {row[at]}", error))
    if wrong:
        raise IdTypeError(
            f"{name}: {len(wrong):,} of {len(rows):,} {ids.what} ids are of another type than those in "
            "the data.",
            expected=wrong[0][1].expected,
            rows=[row for row, _ in wrong[:_SHOWN]],
            hint=wrong[0][1].hint,
        )
    return found


def _with_titles(found: Predictions, data: Data) -> pa.Table:
    table = found.to_arrow()
    if data.catalog is None:
        return table
    codes = data.catalog.ids.codes(table.column("item_id").combine_chunks())
    import pyarrow as pa

    return table.append_column("title", data.catalog.titles.take(pa.array(codes, mask=codes < 0)))
