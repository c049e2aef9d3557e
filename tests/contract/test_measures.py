"""Every measure with every kind of parameter: the oracle's values, and the same bits however asked."""

import functools

import numba
import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats

from corated.errors import DataError
from corated.measures import MEASURES, Custom, get_measure
from corated.neighborhood import cost as cost_module
from corated.neighborhood.graph import neighbors
from corated.ratings.ratings import Ratings
from corated.similarity import reference

WEIGHTS = [
    *("binary", "tfidf", "tfidf(tf=log, idf=base)", "tfidf(tf=freq, idf=bm25)", "tfidf(tf=raw, idf=unary)"),
    *("bm25", "bm25(variant=tois)", "bm25(variant=similaripy, k1=2, b=0.5)", "center", "center(by=item)"),
    *("zscore", "zscore(by=item)", "minmax", "minmax(by=item)"),
]
ADJUSTMENTS = ["shrink=10", "adjust=shrink_mul1(7)", "adjust=shrink_add(3)", "adjust=significance(4)"]
VARIANTS = [
    *MEASURES,
    *(f"cosine(weight={weight})" for weight in WEIGHTS),
    *(f"pearson(weight={weight})" for weight in ("binary", "tfidf(tf=raw, idf=base)", "zscore(by=item)")),
    *(f"{name}(weight=bm25)" for name in ("msd", "cosine_common", "asymmetric_cosine", "p3alpha", "rp3beta")),
    *("euclidean(weight=zscore)", "manhattan(weight=minmax(by=item))", "euclidean(weight=binary)"),
    *(f"pearson({adjustment})" for adjustment in ADJUSTMENTS),
    *(f"{name}(adjust=shrink_add(3))" for name in ("cosine", "msd", "cosine_common", "constrained_pearson")),
    *(f"{name}(adjust=shrink_add(3))" for name in ("centered_cosine", "adjusted_cosine", "spearman")),
    *(f"{name}(adjust=shrink_add(3))" for name in ("jaccard", "dice", "overlap", "conditional")),
    *(f"{name}(adjust=significance(4))" for name in ("log_likelihood", "jaccard", "spearman", "msd")),
    *("pearson(adjust=lower_bound)", "pearson(weight=zscore, adjust=lower_bound(0.5))"),
    *("tversky(alpha=0.8, beta=0.2)", "tversky(alpha=0, beta=0)", "tversky(alpha=2, adjust=shrink_add(1))"),
    *("asymmetric_cosine(alpha=0.8)", "asymmetric_cosine(alpha=0)", "asymmetric_cosine(alpha=1, shrink=2)"),
    *("p3alpha(alpha=0.6)", "p3alpha(alpha=0)", "rp3beta(alpha=0.7, beta=0.9)", "rp3beta(beta=0)"),
    *("pearson_baseline(shrink=0)", "pearson_baseline(epochs=3, reg_u=0, reg_i=1)"),
]


def own_of_arrays(n, sdd, norm_x, norm_y):
    return n / (n + sdd) / np.sqrt(norm_x) / np.sqrt(norm_y)


@numba.njit
def own_of_numbers(n, sad, count_x):
    return n / (count_x + sad)


OWN = {
    "arrays": Custom(own_of_arrays),
    "numbers": Custom(own_of_numbers, symmetric=False),
    "a distance": Custom(own_of_arrays, better="smaller", weight="tfidf(tf=log, idf=base)"),
}
SOME = [*VARIANTS, *(pytest.param(measure, id=name) for name, measure in OWN.items())]

PALETTES = {
    "stars": ([1, 2, 3, 4, 5], (1, 5, 1)),
    "half stars": ([0.5, 1, 2.5, 3, 4.5, 5], (0.5, 5, 0.5)),
    "zeros": ([0, 3, 10], (0, 10, 1)),
    "below zero": ([-10, -3, 0, 5], (-10, 10, 1)),
    "one level": ([1], (1, 1, 1)),
    "play counts": ([1, 7, 120.5, 0.003, 3.14159, 20_000], None),
    "off scale": ([-1.2345678, 2.71828, 0, 3.3333333, 17.5], None),
}


def rows_made(kind, users=24, items=14, largest=12, seed=1):
    palette, scale = PALETTES[kind]
    rng = np.random.default_rng(seed)
    rows = [
        (user, int(item), float(rng.choice(palette)))
        for user in range(users)
        for item in rng.choice(items, rng.integers(1, largest + 1), replace=False)
    ]
    return rows, scale


def ratings_of(rows, scale):
    return Ratings.from_arrays(*zip(*rows, strict=True), **({} if scale is None else {"scale": scale}))


@functools.cache
def made(kind):
    ratings = ratings_of(*rows_made(kind))
    assert (ratings.scale is None) == (PALETTES[kind][1] is None)
    return ratings


def values_of(ratings, measure, of="users", **options):
    """{(u, v): value} of everybody with everybody who has one."""
    found = neighbors(ratings, of=of, measure=measure, k=10_000, threads=1, **options)
    return {(row["id"], row["neighbor"]): row["value"] for row in found.to_pylist()}


def is_answered(ratings, measure, of="users"):
    try:
        neighbors(ratings, of=of, measure=measure, subjects=[])
    except DataError:
        return False
    return True


# -- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["users", "items"])
@pytest.mark.parametrize("kind", PALETTES)
@pytest.mark.parametrize("measure", VARIANTS)
def test_equal_to_the_oracle(rows_of, assert_lists, measure, kind, of):
    ratings = made(kind)
    if not is_answered(ratings, measure, of):
        with pytest.raises(DataError):
            reference.neighbors(ratings, of=of, measure=measure, subjects=[])
        return
    everybody = reference.neighbors(ratings, of=of, measure=measure, k=1000)
    for k, least in ((1000, 1), (3, 2)):
        found = rows_of(neighbors(ratings, of=of, measure=measure, k=k, min_common=least, threads=1))
        enough = {id: [row for row in rows if row.n_common >= least] for id, rows in everybody.items()}
        assert_lists(ratings, measure, found, enough, k)


def test_who_is_refused():
    refused = {
        kind: {measure for measure in VARIANTS if not is_answered(made(kind), measure)} for kind in PALETTES
    }
    negative = {m for m in VARIANTS if any(w in m for w in ("bm25", "p3alpha", "rp3beta", "tf=freq"))}
    negative |= {m for m in VARIANTS if "tfidf" in m and "tf=raw" not in m} | {
        m for m in VARIANTS if "tf=log" in m
    }
    midpoint = {measure for measure in VARIANTS if measure.startswith("constrained_pearson")}
    assert refused.pop("below zero") == negative - {m for m in VARIANTS if "idf=bm25" in m and "raw" in m}
    assert refused.pop("off scale") == negative | midpoint
    assert refused.pop("play counts") == midpoint
    assert all(not names for names in refused.values())
    with pytest.raises(DataError, match="midpoint of a scale") as told:
        neighbors(made("play counts"), measure="constrained_pearson")
    assert "at most 256 levels" in told.value.expected and "pearson" in told.value.hint


# -- who asks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["half stars", "play counts"])
@pytest.mark.parametrize("measure", SOME)
def test_symmetric_to_the_last_bit_or_not_at_all(measure, kind):
    ratings = made(kind)
    if not is_answered(ratings, measure):
        return
    measure = get_measure(measure)
    values = values_of(ratings, measure)
    turned = {(v, u): value for (u, v), value in values.items()}
    if measure.symmetric:
        assert turned == values
    elif str(measure) != "p3alpha(alpha=0)":  # which is n
        assert turned != values


# -- the same bits --------------------------------------------------------------------------------


@pytest.fixture
def one_query_a_block(monkeypatch):
    """So few ratings would be one block, and the other threads would have nothing to do."""
    monkeypatch.setattr(cost_module, "_SMALLEST_BLOCK", 1)
    monkeypatch.setattr(cost_module, "_BLOCKS_PER_THREAD", 10**6)


@functools.cache
def orders(kind):
    """Rows as they come and shuffled, of enough users for several blocks."""
    users = 50 if numba.config.DISABLE_JIT else 120  # time goes with the pairs
    rows, scale = rows_made(kind, users=users, items=40, largest=30, seed=5)
    shuffled = [rows[at] for at in np.random.default_rng(6).permutation(len(rows))]
    return ratings_of(rows, scale), ratings_of(shuffled, scale)


@pytest.mark.usefixtures("one_query_a_block")
@pytest.mark.parametrize("of", ["users", "items"])
@pytest.mark.parametrize("kind", ["half stars", "play counts"])
@pytest.mark.parametrize("measure", SOME)
def test_the_same_bits_however_it_is_asked(rows_of, measure, kind, of):
    straight, shuffled = orders(kind)
    if not is_answered(straight, measure, of):
        return
    options = {"of": of, "measure": measure, "k": 8, "min_common": 2}
    everyone = rows_of(neighbors(straight, threads=1, **options))
    assert any(everyone.values()) or measure == "pearson(weight=binary)"  # ones are flat
    for ratings, threads in ((straight, 2), (shuffled, 3)):
        assert rows_of(neighbors(ratings, threads=threads, **options)) == everyone
    some = sorted(everyone)[::3]
    alone = rows_of(neighbors(shuffled, threads=2, subjects=some, **options))
    assert alone == {subject: everyone[subject] for subject in some}


# -- what parameters do ---------------------------------------------------------------------------

CHANGES = [
    *(("pearson", f"pearson({adjustment})") for adjustment in (*ADJUSTMENTS, "adjust=lower_bound")),
    ("pearson(adjust=lower_bound)", "pearson(adjust=lower_bound(0.5))"),
    *(("cosine", f"cosine(weight={weight})") for weight in WEIGHTS if "unary" not in weight),
    ("cosine(weight=tfidf(tf=raw))", "cosine(weight=tfidf(tf=raw, idf=unary))"),
    ("cosine(weight=tfidf)", "cosine(weight=tfidf(tf=log))"),
    ("cosine(weight=tfidf)", "cosine(weight=tfidf(idf=base))"),
    *(("cosine(weight=bm25)", f"cosine(weight=bm25({x}))") for x in ("k1=2", "b=0.1", "variant=tois")),
    *(("cosine(weight=bm25(tois))", f"cosine(weight=bm25({x}))") for x in ("similaripy", "k1=1.2")),
    *((f"cosine(weight={weight})", f"cosine(weight={weight}(by=item))") for weight in ("center", "zscore")),
    ("cosine(weight=minmax)", "cosine(weight=minmax(by=item))"),
    *(("tversky", f"tversky({x})") for x in ("alpha=0.5", "beta=0.5")),
    ("asymmetric_cosine", "asymmetric_cosine(alpha=0.7)"),
    ("p3alpha", "p3alpha(alpha=0.7)"),
    *(("rp3beta", f"rp3beta({x})") for x in ("alpha=0.7", "beta=0.7")),
    *(("pearson_baseline", f"pearson_baseline({x}=1)") for x in ("shrink", "epochs", "reg_u", "reg_i")),
    *((name, f"{name}(shrink=10)") for name in MEASURES if "shrink" in MEASURES[name]().parameters()
      and name != "pearson_baseline"),
    *((name, f"{name}(weight=zscore)") for name in ("euclidean", "msd", "manhattan", "cosine_common")),
    ("asymmetric_cosine", "asymmetric_cosine(weight=zscore)"),
    *((name, f"{name}(weight=bm25)") for name in ("p3alpha", "rp3beta")),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_each_parameter_changes_something(before, after):
    assert values_of(made("stars"), before) != values_of(made("stars"), after)


@pytest.mark.parametrize("name", ["pearson", "cosine", "jaccard", "log_likelihood", "spearman"])
@pytest.mark.parametrize("adjust", ["shrink_mul", "shrink_mul1", "significance", "shrink_add"])
def test_more_shrinkage_is_nearer_to_0(name, adjust):
    if (name, adjust) == ("log_likelihood", "shrink_add"):
        return
    ratings = made("stars")
    before = values_of(ratings, name)
    for amount in (1, 5, 60):
        after = values_of(ratings, f"{name}(adjust={adjust}({amount}))")
        assert after.keys() == before.keys()
        assert all(
            abs(after[pair]) <= abs(value) and after[pair] * value >= 0 for pair, value in before.items()
        )
        before = after


# -- against others -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["half stars", "below zero", "play counts", "off scale"])
@pytest.mark.parametrize("of", ["users", "items"])
def test_scipy_and_pandas_agree(kind, of):
    ratings = made(kind)
    table = ratings.to_arrow().to_pandas().pivot(index="user_id", columns="item_id", values="rating")
    table = table if of == "users" else table.T
    ranks = table.rank(axis=1)
    correlated, ranked = table.T.corr(min_periods=2), ranks.T.corr(min_periods=2)
    filled, rated = table.fillna(0.0), table.notna()
    found = {
        name: values_of(ratings, name, of)
        for name in ("pearson", "spearman", "cosine", "jaccard", "euclidean")
    }
    checked = 0
    for u in table.index:
        for v in table.index.drop(u):
            both = rated.loc[u] & rated.loc[v]
            x, y = table.loc[u][both].to_numpy(), table.loc[v][both].to_numpy()
            if not both.any():
                assert all((u, v) not in values for values in found.values())
                continue
            flat = len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0
            assert ((u, v) in found["pearson"]) == (not flat)
            expected = {
                "cosine": 1 - scipy.spatial.distance.cosine(filled.loc[u], filled.loc[v])
                if filled.loc[u].any() and filled.loc[v].any()
                else None,
                "jaccard": 1 - scipy.spatial.distance.jaccard(rated.loc[u], rated.loc[v]),
                "euclidean": scipy.spatial.distance.euclidean(x, y),
            }
            if not flat:
                expected["pearson"] = scipy.stats.pearsonr(x, y).statistic
                assert found["pearson"][u, v] == pytest.approx(correlated.loc[u, v], abs=1e-9)
                a, b = ranks.loc[u][both], ranks.loc[v][both]
                expected["spearman"] = scipy.stats.pearsonr(a, b).statistic
                assert found["spearman"][u, v] == pytest.approx(ranked.loc[u, v], abs=1e-9)
                checked += 1
            for name, value in expected.items():
                if value is None:
                    assert (u, v) not in found[name]
                else:
                    assert found[name][u, v] == pytest.approx(value, rel=1e-12, abs=1e-12)
    assert checked > 20
