"""``corated recommend``: everyone's recommendations, by ratings or by a kept model."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from corated.cli.engine import on_engine
from corated.cli.machine import human_bytes
from corated.cli.options import Count, command, progress_option, threads_option
from corated.cli.people import note_excess, subjects
from corated.cli.show import count
from corated.cli.source import Source, model_or_ratings
from corated.cli.state import current
from corated.cli.wishes import Wishes, one_stdin, wishes_options
from corated.cli.write import Output, writes_rows
from corated.errors import ParameterError
from corated.neighborhood.memory import peak_memory

if TYPE_CHECKING:
    import pyarrow as pa

    from corated import Recommendations

__all__ = ["recommend_command"]


@command(
    examples="""
    corated recommend ratings.dat --catalog movies.dat
    corated recommend ratings.dat --catalog movies.dat -n 20 -o lists.parquet
    corated recommend ratings.csv 35 51 --by items --measure jaccard --k 50
    corated recommend ratings.dat --users some.txt --preset notebook -o - --out-format jsonl
    corated recommend --model model.corated 35 --genre Drama --years 1990-1999 --diversity 0.3
    corated recommend --model model.corated --history mine.csv
    """
)
@on_engine
@model_or_ratings("[USER]...")
@click.option(
    "--users",
    "users_file",
    metavar="FILE",
    help="For the users in this file only, one id a line; - for standard input.",
)
@click.option("-n", type=Count(), metavar="N", default=10, show_default=True, help="Items for each user.")
@wishes_options
@writes_rows
@threads_option
@progress_option
def recommend_command(source: Source, users_file: str | None, n: int, wishes: Wishes, to: Output) -> None:
    """Recommend items to everyone, or to the USERs named.

    By RATINGS, or by a model that corated fit has kept. Rows: user_id, item_id, rank, score, support, source,
    and title with a catalog. Without -o the first rows are shown. source says which model gave the row:
    neighbors, or popularity where they give too few. With --engine spark a cluster does it, for everyone.
    """
    start = time.perf_counter()
    inputs = (*source.inputs, users_file, *wishes.inputs)
    to.keep_apart(*inputs)
    _check_asked(source, users_file, wishes)
    one_stdin(*inputs)
    chosen = None if source.file is not None else source.model.build()
    with to.opened(all_rows=bool(source.rest or users_file or wishes.history)) as rows:
        data = source.read()
        if chosen is not None:
            note_excess(data.ratings, source.model.by or "users", source.model.k)
        note_excess(data.ratings, "users", None, n if _is_given("n") else None)
        users = subjects(data.ratings.users, source.rest, users_file, source.path or "")
        filters, history = wishes.filters(data, is_kept=chosen is None), wishes.history_of(data)
        model = source.fitted(data, chosen)
        tally, bar = Tally(model=repr(model), n=n, output=to.output), current().bar or None
        if history is not None:
            rows.write(tally.add(model.recommend(history=history, n=n, threads=source.threads, **filters)))
        else:
            for block in model.recommend_blocks(users, n=n, threads=source.threads, progress=bar, **filters):
                rows.write(tally.add(block))
    tally.finish(start)
    to.finish(rows, tally.to_dict(), tally.lines())


def _check_asked(source: Source, users_file: str | None, wishes: Wishes) -> None:
    """Refuse to answer users and a history at once."""
    if wishes.history is not None and (source.rest or users_file is not None):
        raise ParameterError(
            "--history is of somebody who is not in the data, and users were named too.", hint="choose one"
        )


@dataclass
class Tally:
    """What was recommended, counted block by block."""

    model: str
    n: int
    output: str | None
    users: int = 0
    rows: int = 0
    short: int = 0
    by_source: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    peak: int | None = None

    def add(self, block: Recommendations) -> pa.Table:
        """Count a block; return its rows."""
        table = block.to_arrow()
        self.users += block.users
        self.rows += table.num_rows
        self.short += block.short
        for source, rows in block.by_source.items():
            self.by_source[source] = self.by_source.get(source, 0) + rows
        return table

    def finish(self, start: float) -> None:
        """Note the time since ``start`` and the peak memory."""
        self.seconds = time.perf_counter() - start
        self.peak = peak_memory()

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers and text that JSON can carry."""
        return {
            "model": self.model,
            "n": self.n,
            "users": self.users,
            "rows": self.rows,
            "users_with_fewer_than_n": self.short,
            "rows_by_source": self.by_source,
            "seconds": round(self.seconds, 3),
            "peak_memory_bytes": self.peak,
            "output": self.output,
        }

    def lines(self) -> list[str]:
        """Return the summary as text."""
        sources = ", ".join(
            f"{rows:,} from {source} ({rows / max(self.rows, 1):.1%})"
            for source, rows in self.by_source.items()
        )
        return [
            f"{count(self.rows, 'row')} for {count(self.users, 'user')} "
            f"in {self.seconds:.1f} s, peak memory {human_bytes(self.peak)}",
            f"rows: {sources or 'none'}",
            f"users with fewer than {self.n}: {self.short:,} ({self.short / max(self.users, 1):.1%})",
            f"model: {self.model}",
        ]


def _is_given(option: str) -> bool:
    """Tell whether an option was given rather than left at its default."""
    source = click.get_current_context().get_parameter_source(option)
    return source is not click.core.ParameterSource.DEFAULT
