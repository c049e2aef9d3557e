"""``corated compare``: several models on the same ratings, in one run."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from corated.cli.judging import Judging, judging_options, show_played
from corated.cli.model_options import MODEL_OPTIONS, Model
from corated.cli.options import (
    Count,
    Like,
    catalog_option,
    command,
    json_option,
    progress_option,
    threads_option,
)
from corated.cli.reading import Reading, read_catalog, reads_ratings
from corated.cli.show import say, show_json
from corated.cli.state import current
from corated.cli.write import apart
from corated.errors import CoratedError, ParameterError

if TYPE_CHECKING:
    from corated import Recommender

__all__ = ["compare_command"]

_FORM = "NAME=PRESET, or in quotes NAME=PRESET with options of corated recommend behind"


@command(
    examples="""
    corated compare ratings.dat --model best=best --model original=notebook --html report.html
    corated compare ratings.dat --model near="best --measure cosine --k 300" --model items="--by items --k 50"
    corated compare ratings.dat --model a=best --model b=notebook --reference a --metric recall@20
    """
)
@reads_ratings
@click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    metavar="NAME=PRESET",
    help="A model and what to call it; again for each. In quotes, options of corated recommend may follow: "
    'near="best --measure cosine --k 300", or items="--by items".',
)
@click.option(
    "--metric",
    metavar="NAME",
    help="What the models are compared by, with a value for each user; by default the first of --metrics.",
)
@click.option(
    "--reference",
    metavar="NAME",
    help="The model that the others are compared with; by default the baseline that does best.",
)
@judging_options
@click.option(
    "--like",
    type=Like(),
    metavar="RATING",
    help="Rated this or higher in the test is relevant; by default the top 30 % of the scale.",
)
@click.option("--html", metavar="FILE", help="Write the comparison as a page of its own, with charts.")
@click.option(
    "--seed",
    type=Count(least=0, example=1),
    metavar="N",
    default=0,
    show_default=True,
    help="Of the users that are drawn for the intervals.",
)
@catalog_option
@threads_option
@progress_option
@json_option
def compare_command(
    reading: Reading,
    judging: Judging,
    models: tuple[str, ...],
    metric: str | None,
    reference: str | None,
    like: float | str | None,
    html: str | None,
    seed: int,
    catalog: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Tell which of several models does better, and how surely.

    All are fitted to the same part of RATINGS and judged by the other.

    Popularity is always among them, of all time and, where there are times, with a half-life of 7 days.
    Differences are by pairs, user by user, with 95 % intervals and p-values corrected for the number of
    models.
    """
    import corated as cr

    if html is not None:
        apart(html, "--html", reading.path, catalog)
    chosen = _models(models)
    ratings = reading.ratings()
    if judging.plays:
        given = {"--html": html, "--metric": metric, "--reference": reference}
        for option in [name for name, value in given.items() if value is not None]:
            raise ParameterError(
                f"{option} cannot be used with --split {judging.split}.", hint=f"leave {option} out"
            )
        show_played(judging.played(chosen, ratings, like, threads), as_json)
        return
    found = cr.compare(
        chosen,
        ratings,
        metric=metric,
        reference=reference,
        like=like,  # type: ignore[arg-type]
        catalog=read_catalog(catalog, ratings),
        seed=seed,
        threads=threads,
        progress=current().bar or None,
        **judging.options(),
    )
    if html is not None:
        found.to_html(html)
    if as_json:
        show_json({**found.to_dict(), "html": html})
        return
    say(str(found))
    if html is not None:
        say(f"written to {html}")


def _models(given: tuple[str, ...]) -> dict[str, Recommender]:
    """Return the models by name."""
    found: dict[str, Recommender] = {}
    for text in given:
        name, equals, said = text.partition("=")
        name = name.strip()
        if not name or not equals or not said.strip():
            raise ParameterError(
                f"--model {text} does not say a name and a model.",
                expected=_FORM,
                hint="for example --model mine=best",
            )
        if name in found:
            raise ParameterError(f"--model {name}= is there twice.", hint="give each model another name")
        found[name] = _model(name, said).build()
    return found


def _model(name: str, said: str) -> Model:
    """Return the model that a preset and options, as written, stand for."""
    try:
        words = shlex.split(said)
    except ValueError as error:
        raise ParameterError(
            f"--model {name}={said} cannot be read: {error}.", expected=_FORM, hint="close the quotes"
        ) from error
    if not words[0].startswith("-"):
        words = ["--preset", *words]
    try:
        context = _OPTIONS.make_context("model", words)
    except click.UsageError as error:
        raise ParameterError(
            f"--model {name}={said}: {error.format_message()}",
            expected=_FORM,
            hint="see corated recommend -h",
        ) from error
    except CoratedError as error:
        raise ParameterError(
            f"--model {name}: {error.what}", expected=error.expected, hint=error.hint
        ) from error
    return Model(**context.params)


def _nothing() -> None:
    """Take options for `_OPTIONS`, which only reads them."""


_decorated = _nothing
for _option in reversed(MODEL_OPTIONS):
    _decorated = _option(_decorated)
_OPTIONS = click.command(add_help_option=False)(_decorated)
