"""``corated tune``: the settings that do best, sought without looking at the test."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from corated.cli.judging import known_option, split_option
from corated.cli.model_options import MODEL_OPTIONS, Model, model_options
from corated.cli.options import Count, command, json_option, progress_option, threads_option
from corated.cli.reading import Reading, reads_ratings
from corated.cli.show import say, show_json
from corated.cli.state import current
from corated.cli.write import apart
from corated.errors import ParameterError

if TYPE_CHECKING:
    from corated import Ratings, Recommender

__all__ = ["tune_command"]

_SEARCHED: Final = (
    *("by", "measure", "k", "min_common", "rule", "like", "min_support", "half_life", "everyone"),
)
_RANGE: Final = re.compile(r"\s*([^:,()]+):([^:,()]+?)(:log)?\s*")


@command(
    examples="""
    corated tune ratings.dat
    corated tune ratings.dat --space k=10:1000:log --space measure=cosine,jaccard --trials 30
    corated tune ratings.dat --space half-life=1:365:log --everyone 0.02 --storage trials.log --json
    """
)
@reads_ratings
@click.option(
    "--space",
    multiple=True,
    metavar="OPTION=VALUES",
    help="What is tried for an option of the model: LOW:HIGH, LOW:HIGH:log (each factor as likely), or "
    "VALUE,VALUE,...; again for each. By default k=10:1000:log, measure=cosine,jaccard, everyone=0,0.01,0.05 "
    "and, with times, half-life=1:1000:log, less what is set by its option.",
)
@click.option(
    "--trials",
    type=Count(example=50),
    metavar="N",
    default=50,
    show_default=True,
    help="How many settings are tried, those in --storage included.",
)
@click.option("--metric", metavar="NAME", default="ndcg@10", show_default=True, help="What is to be best.")
@split_option
@known_option
@click.option(
    "--storage", metavar="FILE", help="Keep the trials in a file; the same command goes on from there."
)
@click.option(
    "--seed",
    type=Count(least=0, example=1),
    metavar="N",
    default=0,
    show_default=True,
    help="Of what is tried; the same seed tries the same.",
)
@click.option("--no-pruning", is_flag=True, help="Judge every trial by all users.")
@model_options
@threads_option
@progress_option
@json_option
def tune_command(
    reading: Reading, model: Model, space: tuple[str, ...], no_pruning: bool, as_json: bool, **given: Any
) -> None:
    """Search for the options of a model that do best on RATINGS.

    What --split holds out is set aside and not looked at: the rest is split once more in the same way, to
    learn from and to judge by. So corated evaluate, with the options found and the same --split, tells how
    good they are. Options of the model that are not searched stay as they are set.
    """
    import corated as cr

    if given["storage"] is not None:
        apart(given["storage"], "--storage", reading.path)
    named = [_dimension(text) for text in space]
    ratings = reading.ratings()
    dimensions = dict(named) if named else _usual(ratings, model)
    found = cr.tune(
        partial(_made, model),
        dimensions,
        ratings,
        pruning=not no_pruning,
        like=model.like,  # type: ignore[arg-type]
        progress=current().bar or None,
        **given,
    )
    options = _as_options(model, found.best_params)
    if as_json:
        show_json({**found.to_dict(), "options": options})
        return
    say(str(found))
    data = f"{'' if reading.store is None else '--store '}{_quoted(reading.path)}"
    say(f"next: corated evaluate {data} {options} --split {_quoted(given['split'])}")


def _made(model: Model, **params: Any) -> Recommender:
    return replace(model, **params).build()


def _dimension(text: str) -> tuple[str, Any]:
    """Return an option's name and what is tried for it."""
    name, equals, values = text.partition("=")
    field = name.strip().removeprefix("--").replace("-", "_")
    if field not in _SEARCHED or not equals or not values.strip():
        raise ParameterError(
            f"--space {text} cannot be searched.",
            expected=f"OPTION=LOW:HIGH, OPTION=LOW:HIGH:log or OPTION=VALUE,VALUE, where OPTION is one of "
            f"{', '.join(one.replace('_', '-') for one in _SEARCHED)}",
            hint="for example --space k=10:500:log",
        )
    option = _option(field)
    if found := _RANGE.fullmatch(values):
        low, high = (option.type.convert(end, option, None) for end in found.groups()[:2])
        return field, (low, high, "log") if found[3] else (low, high)
    # A comma in brackets is of a measure's parameters.
    parts = re.split(r",(?![^()]*\))", values)
    return field, [option.type.convert(part.strip(), option, None) for part in parts]


def _option(field: str) -> click.Option:
    """Return the option of a model's field, which knows how its values are written."""

    def nothing() -> None:
        pass

    decorated = nothing
    for option in MODEL_OPTIONS:
        decorated = option(decorated)
    return next(
        param
        for param in click.command(decorated).params
        if isinstance(param, click.Option) and param.name == field
    )


def _usual(ratings: Ratings, model: Model) -> dict[str, Any]:
    """Return what is searched where nothing is said, less what is set."""
    usual: dict[str, Any] = {
        "k": (10, 1000, "log"),
        "measure": ["cosine", "jaccard"],
        "everyone": [0.0, 0.01, 0.05],
    }
    if ratings.times is not None:
        usual["half_life"] = (1.0, 1000.0, "log")
    left = {name: values for name, values in usual.items() if getattr(model, name) is None}
    if not left:
        raise ParameterError(
            "Every option that is searched by default is set, so nothing is left to search.",
            hint="leave one out, or say what to search with --space",
        )
    return left


def _as_options(model: Model, params: dict[str, Any]) -> str:
    """Return a model's options as they are written, those found among them."""
    found = []
    for name, value in {**vars(model), **params}.items():
        if value is True:
            found.append(f"--{name.replace('_', '-')}")
        elif value is not None and value is not False:
            found.append(f"--{name.replace('_', '-')} {_quoted(value)}")
    return " ".join(found)


def _quoted(value: object) -> str:
    return shlex.quote(str(value))
