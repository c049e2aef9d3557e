"""A store and an index in one: what was written is there, also after restarts and crashes, on both."""

import threading
import time as clock
import warnings

import numba
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import corated as cr
from corated.errors import (
    CoratedNotice,
    DataError,
    LogTrimmedError,
    ParameterError,
    StoreError,
    StoreUnavailableError,
    UnknownIdError,
)
from corated.live import embedded as embedded_module
from corated.live.restart import read_restart
from corated.live.store import Item

from .. import servers
from ..servers import DATABASES, new_place

MODEL = cr.Fallback(models=[cr.UserKNN(measure="jaccard", k=3, min_support=2), cr.Popularity()])
USERS, ITEMS = ["ann", "bob", "Zoë", "007", "a/b"], ["film-1", "ü", "%2F", "x", "7"]


@pytest.fixture(params=DATABASES)
def place(request, tmp_path, monkeypatch):
    monkeypatch.setenv("CORATED_CACHE", str(tmp_path / "cache"))
    return new_place(request.param, tmp_path)


def held(db):
    rows = db.index.ratings().to_arrow().to_pylist()
    return {(row["user_id"], row["item_id"]): row["rating"] for row in rows}


# -- four lines ---------------------------------------------------------------------------------


def test_four_lines(place):
    db = cr.open(place, scale=(0, 10, 1), model=MODEL)
    db.rate("ann", "film-7", 9)
    db.rate("bob", "film-7", 8)
    db.rate("bob", "film-9", 9)
    assert [row["item_id"] for row in db.recommend("ann")] == ["film-9"]
    assert "film-9" in str(db.explain("ann", "film-9"))
    assert db.profile("ann") == {"film-7": 9.0} and db.position == 3
    assert db.neighbors("ann", measure="jaccard").to_pylist()[0]["neighbor"] == "bob"
    assert "has rated" in str(db.why_not("ann", "film-7"))
    db.remove("bob", "film-9")
    assert not [row for row in db.recommend("ann") if row["item_id"] == "film-9"]
    assert db.verify().ok
    db.close()


def test_a_new_store_gets_a_scale_and_says_so(place):
    with cr.open(place) as db:
        with pytest.raises(StoreError, match="no ratings"):
            db.recommend("ann")
        with pytest.warns(CoratedNotice, match="0 to 10 by 0.5"):
            db.rate("ann", "film-7", 7.5)
        with pytest.raises(DataError):
            db.rate("ann", "film-7", 7.3)
        assert db.profile("ann") == {"film-7": 7.5}


def test_an_import_brings_its_scale_ids_and_titles(place):
    made = cr.sample(users=30, items=20, ratings=200, seed=2)
    with cr.open(place, model=MODEL) as db:
        db.import_(made.ratings)
        db.put_items(made.catalog)
        assert db.index.ratings().to_arrow().equals(made.ratings.to_arrow())
        assert db.recommend(made.ratings.users.id(0)).to_pylist()[0]["title"]
        assert db.verify(users=10).ok


def test_users_and_items_are_taken_out(place):
    """All ratings of one, durably and logged, so that others follow; the catalog's lines go by themselves."""
    with cr.open(place, scale=(1, 5, 1), model=MODEL) as db, cr.open(place, model=MODEL) as other:
        db.write([(user, item, 3) for user in USERS for item in ITEMS])
        db.put_items([Item("x", "X"), Item("7", "Seven")])
        other.refresh()
        other.rate("ann", "new", 5)  # which db has not seen when it takes ann out
        assert db.remove_user("ann") == db.position == 26 + 6
        assert db.remove_item("x") == db.position == 32 + 4
        assert db.remove_user("nobody") == db.remove_item("nothing") == 36
        assert db.profile("ann") == db.index.raters("x") == {} and db.index.n_ratings == 16
        assert db.index.raters("7") == dict.fromkeys(sorted(USERS[1:]), 3.0)
        assert db.delete_items(["x", "nothing"]) == 1 and db.delete_items(["x"]) == 0
        assert db.index.catalog.ids.ids.to_pylist() == ["7"]
        other.refresh()
        assert held(other) == held(db) and other.verify().ok
        with pytest.raises(UnknownIdError):
            db.recommend("ann")
    with cr.open(place, model=MODEL) as db:
        assert len(held(db)) == 16 and db.verify().ok


# -- how long the log is -----------------------------------------------------------------------


def test_the_log_forgets_what_is_old_and_nothing_else(place, monkeypatch):
    """By itself, at `keep` and `close`: changes and keys older than said. Ratings stay, others follow on."""
    day = 86_400 * 10**9
    with cr.open(place, scale=(1, 5, 1), model=MODEL) as db:
        now = clock.time_ns()
        with monkeypatch.context() as patched:
            patched.setattr(clock, "time_ns", lambda: now - 31 * day)
            old = db.rate("ann", "x", 5, key="old")
            patched.setattr(clock, "time_ns", lambda: now - 29 * day)
            db.rate("bob", "x", 4, key="new")
        assert [logged.position for logged in db.store.changes(0)] == [1, 2]
        with cr.open(place, model=MODEL, log_days=None) as other:
            db.keep()
            with pytest.raises(LogTrimmedError):
                db.store.changes(0)
            assert [logged.position for logged in db.store.changes(old)] == [2]
            db.rate("cat", "x", 3)
            assert other.refresh() == 3 and held(other) == held(db)
        assert db.rate("bob", "x", 4, key="new") == 2  # a repetition
        assert db.rate("ann", "x", 5, key="old") == 4  # a new write
        assert db.verify().ok
    cr.open(place, model=MODEL, log_days=0).close()
    with cr.open(place, model=MODEL) as db:
        assert db.store.info.readable == db.position == 4 and len(held(db)) == 3
    for wrong in (-1, float("nan"), 10**9):
        with pytest.raises(ParameterError, match="log_days"):
            cr.open(place, log_days=wrong)


# -- the same after a restart ---------------------------------------------------------------------


def test_the_next_start_reads_the_file_and_what_came_later(place, monkeypatch):
    with cr.open(place, scale=(1, 5, 1), model=MODEL) as db:
        db.write([(user, item, 3) for user in USERS for item in ITEMS[:3]])
        kept = db._restart
    assert read_restart(kept).position == 15
    crashed = cr.open(place, model=MODEL)
    crashed.rate("ann", "film-1", 5)
    crashed.store.close()  # nothing is kept
    reads = []
    monkeypatch.setattr(
        embedded_module.Store, "read", lambda self, **k: reads.append(1) or pytest.fail("read everything")
    )
    with cr.open(place, model=MODEL) as db:
        assert db.position == 16 and db.profile("ann")["film-1"] == 5.0
    assert not reads


@pytest.mark.parametrize("damage", ["a byte", "cut short", "of another store", "empty", "of the future"])
def test_a_file_that_is_not_right_is_made_anew(place, tmp_path, damage):
    with cr.open(place, scale=(1, 5, 1), model=MODEL) as db:
        db.write([(user, item, 4) for user in USERS for item in ITEMS])
        file = db._restart
    whole = file.read_bytes()
    if damage == "a byte":
        file.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    elif damage == "cut short":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "of the future":
        read = read_restart(file)
        embedded_module.write_restart(file, embedded_module.Restart(read.ratings, read.store, 10_000))
    else:
        with cr.open(tmp_path / "other.db", scale=(1, 5, 1), model=MODEL) as other:
            other.rate("eve", "poison", 5)
        (tmp_path / "other.db.restart").replace(file)
    with cr.open(place, model=MODEL) as db:
        assert len(held(db)) == 25 and db.verify().ok and db.position == 25
        db.rate("ann", "film-1", 1)
    assert read_restart(file).position == 26


def test_no_file_where_none_is_wanted(tmp_path):
    with cr.open(tmp_path / "a.db", scale=(1, 5, 1), restart=False) as db:
        db.rate("ann", "x", 3)
    with cr.open(tmp_path / "b.db", scale=(1, 5, 1), restart=tmp_path / "elsewhere") as db:
        db.rate("ann", "x", 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.db", "b.db", "elsewhere"]


def test_a_file_that_cannot_be_written_costs_a_notice_and_no_rating(tmp_path):
    db = cr.open(tmp_path / "a.db", scale=(1, 5, 1), restart=tmp_path / "none" / "file")
    db.rate("ann", "x", 3)
    with pytest.warns(CoratedNotice, match="read every rating"):
        db.close()
    with cr.open(tmp_path / "a.db", restart=False) as db:
        assert held(db) == {("ann", "x"): 3.0}


# -- several processes ----------------------------------------------------------------------------


def test_each_follows_what_others_write(place):
    with cr.open(place, scale=(1, 5, 1), model=MODEL) as one, cr.open(place, model=MODEL) as other:
        one.rate("ann", "x", 5)
        assert other.refresh() == 1 and held(other) == held(one)
        other.rate("bob", "x", 4)
        one.rate("ann", "y", 3)  # which brings bob's along
        assert held(one) == {("ann", "x"): 5.0, ("bob", "x"): 4.0, ("ann", "y"): 3.0}
        one.erase("ann")
        other.refresh()
        assert held(other) == {("bob", "x"): 4.0} and other.verify().ok
        one.import_({"user_id": ["cat"], "item_id": ["x"], "rating": [2.0], "timestamp": [10**15]})
        assert other.refresh() == one.position and ("cat", "x") in held(other)


def test_a_follower_looks_by_itself(place):
    with (
        cr.open(place, scale=(1, 5, 1), model=MODEL) as one,
        cr.open(place, model=MODEL, follow=0.01) as other,
    ):
        one.rate("ann", "x", 5)
        done = threading.Event()
        for _ in range(500):
            if other.position == 1 and other.profile("ann"):
                break
            done.wait(0.01)
        assert other.profile("ann") == {"x": 5.0} and not other.stale
    assert not other._follower.is_alive()


def test_many_threads_write_and_read(place):
    with cr.open(place, scale=(1, 10, 1), model=MODEL) as db:
        db.rate("u0", "i0", 5)
        wrong = []

        def work(me):
            try:
                for at in range(15):
                    db.rate(f"u{me}", f"i{at}", at % 10 + 1)
                    if db.profile(f"u{me}").get(f"i{at}") != at % 10 + 1:
                        wrong.append((me, at))
                    db.recommend(f"u{me}")
            except Exception as error:  # noqa: BLE001 - told below
                wrong.append(error)

        threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong and db.position == 61 and db.verify().ok


def test_a_key_makes_a_retry_safe(place):
    with cr.open(place, scale=(1, 5, 1), model=MODEL) as db:
        first = db.rate("ann", "x", 5, key="order-1")
        db.rate("ann", "x", 2)
        assert db.rate("ann", "x", 5, key="order-1") == first
        assert db.profile("ann") == {"x": 2.0} and db.verify().ok


def test_a_refused_write_changes_nothing(place):
    with cr.open(place, scale=(1, 5, 1), model=MODEL) as db:
        db.rate("ann", "x", 5)
        for bad in ([("ann", "y", 4), ("ann", "z", 9)], [("ann", "y", 4), ("bob", "", 3)], [("ann", 7, 3)]):
            with pytest.raises((DataError, LookupError)):
                db.write(bad)
        with pytest.raises(ParameterError, match="no time"):
            db.rate("ann", "y", 3, time="soon")
        assert db.position == 1 and held(db) == {("ann", "x"): 5.0} and db.verify().ok


def test_an_erased_user_is_in_no_file(place, tmp_path):
    secret = "Wilhelmina-4711"
    db = cr.open(place, scale=(1, 5, 1), model=MODEL)
    db.rate(secret, "x", 5)
    db.rate("bob", "x", 5)
    db.keep()
    assert secret.encode() in db._restart.read_bytes()
    assert db.erase(secret).ratings == 1
    assert db.profile(secret) == {} and db.verify().ok
    assert secret not in list(db.index._current.state.users._codes)
    db.close()
    for file in [p for p in tmp_path.rglob("*") if p.is_file()]:
        assert secret.encode() not in file.read_bytes(), file


# -- a server that goes away ----------------------------------------------------------------------


@pytest.mark.jit
def test_reads_go_on_while_the_server_is_away(tmp_path, monkeypatch):
    monkeypatch.setenv("CORATED_CACHE", str(tmp_path / "cache"))
    server = servers.PostgresServer(servers.programs())
    try:
        server.start()
        with cr.open(server.address("public"), scale=(1, 5, 1), model=MODEL) as db:
            db.write([("ann", "x", 5), ("bob", "x", 5), ("bob", "y", 4), ("cat", "x", 4), ("cat", "y", 5)])
            stop, listed, wrong = threading.Event(), [], []

            def read():
                try:
                    while not stop.is_set():
                        listed.append([row["item_id"] for row in db.recommend("ann")])
                except Exception as error:  # noqa: BLE001 - told below
                    wrong.append(error)

            readers = [threading.Thread(target=read) for _ in range(2)]
            for reader in readers:
                reader.start()
            try:
                server.stop()
                assert not db.stale  # nobody has looked
                with pytest.raises(StoreUnavailableError, match="cannot be reached"):
                    db.rate("ann", "z", 3)
                assert db.stale
                with pytest.raises(StoreUnavailableError):
                    db.refresh()
                begun = len(listed)
                while len(listed) < begun + 4 and not wrong:
                    clock.sleep(0.001)
                assert db.stale and "z" not in db.profile("ann")
                server.start()
                db.rate("ann", "z", 3)
            finally:
                stop.set()
                for reader in readers:
                    reader.join()
            assert not wrong and all(items == ["y"] for items in listed)
            assert not db.stale and db.profile("ann") == {"x": 5.0, "z": 3.0} and db.verify().ok
    finally:
        server.remove()


def test_answers_go_on_when_everything_has_to_be_read_anew_and_cannot(place, monkeypatch):
    """The log was cut, and the store goes away while it is read: what there was still answers."""
    with cr.open(place, scale=(1, 5, 1), model=MODEL) as db, cr.open(place, model=MODEL) as other:
        db.rate("ann", "x", 5)
        other.refresh()
        db.rate("bob", "x", 4)
        db.store.trim(db.position)
        with monkeypatch.context() as patched:
            patched.setattr(other.store, "read", lambda: (_ for _ in ()).throw(StoreUnavailableError("away")))
            with pytest.raises(StoreUnavailableError):
                other.refresh()
            assert other.stale and other.position == 1 and held(other) == {("ann", "x"): 5.0}
        assert other.refresh() == 2 and not other.stale and held(other) == held(db)


# -- any sequence -----------------------------------------------------------------------------------


class Sequences(RuleBasedStateMachine):
    """Writes, imports, erasures, restarts and crashes; what survives is what was acknowledged."""

    place = None

    def _open(self):
        return cr.open(self.where, scale=(1, 5, 1), model=MODEL, user_ids="text", item_ids="text")

    @initialize()
    def begin(self):
        self.where, self.truth = type(self).place(), {}
        self.db = self._open()

    @rule(user=st.sampled_from(USERS), item=st.sampled_from(ITEMS), rating=st.integers(1, 5))
    def rate(self, user, item, rating):
        self.db.rate(user, item, rating)
        self.truth[user, item] = float(rating)

    @rule(
        changes=st.lists(
            st.tuples(st.sampled_from(USERS), st.sampled_from(ITEMS), st.none() | st.integers(1, 5)),
            max_size=5,
        ),
        key=st.none() | st.uuids().map(str),
    )
    def write(self, changes, key):
        self.db.write(changes, key=key)
        for user, item, rating in changes:
            self.truth.pop((user, item), None)
            if rating is not None:
                self.truth[user, item] = float(rating)

    @rule(user=st.sampled_from(USERS), items=st.lists(st.sampled_from(ITEMS), min_size=1, unique=True))
    def import_some(self, user, items):
        self.db.import_(
            {
                "user_id": [user] * len(items),
                "item_id": items,
                "rating": [2.0] * len(items),
                "timestamp": [10**15] * len(items),
            }
        )
        self.truth |= {(user, item): 2.0 for item in items}

    @rule(user=st.sampled_from(USERS))
    def remove_a_user(self, user):
        self.db.remove_user(user)
        self.truth = {pair: rating for pair, rating in self.truth.items() if pair[0] != user}

    @rule(item=st.sampled_from(ITEMS))
    def remove_an_item(self, item):
        self.db.remove_item(item)
        self.truth = {pair: rating for pair, rating in self.truth.items() if pair[1] != item}

    @rule(user=st.sampled_from(USERS))
    def erase(self, user):
        self.db.erase(user)
        self.truth = {pair: rating for pair, rating in self.truth.items() if pair[0] != user}

    @rule()
    def compact(self):
        if self.truth:
            self.db.index.compact()

    @rule()
    def restart(self):
        self.db.close()
        self.db = self._open()

    @rule(kept=st.booleans())
    def crash(self, kept):
        if kept:
            self.db.keep()
        self.db.store.close()
        self.db = self._open()

    @precondition(lambda self: self.truth)
    @rule(user=st.sampled_from(USERS), item=st.sampled_from(ITEMS))
    def another_writes(self, user, item):
        with self._open() as other:
            other.rate(user, item, 1)
        self.truth[user, item] = 1.0
        self.db.refresh()

    @invariant()
    def what_was_acknowledged_is_there(self):
        if hasattr(self, "db") and self.truth:
            assert held(self.db) == self.truth
            found = self.db.verify(users=3)
            assert found.ok, str(found)

    def teardown(self):
        if hasattr(self, "db"):
            self.db.store.close()


@pytest.mark.parametrize("examples", [3, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("database", DATABASES)
def test_any_sequence(database, examples, tmp_path, monkeypatch):
    monkeypatch.setenv("CORATED_CACHE", str(tmp_path / "cache"))
    places = iter(range(10**6))

    def place():
        return new_place(database, (tmp_path / str(next(places)))) if database != "sqlite" else fresh()

    def fresh():
        folder = tmp_path / str(next(places))
        folder.mkdir()
        return new_place(database, folder)

    Sequences.place = staticmethod(place)
    steps = 8 if numba.config.DISABLE_JIT else 20
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoratedNotice)
        run_state_machine_as_test(
            Sequences,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
