"""The ratings that the benchmarks run on, as plain arrays: ``users``, ``items``, ``values``."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np


def save(name: str, path: Path) -> dict[str, int]:
    """Keep one data set in a .npz file; returns its shape. Raises FileNotFoundError where it is absent."""
    import corated as cr

    if name == "notebook" or name.startswith("growth-"):
        ratings = cr.sample(**({"size": "notebook"} if name == "notebook" else grown(int(name[7:])))).ratings
        users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
        items, values = ratings.by_user.indices.astype(np.int64), np.asarray(ratings.values, dtype=np.float64)
    else:
        users, items, values = real(name)
    np.savez(path, users=users, items=items, values=values)
    counts = [np.bincount(codes).astype(np.int64) for codes in (users, items)]
    return {
        "users": int((counts[0] > 0).sum()),
        "items": int((counts[1] > 0).sum()),
        "ratings": len(values),
        "events_users": int((counts[1] ** 2).sum()),
        "events_items": int((counts[0] ** 2).sum()),
    }


def grown(times: int) -> dict[str, int]:
    """Return the shape of the notebook's table grown: ratings so many times, both sides with their root."""
    root = times**0.5
    return {
        "users": round(53_968 * root),
        "items": round(31_245 * root),
        "ratings": 712_337 * times,
        "seed": 1,
    }


def real(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read a real data set from the folder that CORATED_DATA names."""
    return READERS[name](real_folder(name))


def real_folder(name: str) -> Path:
    """Return the folder of a real data set; raises FileNotFoundError where it is absent."""
    folder = Path(os.environ.get("CORATED_DATA", "../shared/data")) / name
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is absent; set CORATED_DATA to the folder of the data sets")
    return folder


def _lines(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import corated as cr

    ratings = cr.read_ratings(folder / name)
    users = np.repeat(np.arange(ratings.n_users), ratings.user_counts)
    values = np.asarray(ratings.values, dtype=np.float64)
    return users, ratings.by_user.indices.astype(np.int64), values


def _gowalla(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import scipy.sparse as sp

    visits = sp.load_npz(folder / "train.npz").tocoo()
    return visits.row.astype(np.int64), visits.col.astype(np.int64), np.ones(visits.nnz)


READERS = {
    "movietweetings-100k": lambda folder: _lines(folder, "ratings.dat"),
    "ml-1m-half": lambda folder: _lines(folder, "ratings.dat.gz"),
    "gowalla": _gowalla,
}
