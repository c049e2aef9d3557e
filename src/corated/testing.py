"""What every recommender must do, as tests that your own can be held to: see `RecommenderContract`."""

from __future__ import annotations

import copy
import math
import pickle
import random
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Literal

from corated._testing_shop import (
    ALL,
    COLUMNS,
    LAST,
    NOBODY,
    SEEN_ALL,
    STATUSES,
    Data,
    Rows,
    of_user,
    raises,
    ranked,
    shop,
    state,
)
from corated.errors import IdTypeError, NotFittedError, ParameterError, UnknownIdError
from corated.models.base import Recommendations, Recommender

__all__ = ["RecommenderContract"]


class RecommenderContract:
    """Tests that any recommender of the protocol passes; pytest finds them in a subclass of yours.

        from corated.testing import RecommenderContract

        class TestMine(RecommenderContract):
            def make(self):
                return Mine(depth=3)

    Attributes
    ----------
    exactness : "same bits", or "1e-6" where scores are only promised that closely
    folds_in : what a history is answered with: "refit" for what a fit with that user among the others gives;
        "profile" for what a user of the data with the same ratings gets; None where it is refused
    predicts : whether ``predict`` gives ratings
    by_itself : whether an item's score is its own, whatever else may be listed and however many are asked for
    saves : whether `corated.save` keeps it, which is so for the recommenders of Corated

    The data are a dozen users and items, rated from 1 to 10, with times. Needs no pytest; a failure is an
    `AssertionError`.
    """

    exactness: ClassVar[Literal["same bits", "1e-6"]] = "same bits"
    folds_in: ClassVar[Literal["refit", "profile"] | None] = "profile"
    predicts: ClassVar[bool] = False
    by_itself: ClassVar[bool] = True
    saves: ClassVar[bool] = False

    def make(self) -> Recommender:
        """Return a new, unfitted recommender, always with the same parameters."""
        raise NotImplementedError("a subclass says which recommender is tested")

    # -- parameters -------------------------------------------------------------------------------

    def test_parameters_go_round(self) -> None:
        """get_params, set_params, clone and repr agree; a clone is no more fitted than a new one."""
        model = self.make()
        assert repr(model) == repr(self.make()), "make() must give the same parameters each time"
        params = model.get_params()
        assert set(params) == set(self.make().get_params(deep=False))
        assert repr(model.clone()) == repr(model)
        assert type(model.clone()) is type(model) and model.clone() is not model
        assert model.set_params(**params) is model
        assert all(model.get_params()[name] is value for name, value in params.items())
        assert repr(model).startswith(f"{type(model).__name__}(")
        raises(NotFittedError, model.fit(shop().ratings()).clone().recommend)
        raises(NotFittedError, self.make().recommend)
        if not self.by_itself or self.exactness == "1e-6":
            return
        self._assert_same(model.recommend(), model.clone().fit(shop().ratings()).recommend())

    def test_unknown_parameters_are_refused(self) -> None:
        """A misspelled name changes nothing."""
        model = self.make()
        before = repr(model)
        raises(ParameterError, model.set_params, no_such_parameter=1)
        raises(TypeError, type(model), no_such_parameter=1)
        assert repr(model) == before

    def test_the_constructor_only_stores(self) -> None:
        """What is given comes back as it is, whatever it is; only fit judges it."""
        marks = {name: object() for name in self.make().get_params()}
        stored = type(self.make())(**marks).get_params(deep=False)
        assert all(stored[name] is mark for name, mark in marks.items())

    # -- fitting ----------------------------------------------------------------------------------

    def test_a_fit_returns_the_model_and_repeats(self) -> None:
        """The same ratings give the same lists, in the same model and in another."""
        ratings, model = shop().ratings(), self.make()
        assert model.fit(ratings) is model
        first = model.recommend(n=ALL)
        assert len(first) > 0, "the recommender has nothing to recommend: what follows would show nothing"
        self._assert_same(model.fit(ratings).recommend(n=ALL), first)
        self._assert_same(self.make().fit(shop().ratings()).recommend(n=ALL), first)

    def test_a_refit_forgets(self) -> None:
        """Nothing of the first ratings is left after the second fit."""
        other = Data(tuple(row for at, row in enumerate(shop().rows) if at % 3 != 0)).ratings()
        fresh = self.make().fit(other).recommend(n=ALL)
        self._assert_same(self.make().fit(shop().ratings()).fit(other).recommend(n=ALL), fresh)

    def test_ratings_are_not_changed(self) -> None:
        """Neither by fitting nor by answering."""
        ratings = shop().ratings()
        before = state(ratings)
        model = self.make().fit(ratings)
        model.recommend(n=3, exclude_seen=False)
        if self.folds_in is not None:
            model.recommend(history={14: 9, 24: 8}, n=3)
        if self.predicts:
            model.predict([3, 5], [14, 24])
        assert state(ratings) == before

    def test_row_order_and_threads_change_nothing(self) -> None:
        """Ratings are a set, and work is shared out without a trace."""
        expected = self.make().fit(shop().ratings(), threads=1).recommend(n=ALL, threads=1)
        rows = list(shop().rows)
        random.Random(1).shuffle(rows)
        model = self.make().fit(Data(tuple(rows)).ratings(), threads=3)
        self._assert_same(model.recommend(n=ALL, threads=3), expected)

    def test_ids_are_names_only(self) -> None:
        """Ids as text, in the same order, give the same lists under those names."""
        named = shop().renamed(lambda u: f"u{u:03}", lambda i: f"i{i:04}")
        expected = [
            row | {"user_id": f"u{row['user_id']:03}", "item_id": f"i{row['item_id']:04}"}
            for row in self.make().fit(shop().ratings()).recommend(n=ALL)
        ]
        self._assert_same(self.make().fit(named.ratings()).recommend(n=ALL), expected)

    # -- lists ------------------------------------------------------------------------------------

    def test_the_table(self) -> None:
        """Columns, ranks from 1, at most n rows a user, nothing seen, nothing twice, users in order."""
        data, n = shop(), 4
        table = self.make().fit(data.ratings()).recommend(n=n)
        assert table.column_names == COLUMNS
        rows = table.to_pylist()
        users = sorted({user for user, *_ in data.rows})
        assert [row["user_id"] for row in rows] == sorted(row["user_id"] for row in rows)
        for user in users:
            mine = of_user(rows, user)
            items = [row["item_id"] for row in mine]
            assert [row["rank"] for row in mine] == list(range(1, len(mine) + 1))
            assert len(items) == len(set(items)) <= n
            assert not set(items) & set(data.of(user)), f"user {user} has rated some of {items}"
        assert table.users == len(users)
        assert table.short == sum(len(of_user(rows, user)) < n for user in users)
        assert sum(table.by_source.values()) == len(rows)

    def test_the_order(self) -> None:
        """Larger score first, then more support, then the smaller id; every item has a twin to tie with."""
        twins = Data(shop().rows + shop().renamed(lambda u: u, lambda i: i + 3).rows)
        rows = self.make().fit(twins.ratings()).recommend(n=ALL).to_pylist()
        assert rows
        for user in {row["user_id"] for row in rows}:
            for source in {row["source"] for row in rows}:
                mine = [row for row in of_user(rows, user) if row["source"] == source]
                if all(row["score"] is not None for row in mine):
                    keys = [(-row["score"], -row["support"], row["item_id"]) for row in mine]
                    assert keys == sorted(keys)

    def test_numbers_are_finite(self) -> None:
        """A score is a finite number, or null for all of a source; support counts."""
        rows = self.make().fit(shop().ratings()).recommend(n=ALL).to_pylist()
        assert all(row["score"] is None or math.isfinite(row["score"]) for row in rows)
        assert all(row["support"] >= 0 and row["source"] for row in rows)
        for source in {row["source"] for row in rows}:
            assert len({row["score"] is None for row in rows if row["source"] == source}) == 1

    def test_as_many_as_there_are(self) -> None:
        """Asked for more than there is, all candidates and no padding; for fewer, the first of these."""
        model = self.make().fit(shop().ratings())
        whole = model.recommend(n=ALL).to_pylist()
        if not self.by_itself:
            return
        for n in (1, 3, 13):
            self._assert_same(model.recommend(n=n), [row for row in whole if row["rank"] <= n])

    def test_who_has_seen_everything_gets_nothing(self) -> None:
        """An empty list is a list."""
        data = shop()
        assert len(data.of(SEEN_ALL)) == len({item for _, item, *_ in data.rows})
        table = self.make().fit(data.ratings()).recommend([SEEN_ALL])
        assert len(table) == 0 and table.short == 1

    def test_hardly_any_ratings(self) -> None:
        """One rating, one user, users with nothing in common, one item: answered, and by the same rules."""
        alone = [(7, item, float(value), 1) for item, value in ((4, 9), (5, 2), (6, 8))]
        apart = [(user, 10 * user + at, float(9 - at), 1) for user in (1, 2, 3) for at in (1, 2)]
        one_item = [(user, 5, float(user), 1) for user in (7, 8, 9)]
        for rows in ([(7, 5, 9.0, 1)], alone, apart, one_item):
            data = Data(tuple(rows))
            found = self.make().fit(data.ratings()).recommend(n=ALL).to_pylist()
            assert all(row["item_id"] not in data.of(row["user_id"]) for row in found)
            assert all(row["score"] is None or math.isfinite(row["score"]) for row in found)
            if rows is not apart:
                assert found == []

    def test_who_is_asked_for_and_how_changes_nothing(self) -> None:
        """One at a time, in another order, twice, or in blocks: each user's list is the same."""
        model = self.make().fit(shop().ratings())
        whole = model.recommend(n=5).to_pylist()
        users = [11, 3, LAST, 5, 11]
        self._assert_same(
            model.recommend(users, n=5), [row for user in users for row in of_user(whole, user)]
        )
        self._assert_same(model.recommend(5, n=5), of_user(whole, 5))
        for size in (1, 4, 100):
            blocks = [row for block in model.recommend_blocks(n=5, block=size) for row in block]
            self._assert_same(blocks, whole)

    def test_unknown_users(self) -> None:
        """An error that says so; or what is popular, where that is asked for, and the source tells."""
        model = self.make().fit(shop().ratings())
        raises(UnknownIdError, model.recommend, [5, NOBODY])
        raises(IdTypeError, model.recommend, ["5"])
        raises(IdTypeError, model.recommend, "5")
        raises(ParameterError, model.recommend, [5], n=0)
        rows = model.recommend([5, NOBODY], n=3, on_unknown="fallback").to_pylist()
        self._assert_same(of_user(rows, 5), model.recommend([5], n=3))
        assert [row["source"] for row in of_user(rows, NOBODY)] == ["popularity"] * 3

    # -- filters ----------------------------------------------------------------------------------

    def test_items_that_may_be_listed(self) -> None:
        """Allow and block lists leave out before anything is ranked."""
        items = sorted({item for _, item, *_ in shop().rows})
        allowed, taken = items[::2], items[1::2]
        self._assert_filtered(lambda row: row["item_id"] in allowed, items=allowed)
        self._assert_filtered(lambda row: row["item_id"] in allowed, exclude=taken)
        model = self.make().fit(shop().ratings())
        raises(UnknownIdError, model.recommend, items=[5])
        raises(IdTypeError, model.recommend, exclude=["14"])

    def test_items_that_one_user_does_not_get(self) -> None:
        """A list of one user's own is nobody else's."""
        first = self.make().fit(shop().ratings()).recommend([5], n=2).to_pylist()
        taken = [row["item_id"] for row in first]
        self._assert_filtered(
            lambda row: not (row["user_id"] == 5 and row["item_id"] in taken), exclude={5: taken, 7: []}
        )

    def test_the_support_that_is_asked_for(self) -> None:
        """What fewer stand behind is left out."""
        rows = self.make().fit(shop().ratings()).recommend(n=ALL).to_pylist()
        for least in {1, 2, max(row["support"] for row in rows) + 1}:

            def has_it(row: dict[str, Any], least: int = least) -> bool:
                return bool(row["support"] >= least)

            self._assert_filtered(has_it, min_support=least)

    def test_seen_items_on_demand(self) -> None:
        """They join the others, which keep their order."""
        data = shop()
        model = self.make().fit(data.ratings())
        rows = model.recommend(n=ALL, exclude_seen=False).to_pylist()
        unseen = [row for row in rows if row["item_id"] not in data.of(row["user_id"])]
        assert len(unseen) < len(rows), "no item that was seen comes back"
        if self.by_itself:
            self._assert_same(ranked(unseen), model.recommend(n=ALL))

    def _assert_filtered(self, keeps: Callable[[dict[str, Any]], bool], **filters: Any) -> None:
        model = self.make().fit(shop().ratings())
        found = model.recommend(n=ALL, **filters).to_pylist()
        assert all(keeps(row) for row in found)
        whole = model.recommend(n=ALL).to_pylist()
        if not self.by_itself:
            return
        kept = ranked([row for row in whole if keeps(row)])
        self._assert_same(found, kept)
        self._assert_same(model.recommend(n=2, **filters), [row for row in kept if row["rank"] <= 2])
        blocks = [row for part in model.recommend_blocks(n=2, block=3, **filters) for row in part]
        self._assert_same(blocks, [row for row in kept if row["rank"] <= 2])

    # -- histories --------------------------------------------------------------------------------

    def test_somebody_who_is_not_in_the_data(self) -> None:
        """A history is answered as a fit with it would answer, or as a user of the data is."""
        data, profile = shop(), shop().of(LAST)
        whole = self.make().fit(data.ratings())
        if self.folds_in is None:
            raises(ParameterError, whole.recommend, history=profile)
            return
        expected = whole.recommend([LAST], n=ALL).to_pylist()
        assert expected
        model = self.make().fit(data.without(LAST).ratings()) if self.folds_in == "refit" else whole
        nameless = model.recommend(history=profile, n=ALL).to_pylist()
        assert {row["user_id"] for row in nameless} == {None}
        self._assert_near(nameless, [row | {"user_id": None} for row in expected])
        backwards = dict(reversed(profile.items()))
        self._assert_same(model.recommend(history=backwards, n=ALL), nameless)
        # In place of the ratings that the data have of this user.
        self._assert_near(whole.recommend(history=profile, user_id=LAST, n=ALL), expected)
        self._assert_same(whole.recommend([LAST], n=ALL), expected)

    def test_any_history(self) -> None:
        """Of nothing, of everything, of another's id; what is rated there is not listed."""
        if self.folds_in is None:
            return
        model, everything = self.make().fit(shop().ratings()), shop().of(SEEN_ALL)
        assert all(row["score"] is None or math.isfinite(row["score"]) for row in model.recommend(history={}))
        assert len(model.recommend(history=everything)) == 0
        other = dict.fromkeys(list(everything)[:3], 10.0)
        for user in (None, 5, NOBODY):
            rows = model.recommend(history=other, user_id=user, n=ALL).to_pylist()
            assert not {row["item_id"] for row in rows} & set(other)
            assert {row["user_id"] for row in rows} <= {user}
        raises(UnknownIdError, model.recommend, history={5: 9})
        raises(IdTypeError, model.recommend, history={"14": 9})
        raises(ParameterError, model.recommend, history={14: 11})

    # -- predictions ------------------------------------------------------------------------------

    def test_predictions(self) -> None:
        """A row a pair, in the order asked; unknown ids are answered; a recommended item has its score."""
        data, model = shop(), self.make().fit(shop().ratings())
        if not self.predicts:
            raises(ParameterError, model.predict, [3], [14])
            return
        asked = [(5, 14), (NOBODY, 14), (5, 15), (NOBODY, 15), (11, 24), (5, 14), (3, 134)]
        rows = model.predict(*zip(*asked, strict=True)).to_pylist()
        assert [(row["user_id"], row["item_id"]) for row in rows] == asked
        assert all(row["status"] in STATUSES and row["support"] >= 0 for row in rows)
        assert [row["status"] for row in rows[1:4]] == ["unknown_user", "unknown_item", "unknown_user"]
        assert all(row["value"] is None or math.isfinite(row["value"]) for row in rows)
        assert all(row["value"] is not None for row in rows if row["status"] in ("ok", "fallback"))
        assert rows[0] == rows[5]
        assert model.predict([], []).to_pylist() == []
        raises(ParameterError, model.predict, [5, 7], [14])
        raises(IdTypeError, model.predict, ["5"], [14])
        pairs = [(u, i) for u in (5, 7, LAST) for i in sorted({item for _, item, *_ in data.rows})]
        one = model.predict(*zip(*pairs, strict=True), threads=1).to_pylist()
        assert one == model.predict(*zip(*pairs, strict=True), threads=3).to_pylist()
        if self.folds_in == "profile":
            seen = data.of(LAST)
            known = [row for row in one if row["user_id"] == LAST and row["item_id"] not in seen]
            folded = model.predict(None, [row["item_id"] for row in known], history=seen)
            for row, expected in zip(folded, known, strict=True):
                assert row["status"] == expected["status"]
                assert self._close(row["value"], expected["value"])

    # -- reasons, copies, threads -------------------------------------------------------------------

    def test_reasons_add_up(self) -> None:
        """What an explanation names adds up to the score of the list, and gives its place."""
        model = self.make().fit(shop().ratings())
        for row in model.recommend(n=ALL):
            found = model.explain(row["user_id"], row["item_id"], n=ALL)
            assert found.rank == row["rank"] and found.source and not found.reason, f"{row}: {found}"
            assert self._close(found.score, row["score"]), f"{row}: {found}"
            if found.score is not None:
                parts = [amount for _, amount in found.base] + [c["share"] for c in found.contributions]
                assert abs(math.fsum(parts) - found.score) <= 1e-9 * max(1.0, abs(found.score))
        raises(UnknownIdError, model.explain, NOBODY, 14)

    def test_copies(self) -> None:
        """A fitted model that was pickled or copied answers with the same bits."""
        model = self.make().fit(shop().ratings())
        expected = model.recommend(n=ALL).to_pylist()
        for copied in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
            assert copied.recommend(n=ALL).to_pylist() == expected

    def test_many_threads_at_once(self) -> None:
        """Four that ask a model that was just fitted get what one gets."""
        expected = self.make().fit(shop().ratings()).recommend(n=ALL)
        model = self.make().fit(shop().ratings())
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: model.recommend(n=ALL, threads=1), range(8)))
        for table in found:
            self._assert_same(table, expected)

    def test_files(self) -> None:
        """Kept in a file and read again, it answers with the same bits."""
        from corated.models.files import load, save

        model = self.make().fit(shop().ratings())
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "kept.corated"
            if not self.saves:
                raises(ParameterError, save, model, path)
                return
            save(model, path)
            loaded = load(path)
        assert repr(loaded) == repr(model)
        assert loaded.recommend(n=ALL).to_pylist() == model.recommend(n=ALL).to_pylist()
        if self.folds_in is not None:
            profile = shop().of(LAST)
            expected = model.recommend(history=profile, n=ALL).to_pylist()
            assert loaded.recommend(history=profile, n=ALL).to_pylist() == expected

    # -- comparing --------------------------------------------------------------------------------

    def _assert_same(self, found: Recommendations | Rows, expected: Recommendations | Rows) -> None:
        """Assert the same bits, or what is as near as the recommender promises."""
        left, right = list(found), list(expected)
        if self.exactness == "same bits":
            assert left == right
        else:
            self._assert_near(left, right)

    def _assert_near(self, found: Iterable[dict[str, Any]], expected: Iterable[dict[str, Any]]) -> None:
        """Assert the same to rounding: items may change places where their scores are as good as equal."""
        left, right = list(found), list(expected)
        assert [(row["user_id"], row["rank"]) for row in left] == [
            (row["user_id"], row["rank"]) for row in right
        ]
        scores = {(row["user_id"], row["item_id"]): row["score"] for row in right}
        for row, in_place in zip(left, right, strict=True):
            assert self._close(row["score"], in_place["score"]), f"{row} in place of {in_place}"
            if row["item_id"] != in_place["item_id"]:
                assert row["score"] is not None, f"{row} in place of {in_place}"
                known = scores.get((row["user_id"], row["item_id"]), row["score"])
                assert self._close(row["score"], known), f"{row} in place of {in_place}"

    def _close(self, left: float | None, right: float | None) -> bool:
        if left is None or right is None:
            return left is right
        tolerance = 1e-9 if self.exactness == "same bits" else 1e-6
        return abs(left - right) <= tolerance * max(1.0, abs(right))
