"""The records of measures: what they declare, and which combinations they refuse."""

import pytest

from corated.errors import ParameterError
from corated.measures import (
    MEASURES,
    Cosine,
    LowerBound,
    Measure,
    Pearson,
    PearsonBaseline,
    ShrinkAdd,
    ShrinkMul,
    ShrinkMul1,
    Significance,
    get_measure,
)
from corated.similarity.weights import BM25

DISTANCES = {"euclidean", "manhattan"}
ASYMMETRIC = {"conditional", "p3alpha", "rp3beta"}


def test_what_each_declares():
    assert [get_measure(name).name for name in MEASURES] == list(MEASURES)
    assert {name for name in MEASURES if get_measure(name).sign < 0} == DISTANCES
    assert {name for name in MEASURES if get_measure(name).better == "smaller"} == DISTANCES
    assert {name for name in MEASURES if not get_measure(name).symmetric} == ASYMMETRIC
    assert {name for name in MEASURES if get_measure(name).least == 2} == {
        "pearson",
        "spearman",
        "pearson_baseline",
    }
    assert all(get_measure(name).sums[0] == "n" for name in MEASURES)


def test_get_measure():
    pearson = get_measure("pearson")
    assert isinstance(pearson, Measure) and pearson == Pearson()
    assert get_measure(pearson) is pearson
    with pytest.raises(ParameterError, match="Unknown measure") as refused:
        get_measure("Pearson")
    assert all(name in refused.value.expected for name in MEASURES)


def test_who_asks_matters_where_the_parameters_differ():
    assert get_measure("tversky(alpha=2, beta=2)").symmetric
    assert not get_measure("tversky(alpha=2, beta=1)").symmetric
    assert not get_measure("asymmetric_cosine(alpha=0.4)").symmetric


def test_shorthands_inside_become_records():
    assert Cosine(weight="bm25").given_weight == BM25()
    assert Cosine(weight="bm25") == Cosine(weight=BM25())
    assert Pearson(adjust="lower_bound(0.9)").adjustment == LowerBound(0.9)
    assert Pearson().adjustment is None and Pearson().given_weight is None


def test_shrink_is_short_for_an_adjustment():
    assert Pearson(shrink=7).adjustment == ShrinkMul(7)
    assert PearsonBaseline(shrink=7).adjustment == ShrinkMul1(7)
    assert PearsonBaseline().adjustment == ShrinkMul1(100)
    assert PearsonBaseline(shrink=0).adjustment is None
    with pytest.raises(ParameterError, match="two adjustments") as refused:
        Pearson(shrink=7, adjust=Significance())
    assert refused.value.hint == 'shrink=7 is short for adjust="shrink_mul(7)"'


@pytest.mark.parametrize("name", [name for name in MEASURES if name not in DISTANCES])
def test_lower_bound_is_of_pearson_alone(name):
    kind = MEASURES[name]
    if name == "pearson":
        assert kind(adjust=LowerBound()).adjustment == LowerBound()
    else:
        with pytest.raises(ParameterError, match=r"lower_bound is of a Pearson|takes no parameter 'adjust'"):
            kind(adjust=LowerBound())


def test_shrink_add_needs_one_denominator():
    with pytest.raises(ParameterError, match="no one denominator") as refused:
        get_measure("log_likelihood(adjust=shrink_add(3))")
    assert "shrink_mul" in refused.value.expected
    for name in ("pearson", "msd", "cosine", "jaccard", "overlap", "asymmetric_cosine"):
        assert MEASURES[name](adjust=ShrinkAdd(3)).added(1.0) == 3


def test_what_shrink_add_adds_is_in_rating_units():
    """Sums over half-star codes count in halves: their products are a quarter of those in ratings."""
    assert Pearson(adjust=ShrinkAdd(3)).added(0.5) == 12
    assert get_measure("msd(adjust=shrink_add(3))").added(0.5) == 3
    assert get_measure("spearman(adjust=shrink_add(3))").added(1.0) == 12  # of ranks, which count twice
    assert get_measure("dice(adjust=shrink_add(3))").added(1.0) == 1.5  # n / ((a + b)/2)
    assert Pearson().added(0.5) == 0


def test_every_parameter_has_its_place_in_the_shorthand():
    for name, kind in MEASURES.items():
        assert get_measure(name).parameters() == kind().parameters()
        assert ("shrink" in kind().parameters()) == (name not in DISTANCES | {"p3alpha", "rp3beta"})
