"""What each kind of recommender keeps, checked in linear time: nothing is taken on trust."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy.sparse

from corated.models._file_data import Stock, check_rows
from corated.models._file_model import Wrong, check_rounds
from corated.models.als import ALS
from corated.models.base import Recommender
from corated.models.bias import Bias
from corated.models.biased_mf import BiasedMF
from corated.models.blend import Blend
from corated.models.centering import Baseline
from corated.models.chosen import Chosen
from corated.models.ease import EASE
from corated.models.fallback import Fallback, check_models
from corated.models.graph_filter import GraphFilter
from corated.models.graph_walk import P3Alpha, RP3Beta
from corated.models.knn import ItemKNN, UserKNN
from corated.models.kriging import Kriging
from corated.models.packed import Packed
from corated.models.popularity import Popularity
from corated.models.rules import check_amount, check_like
from corated.models.settings import Settings
from corated.models.timely import Timely
from corated.neighborhood.engine import check_count
from corated.ratings.ratings import Ratings

__all__ = ["kept_of"]

Array = npt.NDArray[Any]
Kept = dict[str, Array]


def kept_of(model: Recommender, ratings: Ratings, facts: object, stock: Stock) -> Packed:
    """Take from the stock what a model of these parameters keeps, checked.

    Raises what ``stock.wrong`` makes, or `ParameterError` for parameters that the model cannot have.
    """
    return _kept(model, ratings, facts, stock, "model")


def _kept(model: Recommender, ratings: Ratings, facts: object, stock: Stock, at: str) -> Packed:
    if not isinstance(facts, dict):
        raise stock.wrong("the facts about its model are not told by name")
    return _KEPT[type(model)](model, ratings, facts, stock, at)


def _facts(given: Mapping[str, Any], names: set[str], stock: Stock) -> None:
    if set(given) != names:
        raise stock.wrong("the facts about its model are not those that such a model has")


def _number(given: Mapping[str, Any], name: str, stock: Stock) -> float:
    if not isinstance(given[name], float):
        raise stock.wrong(f"{name} is no number")
    return float(given[name])


# -- nearest neighbors ----------------------------------------------------------------------------


def _of_knn(model: Recommender, ratings: Ratings, facts: Mapping[str, Any], stock: Stock, at: str) -> Packed:
    """Take a graph, where neighbors are not sought when an answer is asked for."""
    assert isinstance(model, UserKNN | ItemKNN)
    _facts(facts, set(), stock)
    settings = Settings.of(model._side, model.get_params())
    for record in (settings.measure, settings.center):
        check_rounds(record, stock.wrong)
    if settings.k is None or settings.is_deferred:
        return Packed()
    return Packed(_graph(settings, ratings, stock, f"{at}/graph"))


def _of_walk(model: Recommender, ratings: Ratings, facts: Mapping[str, Any], stock: Stock, at: str) -> Packed:
    assert isinstance(model, P3Alpha | RP3Beta)
    return _of_knn(model._model(), ratings, facts, stock, at)


def _graph(settings: Settings, ratings: Ratings, stock: Stock, at: str) -> Kept:
    """Take the neighbors of every subject: in range, not the subject, no one twice, in the total order."""
    wrong, counts = stock.wrong, ratings.user_counts if settings.side == "users" else ratings.item_counts
    n = len(counts)
    subjects, indptr = stock.take(f"{at}/subjects", np.int64, n), stock.take(f"{at}/indptr", np.int64, n + 1)
    neighbor = stock.take(f"{at}/neighbor", np.int32, -1)
    total = len(neighbor)
    value, common = (
        stock.take(f"{at}/value", np.float64, total),
        stock.take(f"{at}/n_common", np.int32, total),
    )
    check_rows(indptr, total, f"{at}/indptr", wrong)
    if not np.array_equal(subjects, np.arange(n)):
        raise wrong(f"the array {at}/subjects does not name every one of the {settings.side} once")
    assert settings.k is not None
    sizes = np.diff(indptr)
    if total and int(sizes.max()) > settings.k:
        raise wrong(f"one of the {settings.side} has {int(sizes.max()):,} neighbors, and k is {settings.k:,}")
    if total and (int(neighbor.min()) < 0 or int(neighbor.max()) >= n):
        raise wrong(f"the array {at}/neighbor names {settings.side} that there are not")
    rows = np.repeat(np.arange(n), sizes)
    if (neighbor == rows).any():
        raise wrong(f"one of the {settings.side} is a neighbor of itself")
    if np.isnan(value).any():
        raise wrong(f"the array {at}/value has values that are not numbers")
    most = np.minimum(counts[rows], counts[neighbor])
    if (common < settings.min_common).any() or (common > most).any():
        raise wrong(f"the array {at}/n_common counts more or fewer in common than there can be")
    _check_order(settings.measure.sign * value, common, neighbor, rows, wrong)
    _check_once(neighbor, indptr, wrong)
    names = {"subjects": subjects, "indptr": indptr, "neighbor": neighbor, "value": value, "n_common": common}
    return {f"graph/{name}": array for name, array in names.items()}


def _check_order(closeness: Array, common: Array, neighbor: Array, rows: Array, wrong: Wrong) -> None:
    """Refuse rows that are not in the total order: better value, then more in common, then the smaller id."""
    ahead, behind = slice(None, -1), slice(1, None)
    same = rows[ahead] == rows[behind]
    tied = closeness[ahead] == closeness[behind]
    evenly = common[ahead] == common[behind]
    in_order = np.where(tied, common[ahead] > common[behind], closeness[ahead] > closeness[behind])
    in_order |= tied & evenly & (neighbor[ahead] < neighbor[behind])
    if not in_order[same].all():
        raise wrong("the neighbors of one of its subjects are not in order, the closest first")


def _check_once(neighbor: Array, indptr: Array, wrong: Wrong) -> None:
    """Refuse rows with a neighbor twice: with two values, it would be in order nevertheless."""
    n, nothing = len(indptr) - 1, np.zeros(len(neighbor), dtype=np.int8)
    # Turned around by a counting sort, the subjects of a neighbor ascend.
    turned = scipy.sparse.csr_array((nothing, neighbor, indptr), shape=(n, n)).tocsc()
    again = turned.indices[1:] == turned.indices[:-1]
    starts = turned.indptr[1:-1]
    again[starts[(starts > 0) & (starts < len(neighbor))] - 1] = False
    if again.any():
        raise wrong("one of its subjects has a neighbor twice")


# -- other kinds ----------------------------------------------------------------------------------


def _of_nothing(
    model: Recommender,  # noqa: ARG001 - all kinds are called alike
    ratings: Ratings,  # noqa: ARG001
    facts: Mapping[str, Any],
    stock: Stock,
    at: str,  # noqa: ARG001
) -> Packed:
    _facts(facts, set(), stock)
    return Packed()


def _of_bias(model: Recommender, ratings: Ratings, facts: Mapping[str, Any], stock: Stock, at: str) -> Packed:
    assert isinstance(model, Bias)
    _facts(facts, {"mu"}, stock)
    check_rounds(Baseline(model.epochs, model.reg_u, model.reg_i), stock.wrong)
    # Copied, for kernels compiled for arrays that may be written to are there already.
    user = stock.numbers(f"{at}/user", ratings.n_users).copy()
    item = stock.numbers(f"{at}/item", ratings.n_items).copy()
    return Packed({"user": user, "item": item}, {"mu": _number(facts, "mu", stock)})


def _of_ease(model: Recommender, ratings: Ratings, facts: Mapping[str, Any], stock: Stock, at: str) -> Packed:
    assert isinstance(model, EASE)
    _facts(facts, set(), stock)
    check_amount("reg", model.reg, "a number above 0", above=0.0)
    check_like(model.like)
    return Packed({"weights": stock.numbers(f"{at}/weights", ratings.n_items, ratings.n_items)})


def _of_als(model: Recommender, ratings: Ratings, facts: Mapping[str, Any], stock: Stock, at: str) -> Packed:
    assert isinstance(model, ALS)
    _facts(facts, set(), stock)
    d = check_count("factors", model.factors)
    rows = {"user": ratings.n_users, "item": ratings.n_items, "gram": d}
    return Packed({name: stock.numbers(f"{at}/{name}", n, d) for name, n in rows.items()})


def _of_biased_mf(
    model: Recommender, ratings: Ratings, facts: Mapping[str, Any], stock: Stock, at: str
) -> Packed:
    assert isinstance(model, BiasedMF)
    _facts(facts, {"mu", "spread"}, stock)
    told = {name: _number(facts, name, stock) for name in ("mu", "spread")}
    if told["spread"] <= 0.0:
        raise stock.wrong("spread is not above 0")
    d = check_count("factors", model.factors) + 1
    user = stock.numbers(f"{at}/user", ratings.n_users, d)
    return Packed({"user": user, "item": stock.numbers(f"{at}/item", ratings.n_items, d)}, told)


def _of_kriging(
    model: Recommender, ratings: Ratings, facts: Mapping[str, Any], stock: Stock, at: str
) -> Packed:
    assert isinstance(model, Kriging)
    _facts(facts, {"mu"}, stock)
    n, m = ratings.n_users, ratings.n_items
    shapes = {"user": (n,), "item": (m,), "users": (n, n), "near": (n, m), "own": (n,), "above": (n, m)}
    doubles = ("user", "item", "above")
    made = {
        name: stock.numbers(f"{at}/{name}", *shape, kind=np.float64 if name in doubles else np.float32)
        for name, shape in shapes.items()
    }
    return Packed(made, {"mu": _number(facts, "mu", stock)})


def _of_filter(
    model: Recommender, ratings: Ratings, facts: Mapping[str, Any], stock: Stock, at: str
) -> Packed:
    assert isinstance(model, GraphFilter)
    _facts(facts, set(), stock)
    check_like(model.like)
    factors = min(check_count("factors", model.factors), min(ratings.n_users, ratings.n_items) - 1)
    return Packed({"vectors": stock.numbers(f"{at}/vectors", ratings.n_items, max(factors, 0))})


def _of_several(
    model: Recommender, ratings: Ratings, facts: Mapping[str, Any], stock: Stock, at: str
) -> Packed:
    """Take what each of several models keeps."""
    assert isinstance(model, Fallback | Blend)
    models = check_models(model.models)
    _facts(facts, {"parts"}, stock)
    parts = facts["parts"]
    if not isinstance(parts, list) or len(parts) != len(models):
        raise stock.wrong(f"it has facts about other than {len(models)} models")
    made = [
        _kept(one, ratings, part, stock, f"{at}/{place}")
        for place, (one, part) in enumerate(zip(models, parts, strict=True))
    ]
    return Packed.together(made)


def _of_chosen(
    model: Recommender, ratings: Ratings, facts: Mapping[str, Any], stock: Stock, at: str
) -> Packed:
    """Take what the model that was chosen keeps, and the choice."""
    assert isinstance(model, Chosen)
    models = check_models(model.models)
    _facts(facts, {"parts", "chosen", "scores"}, stock)
    place, scores, parts = facts["chosen"], facts["scores"], facts["parts"]
    if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < len(models):
        raise stock.wrong("it chose a model that it does not have")
    if not isinstance(scores, list) or len(scores) != len(models) or not all(map(_is_score, scores)):
        raise stock.wrong("it does not have a score, from 0 to 1, for each of its models")
    if not isinstance(parts, list) or len(parts) != 1:
        raise stock.wrong("it has facts about other than the model that it chose")
    made = Packed.together([_kept(models[place], ratings, parts[0], stock, f"{at}/0")])
    return Packed(made.arrays, {**made.facts, "chosen": place, "scores": scores})


def _is_score(score: object) -> bool:
    return score is None or (isinstance(score, float) and 0.0 <= score <= 1.0)


_Keeps = Callable[[Any, Ratings, Mapping[str, Any], Stock, str], Packed]
_KEPT: Final[Mapping[type[Recommender], _Keeps]] = {
    UserKNN: _of_knn,
    ItemKNN: _of_knn,
    P3Alpha: _of_walk,
    RP3Beta: _of_walk,
    Popularity: _of_nothing,
    Timely: _of_nothing,
    Bias: _of_bias,
    BiasedMF: _of_biased_mf,
    Kriging: _of_kriging,
    GraphFilter: _of_filter,
    EASE: _of_ease,
    ALS: _of_als,
    Fallback: _of_several,
    Blend: _of_several,
    Chosen: _of_chosen,
}
"""What takes what each kind keeps."""
