"""Published predictions and errors of peers, reproduced by the presets that bear their names."""

import csv

import numpy as np
import pytest

import corated as cr

pytestmark = pytest.mark.jit


def u_data(path):
    table = np.loadtxt(path, dtype=np.int64)
    return table[:, 0], table[:, 1], table[:, 2].astype(float)


def ratings_of(users, items, values):
    return cr.Ratings.from_arrays(users, items, values, scale=(1, 5, 1))


def errors(model, users, items, values):
    predicted = np.array(model.predict(users, items).to_arrow()["value"].to_pylist(), dtype=float)
    return predicted - values


@pytest.fixture(scope="module")
def folds(data):
    """The five folds of Surprise's README: of the rows shuffled by its seed."""
    users, items, values = u_data(data("ml-100k") / "u.data")
    order = np.arange(100_000)
    np.random.RandomState(0).shuffle(order)
    made = []
    for fold in range(5):
        test = order[20_000 * fold : 20_000 * (fold + 1)]
        train = np.setdiff1d(order, test)
        made.append(
            (ratings_of(users[train], items[train], values[train]), users[test], items[test], values[test])
        )
    return made


def over(folds, make):
    """RMSE and MAE of each fold."""
    found = []
    for ratings, users, items, values in folds:
        error = errors(make().fit(ratings), users, items, values)
        found.append((np.sqrt(np.mean(error**2)), np.mean(np.abs(error))))
    return np.array(found)


def test_surprise_knnbasic_on_u1(data):
    folder = data("ml-100k")
    model = cr.preset("surprise-knnbasic").fit(ratings_of(*u_data(folder / "u1.base")))
    first = model.predict([1] * 5, [6, 10, 12, 14, 17]).to_pylist()
    assert [round(row["value"], 6) for row in first] == [3.468613, 3.866290, 4.538194, 4.235741, 3.228002]
    assert [row["support"] for row in first[:2]] == [20, 40]
    error = errors(model, *u_data(folder / "u1.test"))
    assert np.sqrt(np.mean(error**2)) == pytest.approx(0.9889, abs=0.0002)


def test_surprise_knnbasic_on_five_folds(folds):
    found = over(folds, lambda: cr.preset("surprise-knnbasic"))
    assert found.mean(axis=0) == pytest.approx([0.980, 0.774], abs=0.0005)
    assert found[:, 0] == pytest.approx([0.9841, 0.9754, 0.9765, 0.9755, 0.9872], abs=0.0005)


def test_surprise_baseline_only_on_five_folds(folds):
    found = over(folds, lambda: cr.Bias(clip=True))
    assert found.mean(axis=0) == pytest.approx([0.944, 0.748], abs=0.0005)
    assert found[:, 0] == pytest.approx([0.9447, 0.9401, 0.9383, 0.9417, 0.9551], abs=0.0005)


def test_mymedialite_item_pearson_on_five_folds(folds):
    found = over(folds, lambda: cr.preset("mymedialite-item-pearson"))
    assert found[:, 0].mean() == pytest.approx(0.915, abs=0.004)
    assert found[:, 0].mean() == pytest.approx(0.9174, abs=0.0002)


def test_lenskit_user_row_by_row(data):
    ratings = cr.read_ratings(
        data("ml-latest-small") / "ratings.csv",
        user="userId",
        item="movieId",
        rating="rating",
        time="timestamp",
    )
    with (data("lenskit-reference") / "user-user-preds.csv").open() as file:
        rows = [
            (int(row["user_id"]), int(row["item_id"]), float(row["prediction"]))
            for row in csv.DictReader(file)
        ]
    users, items, published = zip(*rows, strict=True)
    model = cr.preset("lenskit-user").fit(ratings)
    found = model.predict(users, items)
    assert len(rows) == 1756
    assert found.by_status["ok"] == 1756
    np.testing.assert_allclose(found.to_arrow()["value"].to_numpy(), published, rtol=0, atol=1e-13)
    assert model.predict([4], [1016]).to_pylist()[0]["value"] == pytest.approx(3.62221550680778, abs=1e-13)


def one_positive_of_101(model, train, test):
    """HR@5, NDCG@5, HR@10, NDCG@10 of the one item that was held out, among a hundred others."""
    seen = {}
    for user, item in train:
        seen.setdefault(user, set()).add(item)
    users, items, sizes = [], [], []
    for user, (positive, others) in test.items():
        candidates = [positive, *(item for item in others if item not in seen.get(user, ()))]
        users += [user] * len(candidates)
        items += candidates
        sizes.append(len(candidates))
    value = model.predict(users, items).to_arrow()["value"].fill_null(0.0).to_numpy()
    rows = np.split(value, np.cumsum(sizes)[:-1])
    # Ties are shared out: half of those who score the same are taken to stand before.
    place = np.array([(row[1:] > row[0]).sum() + 0.5 * (row[1:] == row[0]).sum() for row in rows])
    gain = 1.0 / np.log2(place + 2.0)
    return [found for k in (5, 10) for found in ((place < k).mean(), np.where(place < k, gain, 0.0).mean())]


@pytest.fixture(scope="module")
def citeulike(data):
    """The split of CMN: pairs to learn from; for each user one held out, and a hundred others."""
    with np.load(data("citeulike-a") / "citeulike-a_CMN.npz", allow_pickle=True) as file:
        train, test = file["train_data"], file["test_data"].item()
    return train, {int(user): (int(one[0]), [int(item) for item in one[1]]) for user, one in test.items()}


@pytest.mark.parametrize(
    ("model", "published"),
    [
        (cr.preset("tois-itemknn"), [0.8247, 0.7045, 0.8923, 0.7267]),
        (cr.preset("tois-userknn"), [0.8116, 0.6877, 0.8838, 0.7113]),
        (cr.ItemKNN(measure="jaccard(adjust=shrink_add(3.000001))", k=480), [0.8072, 0.6796, 0.8865, 0.7055]),
    ],
    ids=["tois-itemknn", "tois-userknn", "item jaccard"],
)
def test_tois_on_citeulike(citeulike, model, published):
    train, test = citeulike
    ratings = cr.Ratings.from_arrays(train[:, 0], train[:, 1], np.ones(len(train)))
    assert one_positive_of_101(model.fit(ratings), train, test) == pytest.approx(published, abs=0.0008)
