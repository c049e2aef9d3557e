"""The diagnosis: every count against a count by hand, and the words that go with it."""

import json
import threading
from collections import Counter
from itertools import combinations

import numba
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corated import measures
from corated.errors import Cancelled, DataError, ParameterError
from corated.neighborhood import cost as cost_module
from corated.neighborhood.all_pairs import all_pairs
from corated.neighborhood.diagnose import diagnose
from corated.neighborhood.graph import neighbors
from corated.neighborhood.pair import pair
from corated.ratings.ratings import Ratings
from corated.ratings.read import read_ratings
from corated.similarity import reference
from corated.similarity.measures import MEASURES

EXAMPLES = 15 if numba.config.DISABLE_JIT else 80
PEOPLE = {
    "flat": {"a": 4, "b": 4, "c": 4, "d": 4},
    "one": {"a": 2},
    "alone": {"y": 3, "z": 1},
    "ann": {"a": 1, "b": 3, "c": 5},
    "bob": {"a": 5, "b": 1, "d": 2},
    "cat": {"a": 2, "b": 4, "c": 3, "d": 3},
    "dan": {"c": 2, "d": 2, "e": 5},
    "zero": {"a": 0, "b": 0},
}
DEAD = {
    "pearson": lambda values: len(set(values)) == 1,
    "spearman": lambda values: len(set(values)) == 1,
    "centered_cosine": lambda values: len(set(values)) == 1,
    "cosine": lambda values: not any(values),
    "cosine_common": lambda values: not any(values),
    "asymmetric_cosine": lambda values: not any(values),
    "constrained_pearson": lambda values: set(values) == {2.5},
}
"""Profiles that have no value with anyone, on a scale of 0 to 5."""


def ratings_of(profiles, **options):
    rows = [(user, item, rating) for user, profile in profiles.items() for item, rating in profile.items()]
    return Ratings.from_arrays(*zip(*rows, strict=True), **options)


def crowd(n_users, n_items, seed, palette):
    rng = np.random.default_rng(seed)
    return {
        user: {
            int(item): float(rng.choice(palette))
            for item in rng.choice(n_items, rng.integers(1, n_items // 2 + 1), replace=False)
        }
        for user in range(n_users)
    }


WORLD = ratings_of(
    crowd(22, 14, 5, [0, 0, 2.5, 4])
    | {100: {0: 0, 1: 0, 2: 0}, 101: {3: 4, 4: 4, 5: 4}, 102: {90: 1, 91: 2}, 103: {0: 2.5, 1: 2.5}},
    scale=(0, 5, 0.5),
)


@pytest.fixture(scope="module")
def people():
    return ratings_of(PEOPLE, scale=(0, 5, 1))


@pytest.fixture(autouse=True, scope="module")
def one_query_a_block():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost_module, "_SMALLEST_BLOCK", 1)
        patch.setattr(cost_module, "_BLOCKS_PER_THREAD", 10**6)
        yield


def profiles_of(ratings, of):
    """{subject: {object: rating}}"""
    subjects, profiles = ratings.users if of == "users" else ratings.items, {}
    for row in ratings.to_arrow().to_pylist():
        user, item, rating = row["user_id"], row["item_id"], row["rating"]
        subject, other = (user, item) if of == "users" else (item, user)
        profiles.setdefault(subject, {})[other] = rating
    return {subject: profiles[subject] for subject in subjects}


def by_hand(ratings, of, measure, min_common):
    """Count pairs by reason, and who has no neighbor, from the profiles and the oracle's neighbors."""
    profiles = profiles_of(ratings, of)
    lists = reference.neighbors(ratings, of=of, measure=measure, k=10**6, min_common=min_common)
    valued = {(u, row.neighbor) for u, rows in lists.items() for row in rows}
    name = measures.get_measure(measure).name
    least = 4 if "lower_bound" in str(measure) else measures.MEASURES[name].least
    dead = {u for u in profiles if name in DEAD and DEAD[name](profiles[u].values())}
    counts, sizes = Counter(), Counter()
    for u, v in combinations(profiles, 2):
        n = len(profiles[u].keys() & profiles[v].keys())
        sizes[n] += 1
        if (u, v) in valued or (v, u) in valued:
            counts["value"] += 1
        elif n == 0:
            counts["no_common"] += 1
        elif n < min_common:
            counts["too_few"] += 1
        elif n < least:
            counts["too_few_for_measure"] += 1
        else:
            counts["whole" if u in dead or v in dead else "overlap"] += 1
    return counts, sizes, {u for u in profiles if not lists[u]}


def told(found):
    """The counts of a diagnosis by the names that `by_hand` uses."""
    names = {"one_common": "too_few_for_measure", "flat_profile": "whole", "zero_profile": "whole"}
    names |= {"flat": "overlap", "zero_norm": "overlap", "undefined": "overlap"}
    counts = Counter({"value": found.with_value})
    for reason, count in found.reasons.items():
        counts[names.get(reason, reason)] += count
    return +counts


@pytest.mark.parametrize("of", ["users", "items"])
@pytest.mark.parametrize("measure", [*MEASURES, "pearson(adjust=lower_bound)", "tversky(alpha=.2, beta=.9)"])
@pytest.mark.parametrize("min_common", [1, 2, 3])
def test_every_count_is_the_one_by_hand(measure, of, min_common):
    ratings = WORLD
    found = diagnose(ratings, of=of, measure=measure, min_common=min_common, threads=2)
    counts, sizes, alone = by_hand(ratings, of, measure, min_common)
    if measures.get_measure(measure).name not in DEAD:  # which profiles these are, only the numbers tell
        counts["overlap"] += counts.pop("whole", 0)
        mine = told(found)
        mine["overlap"] += mine.pop("whole", 0)
        assert +mine == +counts
    else:
        assert told(found) == +counts
    n = len(profiles_of(ratings, of))
    assert (found.n, found.pairs) == (n, n * (n - 1) // 2)
    assert found.sharing == found.pairs - sizes[0]
    assert found.enough == sum(count for size, count in sizes.items() if size >= min_common)
    assert {row["id"] for row in found.alone} == alone
    for group in found.overlaps:
        assert group.pairs == sum(sizes[size] for size in range(group.low, group.high + 1))
    assert sum(group.pairs for group in found.overlaps) == found.sharing
    assert sum(group.with_value for group in found.overlaps) == found.with_value


def test_the_world_has_every_case():
    reasons = {
        reason: count
        for measure in ("pearson", "cosine_common", "cosine", "constrained_pearson", "centered_cosine")
        for reason, count in diagnose(WORLD, measure=measure, min_common=2).reasons.items()
    }
    assert set(reasons) >= {"no_common", "too_few", "flat_profile", "flat", "zero_profile", "zero_norm"}
    assert all(reasons.values())


@st.composite
def worlds(draw):
    users, items = draw(st.integers(2, 7)), draw(st.integers(1, 6))
    palette = draw(st.sampled_from([[1], [0, 3], [0, 1, 5], [0.25, 1.5, 3.0]]))
    cells = draw(
        st.lists(st.none() | st.sampled_from(palette), min_size=users * items, max_size=users * items)
    )
    rows = [(at // items, at % items, value) for at, value in enumerate(cells) if value is not None]
    rows = rows or [(0, 0, palette[0])]
    scale = {} if draw(st.booleans()) else {"scale": (0, 5, 0.25)}
    return Ratings.from_arrays(*zip(*rows, strict=True), **scale)


def whimsy(n, sx, norm_y):
    return np.where((n > 1) & (sx < norm_y), sx / n, np.nan)


MANY = [
    *MEASURES,
    "pearson(weight=zscore)",
    "cosine(weight=tfidf)",
    measures.Custom(whimsy, symmetric=False),
    measures.Custom(whimsy),
]


@given(worlds(), st.sampled_from(MANY), st.sampled_from(["users", "items"]), st.integers(1, 4))
@settings(max_examples=EXAMPLES)
def test_counts_are_those_of_the_pairs_one_by_one(ratings, measure, of, min_common):
    ids = list(ratings.users if of == "users" else ratings.items)
    options = {"of": of, "measure": measure, "min_common": min_common}
    found = diagnose(ratings, threads=2, **options)
    status, alone, one_way = Counter(), set(ids), 0
    for u, v in combinations(ids, 2):
        one, other = pair(ratings, u, v, **options), pair(ratings, v, u, **options)
        alone -= {u} if one.value is not None else set()
        alone -= {v} if other.value is not None else set()
        values = [one.value, other.value].count(None)
        one_way += values == 1
        status["value" if values < 2 else one.status] += 1
    names = {"zero_profile": "zero_norm"}
    if measures.get_measure(measure).name != "centered_cosine":
        names["flat_profile"] = "flat"
    mine = Counter({"value": found.with_value})
    for reason, count in found.reasons.items():
        mine[names.get(reason, reason)] += count
    assert +mine == +status
    assert found.one_way == one_way
    assert found.pairs == found.with_value + sum(found.reasons.values())
    assert [row["id"] for row in found.alone] == sorted(alone)
    assert sum(found.alone_by_reason.values()) == len(found.alone) == len(alone)
    for setting in (*found.by_min_common, *found.by_measure):
        there = diagnose(ratings, of=of, measure=measure, min_common=setting.min_common)
        if setting.measure != found.measure:
            there = diagnose(ratings, of=of, measure=setting.measure, min_common=setting.min_common)
        assert (setting.with_value, setting.without_neighbor) == (there.with_value, len(there.alone))
    assert str(found) and found._repr_html_()


def test_threads_change_nothing(people):
    for measure in ("pearson", "euclidean", measures.Custom(whimsy, symmetric=False)):
        one, *others = (
            diagnose(WORLD, measure=measure, min_common=2, threads=threads).to_dict() for threads in (1, 2, 3)
        )
        assert one == others[0] == others[1]


def test_who_is_alone_and_why(people):
    found = diagnose(people, measure="pearson", min_common=2)
    reasons = {row["id"]: (row["reason"], row["n_ratings"], row["most_common"]) for row in found.alone}
    assert reasons == {
        "alone": ("no_common", 2, 0),
        "dan": ("no_value", 3, 2),
        "flat": ("flat_profile", 4, 4),
        "one": ("too_few_ratings", 1, 1),
        "zero": ("flat_profile", 2, 2),
    }
    found = diagnose(people, measure="pearson", min_common=3)
    reasons = {row["id"]: (row["reason"], row["n_ratings"], row["most_common"]) for row in found.alone}
    assert reasons["dan"] == ("too_few_common", 3, 2)
    assert reasons["zero"] == ("too_few_ratings", 2, 2)
    assert found.alone.to_arrow().column("n_ratings").type == "int64"
    apart = ratings_of({1: {1: 2, 2: 2, 3: 5}, 2: {1: 1, 2: 5, 4: 1}}, scale=(1, 5, 1))
    found = diagnose(apart)
    assert found.alone_by_reason == {"no_value": 2}
    assert "2 share enough, but none of these pairs has a value" in str(found)


def test_a_walk_leads_from_one_to_the_other_and_not_back():
    ratings = ratings_of({1: {1: 0, 2: 0}, 2: {1: 3, 2: 4}, 3: {1: 1}}, scale=(0, 5, 1))
    found = diagnose(ratings, measure="p3alpha")
    assert (found.with_value, found.one_way, found.pairs) == (3, 2, 3)
    assert found.alone.to_pylist() == [{"id": 1, "reason": "zero_profile", "n_ratings": 2, "most_common": 2}]
    assert "2 of them for one of the two only" in str(found)
    assert {row["id"] for row in neighbors(ratings, measure="p3alpha")} == {2, 3}


def test_on_a_terminal(people):
    lines = str(diagnose(people, measure="pearson")).splitlines()
    assert lines[0] == "pearson of 8 users, min_common=1: 28 pairs"
    text = "\n".join(lines)
    for words in (
        "have no item in common",
        "have one item in common, and one rating has no variance",
        "have a user whose ratings are all equal",
        "Overlaps of the 19 pairs that share an item",
        "5 users have no neighbor (62.5 % of 8):",
        "1 has one rating only",
        "2 have the same rating throughout",
        "1 shares no item with anyone",
        'measure="euclidean"',
        "min_common=1 (as asked)",
        "min_common=3",
    ):
        assert words in text
    assert max(map(len, lines)) <= 100
    assert repr(diagnose(people)) == text
    items = ratings_of({1: {"a": 3, "b": 1}, 2: {"a": 3, "b": 2}}, scale=(1, 5, 1))
    text = str(diagnose(items, of="items"))
    assert "1  have an item whose ratings are all equal" in text and "pairs that share a user:" in text


def test_the_picture_is_as_long_and_as_full_as_the_counts():
    lines = str(diagnose(WORLD, measure="pearson")).splitlines()
    found = diagnose(WORLD, measure="pearson")
    most = max(group.pairs for group in found.overlaps)
    for group in found.overlaps:
        label = str(group.low) if group.low == group.high else f"{group.low}–{group.high}"
        (line,) = (line for line in lines if line.split()[:2] == [label, f"{group.pairs:,}"])
        dark, light = line.count("█"), line.count("░")
        assert dark + light == max(1, round(32 * group.pairs / most))
        assert abs(dark - (dark + light) * group.with_value / group.pairs) <= 1
        if dark + light > 1:
            assert (dark == 0) == (group.with_value == 0)
            assert (light == 0) == (group.with_value == group.pairs)


def test_everyone_has_a_neighbor():
    ratings = ratings_of({1: {1: 2, 2: 3}, 2: {1: 1, 2: 5}}, scale=(1, 5, 1))
    found = diagnose(ratings, measure="euclidean")
    assert "Every one of the 2 users has a neighbor." in str(found)
    assert not len(found.alone)


def test_nobody_shares_anything():
    found = diagnose(ratings_of({1: {1: 2}, 2: {2: 3}, 3: {3: 3}}, scale=(1, 5, 1)), measure="jaccard")
    assert found.reasons == {"no_common": 3}
    assert found.overlaps == ()
    assert "No two users share an item: no measure can compare them." in str(found)
    single = diagnose(ratings_of({1: {1: 2}}, scale=(1, 5, 1)))
    assert (single.pairs, single.with_value, len(single.alone)) == (0, 0, 1)
    assert str(single) and single._repr_html_()


def test_advice_names_the_next_step():
    thin = ratings_of(
        {user: {user % 3: 1 + user % 2, 10 + user % 5: 3} for user in range(30)}, scale=(1, 5, 1)
    )
    text = str(diagnose(thin))
    assert "share one item. A correlation" in text and "values rest on 2 items" in text
    assert "+1 or −1" not in str(diagnose(thin, measure="pearson(shrink=10)"))
    assert "have a value from one" in str(diagnose(thin, measure="euclidean"))
    assert "min_common=2 gives" in str(diagnose(thin, measure="euclidean", min_common=3))
    assert "→" not in str(diagnose(ratings_of({1: {1: 2, 2: 3, 3: 3}, 2: {1: 1, 2: 5, 3: 2}}), min_common=3))


def test_as_json_and_html(people):
    found = diagnose(people)
    read = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert read["reasons"] == found.reasons
    assert read["alone"] == found.alone.to_pylist()
    assert read["overlaps"][0] == {"low": 1, "high": 1, "pairs": found.overlaps[0].pairs, "with_value": 0}
    named = diagnose(people, measure=measures.Custom(whimsy, title="<b>"))
    assert "<b>" not in named._repr_html_().replace("<p><b>", "").replace("</b></p>", "")
    assert "&lt;b&gt; of 8 users" in named._repr_html_()


def test_progress_and_stopping(people):
    for measure in ("pearson", "cosine_common", "euclidean"):
        seen = []
        diagnose(WORLD, measure=measure, progress=lambda *now, seen=seen: seen.append(now))
        assert seen == sorted(seen) and len({total for _, total in seen}) == 1
        assert seen[-1][0] == seen[-1][1] > 0
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        diagnose(people, cancel=stop)


def test_wrong_options(people):
    with pytest.raises(ParameterError, match="nearness"):
        diagnose(people, measure="nearness")
    with pytest.raises(ParameterError, match="min_common"):
        diagnose(people, min_common=0)
    with pytest.raises(ParameterError, match="of="):
        diagnose(people, of="people")
    with pytest.raises(ParameterError, match="Ratings"):
        diagnose([1, 2])
    with pytest.raises(DataError, match="constrained_pearson"):
        diagnose(ratings_of({1: {1: 0.123456, 2: 17.0}, 2: {1: 3.5}}), measure="constrained_pearson")


@pytest.mark.jit
@pytest.mark.filterwarnings("ignore::corated.errors.CoratedNotice")
@pytest.mark.parametrize("measure", ["pearson", "cosine_common", "centered_cosine"])
def test_real_ratings_have_the_pairs_that_all_pairs_writes(data, tmp_path, measure):
    ratings = read_ratings(data("ml-latest-small") / "ratings.csv")
    all_pairs(ratings, to=tmp_path / "pairs.parquet", measure=measure)
    table = pq.read_table(tmp_path / "pairs.parquet")
    found = diagnose(ratings, measure=measure, min_common=3)
    n = table["n_common"].to_numpy()
    valued = ~np.isnan(table["value"].to_numpy())
    assert found.sharing == len(table)
    assert found.with_value == (valued & (n >= 3)).sum()
    assert found.reasons["too_few"] == (n < 3).sum()
    for setting in found.by_min_common:
        assert setting.with_value == (valued & (n >= setting.min_common)).sum()
    for group in found.overlaps:
        assert group.pairs == ((n >= group.low) & (n <= group.high)).sum()
