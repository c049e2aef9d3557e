"""``corated evaluate``: how good a model is on the part of the ratings that it has not seen."""

from __future__ import annotations

from corated.cli.judging import Judging, judging_options, show_played
from corated.cli.model_options import Model, model_options
from corated.cli.options import catalog_option, command, json_option, progress_option, threads_option
from corated.cli.people import note_excess
from corated.cli.reading import Reading, read_catalog, reads_ratings
from corated.cli.show import say, show_json
from corated.cli.state import current

__all__ = ["evaluate_command"]


@command(
    examples="""
    corated evaluate ratings.dat
    corated evaluate ratings.dat --measure cosine --k 300 --known-only
    corated evaluate ratings.csv --preset surprise-knnbaseline --split folds:5 --metrics rmse,mae
    corated evaluate ratings.dat --catalog movies.dat --split last:1 --json
    corated evaluate ratings.dat --split prequential:0.8
    """
)
@reads_ratings
@judging_options
@model_options
@catalog_option
@threads_option
@progress_option
@json_option
def evaluate_command(
    reading: Reading, judging: Judging, model: Model, catalog: str | None, threads: int | None, as_json: bool
) -> None:
    """Fit a model to one part of RATINGS and judge it by the other.

    What popularity comes to is shown beside: a model that does no better has learned nothing. Liked in the
    test, and so relevant, is what --like says.
    """
    import corated as cr

    chosen = model.build()
    ratings = reading.ratings()
    titles = read_catalog(catalog, ratings)
    note_excess(ratings, model.by or "users", model.k)
    if judging.plays:
        show_played(judging.played({"the model": chosen}, ratings, model.like, threads), as_json)
        return
    found = cr.evaluate(
        chosen,
        ratings,
        like=model.like,  # type: ignore[arg-type]
        catalog=titles,
        threads=threads,
        progress=current().bar or None,
        **judging.options(),
    )
    if as_json:
        show_json(found.to_dict())
    else:
        say(str(found))
