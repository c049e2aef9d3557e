"""Reading ratings and a catalog: one record of options and one decorator for every command that reads."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, cast

import click

from corated.cli.options import (
    DUPLICATES,
    ON_BAD,
    READ_FORMATS,
    TIME_UNITS,
    Decorator,
    ReadingOption,
    Scale,
    as_record,
)
from corated.cli.state import current
from corated.cli.stores import check_address, is_address, opened, shown
from corated.errors import ParameterError, StoreError

if TYPE_CHECKING:
    from corated import Catalog, Ratings
    from corated.ratings.ids import IdKind

__all__ = ["READING_OPTIONS", "Reading", "read_catalog", "reads_files", "reads_ratings"]

_TABS = {"\\t": "\t", "tab": "\t"}
_CATALOG: Final = "corated.catalog"
"""Under which name a command's context has the catalog of the store that it reads."""


@dataclass(frozen=True)
class Reading:
    """Where ratings come from and how they are to be read.

    path : of a file; for a store, what it is called
    store : the address of the store that is read in place of a file
    """

    path: str
    user: str | None
    item: str | None
    rating: str | None
    time: str | None
    no_rating: bool
    no_time: bool
    format: str | None
    scale: tuple[float, float, float] | None
    duplicates: str
    time_unit: str | None
    tz: str | None
    encoding: str | None
    delimiter: str | None
    ids: str | None
    on_bad: str
    store: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.store is not None:
            _refuse_options()
        elif is_address(self.path):
            raise ParameterError(
                "RATINGS is the address of a database, not a file.", hint="give it as --store ADDRESS"
            )
        for name in ("rating", "time"):
            if getattr(self, name) is not None and getattr(self, f"no_{name}"):
                raise ParameterError(
                    f"--{name} names a column and --no-{name} says there is none.", hint="choose one"
                )

    def ratings(self, *, remarks: bool = True) -> Ratings:
        """Read the ratings and show notices; ``remarks`` adds what is odd about the data as a whole."""
        read = self._from_file() if self.store is None else _from_store(self.store)
        for text in read.notices:
            current().notice(text)
        for text in _remarks(read) if remarks else ():
            current().notice(text)
        return read

    def _from_file(self) -> Ratings:
        import corated as cr

        return cr.read_ratings(
            self.path,
            user=self.user,
            item=self.item,
            rating=False if self.no_rating else self.rating,
            time=False if self.no_time else self.time,
            format=self.format,
            scale=self.scale,
            duplicates=self.duplicates,
            time_unit=self.time_unit,
            tz=self.tz,
            encoding=self.encoding,
            delimiter=_TABS.get(self.delimiter, self.delimiter) if self.delimiter else None,
            ids=_id_kinds(self.ids),
            on_bad=self.on_bad,
        )


def _from_store(address: str) -> Ratings:
    """Read all ratings of a store; its catalog is kept for `read_catalog`."""
    with opened(address) as store:
        with store.read() as snapshot:
            read = snapshot.ratings()
        catalog = store.catalog()
    if not len(read):
        raise StoreError(
            f"There are no ratings in {shown(address)} yet.",
            hint="write some: corated import RATINGS --store STORE",
        )
    click.get_current_context().meta[_CATALOG] = catalog if len(catalog) else None
    return read


def _refuse_options() -> None:
    """Refuse options of reading a file where a store is read."""
    context = click.get_current_context()
    for param in context.command.params:
        source = context.get_parameter_source(str(param.name))
        is_given = source is not click.core.ParameterSource.DEFAULT
        if isinstance(param, ReadingOption) and is_given and param.name != "store":
            option = param.opts[-1]
            raise ParameterError(
                f"{option} says how a file is read, and the ratings of a store are as they are.",
                hint=f"leave {option} or --store out",
            )


def read_catalog(path: str | None, ratings: Ratings | IdKind | None) -> Catalog | None:
    """Read a catalog to go with ratings, if there is one; its notices are shown.

    path : None for the catalog of the store, where the ratings are read from one
    ratings : or the type of the item ids, as far as it is known
    """
    if path is None:
        kept: Catalog | None = click.get_current_context().meta.get(_CATALOG)
        return kept
    import corated as cr

    if path == "-":
        raise ParameterError("--catalog cannot be standard input.", hint="put the catalog in a file")
    catalog = cr.read_catalog(path, ids=ratings)
    for text in catalog.notices:
        current().notice(text)
    return catalog


def _id_kinds(text: str | None) -> str | dict[str, str] | None:
    """Turn ``text`` or ``user=text,item=integer`` into what `read_ratings` takes."""
    if text is None or "=" not in text:
        return text
    pairs = [part.partition("=") for part in text.split(",")]
    return {what.strip(): kind.strip() for what, _, kind in pairs}


def _remarks(ratings: Ratings) -> list[str]:
    """Return what is odd about the data as a whole and was not told while reading: nothing in common."""
    if ratings.n_users < 2 or int(ratings.item_counts.max(initial=0)) > 1:
        return []
    return [
        f"{found.message} {found.hint}" for found in ratings.check().warnings if found.code == "no_overlap"
    ]


class _StoreOption(ReadingOption):
    """``--store`` in place of RATINGS: all that is given without an option's name is what comes after it."""

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        """Take the address, and put what the store is called where RATINGS would stand."""
        address = opts.get("store")
        if isinstance(address, str) and not ctx.resilient_parsing:
            check_address(address)
            _shift(ctx, cast("dict[str, Any]", opts), shown(address))
        return super().handle_parse_result(ctx, opts, args)


def _shift(ctx: click.Context, opts: dict[str, Any], first: str) -> None:
    """Put a word before all arguments that were given."""
    arguments = [param for param in ctx.command.params if isinstance(param, click.Argument)]
    given: list[str] = [first]
    for value in (opts.pop(str(param.name), None) for param in arguments):
        # What was left out is None, or a mark of click's own.
        given += value if isinstance(value, tuple) else [value] if isinstance(value, str) else []
    for param in arguments:
        if param.nargs == 1 and given:
            opts[str(param.name)] = given.pop(0)
        elif param.nargs != 1:
            opts[str(param.name)], given = tuple(given), []
    if given:
        raise ParameterError(
            f"--store stands in place of RATINGS, and {given[-1]} is one argument too many.",
            hint=f"leave {given[-1]} or --store out",
        )


_option = functools.partial(click.option, cls=ReadingOption)

_FILE_OPTIONS: tuple[Decorator, ...] = (
    _option("--user", metavar="NAME", help="Column of user ids; usual names are recognized."),
    _option("--item", metavar="NAME", help="Column of item ids."),
    _option("--rating", metavar="NAME", help="Column of ratings."),
    _option("--no-rating", is_flag=True, help="There are no ratings: each row counts as 1."),
    _option("--time", metavar="NAME", help="Column of times."),
    _option("--no-time", is_flag=True, help="Do not read times."),
    _option(
        "--format",
        type=click.Choice(READ_FORMATS),
        help="Format of RATINGS, where its content does not tell.",
    ),
    _option(
        "--scale",
        type=Scale(),
        metavar="LOW:HIGH:STEP",
        help="Rating scale; by default read off the ratings.",
    ),
    _option(
        "--duplicates",
        type=click.Choice(DUPLICATES),
        default="refuse",
        show_default=True,
        help="What to do where a user rated an item twice; last and first go by time.",
    ),
    _option(
        "--time-unit",
        type=click.Choice(TIME_UNITS),
        help="Unit of Unix times; by default told by their size.",
    ),
    _option("--tz", metavar="ZONE", help="Time zone of datetimes without one, such as Europe/Berlin."),
    _option("--encoding", metavar="NAME", help="Encoding of text; UTF-8 by default."),
    _option(
        "--delimiter", metavar="TEXT", help="What separates columns; by default recognized. \\t is a tab."
    ),
    _option(
        "--ids", metavar="KINDS", help="Type of ids: integer, text, or for example user=integer,item=text."
    ),
    _option(
        "--on-bad",
        type=click.Choice(ON_BAD),
        default="refuse",
        show_default=True,
        help="What to do with rows whose rating is missing, not a number or off the scale.",
    ),
)

READING_OPTIONS: tuple[Decorator, ...] = (
    click.option(
        "--store",
        metavar="STORE",
        cls=_StoreOption,
        is_eager=True,
        help="In place of RATINGS: a store that corated import has filled, with its catalog. A file, such as "
        "shop.db, or postgresql://user@host/database.",
    ),
    *_FILE_OPTIONS,
)

reads_ratings = as_record(Reading, "reading", (click.argument("path", metavar="RATINGS"), *READING_OPTIONS))
"""Add RATINGS and the options of reading to a command, which gets them as one `Reading`, ``reading``."""


def reads_files(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add [RATINGS]... and the options of reading files; passed on as ``readings``, one for each file."""
    names = [one.name for one in fields(Reading) if one.name not in ("path", "store")]

    @functools.wraps(function)
    def wrapped(paths: tuple[str, ...], **given: Any) -> Any:
        said = {name: given.pop(name) for name in names}
        return function(readings=[Reading(path=path, **said) for path in paths], **given)

    decorated: Callable[..., Any] = wrapped
    added: tuple[Decorator, ...] = (
        click.argument("paths", metavar="[RATINGS]...", nargs=-1),
        *_FILE_OPTIONS,
    )
    for option in reversed(added):
        decorated = option(decorated)
    return decorated
