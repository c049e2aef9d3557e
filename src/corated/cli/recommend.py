"""``corated recommend``: everyone's recommendations."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from corated.cli.machine import human_bytes, peak_bytes
from corated.cli.options import (
    PRESETS,
    RULES,
    SIDES,
    Count,
    Like,
    as_record,
    catalog_option,
    command,
    measure_option,
    progress_option,
    threads_option,
)
from corated.cli.people import note_excess, subjects
from corated.cli.reading import Reading, read_catalog, reads_ratings
from corated.cli.show import count
from corated.cli.state import current
from corated.cli.write import Output, writes_rows
from corated.errors import ParameterError

if TYPE_CHECKING:
    import pyarrow as pa

    from corated import Recommendations, Recommender

__all__ = ["recommend_command"]

_NEIGHBOR_OPTIONS: Final = ("by", "measure", "k", "min_common", "rule", "like", "min_support")


@dataclass(frozen=True)
class Model:
    """What recommends: a preset, and what differs from it; None is the preset's own."""

    preset: str | None
    by: str | None
    measure: str | None
    k: int | str | None
    min_common: int | None
    rule: str | None
    like: float | str | None
    min_support: int | None
    no_fallback: bool

    def __post_init__(self) -> None:
        if self.preset == "notebook":
            for name in _NEIGHBOR_OPTIONS:
                if name != "like" and getattr(self, name) is not None:
                    option = name.replace("_", "-")
                    raise ParameterError(
                        f"--preset notebook is a fixed method, which --{option} would change.",
                        expected="--like alone, since what is liked depends on the scale",
                        hint=f"leave --preset or --{option} out",
                    )

    def build(self) -> Recommender:
        """Return the unfitted model."""
        import corated as cr

        base = cr.preset(self.preset or "best")
        if not isinstance(base, cr.Fallback):
            return base if self.like is None else base.clone().set_params(like=self.like)
        first, *others = (model.clone() for model in base.models)
        changes = {name: getattr(self, name) for name in _NEIGHBOR_OPTIONS[1:]}
        changes = {name: value for name, value in changes.items() if value is not None}
        kind = cr.ItemKNN if self.by == "items" else cr.UserKNN
        settings = first.get_params()
        if kind is cr.ItemKNN:  # an item has few neighbors that one user likes
            settings["min_support"] = 1
        near = kind(**{**settings, **changes})
        if self.no_fallback:
            return near
        if self.like is not None:
            for other in others:
                other.set_params(like=self.like)
        return cr.Fallback(models=[near, *others])


_model = as_record(
    Model,
    "model",
    (
        click.option(
            "--preset",
            type=click.Choice(PRESETS),
            help="Named settings. best (the default): similar users' likes, filled up from what is popular. "
            "notebook: the closest users by distance, and nothing else; liked is 7 or higher, which --like "
            "changes for other scales. The options below change best.",
        ),
        click.option(
            "--by", type=click.Choice(SIDES), help="Go by similar users (the default) or similar items."
        ),
        measure_option(None, help="How alike is measured."),
        click.option(
            "--k",
            type=Count("2n", example=40),
            metavar="N",
            help="Neighbors each; 2n is twice what -n asks for.",
        ),
        click.option("--min-common", type=Count(example=3), metavar="N", help="Rated in common at least."),
        click.option("--rule", type=click.Choice(RULES), help="How neighbors become a list."),
        click.option(
            "--like",
            type=Like(),
            metavar="RATING",
            help="Rated this or higher is liked; mean: the user's own mean. "
            "By default the top 30 % of the scale.",
        ),
        click.option(
            "--min-support",
            type=Count(example=2),
            metavar="N",
            help="Neighbors behind an item at least.",
        ),
        click.option("--no-fallback", is_flag=True, help="Only what neighbors give; lists may be shorter."),
    ),
)


@command(
    examples="""
    corated recommend ratings.dat --catalog movies.dat
    corated recommend ratings.dat --catalog movies.dat -n 20 -o lists.parquet
    corated recommend ratings.csv 35 51 --by items --measure jaccard --k 50
    corated recommend ratings.dat --users some.txt --preset notebook -o - --out-format jsonl
    """
)
@reads_ratings
@click.argument("asked", metavar="[USER]...", nargs=-1)
@click.option(
    "--users",
    "users_file",
    metavar="FILE",
    help="For the users in this file only, one id a line; - for standard input.",
)
@click.option("-n", type=Count(), metavar="N", default=10, show_default=True, help="Items for each user.")
@catalog_option
@_model
@writes_rows
@threads_option
@progress_option
def recommend_command(
    reading: Reading,
    asked: tuple[str, ...],
    users_file: str | None,
    n: int,
    catalog: str | None,
    model: Model,
    to: Output,
    threads: int | None,
) -> None:
    """Recommend items to everyone, or to the USERs named.

    Rows: user_id, item_id, rank, score, support, source, and title with a catalog. Without -o the first
    rows are shown. source says which model gave the row: neighbors, or popularity where they give too few.
    """
    start = time.perf_counter()
    to.keep_apart(reading.path, catalog, users_file)
    chosen = model.build()
    tally = Tally(model=repr(chosen), n=n, output=to.output)
    bar = current().bar or None
    with to.opened(all_rows=bool(asked or users_file)) as rows:
        ratings = reading.ratings()
        titles = read_catalog(catalog, ratings)
        note_excess(ratings, model.by or "users", model.k, n if _is_given("n") else None)
        users = subjects(ratings.users, asked, users_file, reading.path)
        chosen.fit(ratings, catalog=titles, threads=threads, progress=bar)
        for block in chosen.recommend_blocks(users, n=n, threads=threads, progress=bar):
            rows.write(tally.add(block))
    tally.finish(start)
    to.finish(rows, tally.to_dict(), tally.lines())


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
        self.peak = peak_bytes()

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
