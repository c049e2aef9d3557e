"""One pair: the table, the sums, the value to the last bit, and each reason why there is none."""

import json
import math
import re
from itertools import permutations

import numpy as np
import pyarrow.parquet as pq
import pytest

from corated import measures
from corated.errors import DataError, IdTypeError, ParameterError, UnknownIdError
from corated.neighborhood.all_pairs import all_pairs
from corated.neighborhood.graph import neighbors
from corated.neighborhood.pair import pair
from corated.ratings.catalog import read_catalog
from corated.ratings.ratings import Ratings
from corated.similarity import reference
from corated.similarity.measures import MEASURES

USER_35 = [10, 7, 9, 6, 7, 9, 8, 6, 9]
USER_51 = [8, 6, 7, 6, 7, 8, 8, 6, 8]


def ratings_of(profiles, scale=(0, 10, 1)):
    """Ratings from user -> {item: rating}."""
    rows = [(user, item, rating) for user, profile in profiles.items() for item, rating in profile.items()]
    return Ratings.from_arrays(*zip(*rows, strict=True), **({"scale": scale} if scale else {}))


def crowd(n_users, n_items, scale, seed, levels=None, name=int):
    rng = np.random.default_rng(seed)
    low, high, step = scale
    palette = np.arange(round((high - low) / step) + 1)[:levels]
    return ratings_of(
        {
            name(user): {
                name(int(item)): round(low + step * int(rng.choice(palette)), 10)
                for item in rng.choice(n_items, rng.integers(1, n_items), replace=False)
            }
            for user in rng.permutation(n_users).tolist()
        },
        scale,
    )


@pytest.fixture(scope="module")
def golden():
    """The notebook's pair, each with an item of its own, and one pair flat on its overlap."""
    return ratings_of(
        {
            35: dict(zip(range(101, 110), USER_35, strict=True)) | {7: 1},
            51: dict(zip(range(101, 110), USER_51, strict=True)) | {8: 10, 9: 10},
            1: {201: 8, 202: 8, 203: 8, 204: 8, 7: 3},
            2: {201: 9, 202: 7, 203: 7, 204: 9, 101: 5},
            3: {201: 4, 202: 4},
        },
        (1, 10, 1),
    )


def test_the_notebooks_pair(golden):
    found = pair(golden, 35, 51)
    assert f"{found.value:.2f}" == "0.84"
    assert (found.a, found.b, found.of, found.measure) == (35, 51, "users", "pearson")
    assert (found.n_common, found.size_a, found.size_b, found.min_common) == (9, 10, 11, 1)
    assert (found.status, found.reason) == ("ok", "")
    assert found.common.to_arrow().to_pydict() == {
        "item_id": list(range(101, 110)),
        "rating_a": USER_35,
        "rating_b": USER_51,
    }
    assert found.unit == "codes"  # rating − 1
    assert found.sums == {"n": 9, "sx": 62, "sy": 55, "sxx": 444, "syy": 343, "sxy": 388}
    assert found.norms is None
    far = pair(golden, 35, 51, measure="euclidean")
    assert far.value == math.sqrt(11)
    assert far.sums == {"n": 9, "sdd": 11}


def test_with_itself(golden):
    assert pair(golden, 35, 35).value == 1.0
    assert pair(golden, 35, 35).common.column_names == ["item_id", "rating_a", "rating_b"]
    assert pair(golden, 35, 35, measure="euclidean").value == 0.0
    flat = pair(golden, 3, 3)
    assert (flat.value, flat.status) == (None, "flat")
    assert flat.reason == "No variance on the 2 items in common: all ratings of user 3 in common are 4."


def test_the_sums_swap_sides_with_the_pair(golden):
    one, other = pair(golden, 35, 51), pair(golden, 51, 35)
    assert one.value == other.value
    assert (one.sums["sx"], one.sums["syy"]) == (other.sums["sy"], other.sums["sxx"])
    assert one.common.to_arrow()["rating_a"] == other.common.to_arrow()["rating_b"]


@pytest.mark.parametrize(
    ("a", "b", "options", "status", "words"),
    [
        (1, 2, {}, "flat", "No variance on the 4 items in common: all ratings of user 1 in common are 8."),
        (2, 1, {}, "flat", "No variance on the 4 items in common: all ratings of user 1 in common are 8."),
        (1, 3, {}, "flat", "of user 1 in common are 8 and all ratings of user 3 in common are 4."),
        (1, 35, {}, "one_common", "The two users have one item in common, and one rating has no variance."),
        (3, 35, {}, "no_common", "The two users have no item in common."),
        (3, 35, {"min_common": 2}, "no_common", "The two users have no item in common."),
        (
            1,
            2,
            {"min_common": 5},
            "too_few",
            "The two users have 4 items in common, fewer than min_common=5.",
        ),
        (1, 35, {"min_common": 2, "measure": "euclidean"}, "too_few", "have 1 item in common, fewer than"),
    ],
)
def test_each_reason(golden, a, b, options, status, words):
    found = pair(golden, a, b, **options)
    assert found.value is None
    assert found.status == status
    assert words in found.reason
    assert found.reason in str(found)


def test_a_norm_of_zero_names_the_side():
    ratings = ratings_of({1: {1: 0, 2: 0}, 2: {1: 0, 2: 4}, 3: {1: 3, 2: 4}})
    assert pair(ratings, 2, 3, measure="cosine").status == "ok"
    assert pair(ratings, 1, 3, measure="cosine").norms == (0, 25)
    assert pair(ratings, 1, 3, measure="cosine").reason == "A norm is 0: all ratings of user 1 are 0."
    assert pair(ratings, 1, 1, measure="cosine").reason == "A norm is 0: all ratings of user 1 are 0."
    common = pair(ratings, 3, 1, measure="cosine_common")
    assert (common.status, common.reason) == (
        "zero_norm",
        "A norm is 0: all ratings in common of user 1 are 0.",
    )


def few_agree(n, sdd, norm_x, norm_y):
    return np.where(n > 1, 1.3 * n / (n + sdd) + (norm_x + norm_y) / 7, np.nan)


def asked_from(sx, n, count_x, sum_y, total):
    return sx / (n + count_x * 0.3) + sum_y / total


SETTINGS = [
    *MEASURES,
    "pearson(shrink=100)",
    "pearson(adjust=lower_bound)",
    "pearson(adjust=shrink_add(3))",
    "cosine(adjust=significance(5))",
    "spearman(adjust=shrink_mul1(7))",
    "pearson(weight=zscore)",
    "euclidean(weight=center(by=item))",
    "msd(weight=binary)",
    "cosine(weight=minmax)",
    "tversky(alpha=.3, beta=.8)",
    "asymmetric_cosine(alpha=.2)",
    measures.Custom(few_agree),
    measures.Custom(asked_from, symmetric=False),
    measures.Custom(asked_from, symmetric=False, better="smaller", weight="zscore"),
]
NEAR = 1e-9
"""What sums in float64 may differ by from the oracle's, of crowds as small as these."""


def off_the_scale(n_users, n_items, seed):
    rng = np.random.default_rng(seed)
    palette = [0.1, 2.7, 3.14159, 1500.25, 0.007]
    return ratings_of(
        {
            user: {
                int(item): float(rng.choice(palette))
                for item in rng.choice(n_items, rng.integers(1, n_items), replace=False)
            }
            for user in range(n_users)
        },
        None,
    )


CROWDS = {
    "half stars": crowd(14, 10, (0.5, 5, 0.5), 1),
    "zeros and text": crowd(14, 10, (0, 10, 1), 2, levels=2, name=str),
    "below zero": crowd(10, 9, (-3, 3, 1), 3),
    "thirds": crowd(10, 9, (0.7, 9.1, 2.1), 4),
    "off the scale": off_the_scale(12, 10, 5),
}


@pytest.mark.parametrize("of", ["users", "items"])
@pytest.mark.parametrize("measure", SETTINGS, ids=str)
@pytest.mark.parametrize("name", CROWDS)
def test_the_bits_of_the_kernels_and_the_value_of_the_oracle(name, measure, of):
    ratings = CROWDS[name]
    ids = list(ratings.users if of == "users" else ratings.items)
    options = {"of": of, "measure": measure, "min_common": 2}
    try:
        graph = neighbors(ratings, k=len(ids), **options)
    except DataError as error:
        with pytest.raises(DataError, match=re.escape(str(error).splitlines()[0])):
            pair(ratings, ids[0], ids[1], **options)
        return
    kept = {(row["id"], row["neighbor"]): (row["value"].hex(), row["n_common"]) for row in graph}
    seen = {}
    for a in ids:
        for b in ids:
            found = pair(ratings, a, b, **options)
            assert (found.value is None) == (found.status != "ok") == bool(found.reason)
            if found.value is not None and a != b:
                seen[a, b] = (found.value.hex(), found.n_common)
    assert seen == kept
    assert kept
    if not isinstance(measure, measures.Custom):
        for a, b in ((ids[0], ids[0]), (ids[2], ids[3]), (ids[3], ids[2])):
            wanted = reference.value(ratings, a, b, **options).value
            value = pair(ratings, a, b, **options).value
            assert value == (wanted if wanted is None else pytest.approx(wanted, rel=NEAR, abs=NEAR))


@pytest.mark.parametrize("name", ["half stars", "off the scale"])
@pytest.mark.parametrize("measure", ["pearson", "euclidean", "log_likelihood", "pearson_baseline"])
def test_the_bits_of_all_pairs(name, measure, tmp_path):
    all_pairs(CROWDS[name], to=tmp_path / "pairs.parquet", measure=measure)
    rows = pq.read_table(tmp_path / "pairs.parquet").to_pylist()
    assert len(rows) > 40
    for row in rows:
        found = pair(CROWDS[name], row["id"], row["neighbor"], measure=measure)
        assert (found.value, found.n_common) == (row["value"], row["n_common"])


@pytest.mark.parametrize("measure", SETTINGS, ids=str)
def test_the_numbers_shown_are_those_summed_up(measure):
    for ratings in (CROWDS["half stars"], CROWDS["off the scale"]):
        ids = list(ratings.users)
        if measure == "constrained_pearson" and ratings.scale is None:
            continue
        a, b = max(permutations(ids, 2), key=lambda two: pair(ratings, *two, measure="jaccard").n_common)
        found = pair(ratings, a, b, measure=measure)
        rows = found.common.to_pylist()
        assert len(rows) > 2
        x, y = zip(*(numbers_of(found, row) for row in rows), strict=True)
        expected = {
            "n": len(x),
            "sx": sum(x),
            "sy": sum(y),
            "sxx": dot(x, x),
            "syy": dot(y, y),
            "sxy": dot(x, y),
            "sdd": sum((a - b) ** 2 for a, b in zip(x, y, strict=True)),
            "sad": sum(abs(a - b) for a, b in zip(x, y, strict=True)),
        }
        for name, total in found.sums.items():
            assert total == pytest.approx(expected[name], rel=1e-9, abs=1e-9)
        is_exact = (
            ratings.scale is not None and "x" not in rows[0] and not isinstance(measure, measures.Custom)
        )
        assert all(isinstance(total, int) for total in found.sums.values()) or not is_exact


def numbers_of(found, row):
    """x and y of one line of the table, as ``unit`` and ``meaning`` say."""
    if found.unit == "values":
        return row["x"], row["y"]
    if found.unit == "nothing":
        assert found.meaning == ""
        return 0.0, 0.0
    formula = found.meaning.replace("−", "-")
    return tuple(eval(formula, {"rating": row[name]}) for name in ("rating_a", "rating_b"))


def dot(x, y):
    return sum(a * b for a, b in zip(x, y, strict=True))


@pytest.mark.parametrize(
    ("measure", "a", "b", "status", "words"),
    [
        (
            "spearman",
            1,
            2,
            "flat",
            "No variance on the 2 items in common: all ratings of user 1 in common are 4.",
        ),
        ("spearman", 3, 4, "one_common", "one item in common, and one rating has no variance."),
        (
            "pearson(adjust=lower_bound)",
            2,
            5,
            "too_few_for_measure",
            "and the interval of lower_bound needs 4.",
        ),
        (
            "pearson_baseline",
            3,
            4,
            "too_few_for_measure",
            "have 1 item in common, and pearson_baseline needs 2.",
        ),
        (
            "centered_cosine",
            1,
            2,
            "flat_profile",
            "A flat profile: all ratings of user 1 are 4, so nothing is left",
        ),
        (
            "constrained_pearson",
            2,
            6,
            "zero_norm",
            "A norm is 0: all ratings in common of user 6 are 3, the middle of the scale.",
        ),
        (
            "adjusted_cosine",
            7,
            8,
            "zero_norm",
            "all ratings in common of user 7 count as 0 and all ratings in common of user 8 count as 0.",
        ),
        ("asymmetric_cosine(alpha=0.3)", 0, 2, "zero_norm", "A norm is 0: all ratings of user 0 are 0."),
        ("cosine(weight=center)", 1, 2, "zero_norm", "A norm is 0: all ratings of user 1 count as 0."),
        ("pearson(weight=minmax)", 1, 2, "flat", "all ratings of user 1 in common count as 0."),
        ("p3alpha", 0, 2, "zero_norm", "No walk leads anywhere: all ratings of user 0 count as 0."),
        ("p3alpha", 2, 0, "ok", ""),
        (measures.Custom(few_agree), 3, 4, "undefined", "The function few_agree returned NaN"),
        (measures.Custom(few_agree), 3, 9, "no_common", "The two users have no item in common."),
    ],
    ids=str,
)
def test_each_reason_of_each_measure(measure, a, b, status, words):
    ratings = ratings_of(
        {
            0: {1: 0, 2: 0},
            1: {1: 4, 2: 4},
            2: {1: 1, 2: 5, 3: 2},
            3: {4: 5, 5: 1},
            4: {4: 4, 6: 2},
            5: {1: 2, 2: 3, 3: 6},
            6: {1: 3, 2: 3, 9: 5},
            7: {20: 5, 21: 6},
            8: {20: 5, 22: 1},
            9: {30: 1},
        },
        (0, 6, 1),
    )
    found = pair(ratings, a, b, measure=measure)
    assert (found.status, found.value is None) == (status, status != "ok")
    assert words in found.reason
    assert found.measure == str(measure)


def test_numbers_beyond_float64():
    ratings = ratings_of({1: {1: 1e200, 2: 3e200}, 2: {1: 2e200, 2: 1e200}}, None)
    with np.errstate(over="ignore"):
        found = pair(ratings, 1, 2, measure="cosine_common")
    assert (found.value, found.status) == (None, "undefined")
    assert "too large or too small for float64" in found.reason


def test_a_measure_of_ones_own_shows_what_it_read():
    seen = {}

    def spy(n, sx, sdd, norm_y):
        seen.update(n=n[0], sx=sx[0], sdd=sdd[0], norm_y=norm_y[0])
        return n + sx

    ratings = ratings_of({1: {1: 1.5, 2: 2, 3: 1}, 2: {1: 4, 2: 0.5}}, (0.5, 5, 0.5))
    for a, b in ((1, 2), (2, 1)):
        found = pair(ratings, a, b, measure=measures.Custom(spy, symmetric=False))
        assert found.sums == {name: seen[name] for name in found.sums}
        assert found.norms[1] == seen["norm_y"]
        assert found.sums["sx"] == sum(row["rating_a"] for row in found.common)
        assert found.meaning == "rating"
        found = pair(ratings, a, b, measure=measures.Custom(spy, title="spying"))
        assert found.sums["sx"] == sum(row["rating_a"] for row in found.common)
        assert str(found).endswith(f"spying = {found.value:g}")


def test_another_measure_after_the_first():
    """What is kept from one call to the next is kept for the same measure and side only."""
    ratings = CROWDS["half stars"]
    for measure in ("pearson", "pearson(shrink=3)", "pearson", "cosine"):
        for of, (a, b) in (("users", (3, 4)), ("items", (1, 2))):
            (row,) = (
                row
                for row in neighbors(ratings, of=of, measure=measure, k=20, subjects=[a])
                if row["neighbor"] == b
            )
            assert pair(ratings, a, b, of=of, measure=measure).value == row["value"]


def test_of_items_reads_the_columns_the_other_way(golden):
    found = pair(golden, 101, 201, of="items")
    assert found.common.to_arrow().to_pydict() == {"user_id": [2], "rating_a": [5.0], "rating_b": [9.0]}
    assert (found.size_a, found.size_b) == (3, 3)
    assert found.reason == "The two items have one user in common, and one rating has no variance."
    assert str(found).startswith("Items 101 and 201: 1 user in common, of 3 and 3")


def test_ids_are_the_callers_own(golden):
    with pytest.raises(IdTypeError, match="integer"):
        pair(golden, "35", 51)
    with pytest.raises(UnknownIdError, match="user 99"):
        pair(golden, 35, 99)
    with pytest.raises(UnknownIdError, match="item 99"):
        pair(golden, 101, 99, of="items")
    with pytest.raises(ParameterError, match="nearness"):
        pair(golden, 35, 51, measure="nearness")
    with pytest.raises(ParameterError, match="min_common"):
        pair(golden, 35, 51, min_common=0)
    with pytest.raises(ParameterError, match="of="):
        pair(golden, 35, 51, of="people")


def test_ratings_on_no_scale():
    ratings = Ratings.from_arrays([1, 1, 2, 2], [1, 2, 1, 3], [0.123456, 17.0, 3.5, 4000.25])
    found = pair(ratings, 1, 2, measure="jaccard")
    assert found.value == 1 / 3
    assert found.common.to_pylist() == [{"item_id": 1, "rating_a": 0.123456, "rating_b": 3.5}]
    assert (found.scale, found.unit) == (None, "nothing")
    found = pair(ratings, 1, 2, measure="euclidean")
    assert found.value == pytest.approx(3.5 - 0.123456)
    assert (found.unit, found.meaning) == ("ratings", "rating")
    with pytest.raises(DataError, match="constrained_pearson"):
        pair(ratings, 1, 2, measure="constrained_pearson")


def test_titles():
    ratings = ratings_of({1: {10: 3, 11: 4, 12: 5}, 2: {10: 3, 12: 1}})
    catalog = read_catalog({"item_id": [11, 12], "title": ["Eleven", "Twelve <b>"]})
    found = pair(ratings, 1, 2, catalog=catalog)
    assert found.common.to_arrow().to_pydict() == {
        "item_id": [10, 12],
        "title": [None, "Twelve <b>"],
        "rating_a": [3, 5],
        "rating_b": [3, 1],
    }
    assert (found.title_a, found.title_b) == (None, None)
    items = pair(ratings, 11, 12, of="items", catalog=catalog)
    assert (items.title_a, items.title_b) == ("Eleven", "Twelve <b>")
    assert items.common.column_names == ["user_id", "rating_a", "rating_b"]
    assert "Items 11 (Eleven) and 12 (Twelve <b>)" in str(items)
    assert "Twelve &lt;b&gt;" in items._repr_html_()
    assert "<b>" not in items._repr_html_()
    assert "<b>" not in found._repr_html_()


def test_as_json(golden):
    for a, b, measure in ((35, 51, "pearson"), (1, 2, "pearson"), (35, 51, "cosine"), (3, 35, "jaccard")):
        found = pair(golden, a, b, measure=measure)
        read = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert (read["a"], read["b"], read["value"], read["status"]) == (a, b, found.value, found.status)
        assert read["common"] == found.common.to_pylist()
        assert read["sums"] == found.sums
        assert read["n_common"] == found.n_common


def test_on_a_terminal(golden):
    lines = str(pair(golden, 35, 51)).splitlines()
    assert lines[0] == "Users 35 and 51: 9 items in common, of 10 and 11"
    assert lines[2].split() == ["item_id", "rating_a", "rating_b"]
    assert lines[3].split() == ["101", "10", "8"]
    assert "Σx = 62" in lines[-2]
    assert lines[-2].endswith("where x = rating − 1, y likewise")
    assert lines[-1] == "pearson = 0.844688"
    assert repr(pair(golden, 35, 51)) == str(pair(golden, 35, 51))


@pytest.mark.parametrize(
    ("scale", "measure", "words"),
    [
        ((0, 10, 1), "pearson", "x = rating, "),
        ((-2, 2, 1), "pearson", "x = rating + 2, "),
        ((0.5, 5, 0.5), "pearson", "x = (rating − 0.5) / 0.5, "),
        ((0.5, 5, 0.5), "cosine", "x = rating / 0.5, "),
        ((0.5, 5, 0.5), "constrained_pearson", "x = (rating − 2.75) / 0.25, "),
    ],
)
def test_what_the_sums_are_over(scale, measure, words):
    ratings = ratings_of({1: {1: 1, 2: 2}, 2: {1: 1, 2: 2}}, scale)
    found = pair(ratings, 1, 2, measure=measure)
    assert words in str(found)
    low, step = (scale[0], scale[2]) if found.unit == "codes" else (0, scale[2])
    if found.unit == "midpoint":
        low, step = (scale[0] + scale[1]) / 2, scale[2] / 2
    x = [(row["rating_a"] - low) / step for row in found.common]
    assert found.sums["sxy"] == sum(value * value for value in x)  # both rated alike
