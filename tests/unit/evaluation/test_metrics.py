"""Metrics of accuracy: against trec_eval, against plain definitions, by hand, and the traps of the field."""

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG

import corated as cr
from corated import evaluation as ev
from corated.errors import DataError, ParameterError
from corated.models.prediction import OK, Predicted, Predictions

from . import oracle

LISTS = [
    name
    for name, metric in ev.METRICS.items()
    if metric.cut and metric.needs == () and metric.better == "larger"
]
LISTS = [name for name in LISTS if not name.endswith("coverage")]


def of_lists(lists, relevant, n, n_items=1000, candidates=None):
    rankings = ev.Rankings.of_lists(lists, n, candidates)
    return ev.Case(rankings, ev.Relevance.of_rows(relevant, n_items), None, None)


def values(name, lists, relevant, n):
    return ev.get_metric(f"{name}@{n}").of(of_lists(lists, relevant, n)).per_user


def one(name, row, relevant, n):
    (value,) = values(name, [row], [relevant], n)
    return value


# -- against trec_eval ------------------------------------------------------------------------


def random_lists(users=400, n_items=60, seed=0):
    """Lists of 0 to 25 items, and 1 to 30 relevant items rated 1 to 5, some of them never listed."""
    rng = np.random.default_rng(seed)
    lists = [rng.permutation(n_items)[: rng.integers(0, 26)].tolist() for _ in range(users)]
    relevant = [
        {int(i): float(rng.integers(1, 6)) for i in rng.permutation(n_items + 10)[: rng.integers(1, 31)]}
        for _ in range(users)
    ]
    return lists, relevant


def trec(measure, lists, relevant):
    qrels = [
        ir_measures.Qrel(str(u), str(i), int(rating))
        for u, row in enumerate(relevant)
        for i, rating in row.items()
    ]
    run = [
        ir_measures.ScoredDoc(str(u), str(i), float(len(row) - place))
        for u, row in enumerate(lists)
        for place, i in enumerate(row)
    ]
    found = {m.query_id: m.value for m in ir_measures.pytrec_eval.iter_calc([measure], qrels, run)}
    return np.array([found.get(str(u), 0.0) for u in range(len(lists))])


@pytest.mark.parametrize("n", [1, 3, 10, 20])
def test_as_in_trec_eval(n):
    lists, relevant = random_lists()
    binary = [dict.fromkeys(row, 1.0) for row in relevant]
    cut = [row[:n] for row in lists]
    power = {rating: 2**rating - 1 for rating in range(6)}
    for name, measure, ours, theirs in [
        ("precision", P @ n, lists, relevant),
        ("recall", R @ n, lists, relevant),
        ("hit_rate", Success @ n, lists, relevant),
        ("mrr", RR, cut, relevant),
        ("map", AP @ n, lists, relevant),
        ("ndcg", nDCG @ n, lists, binary),
        ("ndcg_all", nDCG, cut, binary),
        ("ndcg_rating", nDCG @ n, lists, relevant),
        ("ndcg_all_rating", nDCG, cut, relevant),
        ("ndcg_exp", nDCG(gains=power) @ n, lists, relevant),
        ("ndcg_all_exp", nDCG(gains=power), cut, relevant),
    ]:
        expected = trec(measure, ours, theirs)
        assert 0 < expected.mean() < 1
        np.testing.assert_allclose(
            values(name, lists, relevant, n), expected, rtol=0, atol=1e-9, err_msg=name
        )


# -- against the definitions ------------------------------------------------------------------


@st.composite
def cases(draw, least=0):
    """Lists, relevant items with ratings, and n."""
    users = draw(st.integers(1, 5))
    items = st.permutations(range(9))
    lists = [draw(items)[: draw(st.integers(0, 9))] for _ in range(users)]
    relevant = [
        {i: float(draw(st.integers(0, 5))) for i in draw(st.sets(st.integers(0, 11), min_size=least))}
        for _ in range(users)
    ]
    return lists, relevant, draw(st.integers(1, 12))


@given(cases())
def test_as_defined(case):
    lists, relevant, n = case
    for name in LISTS:
        found = values(name, lists, relevant, n)
        for row, wanted, value in zip(lists, relevant, found, strict=True):
            expected = oracle.of_user(name, row, wanted, n) if wanted else None
            assert np.isnan(value) if expected is None else value == pytest.approx(expected, abs=1e-12), name


@given(cases(), st.data())
def test_auc_as_defined(case, data):
    lists, relevant, _ = case
    # Item codes from 9 on are new in the test: no list can have them.
    seen = [
        data.draw(st.sets(st.integers(0, 8))) - set(row) - set(wanted)
        for row, wanted in zip(lists, relevant, strict=True)
    ]
    candidates = [[item for item in range(9) if item not in mine] for mine in seen]
    counts = np.array([len(mine) for mine in candidates])
    found = ev.auc(of_lists(lists, relevant, 9, 9, counts).match)
    for row, wanted, can, value in zip(lists, relevant, candidates, found, strict=True):
        expected = oracle.auc(row, wanted, can, 9)
        assert np.isnan(value) if expected is None else value == pytest.approx(expected, abs=1e-12)


@given(cases(least=1))
def test_between_0_and_1(case):
    for name in LISTS:
        found = values(name, *case)
        found = found[~np.isnan(found)]
        assert ((found >= 0.0) & (found <= 1.0 + 1e-12)).all(), name


PERFECT = ["recall_capped", "hit_rate", "mrr", "map_capped", "ndcg", "ndcg_rating", "ndcg_exp"]


@given(cases(least=1))
def test_the_perfect_list_has_1(case):
    _, relevant, n = case
    relevant = [{item: rating + 1.0 for item, rating in row.items()} for row in relevant]
    best = [sorted(row, key=lambda item: -row[item]) for row in relevant]
    for name in PERFECT:
        assert values(name, best, relevant, n) == pytest.approx(np.ones(len(best)), abs=1e-12), name


@given(cases(), st.data())
def test_what_comes_below_the_cut_changes_nothing(case, data):
    lists, relevant, n = case
    for changed in (
        [row[:n] + data.draw(st.permutations(row[n:])) for row in lists],
        [row[:n] for row in lists],
    ):
        found = ev.Case(ev.Rankings.of_lists(changed, 12), ev.Relevance.of_rows(relevant, 1000), None, None)
        before = ev.Case(ev.Rankings.of_lists(lists, 12), ev.Relevance.of_rows(relevant, 1000), None, None)
        for asked in ev.get_metrics(f"{name}@{n}" for name in LISTS):
            np.testing.assert_array_equal(asked.of(found).per_user, asked.of(before).per_user, str(asked))


@given(cases(), st.data())
def test_other_users_change_nothing(case, data):
    lists, relevant, n = case
    order = data.draw(st.permutations(range(len(lists))))
    for name in LISTS:
        alone = [one(name, row, wanted, n) for row, wanted in zip(lists, relevant, strict=True)]
        both = values(name, [lists[at] for at in order], [relevant[at] for at in order], n)
        np.testing.assert_array_equal(both, np.array(alone)[order], name)
        # Users without a test item leave the mean as it is.
        with_idle = ev.averaged(values(name, [*lists, [1, 2]], [*relevant, {}], n))
        without = ev.averaged(values(name, lists, relevant, n))
        assert with_idle.mean == without.mean
        assert with_idle.skipped == without.skipped + 1


@given(cases(least=1), st.data())
def test_a_hit_moved_up_never_makes_it_worse(case, data):
    lists, relevant, n = case
    row, wanted = lists[0], relevant[0]
    places = [at for at, item in enumerate(row) if at and item in wanted and row[at - 1] not in wanted]
    if places:
        at = data.draw(st.sampled_from(places))
        moved = [*row[: at - 1], row[at], row[at - 1], *row[at + 1 :]]
        for name in LISTS:
            before = one(name, row, wanted, n)
            assert np.isnan(before) or one(name, moved, wanted, n) >= before - 1e-15, name


# -- by hand ----------------------------------------------------------------------------------

ROW, WANTED = [10, 11, 12, 13, 14], {11: 3.0, 14: 5.0, 20: 4.0}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("precision", 2 / 5),
        ("recall", 2 / 3),
        ("recall_capped", 2 / 3),
        ("hit_rate", 1.0),
        ("mrr", 1 / 2),
        ("map", (1 / 2 + 2 / 5) / 3),
        ("map_capped", (1 / 2 + 2 / 5) / 3),
        # DCG 1/log2(3) + 1/log2(6); ideal 1 + 1/log2(3) + 1/2.
        ("ndcg", (0.6309297536 + 0.3868528072) / 2.1309297536),
        ("ndcg_rating", (3 * 0.6309297536 + 5 * 0.3868528072) / (5 + 4 * 0.6309297536 + 3 * 0.5)),
        ("ndcg_exp", (7 * 0.6309297536 + 31 * 0.3868528072) / (31 + 15 * 0.6309297536 + 7 * 0.5)),
    ],
)
def test_by_hand(name, expected):
    assert one(name, ROW, WANTED, 5) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("precision", 1 / 2),
        ("recall", 1 / 3),
        ("recall_capped", 1 / 2),
        ("map", 1 / 6),
        ("map_capped", 1 / 4),
        ("ndcg", 0.6309297536 / 1.6309297536),
        ("ndcg_all", 0.6309297536 / 2.1309297536),
    ],
)
def test_by_hand_with_more_relevant_items_than_places(name, expected):
    assert one(name, ROW, WANTED, 2) == pytest.approx(expected, abs=1e-9)


def test_short_lists_are_divided_by_n():
    assert one("precision", [1], {1: 1.0}, 10) == 0.1
    assert one("precision", [], {1: 1.0}, 10) == 0.0


def test_auc_by_hand():
    # Candidates 0..5; right 1 and 4. The list 3 1 0: 4 is among the unlisted 2 4 5.
    found = ev.auc(of_lists([[3, 1, 0]], [{1: 1, 4: 1}], 3, 6, np.array([6])).match)
    assert found.tolist() == [(3 + (0 + 0 + 0.5 + 0.5)) / 8]
    full = ev.auc(of_lists([[3, 1, 0, 4, 2, 5]], [{1: 1, 4: 1}], 6, 6, np.array([6])).match)
    assert full.tolist() == [(3 + 2) / 8]


# -- the traps of the field -------------------------------------------------------------------


def test_trap_1_the_ideal_is_cut_at_n_or_over_all_that_is_relevant():
    """One and the same list has another NDCG: the names differ, and the longer ideal is never easier."""
    row, wanted = [0, 50, 1], dict.fromkeys(range(20), 1.0)
    cut, over_all = one("ndcg", row, wanted, 3), one("ndcg_all", row, wanted, 3)
    assert cut == pytest.approx(1.5 / 2.1309297536)
    assert over_all == pytest.approx(1.5 / sum(1 / np.log2(place + 2) for place in range(20)))
    assert over_all < 0.5 * cut


@given(cases(least=1))
def test_trap_1_the_ideals_agree_where_all_fits_in_the_list(case):
    lists, relevant, _ = case
    np.testing.assert_array_equal(
        values("ndcg", lists, relevant, 12), values("ndcg_all", lists, relevant, 12)
    )
    for n in (1, 3):
        assert (values("ndcg_all", lists, relevant, n) <= values("ndcg", lists, relevant, n) + 1e-15).all()


@pytest.mark.parametrize(("full", "capped"), [("recall", "recall_capped"), ("map", "map_capped")])
def test_trap_2_denominators_of_recall_and_map(full, capped):
    wanted = dict.fromkeys(range(8), 1.0)
    perfect = list(range(8))
    assert one(capped, perfect, wanted, 4) == 1.0
    assert one(full, perfect, wanted, 4) == 0.5
    assert one(full, perfect, wanted, 8) == one(capped, perfect, wanted, 8) == 1.0


@pytest.mark.parametrize("name", LISTS)
def test_trap_3_users_without_test_items_are_skipped_and_counted(name):
    found = values(name, [[1], [1], [1]], [{1: 1.0}, {}, {2: 1.0}], 1)
    assert np.isnan(found).tolist() == [False, True, False]
    mean = ev.averaged(found)
    assert (mean.mean, mean.users, mean.skipped) == (0.5, 2, 1)
    nobody = ev.averaged(values(name, [[1]], [{}], 1))
    assert (nobody.mean, nobody.users, nobody.skipped) == (None, 0, 1)
    asked = ev.get_metric(f"{name}@1").of(of_lists([[1], [1]], [{1: 1.0}, {}], 1))
    assert (asked.mean, asked.users, asked.skipped) == (1.0, 1, 1)


def predictions(value, status=None):
    ids = cr.Ratings.from_arrays(range(len(value)), range(len(value)), [1] * len(value)).users.ids
    status = np.full(len(value), OK) if status is None else np.array(status)
    return Predictions(
        ids, ids, Predicted(np.array(value, dtype=float), np.zeros(len(value), dtype=np.int64), status)
    )


def test_trap_4_errors_are_over_all_pairs_and_not_user_by_user():
    """One user with three pairs and an error of 0, one with one pair and an error of 4."""
    found = ev.rating_errors(predictions([3, 4, 5, 1]), [3, 4, 5, 5])
    assert found.mae == 1.0  # by user it would be (0 + 4) / 2
    more = ev.rating_errors(predictions([3, 4, 5, 3, 1]), [3, 4, 5, 3, 5])
    assert more.rmse == pytest.approx(np.sqrt(16 / 5))  # by user it would still be 2


def test_trap_4_values_are_neither_clipped_nor_filled_and_fallbacks_are_counted():
    found = ev.rating_errors(predictions([7.0, 3.0, np.nan, 2.0], [0, 1, 4, 3]), [5, 3, 1, 1])
    assert found.rmse == pytest.approx(np.sqrt((4 + 0 + 1) / 3))
    assert found.mae == pytest.approx(1.0)
    assert (found.pairs, found.without) == (3, 1)
    assert found.by_status == {"ok": 1, "fallback": 1, "unknown_user": 0, "unknown_item": 1, "too_few": 1}


def test_errors_of_no_pair_are_undefined():
    found = ev.rating_errors(predictions([np.nan], [4]), [3])
    assert (found.rmse, found.mae, found.pairs, found.without) == (None, None, 0, 1)
    assert np.isnan(ev.rmse(np.zeros(0), np.zeros(0)))
    assert np.isnan(ev.mae(np.zeros(0), np.zeros(0)))


def test_errors_of_a_model():
    ratings = cr.Ratings.from_arrays([1, 1, 2, 2], [1, 2, 1, 3], [5, 3, 4, 1])
    predicted = cr.Bias().fit(ratings).predict([1, 9], [3, 1])
    found = ev.rating_errors(predicted, [2, 4])
    value = predicted.to_arrow()["value"].to_numpy()
    assert found.rmse == pytest.approx(np.sqrt(((value - [2, 4]) ** 2).mean()))
    assert found.by_status["unknown_user"] == 1


# -- refusals and edges -----------------------------------------------------------------------


def test_a_rating_of_0_is_relevant_and_has_no_gain():
    assert one("recall", [1], {1: 0.0}, 1) == 1.0
    assert one("ndcg", [1], {1: 0.0}, 1) == 1.0
    assert np.isnan(one("ndcg_rating", [1], {1: 0.0}, 1))  # the ideal is 0
    assert one("ndcg_rating", [1], {1: 0.0, 2: 1.0}, 2) == 0.0


@pytest.mark.parametrize(
    ("name", "rating"), [("ndcg_rating", -1.0), ("ndcg_exp", -0.5), ("ndcg_exp", 2000.0)]
)
def test_gains_that_are_none(name, rating):
    with pytest.raises(DataError, match=f"A rating of {rating:g} has no gain"):
        one(name, [1], {1: rating}, 1)
    assert one("ndcg", [1], {1: rating}, 1) == 1.0


def test_unknown_gain():
    with pytest.raises(ParameterError, match="gain='log' cannot be used"):
        ev.ndcg(of_lists([[1]], [{1: 1}], 1).match, 1, gain="log")


def test_more_places_than_were_asked_for_are_refused():
    found = of_lists([[1, 2]], [{1: 1}], 2)
    for name in LISTS:
        with pytest.raises(
            ParameterError, match="The first 3 places were asked for, and the lists were made with 2"
        ):
            ev.get_metric(f"{name}@3").of(found)


def test_an_item_twice_in_a_list_is_refused():
    with pytest.raises(ParameterError, match="A list has item 1"):
        ev.Rankings.of_lists([[1, 2], [1, 2, 1]], 3)
    ours = ev.Rankings(np.array([[1, 2, 1]], dtype=np.int32), 3)
    with pytest.raises(ParameterError, match="A list has item 1"):
        ev.match(ours, ev.Relevance.of_rows([{1: 1.0}], 9))


def test_different_numbers_of_rows_are_refused():
    with pytest.raises(ParameterError, match="2 lists and 1 rows of relevant items"):
        ev.match(ev.Rankings.of_lists([[1], [2]], 1), ev.Relevance.of_rows([{1}], 9))


def test_different_numbers_of_predictions_are_refused():
    with pytest.raises(ParameterError, match="2 predictions and ratings of shape"):
        ev.rating_errors(predictions([1, 2]), [1])


def test_auc_without_candidates_or_with_others_is_refused():
    with pytest.raises(ParameterError, match="AUC needs the number of candidates"):
        ev.auc(of_lists([[1]], [{1: 1}], 1).match)
    with pytest.raises(ParameterError, match="Lists have items that are no candidates"):
        ev.auc(of_lists([[1, 2, 3]], [{1: 1}], 3, 9, np.array([2])).match)
    with pytest.raises(ParameterError, match="Lists have items that are no candidates"):
        ev.auc(of_lists([[1, 9]], [{1: 1}], 3, 9, np.array([9])).match)
    with pytest.raises(ParameterError, match=r"auc needs the number of items"):
        ev.get_metric("auc").of(of_lists([[1]], [{1: 1}], 1))


def test_many_relevant_items_are_compared_in_blocks(monkeypatch):
    lists, relevant = random_lists(users=60, seed=3)
    whole = ev.match(ev.Rankings.of_lists(lists, 25), ev.Relevance.of_rows(relevant, 60))
    monkeypatch.setattr("corated.evaluation.ranked._COMPARED", 64)
    parts = ev.match(ev.Rankings.of_lists(lists, 25), ev.Relevance.of_rows(relevant, 60))
    np.testing.assert_array_equal(whole.place, parts.place)


def test_no_users_and_no_places():
    assert len(values("ndcg", [], [], 5)) == 0
    assert values("map", [[], []], [{1: 1.0}, {}], 5).tolist()[0] == 0.0


# -- the table --------------------------------------------------------------------------------


def test_shorthands():
    assert [str(one) for one in ev.get_metrics(["ndcg@10", "auc", "ndcg@10", "map_capped@3"])] == [
        "ndcg@10", "auc", "map_capped@3",
    ]  # fmt: skip
    assert [str(one) for one in ev.get_metrics("recall@20")] == ["recall@20"]
    assert ev.get_metric(ev.get_metric("mrr@5")).n == 5
    for name, metric in ev.METRICS.items():
        assert str(ev.get_metric(f"{name}@7" if metric.cut else name)).startswith(name)
        assert metric.better in ("larger", "smaller", "neither")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("ndgc@10", "did you mean ndcg"),
        ("precision", "try precision@10"),
        ("rmse@10", "leave @10 out"),
        ("ndcg@0", "try ndcg@10"),
        ("ndcg@1e9", "try ndcg@10"),
        ("NDCG@10", "try ndcg@10|did you mean"),
        ("", "try ndcg@10"),
        (10, "try ndcg@10"),
    ],
)
def test_shorthands_that_are_none(given, words):
    with pytest.raises(ParameterError, match=words):
        ev.get_metric(given)
