"""Ratings in blocks without a cluster: what the driver would have written, for the tasks to read."""

import numpy as np
import pyarrow as pa
import pytest

from corated.spark.blocks import Blocks, block_name
from corated.spark.folder import Folder
from corated.spark.ratings import SparkRatings


def _rows(ratings, side):
    """Return (indptr, objects, codes or ratings) of a side."""
    stored = ratings.off_scale_values if ratings.codes is None else ratings.codes
    if side == "users":
        return ratings.by_user.indptr, ratings.by_user.indices, stored
    by_item = ratings.by_item
    return by_item.indptr, by_item.indices, stored[by_item.order]


@pytest.fixture(scope="session")
def on_spark():
    """A function that makes `SparkRatings` of ratings, without a session."""

    def make(ratings, folder):
        sizes = ratings.n_users, ratings.n_items, ratings.n_ratings
        return SparkRatings(None, folder, "the table", *sizes, ratings.scale)

    return make


@pytest.fixture(scope="session")
def dealt():
    """A function that writes a side of ratings in blocks: ``of`` says which block each subject is in."""

    def deal(ratings, side, of, folder):
        indptr, objects, stored = _rows(ratings, side)
        counts = np.diff(indptr)
        raters = np.bincount(objects, minlength=int(objects.max()) + 1)
        of, blocks = np.asarray(of), int(max(of)) + 1
        events = np.bincount(np.repeat(of, counts), weights=raters[objects], minlength=blocks)
        for number in range(blocks):
            subjects = np.flatnonzero(of == number)
            kept = np.concatenate([np.arange(indptr[s], indptr[s + 1]) for s in subjects])
            rows = {
                "subject": np.repeat(subjects, counts[subjects]).astype(np.int32),
                "object": objects[kept],
                "rating": stored[kept],
            }
            folder.write_parquet(block_name(number), pa.table(rows))
        sizes = [np.bincount(of, minlength=blocks), np.bincount(of, weights=counts, minlength=blocks), events]
        sizes = [tuple(int(one) for one in size) for size in sizes]
        return Blocks(side, folder, *sizes, int(counts.max()))

    return deal


@pytest.fixture
def folder(tmp_path):
    return Folder(str(tmp_path / "work"))
