"""Keeping fitted models: one file with parameters, ratings, catalog, and what took long to find.

    import corated as cr

    model = cr.UserKNN(measure="cosine", k=40).fit(ratings)
    cr.save(model, "model.corated")
    cr.load("model.corated").recommend(n=10)

The file is a container of `corated.models.container`, its content::

    {"model": class and parameters, see `corated.models._file_model`,
     "ratings": {"scale": [low, high, step] or null, "times": [first, last] or null, "notices": [...]},
     "catalog": {"notices": [...]} or null,
     "facts": what the model's `Packed` says beside its arrays}

Nothing of a file is run, and nothing in it is believed: its arrays are checked before they are used, so that
a file made to do harm is refused like a damaged one.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corated.errors import Cancelled, CoratedError, MemoryLimitError, ModelFileError, ParameterError
from corated.models._container_check import damaged
from corated.models._file_facts import ModelFacts, scale_of, times_of
from corated.models._file_model import Wrong, described, model_of, plain_model
from corated.models.container import read_container, read_manifest, write_container

if TYPE_CHECKING:
    from corated.models._file_data import Stock
    from corated.models.base import Recommender
    from corated.models.packed import Packed
    from corated.ratings.catalog import Catalog
    from corated.ratings.ratings import Ratings

__all__ = ["ModelFacts", "inspect", "load", "save"]

_PARTS = {"model", "ratings", "catalog", "facts"}


def save(model: Recommender, path: str | os.PathLike[str]) -> None:
    """Write a fitted model to a file; a failure at any moment leaves the old file or the new one, whole.

    Kept are the parameters that it was fitted with, ratings, catalog, and what took long to find. Equal
    models make equal files. The ending of the name is the caller's own.

    Raises
    ------
    NotFittedError : for a model that was not fitted
    ParameterError : for a model that cannot be kept, such as one with a measure of the caller's own; nothing
        is written then
    OutputError : where the file cannot be written
    """
    from corated.models._file_data import Stock, packed_catalog, packed_ratings
    from corated.models.base import Recommender

    if not isinstance(model, Recommender):
        raise ParameterError(
            f"A {type(model).__name__} was given to be kept.",
            expected="a fitted recommender, such as UserKNN().fit(ratings)",
            hint="call save(model, path)",
        )
    _check_path(path)
    fit = model._fitted()
    ratings, arrays = packed_ratings(fit.ratings)
    catalog = None
    if fit.catalog is not None:
        catalog, of_catalog = packed_catalog(fit.catalog)
        arrays |= of_catalog
    kept = fit.part.pack()
    arrays |= {f"model/{name}": array for name, array in kept.arrays.items()}
    content = {
        "model": described(fit.model),
        "ratings": ratings,
        "catalog": catalog,
        "facts": dict(kept.facts),
    }
    # What would not be read again is not written.
    _parts(content, Stock(arrays, _not_kept, path))
    write_container(path, content, arrays)


def _check_path(path: object) -> None:
    if not isinstance(path, str | os.PathLike):
        raise ParameterError(f"path={path!r} is no path.", expected="a path", hint='try "model.corated"')


def _not_kept(reason: str) -> CoratedError:
    return ParameterError(
        f"This model cannot be kept: {reason}.",
        expected="a model as fit makes it",
        hint="fit it again, to ratings as read_ratings and its like make them",
    )


def load(path: str | os.PathLike[str], *, verify: bool = True) -> Recommender:
    """Return the fitted model of a file, which answers as the saved one did, to the last bit.

    Arrays are read-only and mapped from the file, which may be replaced or deleted meanwhile. Ratings,
    catalog and neighbors are checked before anything is made of them, in time linear in their size.

    verify : compare every array with its SHA-256, reading the file once; without, damage to values that could
        be right goes unseen

    Raises
    ------
    ModelFileError : for a file that is absent, damaged, of another format, of a newer one, or made by hand so
        that it makes no sense
    """
    from corated.models._file_data import Stock

    _check_path(path)
    from corated.models.settings import check_switch

    manifest, arrays = read_container(path, verify=check_switch("verify", verify))
    wrong = functools.partial(damaged, Path(path))
    stock = Stock(arrays, wrong, path)
    return _fitted(*_parts(manifest["content"], stock), wrong)


def _parts(content: Mapping[str, Any], stock: Stock) -> tuple[Recommender, Ratings, Catalog | None, Packed]:
    """Return the model, unfitted, and what it was fitted to and found, all of it checked."""
    from corated.models._file_check import kept_of
    from corated.models._file_data import catalog_from, ratings_from

    if set(content) != _PARTS:
        raise stock.wrong("its content does not have the parts of a model")
    model = model_of(content["model"], stock.wrong)
    ratings = ratings_from(content["ratings"], stock)
    catalog = catalog_from(content["catalog"], ratings, stock)
    try:
        kept = kept_of(model, ratings, content["facts"], stock)
    except ParameterError as error:
        raise stock.wrong(_cannot_be(model, error)) from error
    stock.finish()
    return model, ratings, catalog, kept


def _fitted(
    model: Recommender, ratings: Ratings, catalog: Catalog | None, kept: Packed, wrong: Wrong
) -> Recommender:
    from corated.models.base import Fit, Run
    from corated.neighborhood.run import resolve_threads

    try:
        part = model.unpack(ratings, kept, Run(resolve_threads(None)))
    except (ModelFileError, MemoryLimitError, Cancelled):
        raise
    except CoratedError as error:
        raise wrong(_cannot_be(model, error)) from error
    model._fit = Fit(ratings, catalog, part, model.clone())
    return model


def _cannot_be(model: Recommender, error: CoratedError) -> str:
    """Complete the sentence "The file is damaged: ..."; what the file says in it may be long."""
    what = error.what.rstrip(".")
    what = what if len(what) <= 200 else f"{what[:200]}…"
    return f"its {type(model).__name__} cannot be made again: {what[:1].lower()}{what[1:]}"


def inspect(path: str | os.PathLike[str]) -> ModelFacts:
    """Tell what is in a model file, of its manifest alone: quick, however large the file.

    Raises `ModelFileError` for a file that is absent, damaged as far as this shows, or of a newer format.
    """
    _check_path(path)
    manifest = read_manifest(path)
    wrong = functools.partial(damaged, Path(path))
    content = manifest["content"]
    if set(content) != _PARTS or not isinstance(content["ratings"], dict):
        raise wrong("its content does not have the parts of a model")
    shapes = {name: tuple(told["shape"]) for name, told in manifest["arrays"].items()}
    sizes = {name: (told["dtype"], shapes[name]) for name, told in manifest["arrays"].items()}
    scale = scale_of(content["ratings"].get("scale"), wrong)
    return ModelFacts(
        path=os.fspath(path),
        model=plain_model(content["model"], wrong),
        corated=manifest["corated"],
        format=manifest["format"],
        users=_count(shapes, "users", wrong),
        items=_count(shapes, "items", wrong),
        ratings=_length(shapes, "ratings/indices", wrong),
        scale=None if scale is None else (scale.low, scale.high, scale.step),
        times=times_of(content["ratings"].get("times"), wrong),
        catalog=None if content["catalog"] is None else _count(shapes, "catalog/items", wrong),
        bytes=Path(path).stat().st_size,
        arrays=sizes,
    )


def _count(shapes: Mapping[str, tuple[int, ...]], name: str, wrong: Wrong) -> int:
    """Return how many ids there are, by the shapes of their arrays."""
    if f"{name}/ids" in shapes:
        return _length(shapes, f"{name}/ids", wrong)
    return max(_length(shapes, f"{name}/offsets", wrong) - 1, 0)


def _length(shapes: Mapping[str, tuple[int, ...]], name: str, wrong: Wrong) -> int:
    if len(shapes.get(name, ())) != 1:
        raise wrong(f"the array {name} is missing")
    return shapes[name][0]
