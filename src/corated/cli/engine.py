"""``--engine spark``: recommendations made on a cluster, by the options that a cluster can do."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from corated.cli.machine import human_bytes
from corated.cli.model_options import Model, model_fields
from corated.cli.options import Count, Decorator, Memory, ReadingOption
from corated.cli.reading import Reading
from corated.cli.show import FirstRows, count, say, show_json
from corated.cli.state import current
from corated.errors import OutputError, ParameterError
from corated.neighborhood.memory import peak_memory

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from corated import Recommender
    from corated.spark import SparkRatings

__all__ = ["ENGINES", "on_engine"]

ENGINES: Final = ("local", "spark")
_FOR_ALL = "lists are made for everyone there"
_NO_CATALOG = "titles, genres and years are not read there"
_REFUSED: Final[dict[str, str]] = {
    "model_file": "models are fitted there, and not kept",
    "users_file": _FOR_ALL,
    "history": _FOR_ALL,
    "catalog": _NO_CATALOG,
    "genre": _NO_CATALOG,
    "years": _NO_CATALOG,
    "diversity": _NO_CATALOG,
    "items": "every item can be on a list there",
    "exclude": "every item can be on a list there",
    "half_life": "times are not read there",
    "everyone": "it needs all ratings in one place",
    "threads": "--master says how many cores there are",
    "csv_exact": "lists are written as Parquet there",
}
"""Options that say what a cluster cannot do, and why."""
_READ_THERE: Final = {
    "user",
    "item",
    "rating",
    "no_rating",
    "no_time",
    "format",
    "scale",
    "duplicates",
    "on_bad",
}
"""Options of reading that Spark has too; the others are about text and times."""
_FIRST: Final = 20

_OPTIONS: Final[tuple[Decorator, ...]] = (
    click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default="local",
        show_default=True,
        help="spark: on a cluster, the same answers in blocks, by neighbors and what is popular alone. "
        "RATINGS is Parquet then, or what this machine can read, and -o a folder.",
    ),
    click.option(
        "--master",
        metavar="MASTER",
        help="Of Spark: local[4], spark://host:7077, yarn and so on; by default every core of this machine.",
    ),
    click.option(
        "--work",
        metavar="FOLDER",
        help="Of Spark: a folder that every machine can write. With the same one a run that died goes on.",
    ),
    click.option(
        "--blocks",
        type=Count(example=16),
        metavar="N",
        help="Of Spark: into how many blocks users (or items) are cut; by default told by --memory.",
    ),
    click.option(
        "--memory", type=Memory(), metavar="SIZE", help="Of Spark: what one task may take; 1 GB by default."
    ),
    click.option(
        "--spark-conf",
        multiple=True,
        metavar="KEY=VALUE",
        help="Of Spark: a setting of its own, such as spark.executor.memory=4g; several add up.",
    ),
)


@dataclass(frozen=True)
class _Cluster:
    """Where it runs and how, as the options say."""

    master: str | None
    work: str | None
    blocks: int | None
    memory: int | None
    spark_conf: tuple[str, ...]

    def session(self) -> SparkSession:
        """Return a session; raises `MissingExtraError` without pyspark or without Java."""
        import corated.spark as cs

        pairs = [pair.partition("=") for pair in self.spark_conf]
        for key, sign, _ in pairs:
            if not key or not sign:
                raise ParameterError(
                    f"--spark-conf {key} sets nothing.",
                    expected="KEY=VALUE",
                    hint="try --spark-conf spark.executor.memory=4g",
                )
        spark = cs.session(self.master or "local[*]", config={key: value for key, _, value in pairs})
        spark.sparkContext.setLogLevel("ERROR")
        return spark

    @property
    def search(self) -> dict[str, Any]:
        """What a search takes."""
        return {"blocks": self.blocks} | ({} if self.memory is None else {"memory": self.memory})


def on_engine(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--engine`` and what belongs to Spark: with ``--engine spark`` the command runs there.

    Goes above all other options of the command, since some mean other things then.
    """
    names = [one.name for one in fields(_Cluster)]

    @functools.wraps(function)
    def wrapped(engine: str, **given: Any) -> Any:
        cluster = _Cluster(**{name: given.pop(name) for name in names})
        if engine == "spark":
            return _run(cluster, given)
        for name in names:
            if getattr(cluster, name):
                option = f"--{name.replace('_', '-')}"
                raise ParameterError(
                    f"{option} is for Spark.", hint=f"add --engine spark, or leave {option} out"
                )
        return function(**given)

    decorated: Callable[..., Any] = wrapped
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def _run(cluster: _Cluster, given: Mapping[str, Any]) -> None:
    """Recommend on Spark; ``given``: what the command's options say."""
    start = time.perf_counter()
    _refuse(given)
    path, output, n = given["args"][0], given["output"], given["n"]
    path, output = _whole(path), None if output is None else _whole(output)
    of_reading = [one.name for one in fields(Reading) if one.name != "path"]
    reading = Reading(path=path, **{name: given[name] for name in of_reading})
    is_there = reading.store is None and _is_parquet(path, reading.format)
    if is_there:
        _refuse_reading()
    model = _model(Model(**{name: given[name] for name in model_fields()}))
    if output is not None:
        _check_output(output, [path if is_there else None, cluster.work])
    import corated.spark as cs

    spark = cluster.session()
    ratings = _read(reading, spark, cluster.work, is_there=is_there)
    exclude_seen = not given["include_seen"]
    found = cs.recommend(ratings, model, n=n, exclude_seen=exclude_seen, **cluster.search)
    shown = None
    if output is None:
        shown = FirstRows(_FIRST)
        shown.write(found.limit(_FIRST).toArrow())
    else:
        _write(found, output)
        found = spark.read.parquet(output)
    summary = {"model": repr(model), "n": n, **_counts(found, ratings, n)}
    summary |= {"seconds": round(time.perf_counter() - start, 3), "peak_memory_bytes": peak_memory()}
    _tell({**summary, "output": output}, shown, as_json=given["as_json"])


def _tell(summary: Mapping[str, Any], shown: FirstRows | None, *, as_json: bool) -> None:
    """Show what was done."""
    if as_json:
        show_json(summary)
        return
    if shown is not None:
        shown.show()
    sources = ", ".join(f"{rows:,} from {source}" for source, rows in summary["rows_by_source"].items())
    short, n = summary["users_with_fewer_than_n"], summary["n"]
    peak = human_bytes(summary["peak_memory_bytes"])
    say(
        f"{count(summary['rows'], 'row')} for {count(summary['users'], 'user')} "
        f"in {summary['seconds']:.1f} s, peak memory of this process {peak}"
    )
    say(f"rows: {sources or 'none'}")
    say(f"users with fewer than {n}: {short:,} ({short / max(summary['users'], 1):.1%})")
    say(f"model: {summary['model']}")
    if summary["output"] is not None:
        say(f"written to {summary['output']}, a folder of Parquet files")


def _counts(found: DataFrame, ratings: SparkRatings, n: int) -> dict[str, Any]:
    """Count the rows, of which sources they are, and the users whose lists are short."""
    by_source = {row[0]: row[1] for row in found.groupBy("source").count().orderBy("source").collect()}
    whole = found.filter(f"rank = {n}").count()
    return {
        "users": ratings.n_users,
        "rows": sum(by_source.values()),
        "users_with_fewer_than_n": ratings.n_users - whole,
        "rows_by_source": by_source,
    }


# -- what is asked --------------------------------------------------------------------------------


def _refuse(given: Mapping[str, Any]) -> None:
    """Refuse what a cluster cannot do, each option with its reason."""
    args = given["args"]
    for name, why in _REFUSED.items():
        if given[name] is not None and given[name] is not False and given[name] != ():
            raise _cannot(_option(name), why)
    if not args:
        raise click.UsageError("Missing argument 'RATINGS'.", click.get_current_context())
    if len(args) > 1:
        raise ParameterError(
            f"The user {args[1]} was named, and with --engine spark {_FOR_ALL}.",
            hint=f"leave {args[1]} out, or use --engine local",
        )
    if given["out_format"] not in (None, "parquet"):
        raise _cannot(f"--out-format {given['out_format']}", "lists are written as Parquet there")
    if given["output"] is None and given["as_json"]:
        raise ParameterError(
            "--json prints every row, which this machine may not hold.", hint="add -o FOLDER for the summary"
        )


def _refuse_reading() -> None:
    """Refuse options of reading text and times where Spark reads Parquet."""
    context = click.get_current_context()
    for param in context.command.params:
        source = context.get_parameter_source(str(param.name))
        is_given = source is not click.core.ParameterSource.DEFAULT
        if isinstance(param, ReadingOption) and is_given and param.name not in _READ_THERE:
            raise _cannot(param.opts[-1], "Spark reads user, item and rating of Parquet")


def _cannot(option: str, why: str) -> ParameterError:
    return ParameterError(
        f"{option} cannot be had with --engine spark: {why}.",
        hint=f"leave {option.split()[0]} out, or use --engine local",
    )


def _option(name: str) -> str:
    """Return how an option is written."""
    params = click.get_current_context().command.params
    return next(param.opts[-1] for param in params if param.name == name)


def _model(asked: Model) -> Recommender:
    """Return the model that is meant; of ``best``, which goes by time, what does not."""
    import corated as cr
    from corated.models.presets import near_in

    built = asked.build()
    if not isinstance(built, cr.Chosen):
        return built
    current().notice(
        "On Spark, best is similar users' likes, filled up from what is popular: times, by which it would "
        "choose among models, are not read."
    )
    return near_in(built)


def _check_output(output: str, read: list[str | None]) -> None:
    """Refuse an output that is no folder, that is read, or that holds what a run has written whole."""
    if output == "-":
        raise ParameterError(
            "On Spark lists are not written to standard output.", hint="name a folder with -o"
        )
    if any(path is not None and _address(path) == _address(output) for path in read):
        raise ParameterError(
            f"-o {output} is read as well, and would be lost.", hint="write to another folder"
        )
    if _is_elsewhere(output) or not Path(output).exists():
        return
    if not Path(output).is_dir():
        raise OutputError(f"{output} is a file.", expected="a folder to write", hint="name another with -o")
    there = sorted(one.name for one in Path(output).iterdir())
    kept = [name for name in there if name == "_SUCCESS" or not name.startswith(("part-", "_", "."))]
    if kept:
        raise OutputError(
            f"{output} has files already, such as {kept[0]}.",
            expected="a new folder, or what a run that died has left",
            hint="remove it, or name another with -o",
        )


def _write(found: DataFrame, output: str) -> None:
    """Write the folder; elsewhere it must be new, here `_check_output` has looked."""
    from pyspark.errors import AnalysisException

    try:
        found.write.mode("error" if _is_elsewhere(output) else "overwrite").parquet(output)
    except AnalysisException as error:
        raise OutputError(
            f"{output} cannot be written: {str(error).splitlines()[0]}", hint="name another with -o"
        ) from error


def _is_elsewhere(path: str) -> bool:
    """Tell whether a path is an address, such as ``hdfs://…``."""
    return ":/" in path


def _whole(path: str) -> str:
    """Return a path from the root: Java may have been started in another folder."""
    return path if path == "-" or _is_elsewhere(path) else str(Path(path).absolute())


def _address(path: str) -> str:
    """Return an address in a form that can be compared."""
    return path.rstrip("/") if _is_elsewhere(path) else os.path.realpath(path)


# -- reading --------------------------------------------------------------------------------------


def _is_parquet(path: str, format: str | None) -> bool:
    """Tell whether Spark reads the ratings itself: Parquet, a folder, or an address elsewhere."""
    if format is not None or path == "-":
        return format == "parquet"
    if _is_elsewhere(path) or Path(path).is_dir():
        return True
    from corated.ratings.read import PARQUET

    try:
        with Path(path).open("rb") as file:
            return file.read(len(PARQUET)) == PARQUET
    except OSError:
        return False  # told of where it is read


def _read(reading: Reading, spark: SparkSession, work: str | None, *, is_there: bool) -> SparkRatings:
    """Read Parquet on Spark; other ratings here, and hand them over as Parquet in the work folder."""
    import corated.spark as cs

    if is_there:
        return cs.read(
            reading.path,
            user=reading.user,
            item=reading.item,
            rating=False if reading.no_rating else reading.rating,
            scale=reading.scale,
            duplicates=reading.duplicates,
            on_bad=reading.on_bad,
            work=work,
            spark=spark,
        )
    from corated.spark.folder import work_folder

    folder = work_folder(work, spark)
    ratings = reading.ratings()
    columns = ["user_id", "item_id", "rating"]
    folder.write_parquet("given.parquet", ratings.to_arrow().select(columns))
    return cs.read(f"{folder.uri}/given.parquet", scale=ratings.scale, work=folder.uri, spark=spark)
