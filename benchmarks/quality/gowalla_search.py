"""Choose the settings of the graph filter for Gowalla, without its test, in minutes.

A fifth of each user's training items is held out; 2,000 users choose, by NDCG at 20, and 2,000 others tell
what the choice is worth. For each power of items what does not depend on the other settings is found once,
with singular vectors by random projection, and Optuna tries sums of these.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
import scipy.sparse as sp
from gowalla import N, held_out, measured
from ladder import Figures

from data import real_folder

sys.path.insert(0, str(Path(__file__).parents[1]))
from record import RESULTS, keep

Floats = npt.NDArray[np.float32]
USERS, TOGETHER, FACTORS = 2000, 100, 512
DEFAULTS = {"smooth": 0.25, "alike": 0.0, "sharpen": 1.0}
FIRST = {"smooth": 0.5, "alike": 0.02, "sharpen": 0.8}


def scaled(likes: sp.csr_matrix, user_power: float, item_power: float) -> sp.csr_matrix:
    """Return likes divided by powers of how many a user and an item have."""
    users, items = (np.maximum(np.asarray(likes.sum(axis=axis)).ravel(), 1.0) for axis in (1, 0))
    return (sp.diags(users**-user_power) @ likes @ sp.diags(items**-item_power)).tocsr().astype(np.float32)


def vectors(likes: sp.csr_matrix) -> Floats:
    """Return the first right singular vectors of likes divided by roots, near enough to choose by."""
    matrix = scaled(likes, 0.5, 0.5)
    across, start = (
        matrix.T.tocsr(),
        np.random.default_rng(0).standard_normal((matrix.shape[0], FACTORS + 60)),
    )
    basis = start.astype(np.float32)
    for _ in range(5):
        basis = np.linalg.qr(matrix @ (across @ basis))[0]
    inner = across @ basis
    values, turn = np.linalg.eigh((inner.T @ inner).astype(np.float64))
    best = np.argsort(-values)[:FACTORS]
    return (inner @ (turn[:, best] / np.sqrt(values[best])).astype(np.float32)).astype(np.float32)


class Parts:
    """What the filter sums for some users, at one power of items: from P, V and Q, sharpened up to twice."""

    def __init__(self, likes: sp.csr_matrix, right: Floats, users: Any, item_power: float) -> None:
        r = scaled(likes, 0.5, item_power)
        across = r.T.tocsr()
        counts = np.maximum(np.asarray(likes.sum(axis=1)), 1.0).astype(np.float32)
        root = np.sqrt(np.maximum(np.asarray(likes.sum(axis=0)).T, 1.0)).astype(np.float32)
        self.made = [np.empty((len(users), likes.shape[1]), dtype=np.float32) for _ in range(9)]
        for first in range(0, len(users), TOGETHER):
            own = likes[users[first : first + TOGETHER]].T.toarray().astype(np.float32)
            of_users = r @ own
            smooth = root * (right @ (right.T @ (own / root)))
            for at, part in enumerate((across @ of_users, smooth, across @ (counts * of_users))):
                for times in range(3):
                    self.made[3 * at + times][first : first + TOGETHER] = part.T
                    part = across @ (r @ part)
        self.seen = likes[users]

    def lists(self, smooth: float, alike: float, sharpen: float) -> list[list[int]]:
        """Return the items of the largest scores that a user does not have."""
        score = np.zeros_like(self.made[0])
        for at, weight in enumerate((1.0, smooth, alike)):
            for times, sign in enumerate((1.0, -sharpen, sharpen**2 / 2.0)):
                if weight * sign:
                    score += np.float32(weight * sign) * self.made[3 * at + times]
        score[self.seen.nonzero()] = -np.inf
        some = np.argpartition(-score, N, axis=1)[:, :N]
        order = np.argsort(-np.take_along_axis(score, some, axis=1), axis=1)
        return np.take_along_axis(some, order, axis=1).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=16, help="at each power of items")
    parser.add_argument("--powers", type=float, nargs="+", default=[0.45, 0.4, 0.35])
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    began = time.perf_counter()
    likes, wanted = held_out(sp.load_npz(real_folder("gowalla") / "train.npz").tocsr())
    order = np.random.default_rng(0).permutation(np.flatnonzero(np.diff(wanted.indptr)))
    choosing, others = order[:USERS], order[USERS : 2 * USERS]
    right = vectors(likes)

    def told(parts: Parts, users: Any, params: dict[str, float]) -> Figures:
        return dict(zip(("recall", "ndcg"), measured(wanted, users, parts.lists(**params)), strict=True))

    rows: list[Figures] = []
    for power in options.powers:
        parts = Parts(likes, right, choosing, power)

        def judge(trial: optuna.Trial, parts: Parts = parts, power: float = power) -> float:
            params = {
                "smooth": trial.suggest_float("smooth", 0.2, 1.2, log=True),
                "alike": trial.suggest_float("alike", 0.003, 0.1, log=True),
                "sharpen": trial.suggest_float("sharpen", 0.3, 1.5),
            }
            rows.append({"item_power": power, **params, **told(parts, choosing, params)})
            return float(rows[-1]["ndcg"])

        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
        study.enqueue_trial(FIRST)
        study.optimize(judge, n_trials=options.trials)
        print(power, study.best_value, study.best_params, flush=True)
        if power == 0.45:
            rows.append({"item_power": power, **DEFAULTS, **told(parts, choosing, DEFAULTS)})
        del parts
    best = max(rows, key=lambda row: row["ndcg"])
    params = {name: float(f"{best[name]:.2g}") for name in DEFAULTS}
    there = told(Parts(likes, right, others, best["item_power"]), others, params)
    before = told(Parts(likes, right, others, 0.45), others, DEFAULTS)
    found = {
        "metric": "ndcg",
        "rows": rows,
        "chosen": {"item_power": best["item_power"], **params},
        "on_others": {"chosen": there, "defaults": before},
        "seconds": time.perf_counter() - began,
    }
    print(found["chosen"], found["on_others"], f"{found['seconds']:.0f} s", flush=True)
    keep("quality-gowalla-search", found, options.results)


if __name__ == "__main__":
    main()
