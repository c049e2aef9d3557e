"""Weights: against numbers of the libraries whose formulas they are, and their parameters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corated.errors import DataError, ParameterError
from corated.similarity import values
from corated.similarity.records import read_record
from corated.similarity.values import Entries
from corated.similarity.weights import BM25, WEIGHTS, Binary, Center, MinMax, TfIdf, Weight, ZScore


def entries_of(table, rows="users"):
    """Entries from lists, None where not rated."""
    objects = [[j for j, x in enumerate(row) if x is not None] for row in table]
    numbers = [x for row in table for x in row if x is not None]
    return Entries(
        np.cumsum([0, *map(len, objects)]),
        np.array([j for row in objects for j in row], dtype=np.int32),
        np.array(numbers, dtype=np.float64),
        len(table[0]),
        rows,
    )


DOCUMENTS = [
    [5, 3, None, 1],
    [4, None, None, 1],
    [1, 1, None, 5],
    [None, None, 5, 4],
    [None, 1, 5, 4],
]
# What implicit 0.7.3 (tfidf_weight, bm25_weight) and similaripy 0.7.0 (tfidf, bm25) make of it, row by row.
# The TOIS code is implicit's formula with other parameters.
GOLDEN = {
    "tfidf": """0.498964149479285 0.386495968257564 -0.182321556793955 0.446287102628419 -0.182321556793955
        0.22314355131421 0.22314355131421 -0.407683394754871 1.14224081938949 -0.364643113587909
        0.22314355131421 1.14224081938949 -0.364643113587909""",
    "tfidf(tf=log, idf=bm25)": """-0.602877316098401 -0.466449564301385 -1.66209434761821 -0.541531174099678
        -1.66209434761821 -0.233224782150692 -0.233224782150692 -4.29645156125367 0.602877316098401
        -3.85926356208821 -0.233224782150692 0.602877316098401 -3.85926356208821""",
    "tfidf(tf=freq, idf=base)": """0.283792013203328 0.170275207921997 0 0.408660499012793 0
        0.0729750891094272 0.0729750891094272 0 0.509050406596753 0 0.0510825623765991 0.458145365937078 0""",
    "tfidf(tf=raw, idf=unary)": "5 3 1 4 1 1 1 5 5 4 1 5 4",
    "tfidf(tf=binary)": """0.22314355131421 0.22314355131421 -0.182321556793955 0.22314355131421
        -0.182321556793955 0.22314355131421 0.22314355131421 -0.182321556793955 0.510825623765991
        -0.182321556793955 0.22314355131421 0.510825623765991 -0.182321556793955""",
    "bm25": """0.979891247075442 0.598340672992969 -0.165896191317022 1.21824317203974 -0.259358834312527
        0.247664820689398 0.247664820689398 -0.969183012431022 2.24319078262457 -0.646122008287348
        0.186260319692026 2.0637355200146 -0.594015394715788""",
    "bm25(tois)": """0.388844208230702 0.341506652446095 -0.173451859436411 0.403838200835999
        -0.215359691246551 0.235169251684437 0.235169251684437 -0.329451683734456 0.890151582008063
        -0.302010296430457 0.202439510470623 0.87456527026084 -0.29574741009895""",
    "bm25(k1=2, b=0.5)": """0.469775897503599 0.391861846210319 -0.175028694522196 0.476039576136981
        -0.208367493478805 0.23284544484961 0.23284544484961 -0.397792487550447 1.07542236582314
        -0.357201417392238 0.205978662751578 1.05688060089515 -0.350057389044393""",
    "bm25(similaripy)": """-0.586327857874589 -0.514948814307248 -2.28124090817575 -0.608936901237362
        -2.83241320813767 -0.35460547093014 -0.35460547093014 -4.3329524436603 0.586327857874589
        -3.97204299305895 -0.305253163120276 0.5760614167834 -3.88967343790335""",
}


def weight_of(text):
    return read_record(text, WEIGHTS, Weight, "weight")


@pytest.mark.parametrize("text", GOLDEN)
def test_the_numbers_of_the_libraries(text):
    expected = [float(number) for number in GOLDEN[text].split()]
    found = weight_of(text).apply(entries_of(DOCUMENTS))
    assert found == pytest.approx(expected, rel=1e-13, abs=1e-15)


def test_by_hand():
    entries = entries_of([[4, 0], [9, None], [16, None]])
    assert Binary().apply(entries).tolist() == [1.0] * 4
    # Three rows; three of them have the first column, one the second.
    ln = np.log
    assert TfIdf().apply(entries) == pytest.approx(
        [2 * ln(3 / 4), 0, 3 * ln(3 / 4), 4 * ln(3 / 4)], abs=1e-15
    )
    mean, idf = (4 + 9 + 16) / 3, ln(3 / 4)
    lengths = np.array([4, 9, 16])
    expected = lengths * 2.5 / (1.5 * (0.5 + 0.5 * lengths / mean) + lengths) * idf
    assert BM25(k1=1.5, b=0.5).apply(entries)[[0, 2, 3]] == pytest.approx(expected, rel=1e-15)
    assert BM25().apply(entries)[1] == 0.0


def test_an_object_of_all_but_one_weighs_nothing_at_all():
    entries = entries_of([[3, 1], [3, None], [None, 5], [None, 2]])
    assert TfIdf().apply(entries)[[1, 3, 4]].tolist() == [0.0, 0.0, 0.0]  # ln(4/(1 + 3)), to the last bit


def test_nothing_but_zeros():
    entries = entries_of([[0, 0], [0, None]])
    for weight in (TfIdf(), TfIdf("freq"), TfIdf("log"), BM25(), BM25(b=1), BM25(k1=0), MinMax(), ZScore()):
        assert weight.apply(entries).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", ["center", "zscore", "minmax"])
@pytest.mark.parametrize("rows", ["users", "items"])
def test_the_side_is_the_one_asked_for(name, rows):
    entries = entries_of(DOCUMENTS, rows)
    function = getattr(values, name)
    along, across = function(entries, "rows"), function(entries, "columns")
    assert along.tolist() != across.tolist()
    users, items = (along, across) if rows == "users" else (across, along)
    assert weight_of(name).apply(entries).tolist() == users.tolist()
    assert weight_of(f"{name}(by=user)").apply(entries).tolist() == users.tolist()
    assert weight_of(f"{name}(item)").apply(entries).tolist() == items.tolist()


NEEDING = [TfIdf(), TfIdf("log"), TfIdf("freq"), BM25(), BM25("similaripy")]


@pytest.mark.parametrize("weight", NEEDING, ids=str)
def test_negative_ratings_are_refused_where_they_mean_nothing(weight):
    with pytest.raises(DataError) as error:
        weight.apply(entries_of([[1, -1], [2, -3.5]]))
    assert str(weight) in str(error.value)
    assert "-1, -3.5" in str(error.value)
    assert "Next step:" in str(error.value)


def test_negative_ratings_are_taken_where_they_mean_something():
    entries = entries_of([[1, -1], [2, None], [0, None]])
    for weight in (Binary(), TfIdf("raw"), TfIdf("binary"), Center(), ZScore(), MinMax()):
        assert np.isfinite(weight.apply(entries)).all()
    assert TfIdf("raw", "unary").apply(entries).tolist() == [1, -1, 2, 0]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("bm25(variant=okapi)", "one of implicit, tois, similaripy"),
        ("bm25(k1=-1)", "at least 0"),
        ("bm25(b=1.5)", "0 to 1"),
        ("bm25(b=-0.5)", "at least 0"),
        ("tfidf(tf=cubic)", "one of sqrt, raw"),
        ("tfidf(idf=prob)", "one of smooth, base"),
        ("center(by=movie)", "one of user, item"),
        ("softmax", "Unknown weight"),
    ],
)
def test_wrong_parameters(text, complaint):
    with pytest.raises(ParameterError, match=complaint):
        weight_of(text)


@pytest.mark.parametrize(
    ("weight", "text"),
    [
        (Binary(), "binary"),
        (TfIdf(), "tfidf"),
        (TfIdf("raw", "base"), "tfidf(tf=raw, idf=base)"),
        (BM25(), "bm25"),
        (BM25("tois", k1=2), "bm25(variant=tois, k1=2)"),
        (ZScore("item"), "zscore(by=item)"),
    ],
)
def test_shorthands(weight, text):
    assert str(weight) == text
    assert weight_of(text) == weight


def test_the_shorthands_are_the_names():
    assert list(WEIGHTS) == ["binary", "tfidf", "bm25", "center", "zscore", "minmax"]
    assert all(str(kind()) == name for name, kind in WEIGHTS.items())


@given(
    st.lists(
        st.lists(st.one_of(st.none(), st.integers(0, 5)), min_size=3, max_size=3), min_size=2, max_size=6
    ),
    st.sampled_from(["implicit", "tois", "similaripy"]),
)
@settings(max_examples=80)
def test_bm25_levels_off(table, variant):
    """A rating counts at most k1 + 1 times its idf, and not at all if it is 0."""
    entries = entries_of(table)
    kind = "bm25" if variant == "similaripy" else "smooth"
    idf = TfIdf("binary", kind).apply(entries)
    found = BM25(variant).apply(entries)
    assert np.all(np.abs(found) <= np.abs(idf) * (101 if variant == "implicit" else 2.2) + 1e-15)
    assert np.all((found == 0.0) == ((entries.values == 0.0) | (idf == 0.0)))
