"""MovieLens 100K, five folds: how far predicted ratings are from what people gave.

The folds are those of Surprise's README: the rows of u.data shuffled by RandomState(0). RMSE and MAE of each
fold, then their mean. All predictions are cut to 1–5; where a tool has none, the mean of the training ratings
stands in. Settings are chosen on a fifth of the training part of the first fold, held out, and used for all
five; so the first fold is the one whose test no choice has seen, and it is told beside the mean.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from ladder import THREADS, Figures, Ladder, Method, Phase, climb, options_of

import corated as cr
from data import real_folder

Floats = npt.NDArray[np.float64]
Table = npt.NDArray[np.int64]
"""Rows of user, item and rating."""
METRIC = "rmse"


class Tool(Protocol):
    """What predicts the ratings of a fold."""

    def predict(self, train: Table, test: Table) -> Floats:
        """Learn from the one, and predict for the pairs of the other; NaN for none."""
        ...


class Ours:
    """A model of Corated."""

    def __init__(self, model: cr.Recommender) -> None:
        self.model = model

    def predict(self, train: Table, test: Table) -> Floats:
        values = train[:, 2].astype(np.float64)
        ratings = cr.Ratings.from_arrays(train[:, 0], train[:, 1], values, scale=(1, 5, 1))
        made = self.model.fit(ratings, threads=THREADS).predict(test[:, 0], test[:, 1], threads=THREADS)
        return made.to_arrow()["value"].to_numpy()


class Surprise:
    """An algorithm of Surprise, by the name of its class."""

    def __init__(self, kind: str, **settings: Any) -> None:
        self.kind, self.settings = kind, settings

    def predict(self, train: Table, test: Table) -> Floats:
        import pandas as pd
        import surprise

        frame = pd.DataFrame(train, columns=["user", "item", "rating"])
        made = surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=(1, 5)))
        model = getattr(surprise, self.kind)(**self.settings)
        model.fit(made.build_full_trainset())
        return np.array([one.est for one in model.test(test.tolist())])


class LensKit:
    """A scorer of LensKit, "item", "user" or "mf", with LensKit's bias where it has no score."""

    def __init__(self, kind: str, **settings: Any) -> None:
        self.kind, self.settings = kind, settings

    def predict(self, train: Table, test: Table) -> Floats:
        import pandas as pd
        from lenskit.als import BiasedMFScorer
        from lenskit.batch import predict
        from lenskit.data import from_interactions_df
        from lenskit.knn import ItemKNNScorer, UserKNNScorer
        from lenskit.parallel import initialize
        from lenskit.pipeline import predict_pipeline
        from lenskit.training import TrainingOptions

        initialize(threads=THREADS, backend_threads=1)
        kind = {"item": ItemKNNScorer, "user": UserKNNScorer, "mf": BiasedMFScorer}[self.kind]
        pipeline = predict_pipeline(kind(**self.settings))
        frame = pd.DataFrame(train, columns=["user_id", "item_id", "rating"])
        pipeline.train(from_interactions_df(frame), TrainingOptions(rng=0))
        asked = pd.DataFrame(test[:, :2], columns=["user_id", "item_id"])
        found = predict(pipeline, asked, n_jobs=1).to_df()
        return asked.merge(found, how="left", on=["user_id", "item_id"])["score"].to_numpy()


# -- the protocol --------------------------------------------------------------------------------------------


def folds() -> list[tuple[Table, Table]]:
    """Return training and test rows of the five folds."""
    table = np.loadtxt(real_folder("ml-100k") / "u.data", dtype=np.int64)[:, :3]
    order = np.arange(len(table))
    np.random.RandomState(0).shuffle(order)
    return [(table[np.setdiff1d(order, test)], table[test]) for test in np.split(order, 5)]


def parts(phase: Phase) -> list[tuple[Table, Table]]:
    """Return what a phase learns from and is judged by."""
    if phase == "test":
        return folds()
    train, _ = folds()[0]
    order = np.random.default_rng(0).permutation(len(train))
    cut = len(train) // 5
    return [(train[order[cut:]], train[order[:cut]])]


def judge(phase: Phase, make: Callable[[], Tool]) -> Figures:
    """Judge a tool; on the test warmed up."""
    given = parts(phase)
    if phase == "test":
        few, some = given[0]
        make().predict(few[:3000], some[:50])
    errors: list[Floats] = []
    without, seconds = 0, 0.0
    for train, test in given:
        began = time.perf_counter()
        found = make().predict(train, test)
        seconds += time.perf_counter() - began
        without += int(np.isnan(found).sum())
        value = np.clip(np.where(np.isnan(found), train[:, 2].mean(), found), 1.0, 5.0)
        errors.append(value - test[:, 2])
    rmse = [float(np.sqrt(np.mean(error**2))) for error in errors]
    return {
        METRIC: float(np.mean(rmse)),
        "mae": float(np.mean([np.abs(error).mean() for error in errors])),
        "folds": [round(one, 5) for one in rmse],
        "without": without,
        "seconds": seconds,
    }


def facts() -> Figures:
    """Tell sizes."""
    sizes = {name: [[len(one), len(other)] for one, other in parts(name)] for name in ("validation", "test")}
    return {"training and test ratings": sizes}


# -- what is on the ladder ---------------------------------------------------------------------------------

_FACTORS = {
    "factors": (5, 100, "log"),
    "epochs": (5, 40),
    "reg": (3.0, 40.0, "log"),
    "reg_u": (0.5, 30.0, "log"),
    "reg_i": (0.5, 30.0, "log"),
}
_USUAL_FACTORS = {"factors": 20, "epochs": 15, "reg": 12.0, "reg_u": 5.0, "reg_i": 2.0}
_KRIGING = {
    "ratings_u": (0.2, 2.0, "log"),
    "ratings_i": (0.1, 1.5, "log"),
    "both": (0.1, 1.5, "log"),
    "taste": (0.01, 0.5, "log"),
    "own": (0.01, 0.5, "log"),
    "noise": (0.3, 1.5, "log"),
    "reg_u": (3.0, 30.0, "log"),
    "reg_i": (2.0, 20.0, "log"),
}
_USUAL_KRIGING = {"ratings_u": 0.66, "ratings_i": 0.33, "both": 0.4, "taste": 0.1, "own": 0.1, "noise": 0.7}
_USUAL_KRIGING |= {"reg_u": 15.0, "reg_i": 10.0}
PRESETS = [
    *("surprise-knnbasic", "surprise-knnwithmeans", "surprise-knnbaseline"),
    *("mymedialite-item-pearson", "lenskit-user", "lenskit-item"),
]


def _item_knn(measure: str, k: int, shrink: float, reg_u: float, reg_i: float) -> Ours:
    return Ours(
        cr.ItemKNN(
            measure=f"{measure}(adjust=shrink_mul1({shrink}))",
            k=k,
            min_common=2,
            rule="mean",
            scope="raters",
            center=f"baseline(reg_u={reg_u}, reg_i={reg_i})",
            min_similarity=5e-324,
        )
    )


def _blend(weight: float, **settings: Any) -> Ours:
    """Kriging, a neighborhood, with at least half the weight, and factors."""
    return Ours(cr.Blend(models=[cr.Kriging(), cr.BiasedMF(**settings)], weights=[weight, 1.0 - weight]))


def _surprise_knn(name: str, user_based: bool, shrinkage: float = 100.0, **settings: Any) -> Surprise:
    options = {"name": name, "user_based": user_based, "shrinkage": shrinkage}
    return Surprise("KNNBaseline", sim_options=options, verbose=False, **settings)


def _methods() -> dict[str, Method]:
    near = {
        "measure": ["pearson", "msd", "cosine_common"],
        "k": (10, 200, "log"),
        "shrink": (1.0, 500.0, "log"),
        "reg_u": (1.0, 30.0, "log"),
        "reg_i": (0.5, 30.0, "log"),
    }
    made: dict[str, Method] = {"Bias": Method("corated", lambda: Ours(cr.Bias()))}
    for name in PRESETS:
        made[f'preset("{name}")'] = Method("corated", lambda name=name: Ours(cr.preset(name)))
    made |= {
        "ItemKNN, chosen": Method(
            "corated",
            _item_knn,
            near,
            {"measure": "pearson", "k": 40, "shrink": 200.0, "reg_u": 12.0, "reg_i": 1.0},
        ),
        "BiasedMF": Method("corated", lambda: Ours(cr.BiasedMF())),
        "BiasedMF, chosen": Method(
            "corated", lambda **settings: Ours(cr.BiasedMF(**settings)), _FACTORS, _USUAL_FACTORS
        ),
        "Kriging": Method(
            "corated",
            lambda: Ours(cr.Kriging()),
            note="its defaults were found on inner splits of the training part of the first fold",
        ),
        "Kriging, chosen": Method(
            "corated", lambda **settings: Ours(cr.Kriging(**settings)), _KRIGING, _USUAL_KRIGING
        ),
        "Blend of Kriging and BiasedMF, chosen": Method(
            "corated",
            _blend,
            _FACTORS | {"weight": (0.5, 0.95)},
            _USUAL_FACTORS | {"weight": 0.7},
            note="Kriging has at least half the weight",
        ),
    }
    return made | _surprise() | _lenskit()


def _surprise() -> dict[str, Method]:
    near = {
        "name": ["msd", "pearson_baseline", "cosine"],
        "user_based": [True, False],
        "k": (10, 200, "log"),
        "min_k": [1, 2, 3, 5],
        "shrinkage": (10.0, 500.0, "log"),
    }
    usual_near = {"name": "msd", "user_based": True, "k": 40, "min_k": 1, "shrinkage": 100.0}
    svd = {
        "n_factors": (10, 200, "log"),
        "n_epochs": (10, 60),
        "lr_all": (0.002, 0.02, "log"),
        "reg_all": (0.01, 0.2, "log"),
    }
    usual = {"n_factors": 100, "n_epochs": 20, "lr_all": 0.005, "reg_all": 0.02}
    more = svd | {"n_factors": (5, 50, "log"), "n_epochs": (10, 40)}  # a fit takes half a minute
    usual_more = {"n_factors": 20, "n_epochs": 20, "lr_all": 0.007, "reg_all": 0.02}
    seeded = {"random_state": 0}

    def of(kind: str, space: Any = None, **start: Any) -> Method:
        return Method("surprise", partial(Surprise, kind), space or {}, start)

    return {
        "Surprise, KNNBaseline": Method("surprise", _surprise_knn, {}, usual_near),
        "Surprise, KNNBaseline, chosen": Method("surprise", _surprise_knn, near, usual_near),
        "Surprise, SVD": of("SVD", **seeded),
        "Surprise, SVD, chosen": of("SVD", svd, **seeded, **usual),
        "Surprise, SVD++": of("SVDpp", **seeded),
        "Surprise, SVD++, chosen": of("SVDpp", more, **seeded, **usual_more),
    }


def _lenskit() -> dict[str, Method]:
    near = {"max_nbrs": (10, 200, "log"), "min_nbrs": [1, 2, 3, 5], "min_sim": (1e-6, 0.2, "log")}
    usual_near = {"max_nbrs": 20, "min_nbrs": 1, "min_sim": 1e-6}
    mf = {
        "embedding_size": (5, 100, "log"),
        "epochs": (5, 40),
        "regularization": (0.01, 1.0, "log"),
        "damping": (1.0, 30.0, "log"),
    }
    usual = {"embedding_size": 50, "epochs": 10, "regularization": 0.1, "damping": 5.0}

    def of(kind: str, space: Any = None, start: Any = None) -> Method:
        return Method("lenskit", partial(LensKit, kind), space or {}, start or {})

    return {
        "LensKit, user-kNN": of("user"),
        "LensKit, user-kNN, chosen": of("user", near, usual_near),
        "LensKit, item-kNN": of("item"),
        "LensKit, item-kNN, chosen": of("item", near, usual_near),
        "LensKit, biased MF": of("mf"),
        "LensKit, biased MF, chosen": of("mf", mf, usual),
    }


def main() -> None:
    warnings.simplefilter("ignore")
    ladder = Ladder(
        name="quality-ml-100k-ratings",
        script="quality/ml_100k_ratings.py",
        arguments=[],
        metric=METRIC,
        better="smaller",
        judge=judge,
        facts=facts,
        methods=_methods(),
    )
    climb(ladder, options_of(__doc__).parse_args())


if __name__ == "__main__":
    main()
