"""Records of parameters and their shorthand: read, never run; wrong ones are told well."""

import copy
import inspect
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corated.errors import ParameterError
from corated.measures import (
    ADJUSTMENTS,
    BM25,
    MEASURES,
    MSD,
    WEIGHTS,
    AsymmetricCosine,
    Center,
    Cosine,
    Euclidean,
    LowerBound,
    Pearson,
    PearsonBaseline,
    ShrinkMul,
    Significance,
    TfIdf,
    Tversky,
    get_measure,
)


@pytest.mark.parametrize(
    ("shorthand", "record"),
    [
        ("pearson", Pearson()),
        ("pearson()", Pearson()),
        (" pearson( shrink = 100 ) ", Pearson(shrink=100)),
        ("pearson(shrink=1e2)", Pearson(shrink=100.0)),
        ("pearson(adjust=lower_bound)", Pearson(adjust=LowerBound())),
        ("pearson(adjust=lower_bound(0.9))", Pearson(adjust=LowerBound(level=0.9))),
        ("pearson(adjust='significance(30)')", Pearson(adjust=Significance(30))),
        ("cosine(weight=bm25(k1=1.2, b=0.75))", Cosine(weight=BM25(k1=1.2, b=0.75))),
        ("cosine(weight=bm25(tois))", Cosine(weight=BM25(variant="tois"))),
        ("cosine(weight=bm25(k1=None))", Cosine(weight=BM25())),
        ("euclidean(weight=center(by=item))", Euclidean(weight=Center(by="item"))),
        ("msd(weight='tfidf(tf=log)', shrink=2)", MSD(weight=TfIdf(tf="log"), shrink=2)),
        ("tversky(alpha=0.8, beta=0.2)", Tversky(alpha=0.8, beta=0.2)),
        ("pearson_baseline(epochs=3)", PearsonBaseline(epochs=3)),
    ],
)
def test_a_shorthand_is_its_record(shorthand, record):
    assert get_measure(shorthand) == record
    assert get_measure(str(record)) == record
    assert hash(get_measure(shorthand)) == hash(record)


NUMBERS = st.floats(min_value=0, max_value=1e6, exclude_min=True) | st.integers(1, 10**6)


@given(NUMBERS, NUMBERS, st.sampled_from(["implicit", "tois", "similaripy"]))
def test_what_a_record_says_of_itself_is_read_as_itself(s, k1, variant):
    for record in (
        Cosine(shrink=s, weight=BM25(variant=variant, k1=k1)),
        Pearson(adjust=ShrinkMul(s)),
        Tversky(alpha=s, beta=k1),
    ):
        assert get_measure(str(record)) == record


@pytest.mark.parametrize("kinds", [MEASURES, WEIGHTS, ADJUSTMENTS])
def test_every_kind_is_a_value(kinds):
    for name, kind in kinds.items():
        record = kind()
        assert str(record) == record.name == name
        for other in (copy.deepcopy(record), pickle.loads(pickle.dumps(record)), kind(**record.parameters())):
            assert other == record and hash(other) == hash(record)
        assert list(inspect.signature(kind).parameters) == list(record.parameters())
        with pytest.raises(AttributeError):
            record.shrink = 3


def test_numbers_are_kept_as_floats():
    for given_ in (3, 3.0, np.int64(3), np.float32(3)):
        assert Pearson(shrink=given_).shrink == 3.0 and type(Pearson(shrink=given_).shrink) is float
    assert PearsonBaseline(epochs=np.int8(4)).epochs == 4


@pytest.mark.parametrize(
    "shrink", [-1, -1e-300, math.nan, math.inf, "3", "x", None, True, [3], np.array([3]), 1j, np.str_("x")]
)
def test_what_is_no_number_or_out_of_bounds_is_refused(shrink):
    with pytest.raises(ParameterError, match=r"pearson: shrink=.* cannot be used") as refused:
        Pearson(shrink=shrink)
    assert refused.value.expected == "a number of at least 0"


@pytest.mark.parametrize(
    ("make", "told", "expected"),
    [
        (lambda: Tversky(alpha=-0.1), "alpha=-0.1", "a number of at least 0"),
        (lambda: Tversky(beta=-0.1), "beta=-0.1", "a number of at least 0"),
        (lambda: AsymmetricCosine(alpha=1.1), "alpha=1.1", "0 to 1"),
        (lambda: AsymmetricCosine(alpha=-0.1), "alpha=-0.1", "a number of at least 0"),
        (lambda: PearsonBaseline(epochs=0), "epochs=0", "at least 1"),
        (lambda: PearsonBaseline(reg_u=-1), "reg_u=-1", "at least 0"),
        (lambda: PearsonBaseline(reg_i="a"), "reg_i='a'", "at least 0"),
        (lambda: get_measure("p3alpha(alpha=-1)"), "alpha=-1", "at least 0"),
        (lambda: get_measure("rp3beta(beta=-1)"), "beta=-1", "at least 0"),
        (lambda: ShrinkMul(0), "s=0", "a number above 0"),
        (lambda: Significance(0), "gamma=0", "a number above 0"),
        (lambda: LowerBound(0), "level=0", "a number above 0 and below 1"),
        (lambda: LowerBound(1), "level=1", "a number above 0 and below 1"),
        (lambda: BM25(k1=-1), "k1=-1", "at least 0"),
        (lambda: BM25(b=1.5), "b=1.5", "0 to 1"),
        (lambda: BM25(variant="okapi"), "variant='okapi'", "one of implicit, tois, similaripy"),
        (lambda: TfIdf(tf="tf"), "tf='tf'", "one of sqrt, raw, log, freq, binary"),
        (lambda: TfIdf(idf="idf"), "idf='idf'", "one of smooth, base, bm25, unary"),
        (lambda: Center(by="users"), "by='users'", "one of user, item"),
    ],
)
def test_parameters_out_of_bounds_are_refused(make, told, expected):
    with pytest.raises(ParameterError) as refused:
        make()
    assert told in refused.value.what and expected in refused.value.expected


@pytest.mark.parametrize(
    ("shorthand", "told", "hint"),
    [
        ("person", "Unknown measure 'person'", "did you mean pearson?"),
        ("qqq", "Unknown measure 'qqq'", "choose one of these"),
        ("Pearson", "Unknown measure 'Pearson'", "did you mean pearson?"),
        ("bm25", "Unknown measure 'bm25'", "choose one of these"),
        ("cosine(weight=bm26)", "Unknown weight 'bm26'", "did you mean bm25?"),
        ("cosine(weight=pearson)", "Unknown weight 'pearson'", "choose one of these"),
        ("cosine(weight=3)", "3 was given as the weight: int.", "try 'binary'"),
        ("cosine(adjust=shrink_mull(3))", "Unknown adjustment 'shrink_mull'", "did you mean shrink_mul?"),
        ("pearson(shrnk=1)", "pearson takes no parameter 'shrnk'", "did you mean shrink?"),
        ("pearson(adjust=shrink_mul(t=1))", "shrink_mul takes no parameter 't'", ""),
        ("pearson(100)", "pearson takes no parameters without their names", ""),
        ("cosine(weight=bm25(tois, 1, 2, 3))", "bm25 takes at most 3 parameters without their names", ""),
        ("cosine(weight=bm25(tois, variant=tois))", "bm25 takes 'variant' once", ""),
    ],
)
def test_unknown_names_are_told_with_what_there_is(shorthand, told, hint):
    with pytest.raises(ParameterError) as refused:
        get_measure(shorthand)
    assert told in refused.value.what and refused.value.hint == hint
    assert refused.value.expected


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "pearson(", "pearson)", "pearson(shrink=1", "pearson(shrink=1, shrink=2)",
        "pearson shrink=1", "3", "pearson()()", "(pearson)(1)()", "a.b", "pearson(**{})", "pearson(*x)",
        "pearson(shrink=1+1)",
        "pearson(shrink=__import__('os'))", "lambda: pearson", "[pearson]", "pearson; cosine", "(" * 500,
        "pearson(shrink=" + "(" * 300 + "1" + ")" * 300 + ")", "pearson\0", "x" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_shorthand_is_refused_and_never_run(text):
    with pytest.raises(ParameterError):
        get_measure(text)


@pytest.mark.parametrize(
    ("given_", "told", "hint"),
    [
        (None, "None was given as the measure: NoneType.", "try 'pearson'"),
        (3, "3 was given as the measure: int.", "try 'pearson'"),
        (["pearson"], "['pearson'] was given as the measure: list.", "try 'pearson'"),
        (b"pearson", "b'pearson' was given as the measure: bytes.", "try 'pearson'"),
        (BM25(), "bm25 is no measure.", "weights and adjustments are parameters of a measure"),
        (Pearson, "The class Pearson was given as the measure.", "make one: Pearson()"),
        (len, "<built-in function len> was given as the measure", "wrap the function in"),
    ],
)
def test_what_is_no_measure_is_refused(given_, told, hint):
    with pytest.raises(ParameterError) as refused:
        get_measure(given_)
    assert told in refused.value.what and hint in refused.value.hint
    assert refused.value.expected == "a measure, or its shorthand as text"


def test_parameters_that_a_measure_cannot_have_are_refused_with_the_reason():
    for name in ("euclidean", "manhattan"):
        for parameter in ("shrink=10", "adjust=significance"):
            with pytest.raises(ParameterError, match=r"is a distance.*closer") as refused:
                get_measure(f"{name}({parameter})")
            assert "min_common" in refused.value.hint
    with pytest.raises(ParameterError, match="is a distance"):
        Euclidean(shrink=10)
    for name in ("jaccard", "dice", "overlap", "tversky", "conditional", "log_likelihood"):
        with pytest.raises(ParameterError, match="reads who rated what, not the ratings"):
            get_measure(f"{name}(weight=bm25)")
    for name in ("constrained_pearson", "centered_cosine", "adjusted_cosine", "spearman", "pearson_baseline"):
        with pytest.raises(ParameterError, match="a way of its own with the ratings"):
            get_measure(f"{name}(weight=bm25)")
    with pytest.raises(ParameterError, match=r"cosine takes no parameter 'k'\."):
        Cosine(k=3)
