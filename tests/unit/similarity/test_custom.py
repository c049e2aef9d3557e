"""A measure of the caller's own: both forms, against a brute force over profiles, and what is refused."""

import math

import numba
import numpy as np
import pytest

from corated.errors import ParameterError
from corated.measures import Custom, get_measure
from corated.neighborhood import own
from corated.neighborhood.graph import neighbors
from corated.ratings.ratings import Ratings

COUNTS = [1.0, 7.0, 120.5, 0.25, 3.0]
ALL_NAMES = [
    "n",
    "sx",
    "sy",
    "sxx",
    "syy",
    "sxy",
    "sdd",
    "sad",
    "count_x",
    "count_y",
    "sum_x",
    "sum_y",
    "norm_x",
    "norm_y",
    "total",
]


def made(kind, seed=1, users=30, items=14):
    rng = np.random.default_rng(seed)
    cells = rng.random((users, items)) < 0.45
    cells[0, 0] = True
    palettes = {"stars": np.arange(1, 6), "halves": np.arange(1, 11) / 2, "counts": np.array(COUNTS)}
    at = np.argwhere(cells)
    values = rng.choice(palettes[kind], len(at))
    scale = {"stars": (1, 5, 1), "halves": (0.5, 5, 0.5), "counts": None}[kind]
    return Ratings.from_arrays(at[:, 0], at[:, 1], values, **({} if scale is None else {"scale": scale}))


def profiles_of(ratings, of):
    found = {}
    for row in ratings.to_arrow().to_pylist():
        subject, other = (row["user_id"], row["item_id"])[:: 1 if of == "users" else -1]
        found.setdefault(subject, {})[other] = row["rating"]
    return found


def statistics(x, y, total):
    """What a function can read of two profiles, from its names' meaning."""
    both = sorted(x.keys() & y.keys())
    a, b = np.array([x[i] for i in both]), np.array([y[i] for i in both])
    all_x, all_y = np.array(list(x.values())), np.array(list(y.values()))
    return {
        "n": len(both), "sx": a.sum(), "sy": b.sum(), "sxx": (a * a).sum(), "syy": (b * b).sum(),
        "sxy": (a * b).sum(), "sdd": ((a - b) ** 2).sum(), "sad": abs(a - b).sum(),
        "count_x": len(x), "count_y": len(y), "sum_x": all_x.sum(), "sum_y": all_y.sum(),
        "norm_x": (all_x**2).sum(), "norm_y": (all_y**2).sum(), "total": total,
    }  # fmt: skip


def values_of(ratings, measure, of="users", **options):
    """{(u, v): value} of everybody's neighbors."""
    found = neighbors(ratings, of=of, measure=measure, k=1000, **options)
    return {(row["id"], row["neighbor"]): row["value"] for row in found.to_pylist()}


@pytest.mark.parametrize("of", ["users", "items"])
@pytest.mark.parametrize("kind", ["stars", "halves", "counts"])
@pytest.mark.parametrize("name", ALL_NAMES)
def test_each_name_is_what_it_says(kind, of, name):
    """A function that returns one statistic as it is, seen from who asks."""
    namespace = {}
    exec(f"def given({name}): return {name} * 1.0", namespace)
    measure = Custom(namespace["given"], symmetric=False)
    ratings = made(kind)
    profiles = profiles_of(ratings, of)
    total = ratings.n_items if of == "users" else ratings.n_users
    expected = {
        (u, v): float(statistics(profiles[u], profiles[v], total)[name])
        for u in profiles
        for v in profiles
        if u != v and profiles[u].keys() & profiles[v].keys()
    }
    everyone = values_of(ratings, measure, of, threads=1)
    assert everyone.keys() == expected.keys()
    for pair, value in everyone.items():
        assert value == pytest.approx(expected[pair], rel=1e-12)
    some = sorted(profiles)[::3]
    alone = values_of(ratings, measure, of, threads=1, subjects=some)
    assert alone == {pair: value for pair, value in everyone.items() if pair[0] in some}


def of_arrays(n, sx, sy, sxx, syy, sxy):
    num = n * sxy - sx * sy
    return num / np.sqrt((n * sxx - sx * sx) * (n * syy - sy * sy))


@numba.njit
def of_numbers(n, sx, sy, sxx, syy, sxy):
    vx, vy = n * sxx - sx * sx, n * syy - sy * sy
    if n < 2 or vx <= 0 or vy <= 0:
        return math.nan
    return (n * sxy - sx * sy) / math.sqrt(vx * vy)


def plain_numbers(n, sx, sy, sxx, syy, sxy):
    vx, vy = n * sxx - sx * sx, n * syy - sy * sy
    if n < 2 or vx <= 0 or vy <= 0:
        return math.nan
    return (n * sxy - sx * sy) / math.sqrt(vx * vy)


@pytest.mark.parametrize(
    "measure",
    [
        Custom(of_arrays),
        pytest.param(Custom(of_numbers), marks=pytest.mark.jit),
        Custom(plain_numbers, scalar=True),
    ],
    ids=["arrays", "compiled", "scalar"],
)
@pytest.mark.parametrize("of", ["users", "items"])
def test_pearson_in_each_form_is_pearson(measure, of):
    ratings = made("stars")
    expected, got = values_of(ratings, "pearson", of), values_of(ratings, measure, of)
    assert got.keys() == expected.keys()  # 0/0 is no value
    assert all(got[pair] == pytest.approx(value, abs=1e-12) for pair, value in expected.items())


def test_a_distance_has_the_closest_first():
    measure = Custom(lambda sdd: sdd**0.5, better="smaller")
    for kind in ("stars", "halves"):
        ratings = made(kind)
        own_, built_in = (neighbors(ratings, measure=m, k=4).to_pylist() for m in (measure, "euclidean"))
        assert own_ == built_in


def test_who_asks_is_x():
    ratings = made("stars")
    share = Custom(lambda n, count_y: n / count_y, symmetric=False)
    assert values_of(ratings, share) == values_of(ratings, "conditional")
    back = Custom(lambda n, count_x: n / count_x, symmetric=False)
    assert values_of(ratings, back) == {(v, u): x for (u, v), x in values_of(ratings, "conditional").items()}


def test_weights_come_before():
    ratings = made("counts")
    measure = Custom(lambda sxy, norm_x, norm_y: sxy / np.sqrt(norm_x * norm_y), weight="bm25")
    expected, got = values_of(ratings, "cosine(weight=bm25)"), values_of(ratings, measure)
    assert got.keys() == expected.keys()
    assert all(got[pair] == pytest.approx(value, abs=1e-12) for pair, value in expected.items())
    assert got != values_of(ratings, Custom(measure.function))


def test_no_number_is_no_value():
    ratings = made("stars")
    few = Custom(lambda n: np.where(n > 4, 1.0, np.nan))
    common = {(row["id"], row["neighbor"]): row["n_common"] for row in neighbors(
        ratings, measure="jaccard", k=1000
    ).to_pylist()}  # fmt: skip
    assert values_of(ratings, few).keys() == {pair for pair, n in common.items() if n > 4} != common.keys()


def one_sided(sxy, norm_x, norm_y):
    return sxy / np.sqrt(norm_x) / np.sqrt(norm_y) * 1.1  # rounds differently the other way around


@pytest.mark.parametrize("kind", ["stars", "counts"])
def test_the_same_bits_however_it_is_asked(kind, monkeypatch):
    """Alone and among all, with one thread and three, in buffers that hold few pairs and many."""
    ratings, seen = made(kind, users=150, items=40), []
    for measure in (Custom(one_sided), Custom(lambda n, count_y: n / count_y, symmetric=False)):
        everyone = values_of(ratings, measure, threads=1)
        assert values_of(ratings, measure, threads=3) == everyone
        assert values_of(ratings, measure, subjects=list(range(150)), threads=2) == everyone
        seen.append(everyone)
    assert seen[0] != seen[1]
    monkeypatch.setattr(own, "_PAIRS", 1)  # as many as a chunk
    assert values_of(ratings, Custom(one_sided), threads=1) == seen[0]


def test_a_constant_is_a_measure():
    ratings = made("stars")
    found = neighbors(ratings, measure=Custom(lambda n: 1.0), k=3)
    assert set(found.value.tolist()) == {1.0}
    assert found.to_pylist() == neighbors(ratings, measure=Custom(lambda n: n / n), k=3).to_pylist()


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (3, "3 is no function"),
        ("pearson", "'pearson' is no function"),
        (lambda x, y: x, "a function of (x, y), cannot be a measure"),
        (lambda: 1.0, "a function of (), cannot be a measure"),
        (lambda n, *rest: n, "a function of (n, rest), cannot be a measure"),
    ],
)
def test_what_reads_no_statistics_is_refused(function, told):
    with pytest.raises(ParameterError) as refused:
        Custom(function)
    assert told in refused.value.what and refused.value.expected


@pytest.mark.parametrize(
    "returned", [lambda n: n[:1], lambda n: ["a"] * len(n), lambda n: None, lambda n: n + 1j]
)
def test_what_returns_no_numbers_is_refused(returned):
    with pytest.raises(ParameterError, match="the function returned") as refused:
        neighbors(made("stars"), measure=Custom(returned), threads=1)
    assert refused.value.expected == "an array of numbers, one a pair"


def test_settings_out_of_bounds_are_refused():
    for options in ({"better": "closer"}, {"weight": "okapi"}, {"shrink": 3}):
        with pytest.raises(ParameterError):
            Custom(of_arrays, **options)


def test_names_in_results():
    ratings = made("stars")
    assert str(Custom(of_arrays)) == "of_arrays" and str(Custom(of_arrays, title="mine")) == "mine"
    assert "of_arrays" in repr(neighbors(ratings, measure=Custom(of_arrays), k=1))
    assert Custom(of_arrays) == Custom(of_arrays) != Custom(one_sided)
    assert get_measure(Custom(of_arrays)).sums == ("n", "sx", "sy", "sxx", "syy", "sxy")
