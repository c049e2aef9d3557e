"""Any sequence of writes leaves a live index equal to a fit on the ratings that survive."""

import os

import numba
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import corated as cr
from corated.live.index import LiveIndex, Rating
from corated.measures import MEASURES
from corated.models.timely import Timely

LONG = os.environ.get("CORATED_EXAMPLES") == "random"  # make soak
EXAMPLES, STEPS = (3, 10) if numba.config.DISABLE_JIT else (60 if LONG else 10, 25)
SCALES = {"ten": (0, 10, 1), "stars": (0.5, 5, 0.5), "one": (1, 1, 1), "around": (-1, 1, 0.25)}
USERS = {"text": ["ann", " ", "Ünal", "10", "9", "zoë"], "integer": [7, 0, -3, 2**62, 12, 100]}
ITEMS = {"text": ["é", "a/b", "007", "7", "x", "y", "\U0001f600"], "integer": [5, 3, -9, 40, 8, 1, 2]}
LIVE = ["pearson", "euclidean", "msd", "manhattan", "cosine", "cosine_common", "constrained_pearson",
        "jaccard", "dice", "overlap", "tversky", "conditional", "asymmetric_cosine"]  # fmt: skip
MODELS = [
    cr.UserKNN(measure="pearson", k=3, min_common=2),
    cr.UserKNN(measure="jaccard", k="all", rule="votes"),
    cr.UserKNN(measure="cosine", k=2, rule="mean", center="mean"),
    cr.UserKNN(measure="euclidean", k="2n", rule="closest", like="mean"),
    cr.Popularity(),
    cr.Fallback(models=[cr.UserKNN(measure="jaccard", k=3, min_support=2), cr.Popularity()]),
    Timely(),
    Timely(
        half_life=1e-11, everyone=2.0, everyone_half_life=2e-11, sittings=0.5, window=1e-11
    ),  # microseconds
    cr.ItemKNN(k=3),  # fitted anew
]


class LiveSequences(RuleBasedStateMachine):
    """Writes, removals and compactions; after each, nothing tells the index from a fit."""

    @initialize(
        scale=st.sampled_from(sorted(SCALES)),
        ids=st.sampled_from(["text", "integer"]),
        timed=st.booleans(),
        model=st.sampled_from(MODELS),
        measures=st.lists(st.sampled_from(LIVE), min_size=1, max_size=3, unique=True),
    )
    def begin(self, scale, ids, timed, model, measures):
        self.users, self.items = USERS[ids], ITEMS[ids]
        low, high, step = SCALES[scale]
        self.levels = np.round(np.arange(low, high + step / 2, step), 10).tolist()
        self.timed, self.measures, self.truth = timed, measures, {}
        self.index = LiveIndex.empty(
            scale=SCALES[scale], user_ids=ids, item_ids=ids, timed=timed, model=model
        )

    def _time(self, data):
        return data.draw(st.integers(0, 5)) if self.timed else None

    @rule(data=st.data())
    def rate(self, data):
        user, item = data.draw(st.sampled_from(self.users)), data.draw(st.sampled_from(self.items))
        value, time = data.draw(st.sampled_from(self.levels)), self._time(data)
        before = self.index.version
        version = self.index.rate(user, item, value, time=time)
        same = self.truth.get((user, item)) == (value, time)
        assert version == before + (0 if same else 1)
        self.truth[user, item] = (value, time)

    @rule(data=st.data())
    def write_several(self, data):
        changes = []
        for _ in range(data.draw(st.integers(2, 6))):
            user, item = data.draw(st.sampled_from(self.users)), data.draw(st.sampled_from(self.items))
            value = data.draw(st.none() | st.sampled_from(self.levels))
            time = None if value is None else self._time(data)
            changes.append(Rating(user, item, value, time))
            if value is None:
                self.truth.pop((user, item), None)
            else:
                self.truth[user, item] = (value, time)
        self.index.write(changes)

    @rule(data=st.data())
    def refuse_all_of_a_bad_write(self, data):
        user, item = data.draw(st.sampled_from(self.users)), data.draw(st.sampled_from(self.items))
        before = self.index.version
        with pytest.raises(cr.errors.DataError, match="off the scale"):
            self.index.write([Rating(user, item, self.levels[0]), Rating(user, item, self.levels[-1] + 0.07)])
        assert self.index.version == before

    @precondition(lambda self: self.truth)
    @rule(data=st.data())
    def remove(self, data):
        user, item = data.draw(st.sampled_from(sorted(self.truth)))
        self.index.remove(user, item)
        del self.truth[user, item]

    @rule(data=st.data())
    def remove_a_user(self, data):
        gone = data.draw(st.sampled_from(self.users))
        self.index.remove_user(gone)
        self.truth = {pair: value for pair, value in self.truth.items() if pair[0] != gone}

    @rule(data=st.data())
    def remove_an_item(self, data):
        gone = data.draw(st.sampled_from(self.items))
        self.index.remove_item(gone)
        self.truth = {pair: value for pair, value in self.truth.items() if pair[1] != gone}

    @rule()
    def compact(self):
        version = self.index.version
        self.index.compact()
        assert self.index.version == version
        assert self.index._current.state.by_user.holes == self.index._current.state.by_item.holes == 0

    @invariant()
    def the_ratings_are_those_that_survive(self):
        if not hasattr(self, "index"):
            return
        rows = self.index.ratings().to_arrow().to_pydict()
        values = zip(rows["user_id"], rows["item_id"], rows["rating"], strict=True)
        assert {(u, i): r for u, i, r in values} == {pair: v for pair, (v, _) in self.truth.items()}
        if self.timed and self.truth:
            times = np.array(self.index.ratings().times)
            pairs = list(zip(rows["user_id"], rows["item_id"], strict=True))
            assert times.tolist() == [self.truth[pair][1] for pair in pairs]
        for user in self.users:
            mine = {i: v for (u, i), (v, _) in sorted(self.truth.items()) if u == user}
            assert self.index.profile(user) == mine
        for item in self.items:
            mine = {u: v for (u, i), (v, _) in sorted(self.truth.items()) if i == item}
            assert self.index.raters(item) == mine and list(self.index.raters(item)) == list(mine)

    @invariant()
    def answers_are_those_of_a_fit(self):
        if not hasattr(self, "index") or not self.truth:
            return
        for measure in self.measures:  # so that they are kept up, and compared below
            user = next(iter(self.truth))[0]
            self.index.neighbors(user, measure=measure, k=2)
            self.index.similar_items(next(iter(self.truth))[1], measure=measure, k=2)
        found = self.index.verify(users=6)
        assert found.ok, str(found)


TestLiveSequences = LiveSequences.TestCase
TestLiveSequences.settings = settings(max_examples=EXAMPLES, stateful_step_count=STEPS)


def test_measures_that_are_live_are_the_ones_named():
    """Every other measure depends on more than two profiles, or is of floats."""
    index = LiveIndex.empty(scale=(1, 5, 1))
    index.rate("a", "x", 3)
    index.rate("b", "x", 3)
    for name in MEASURES:
        if name in LIVE or name == "log_likelihood":
            index.neighbors("a", measure=name)
        else:
            with pytest.raises(cr.errors.ParameterError, match="change with other ratings"):
                index.neighbors("a", measure=name)
