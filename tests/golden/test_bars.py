"""ItemCF of the BARS leaderboard on Gowalla, reproduced by the preset that bears its name."""

import numpy as np
import pytest
import scipy.sparse

import corated as cr

pytestmark = pytest.mark.jit


def recall_and_ndcg(listed, test, k):
    """Mean over all users of hits / |test|, and of NDCG with the ideal list cut at min(k, |test|).

    listed : int64 (users, k), item codes, −1 where a list is shorter
    """
    gain = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(gain)])
    recall, ndcg = np.zeros(len(listed)), np.zeros(len(listed))
    for user, row in enumerate(listed):
        wanted = test.indices[test.indptr[user] : test.indptr[user + 1]]
        hit = np.isin(row, wanted)
        recall[user] = hit.sum() / len(wanted)
        ndcg[user] = gain[hit].sum() / ideal[min(k, len(wanted))]
    return recall.mean(), ndcg.mean()


def test_itemcf_on_gowalla(data):
    folder = data("gowalla")
    train = scipy.sparse.load_npz(folder / "train.npz").tocoo()
    test = scipy.sparse.load_npz(folder / "test.npz").tocsr()
    assert (train.shape, train.nnz, test.nnz) == ((29_858, 40_981), 810_128, 217_242)
    model = cr.preset("bars-itemcf").fit(cr.Ratings.from_arrays(train.row, train.col))
    table = model.recommend(n=20).to_arrow()
    listed = np.full((29_858, 20), -1)
    listed[table["user_id"].to_numpy(), table["rank"].to_numpy() - 1] = table["item_id"].to_numpy()
    recall, ndcg = recall_and_ndcg(listed, test, 20)
    assert recall == pytest.approx(0.156833, abs=0.0005)
    assert ndcg == pytest.approx(0.121339, abs=0.0005)
