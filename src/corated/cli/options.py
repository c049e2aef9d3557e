"""Options that several commands have: one definition each."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from corated.cli.state import State
from corated.errors import ParameterError

__all__ = [
    "COUNT",
    "DATASETS",
    "DUPLICATES",
    "FORMATS",
    "MEASURES",
    "ON_BAD",
    "OWN",
    "PRESETS",
    "READING",
    "READ_FORMATS",
    "RULES",
    "SIDES",
    "SIZES",
    "TIME_UNITS",
    "Amount",
    "Command",
    "Count",
    "Decorator",
    "Like",
    "Measure",
    "ReadingOption",
    "Scale",
    "Years",
    "as_record",
    "catalog_option",
    "command",
    "json_option",
    "measure_option",
    "memory_option",
    "min_common_option",
    "progress_option",
    "threads_option",
]

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

# Kept here as well as where they belong, so that --help need not import what computes; a test compares.
DUPLICATES: Final = ("refuse", "last", "first", "max", "min", "mean", "sum", "count")
READ_FORMATS: Final = ("dat", "csv", "tsv", "parquet", "arrow")
TIME_UNITS: Final = ("s", "ms", "us", "ns")
ON_BAD: Final = ("refuse", "drop")
RULES: Final = ("closest", "votes", "weighted_votes", "sum", "mean")
PRESETS: Final = (
    *("best", "notebook", "surprise-knnbasic", "surprise-knnwithmeans", "surprise-knnbaseline"),
    *("lenskit-user", "lenskit-item", "mymedialite-item-pearson", "bars-itemcf", "tois-itemknn"),
    "tois-userknn",
)
MEASURES: Final = (
    *("pearson", "euclidean", "msd", "manhattan", "cosine", "cosine_common", "constrained_pearson"),
    *("centered_cosine", "adjusted_cosine", "pearson_baseline", "spearman", "jaccard", "dice", "overlap"),
    *("tversky", "conditional", "log_likelihood", "asymmetric_cosine", "p3alpha", "rp3beta"),
)
SIZES: Final = ("small", "notebook", "ml-20m", "million")
DATASETS: Final = (
    "movietweetings",
    "movietweetings-100k",
    "ml-100k",
    "ml-latest-small",
    "ml-1m",
    "ml-10m",
    "ml-20m",
    "ml-25m",
)

_Parameter = click.Parameter | None
_Context = click.Context | None

if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType

SIDES: Final = ("users", "items")
FORMATS: Final = ("parquet", "csv", "jsonl")


class Count(_ParamType):
    """A whole number of at least 1, or one of some words; there is no more than 2³¹ of anything here."""

    name = "count"

    def __init__(self, *words: str, least: int = 1, most: int = (1 << 31) - 1, example: int = 10) -> None:
        self._words, self._least, self._most, self._example = words, least, most, example

    def convert(self, value: Any, param: _Parameter, ctx: _Context) -> int | str:  # noqa: ARG002
        """Return the number; raises `ParameterError` for anything else."""
        if value in self._words:
            return str(value)
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = self._least - 1
        if self._least <= number <= self._most:
            return number
        bounds = f"of at least {self._least}"
        if number > self._most:
            bounds = f"from {self._least} to {self._most:,}"
        option = param.opts[-1] if param is not None else "The number"
        also = "".join(f", or {word}" for word in self._words)
        raise ParameterError(
            f"{option} {value} cannot be used.",
            expected=f"a whole number {bounds}{also}",
            hint=f"try {option} {self._example}",
        )


class Scale(_ParamType):
    """A rating scale written LOW:HIGH or LOW:HIGH:STEP."""

    name = "scale"

    def convert(
        self,
        value: Any,
        param: _Parameter,  # noqa: ARG002
        ctx: _Context,  # noqa: ARG002
    ) -> tuple[float, float, float]:
        """Return (low, high, step); raises `ParameterError` for what is not of that form."""
        if isinstance(value, tuple):
            return value
        try:
            low, high, *step = (float(part) for part in str(value).split(":"))
            if len(step) <= 1:
                return low, high, step[0] if step else 1.0
        except ValueError:
            pass
        raise ParameterError(
            f"--scale {value} is not a rating scale.",
            expected="LOW:HIGH:STEP, such as 1:10:1 or 0.5:5:0.5",
            hint="leave --scale out to have it read off the ratings",
        )


class Like(_ParamType):
    """A rating, or the word ``mean``."""

    name = "like"

    def convert(self, value: Any, param: _Parameter, ctx: _Context) -> float | str:  # noqa: ARG002
        """Return the rating as a number, or ``"mean"``; raises `ParameterError` for anything else."""
        if value == "mean" or isinstance(value, float):
            return str(value) if value == "mean" else float(value)
        try:
            return float(value)
        except ValueError:
            raise ParameterError(
                f"--like {value} cannot be used.",
                expected="a rating such as 7, or mean for each user's own mean",
                hint="leave --like out for the top 30 % of the scale",
            ) from None


class Amount(_ParamType):
    """A finite number, above or at least some bound, and at most another."""

    name = "amount"

    def __init__(
        self,
        *,
        example: str,
        above: float | None = None,
        least: float | None = None,
        most: float | None = None,
    ) -> None:
        self._example, self._above, self._least, self._most = example, above, least, most

    def convert(self, value: Any, param: _Parameter, ctx: _Context) -> float:  # noqa: ARG002
        """Return the number; raises `ParameterError` for anything else."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        is_there = math.isfinite(number)
        is_there &= (self._above is None or number > self._above) and (
            self._least is None or number >= self._least
        )
        if is_there and (self._most is None or number <= self._most):
            return number
        option = param.opts[-1] if param is not None else "The number"
        start = f"above {self._above:g}" if self._above is not None else f"from {self._least or 0:g}"
        end = "" if self._most is None else f" to {self._most:g}"
        raise ParameterError(
            f"{option} {value} cannot be used.",
            expected=f"a number {start}{end}",
            hint=f"try {option} {self._example}",
        )


class Years(_ParamType):
    """Years written FIRST-LAST, FIRST-, -LAST or YEAR."""

    name = "years"

    def convert(
        self,
        value: Any,
        param: _Parameter,  # noqa: ARG002
        ctx: _Context,  # noqa: ARG002
    ) -> tuple[int | None, int | None]:
        """Return the first and the last year, None for no end; raises `ParameterError` for anything else."""
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d{1,6})?([-–])?(\d{1,6})?", str(value).replace(" ", ""))
        if found is not None and any(found.group(1, 3)):
            first, dash, last = found.groups()
            return int(first) if first else None, int(last) if last else None if dash else int(first)
        raise ParameterError(
            f"--years {value} are no years.",
            expected="FIRST-LAST, or one end left open",
            hint="try --years 1990-1999, --years 2010- or --years -1980",
        )


class Measure(_ParamType):
    """A measure by its shorthand: a name, or a name with parameters."""

    name = "measure"

    def convert(self, value: Any, param: _Parameter, ctx: _Context) -> str:  # noqa: ARG002
        """Return the shorthand with its parameters checked; raises `ParameterError` for what is none."""
        from corated.similarity.measures import get_measure

        get_measure(str(value))
        return str(value)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Complete the names."""
        return [CompletionItem(name) for name in MEASURES if name.startswith(incomplete)]


class Memory(_ParamType):
    """An amount of memory, such as 1GB."""

    name = "size"

    def convert(self, value: Any, param: _Parameter, ctx: _Context) -> int:  # noqa: ARG002
        """Return bytes; raises `ParameterError` for what is no amount."""
        from corated.neighborhood.memory import bytes_of

        found = bytes_of(value)
        assert found is not None
        return found


COUNT: Final = Count()


def _debug(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if value:
        ctx.find_root().ensure_object(State).debug = True


def _no_progress(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if value:
        ctx.find_root().ensure_object(State).progress = False


OWN, READING = "Options", "Reading RATINGS"
_DEBUG: Final = click.Option(
    ["--debug"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_debug,
    help="Show a traceback when something goes wrong.",
)


class ReadingOption(click.Option):
    """An option of reading ratings: under a heading of its own in ``--help``."""


class Command(click.Command):
    """A command whose help lists its own options first, and those of reading ratings after them."""

    def sections(self, ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
        """Return (option, help) by heading."""
        found: dict[str, list[tuple[str, str]]] = {OWN: [], READING: []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                found[READING if isinstance(param, ReadingOption) else OWN].append(record)
        return {heading: rows for heading, rows in found.items() if rows}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their headings."""
        for heading, rows in self.sections(ctx).items():
            with formatter.section(heading):
                formatter.write_dl(rows)


def command(*, examples: str) -> Callable[[Callable[..., Any]], Command]:
    """Make a command whose help ends with examples; every command has ``--debug``."""
    epilog = "\b\nExamples:\n" + "\n".join(f"  {line.strip()}" for line in examples.strip().splitlines())

    def made(function: Callable[..., Any]) -> Command:
        name = function.__name__.removesuffix("_command")
        made = click.command(name=name, epilog=epilog, cls=Command)(function)
        made.params.append(_DEBUG)
        return made

    return made


def as_record(kind: type[Any], name: str, options: Sequence[Decorator]) -> Decorator:
    """Make a decorator that adds options and passes them on as one record, a dataclass, called ``name``."""
    fields = [field.name for field in dataclasses.fields(kind)]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(**given: Any) -> Any:
            record = kind(**{field: given.pop(field) for field in fields})
            return function(**{name: record}, **given)

        decorated: Callable[..., Any] = wrapped
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def json_option(function: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(function)


def progress_option(function: F) -> F:
    """Add ``--no-progress``."""
    return click.option(
        "--no-progress",
        is_flag=True,
        expose_value=False,
        callback=_no_progress,
        help="Show no progress bar (there is none anyway unless standard error is a terminal).",
    )(function)


def threads_option(function: F) -> F:
    """Add ``--threads``."""
    return click.option(
        "--threads",
        type=Count(example=2),
        metavar="N",
        help="Threads; every core by default. Answers do not depend on it.",
    )(function)


def memory_option(function: F) -> F:
    """Add ``--memory-limit``."""
    return click.option(
        "--memory-limit",
        type=Memory(),
        metavar="SIZE",
        help="Memory that the search may take, such as 1GB; what there is by default. Answers do not "
        "depend on it.",
    )(function)


def measure_option(default: str | None, help: str = "How alike is measured.") -> Callable[[F], F]:
    """Add ``--measure``."""
    return click.option(
        "--measure",
        type=Measure(),
        metavar="MEASURE",
        default=default,
        show_default=default is not None,
        help=f"{help} One of {', '.join(MEASURES)}; parameters go in brackets, in quotes for the shell: "
        "'pearson(shrink=100)'.",
    )


def min_common_option(default: int | None) -> Callable[[F], F]:
    """Add ``--min-common``."""
    return click.option(
        "--min-common",
        type=Count(example=3),
        metavar="N",
        default=default,
        show_default=default is not None,
        help="Rated in common at least; with fewer, two are no neighbors.",
    )


def catalog_option(function: F) -> F:
    """Add ``--catalog``."""
    return click.option(
        "--catalog", metavar="PATH", help="File of item titles, which are shown beside the ids."
    )(function)
