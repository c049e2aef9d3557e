"""Where a fitted model comes from: RATINGS, to which it is fitted here and now, or a file that was kept."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from corated.cli.model_options import MODEL_OPTIONS, Model, model_fields
from corated.cli.options import Decorator, ReadingOption, catalog_option
from corated.cli.reading import READING_OPTIONS, Reading, read_catalog
from corated.cli.state import current
from corated.errors import ParameterError

if TYPE_CHECKING:
    from corated import Catalog, Ratings, Recommender

__all__ = ["Data", "Source", "load_model", "model_or_ratings"]

_UNSAID: dict[str, Any] = dict.fromkeys(model_fields())


@dataclass(frozen=True)
class Data:
    """Ratings and catalog, read; and the model of a file, or None where one is still to be fitted."""

    ratings: Ratings
    catalog: Catalog | None
    model: Recommender | None


@dataclass(frozen=True)
class Source:
    """What was said of the model: a file, or ratings and options.

    file : of a kept model
    path : of the ratings, where no file is given
    rest : what else was said without an option's name
    """

    file: str | None
    path: str | None
    rest: tuple[str, ...]
    reading: Mapping[str, Any]
    model: Model
    catalog: str | None
    threads: int | None

    @property
    def inputs(self) -> tuple[str | None, ...]:
        """The files that are read."""
        return self.file, self.path, self.catalog

    def read(self) -> Data:
        """Read the ratings and the catalog, or load the model."""
        if self.file is not None:
            model = load_model(self.file)
            self._refuse_ratings(model.ratings)
            return Data(model.ratings, model.catalog, model)
        assert self.path is not None
        ratings = Reading(path=self.path, **self.reading).ratings()
        return Data(ratings, read_catalog(self.catalog, ratings), None)

    def fitted(self, data: Data, chosen: Recommender | None) -> Recommender:
        """Return the model of the file, or the one chosen, fitted."""
        if data.model is not None:
            return data.model
        assert chosen is not None
        bar = current().bar or None
        return chosen.fit(data.ratings, catalog=data.catalog, threads=self.threads, progress=bar)

    def _refuse_ratings(self, ratings: Ratings) -> None:
        """Refuse RATINGS beside a model, unless it may be an id."""
        first = self.rest[0] if self.rest else ""
        is_id = ratings.users.kind == "text" and first in ratings.users
        if first and not is_id and (first == "-" or (not first.isdecimal() and Path(first).is_file())):
            raise ParameterError(
                f"RATINGS ({first}) and --model were both given, and a model has its own ratings.",
                expected="one of them",
                hint=f"leave {first} or --model out",
            )


def load_model(file: str) -> Recommender:
    """Return the model of a file."""
    import corated as cr

    if file == "-":
        raise ParameterError("A model cannot be read from standard input.", hint="put it in a file")
    return cr.load(file)


def model_or_ratings(usage: str, options: Mapping[str, Decorator] | None = None) -> Decorator:
    """Add [RATINGS], and --model in its place, with all that belongs to either; passed on as ``source``.

    The command itself is to have `threads_option`, which goes into ``source`` too.

    usage : what follows, such as ``USER ITEM``
    options : those of fields of a `Model`, if it is not all of them
    """
    of_model = model_fields() if options is None else list(options)
    of_reading = [field.name for field in fields(Reading) if field.name != "path"]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(**given: Any) -> Any:
            args, file = given.pop("args"), given.pop("model_file")
            if file is not None:
                _refuse_options(("catalog", *of_model))
            elif not args:
                raise click.UsageError("Missing argument 'RATINGS', or --model.", click.get_current_context())
            source = Source(
                file,
                None if file is not None else args[0],
                args if file is not None else args[1:],
                {name: given.pop(name) for name in of_reading},
                Model(**{**_UNSAID, **{name: given.pop(name) for name in of_model}}),
                given.pop("catalog"),
                given.pop("threads"),
            )
            return function(source=source, **given)

        decorated: Callable[..., Any] = wrapped
        added: tuple[Decorator, ...] = (
            click.argument("args", metavar=f"[RATINGS] {usage}", nargs=-1),
            click.option(
                "--model", "model_file", metavar="FILE",
                help="A model that corated fit has kept, in place of RATINGS and of options to fit one by.",
            ),
            catalog_option,
            *(MODEL_OPTIONS if options is None else options.values()),
            *READING_OPTIONS,
        )  # fmt: skip
        for option in reversed(added):
            decorated = option(decorated)
        return decorated

    return decorate


def _refuse_options(of_model: tuple[str, ...]) -> None:
    """Refuse what a kept model has its own of: how ratings are read, and what the model is."""
    context = click.get_current_context()
    for param in context.command.params:
        is_reading = isinstance(param, ReadingOption)
        if not is_reading and param.name not in of_model:
            continue
        if context.get_parameter_source(str(param.name)) is click.core.ParameterSource.DEFAULT:
            continue
        option = param.opts[-1]
        what = "RATINGS are read" if is_reading else "a model is fitted"
        raise ParameterError(
            f"{option} says how {what}, and --model gives one that was.",
            hint=f"leave {option} or --model out; corated fit takes {option}",
        )
