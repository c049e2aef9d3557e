"""What a store promises, in one body for both databases."""

import json
import math
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import settings
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
    DataError,
    IdTypeError,
    KeyReusedError,
    LogTrimmedError,
    OutputError,
    ParameterError,
    StoreError,
)
from corated.live import _migrate
from corated.live._schema import CATALOG, KEYS, LOG, METADATA, RATINGS, REVISION, STORE, VERSION_TABLE
from corated.live.store import Change, Item, Logged, StoreInfo, Written, open_store
from corated.ratings.ratings import Ratings
from corated.ratings.scale import Scale

from .. import servers
from ..servers import DATABASES, new_place

STARS = (1, 5, 1)
PYTHON = [sys.executable, "-c"]


@pytest.fixture(params=DATABASES)
def place(request, tmp_path):
    """Where a store may be made."""
    return new_place(request.param, tmp_path)


@pytest.fixture
def other_place(place, tmp_path):
    """Another of the same kind."""
    return new_place("postgresql" if "://" in place else "sqlite", tmp_path / "..")


@pytest.fixture
def store(place):
    with open_store(place, scale=STARS) as opened:
        yield opened


@pytest.fixture(scope="module", params=DATABASES)
def kept(request, tmp_path_factory):
    """A store with one rating, for tests of what is refused; `unchanged` looks whether it was."""
    with open_store(new_place(request.param, tmp_path_factory.mktemp("kept")), scale=STARS) as opened:
        opened.write([Change("ann", "dune", 5, 17)], key="first")
        yield opened


@pytest.fixture
def unchanged(kept):
    before = kept.info
    yield kept
    assert kept.info == before
    assert times_of(kept) == {("ann", "dune"): 17}
    assert rows_of(kept) == {("ann", "dune"): 5.0}


def rows_of(store):
    with store.read() as snapshot:
        return {(row["user_id"], row["item_id"]): row["rating"] for row in snapshot.table().to_pylist()}


def times_of(store):
    with store.read() as snapshot:
        table = snapshot.table()
    times = table["timestamp"].cast(pa.int64()).to_pylist()
    return dict(
        zip(zip(table["user_id"].to_pylist(), table["item_id"].to_pylist(), strict=True), times, strict=True)
    )


def changes_of(store, after=0):
    return [logged.change[:3] for logged in store.changes(after)]


def tamper(store, statement):
    """Do to the rows what no method does."""
    database = store._database
    with database.writing() as cursor:
        text = statement.compile(dialect=database.engine.dialect, compile_kwargs={"literal_binds": True})
        cursor.execute(str(text))


def all_text(store):
    """Return everything that stands in the tables."""
    with store._database.reading() as cursor:
        found = []
        for table in METADATA.sorted_tables:
            cursor.execute(f"SELECT * FROM {table.name}")
            found += [str(value) for row in cursor.fetchall() for value in row]
    return "\n".join(found)


# -- opening ------------------------------------------------------------------------------------------


def test_a_new_store_is_empty(place):
    with open_store(place) as store:
        info = store.info
        assert info == StoreInfo(None, None, None, None, 0, 0, 0, 0, 0, REVISION, info.identity)
        assert (store.position, store.catalog_version, store.changes(0), rows_of(store)) == (0, 0, [], {})
        assert store.verify() == []
        with store.read() as snapshot, pytest.raises(StoreError, match="no scale yet"):
            snapshot.ratings()


def test_what_was_declared_stays(place):
    with open_store(place, scale=(0.5, 5, 0.5), user_ids="integer", item_ids="text", timed=False) as store:
        declared = store.info
        assert declared.scale == Scale(0.5, 5, 0.5)
        assert (declared.user_ids, declared.item_ids, declared.timed) == ("integer", "text", False)
        with store.read() as snapshot:
            assert snapshot.schema.names == ["user_id", "item_id", "rating"]
            ratings = snapshot.ratings()
        assert (ratings.n_ratings, ratings.users.kind, ratings.times) == (0, "integer", None)
    with open_store(place, create=False) as store:
        assert store.info == declared
    with open_store(place, scale=(0.5, 5, 0.5), timed=False) as store:
        assert store.info == declared
    for asked, said in [
        ({"scale": STARS}, "scale 0.5 to 5 by 0.5, and scale=1 to 5 by 1"),
        ({"user_ids": "text"}, "user_ids integer"),
        ({"item_ids": "integer"}, "item_ids text"),
        ({"timed": True}, "timed False"),
    ]:
        with pytest.raises(StoreError, match=said):
            open_store(place, **asked)


@pytest.mark.parametrize(
    "asked",
    [{"scale": (0, 1, 0.001)}, {"scale": 5}, {"user_ids": "int"}, {"item_ids": 1}, {"timed": "yes"}],
    ids=str,
)
def test_a_wrong_argument_makes_nothing(tmp_path, asked):
    with pytest.raises(ParameterError):
        open_store(tmp_path / "store.db", **asked)
    assert list(tmp_path.iterdir()) == []


def test_what_is_declared_later(place):
    with open_store(place) as store:
        store.declare(scale=STARS)
        store.declare(scale=STARS, user_ids="integer", timed=False)
        head = store.head()
        assert (head.shape.scale, head.shape.user_ids) == (Scale(1, 5, 1), "integer")
        assert (head.shape.item_ids, head.shape.timed) == (None, False)
        with pytest.raises(StoreError, match="scale 1 to 5 by 1"):
            store.declare(scale=(0, 10, 1))
        assert (head.position, head.identity) == (0, store.info.identity)
        store.write([Change(1, "dune", 5)])


def test_one_that_is_not_there(place):
    with pytest.raises(StoreError, match="There is no store"):
        open_store(place, create=False)
    open_store(place).close()
    open_store(place, create=False).close()


def test_a_closed_store_says_so(store):
    store.close()
    store.close()
    for use in (lambda: store.position, lambda: store.write([]), store.read, store.verify):
        result = None
        try:
            result = use()
        except StoreError as error:
            assert "was closed" in str(error)
        else:
            assert result and "was closed" in result[0]  # verify tells it


def test_its_name_shows_no_password(store):
    assert "Store(" in repr(store)
    assert "options" not in repr(store)


def test_opened_by_several_at_once(place):
    """Who comes first makes the tables, the others find them."""
    barrier = threading.Barrier(6)

    def open_it(_):
        barrier.wait()
        with open_store(place, scale=STARS) as store:
            return store.info.identity

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(open_it, range(6)))) == 1


# -- revisions ----------------------------------------------------------------------------------------


def test_the_newest_revision_is_the_one_that_is_looked_for():
    assert ScriptDirectory(_migrate._MIGRATIONS).get_current_head() == REVISION


def differences(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        return compare_metadata(context, METADATA)


def test_revisions_up_and_down(store):
    database = store._database
    assert differences(database) == []
    _migrate.migrate(database, "base")
    assert _migrate.revision_of(database) is None
    with database.engine.connect() as connection:
        left = sa.inspect(connection).get_table_names()
    assert left == [VERSION_TABLE]
    assert {kind for kind, *_ in differences(database)} == {"add_table"}
    _migrate.migrate(database, "head")
    assert differences(database) == []
    assert store.info.n_ratings == 0
    assert store.verify() == []


def test_a_store_of_a_newer_version_is_refused(store, place):
    store.write([Change("ann", "dune", 5)])
    tamper(store, sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '999'"))
    with pytest.raises(StoreError, match=r"newer version.*999"):
        open_store(place)
    tamper(store, sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '{REVISION}'"))
    assert rows_of(store) == {("ann", "dune"): 5.0}


# -- writing ------------------------------------------------------------------------------------------


def test_write_change_and_take_out(store):
    assert store.write([Change("ann", "dune", 5, 17)]) == Written(1, 1, 0)
    assert store.write([Change("ann", "dune", 4, 18), Change("bob", "dune", 1, 3)]) == Written(3, 2, 1)
    assert store.write([Change("ann", "dune", 4, 18)]) == Written(4, 0, 3)  # as it was
    assert store.write([Change("ann", "dune", 4, 19)]) == Written(5, 1, 4)  # another time
    assert times_of(store) == {("ann", "dune"): 19, ("bob", "dune"): 3}
    assert store.write([Change("ann", "dune", None), Change("no", "body", None)]) == Written(7, 1, 5)
    assert rows_of(store) == {("bob", "dune"): 1.0}
    assert store.changes(3) == [
        Logged(4, Change("ann", "dune", 4.0, 18)),
        Logged(5, Change("ann", "dune", 4.0, 19)),
        Logged(6, Change("ann", "dune", None, None)),
        Logged(7, Change("no", "body", None, None)),
    ]
    info = store.info
    assert (info.position, info.n_ratings, info.readable, info.timed) == (7, 1, 0, True)
    assert (info.user_ids, info.item_ids) == ("text", "text")
    assert store.verify() == []


def test_what_was_written_is_there_when_opened_again(store, place):
    store.write([Change("ann", "dune", 5)])
    with open_store(place, create=False) as again:
        assert rows_of(again) == {("ann", "dune"): 5.0}
        assert again.info == store.info


def test_a_rating_without_a_time_is_of_now(store):
    before = time.time_ns() // 1000
    store.write([Change("ann", "dune", 5), Change("ann", "emma", 5, -7)])
    after = time.time_ns() // 1000
    times = times_of(store)
    assert before <= times["ann", "dune"] <= after
    assert times["ann", "emma"] == -7
    assert [change.time for _, change in store.changes(0)] == [times["ann", "dune"], -7]


def test_where_ratings_have_no_times(place):
    with open_store(place, scale=STARS, timed=False) as store:
        with pytest.raises(DataError, match=r"change 0.*ratings here have none"):
            store.write([Change("ann", "dune", 5, 17)])
        store.write([Change("ann", "dune", 5)])
        assert store.changes(0) == [Logged(1, Change("ann", "dune", 5.0, None))]
        with store.read() as snapshot:
            assert snapshot.schema.names == ["user_id", "item_id", "rating"]
            assert snapshot.ratings().times is None
        assert store.verify() == []


def test_the_last_of_several_changes_of_one_rating_holds(store):
    pairs = [("ann", "dune"), ("bob", "dune"), ("cat", "dune")]
    changes = [Change(*pair, rating, 1) for rating in (1, None, 3) for pair in pairs[:2]]
    changes += [Change(*pairs[2], 2, 1), Change(*pairs[2], None), Change(*pairs[1], None)]
    assert store.write(changes) == Written(9, 1, 0)
    assert rows_of(store) == {pairs[0]: 3.0}
    assert changes_of(store) == [change[:3] for change in changes]
    assert store.verify() == []


def test_what_another_process_fixed_first_holds(place):
    """Two open a new store; the second to write still thinks that nothing is fixed."""
    with open_store(place, scale=STARS) as one, open_store(place) as two:
        one.write([Change("ann", "dune", 5)])
        with pytest.raises(IdTypeError, match="user ids here are text"):
            two.write([Change(7, 8, 5)])
        assert two.write([Change("bob", "dune", 4)]).position == 2
        assert (one.info.user_ids, one.info.item_ids) == ("text", "text")
        assert one.verify() == []


def test_nothing_to_write(store):
    assert store.write([]) == Written(0, 0, 0)
    store.write([Change("ann", "dune", 5)])
    assert store.write(iter([])) == Written(1, 0, 1)
    assert store.write([], key="k") == Written(1, 0, 1)
    store.write([Change("ann", "dune", 4)])
    assert store.write([], key="k") == Written(1, 0, 1)


def test_ids_are_kept_as_they_are(store):
    ids = [
        " ",
        "ann ",
        "Ann",
        "ann",
        "007",
        "7",
        "é",
        "e\u0301",
        "a/b",
        "a'b\"c",
        "%s",
        "\\N",
        "\n",
        "\U0001f600",
        "x" * 512,
    ]
    store.write([Change(user, item, 3) for user in ids for item in ids[:4]])
    assert set(rows_of(store)) == {(user, item) for user in ids for item in ids[:4]}
    assert changes_of(store) == [(user, item, 3.0) for user in ids for item in ids[:4]]
    with store.read() as snapshot:
        users = snapshot.table()["user_id"].to_pylist()
    assert users == sorted(users)  # by code point, in both databases


def test_integer_ids(place):
    ids = [0, -1, 7, 10, 9, 2**63 - 1, -(2**63)]
    with open_store(place, scale=STARS) as store:
        store.write([Change(np.int32(3), id, 2) for id in ids])
        assert set(rows_of(store)) == {(3, id) for id in ids}
        assert [change.item for _, change in store.changes(0)] == ids
        assert (store.info.user_ids, store.info.item_ids) == ("integer", "integer")
        with store.read() as snapshot:
            assert snapshot.schema.field("item_id").type == pa.int64()
            assert list(snapshot.ratings().items) == sorted(ids)
        assert store.verify() == []


def test_ratings_are_levels_of_the_scale(place):
    with open_store(place, scale=(0, 1, 0.1)) as store:
        given = [0.1 + 0.2, np.float32(0.5), 1, np.int64(0), np.float64(0.7)]
        store.write([Change("ann", f"i{at}", rating) for at, rating in enumerate(given)])
        assert [change.rating for _, change in store.changes(0)] == [0.3, 0.5, 1.0, 0.0, 0.7]
        assert sorted(rows_of(store).values()) == [0.0, 0.3, 0.5, 0.7, 1.0]
        assert store.verify() == []


BAD = {
    "off the scale": (Change("ann", "x", 6), DataError, 'user "ann", item "x", rating 6: .*off the scale'),
    "between levels": (Change("ann", "x", 4.5), DataError, "off the scale"),
    "NaN": (Change("ann", "x", math.nan), DataError, "not finite"),
    "infinite": (Change("ann", "x", math.inf), DataError, "not finite"),
    "huge": (Change("ann", "x", 10**400), DataError, "not finite"),
    "a bool": (Change("ann", "x", True), DataError, "not a number"),
    "text for a rating": (Change("ann", "x", "5"), DataError, "not a number"),
    "an integer user": (Change(7, "x", 5), IdTypeError, "user ids here are text"),
    "an integer item": (Change("ann", 7, 5), IdTypeError, "item ids here are text"),
    "no user": (Change(None, "x", 5), IdTypeError, "user ids here are text"),
    "bytes": (Change(b"ann", "x", 5), IdTypeError, "user ids here are text"),
    "an empty id": (Change("", "x", 5), DataError, "user id is empty"),
    "an empty item": (Change("ann", "", 5), DataError, "item id is empty"),
    "NUL": (Change("a\0b", "x", 5), DataError, "NUL"),
    "half a character": (Change("\ud800", "x", 5), DataError, "half a character"),
    "a long id": (Change("é" * 257, "x", 5), DataError, "514 bytes"),
    "a float time": (Change("ann", "x", 5, 1.0), DataError, "time is no integer"),
    "a bool time": (Change("ann", "x", 5, True), DataError, "time is no integer"),
    "a huge time": (Change("ann", "x", 5, 2**63), DataError, "beyond 64 bits"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_refused_with_everything_beside_it(unchanged, what):
    bad, error, said = BAD[what]
    with pytest.raises(error, match=f"(?s)1 of 3 changes.*change 1 .from 0.*{said}"):
        unchanged.write([Change("ann", "emma", 4), bad, Change("ann", "ulysses", 4)], key="k")


def test_the_key_of_a_refused_write_is_not_taken(store):
    with pytest.raises(DataError):
        store.write([Change("ann", "emma", 6)], key="k")
    assert store.write([Change("ann", "emma", 4)], key="k").applied == 1


def test_what_does_not_fit_among_integers(place):
    with open_store(place, scale=STARS, user_ids="integer", item_ids="integer") as store:
        for bad in (Change("2", 1, 5), Change(True, 1, 5), Change(1.0, 1, 5), Change(None, 1, 5)):
            with pytest.raises(IdTypeError, match="user ids here are integers"):
                store.write([bad])
        with pytest.raises(DataError, match="beyond 64 bits"):
            store.write([Change(2**63, 1, 5)])
        assert store.position == 0


def test_only_the_first_five_are_named(store):
    with pytest.raises(DataError, match="9 of 9") as caught:
        store.write([Change("ann", f"i{at}", 9) for at in range(9)])
    assert len(caught.value.rows) == 5
    with pytest.raises(ParameterError, match="records with user"):
        store.write([("ann", "dune", 5)])


def test_a_store_without_a_scale_takes_no_rating(place):
    with open_store(place) as store:
        with pytest.raises(StoreError, match="no scale yet"):
            store.write([Change("ann", "dune", 5)])
        assert store.write([Change("ann", "dune", None)]).applied == 0


# -- idempotency keys -----------------------------------------------------------------------------------


def test_a_key_repeats_its_answer(store, place):
    first = store.write([Change("ann", "dune", 5), Change("bob", "dune", 4, 9)], key="k-1")
    store.write([Change("ann", "dune", 1)])
    for again in (store, open_store(place)):
        repeated = again.write([Change("ann", "dune", 5.0), Change("bob", "dune", 4, np.int64(9))], key="k-1")
        assert repeated == first == Written(2, 2, 0)
    again.close()
    assert rows_of(store)["ann", "dune"] == 1.0
    assert store.position == 3


def test_a_key_given_by_many_at_once_is_written_once(place):
    with open_store(place, scale=STARS) as one, open_store(place) as two, ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda at: (one, two)[at % 2].write([Change("ann", "dune", 5)], key="k"), range(16)
        )
        assert set(answers) == {Written(1, 1, 0)}
        assert one.position == 1


@pytest.mark.parametrize(
    "other",
    [
        [Change("ann", "dune", 4, 17)],
        [Change("ann", "emma", 5, 17)],
        [Change("bob", "dune", 5, 17)],
        [Change("ann", "dune", None)],
        [Change("ann", "dune", 5, 1)],
        [Change("ann", "dune", 5)],
        [Change("ann", "dune", 5, 17), Change("ann", "dune", 5, 17)],
        [],
    ],
    ids=str,
)
def test_a_key_with_other_content_is_refused(unchanged, other):
    with pytest.raises(KeyReusedError, match=r'"first".*position 1'):
        unchanged.write(other, key="first")


@pytest.mark.parametrize("key", ["", 7, "a\nb", "a\0", "é" * 257, b"k"], ids=repr)
def test_what_cannot_be_a_key(unchanged, key):
    with pytest.raises(ParameterError, match="key="):
        unchanged.write([Change("ann", "dune", 4)], key=key)


def test_a_key_goes_with_the_log(store):
    store.write([Change("ann", "dune", 5)], key="k")
    store.trim(0)
    assert store.write([Change("ann", "dune", 5)], key="k") == Written(1, 1, 0)
    store.trim(1)
    assert store.write([Change("ann", "dune", 4)], key="k") == Written(2, 1, 1)


# -- following ------------------------------------------------------------------------------------------


def test_the_log_in_parts(store):
    store.write([Change("ann", f"i{at}", 1 + at % 5, at) for at in range(10)])
    whole = store.changes(0)
    assert [logged.position for logged in whole] == list(range(1, 11))
    assert store.changes(0, limit=3) + store.changes(3, limit=7) == whole
    assert store.changes(9, limit=2**62) == whole[9:]
    assert store.changes(10) == []
    assert store.changes(4, limit=0) == []


@pytest.mark.parametrize("wrong", [-1, 1.0, True, None, "3", 2**63], ids=repr)
def test_what_is_no_position(unchanged, wrong):
    for ask in (
        unchanged.changes,
        unchanged.trim,
        lambda at: unchanged.changes(0, limit=at),
        lambda at: unchanged.read(batch=at),
    ):
        with pytest.raises(ParameterError):
            ask(wrong)
    with pytest.raises(ParameterError):
        unchanged.read(batch=0)


def test_a_trimmed_log_says_so(store):
    store.write([Change("ann", f"i{at}", 3) for at in range(10)])
    assert store.trim(4) == 4
    assert store.trim(2) == 0
    assert [position for position, _ in store.changes(4)] == [5, 6, 7, 8, 9, 10]
    with pytest.raises(LogTrimmedError, match="from position 4 to 10, and changes after 3"):
        store.changes(3)
    with pytest.raises(LogTrimmedError, match="after 11"):  # of another store
        store.changes(11)
    assert store.trim(100) == 6
    assert (store.position, store.changes(10)) == (10, [])
    assert store.write([Change("ann", "new", 3)]).position == 11
    assert changes_of(store, 10) == [("ann", "new", 3.0)]
    assert store.verify() == []


def test_trim_by_time(store):
    store.write([Change("ann", "dune", 5)])
    time.sleep(0.002)
    between = datetime.now(UTC)
    time.sleep(0.002)
    store.write([Change("ann", "dune", 4)])
    assert store.trim(between - timedelta(days=1)) == 0
    assert store.trim(between) == 1
    assert changes_of(store, 1) == [("ann", "dune", 4.0)]
    with pytest.raises(ParameterError, match="time zone"):
        store.trim(datetime(2030, 1, 1))


def test_a_gap_in_the_log_is_never_passed_over(store):
    store.write([Change("ann", f"i{at}", 3) for at in range(5)])
    tamper(store, sa.delete(LOG).where(LOG.c.position == 3))
    with pytest.raises(StoreError, match="gaps"):
        store.changes(0)
    assert len(store.changes(3)) == 2


def test_writers_at_once_wait_and_a_follower_misses_nothing(place):
    """Two stores on one database stand for two processes; a third follows both."""
    writers, each = 6, 25
    with open_store(place, scale=STARS) as one, open_store(place) as two, open_store(place) as reader:
        seen, at, done = [], 0, threading.Event()

        def follow():
            nonlocal at
            while True:
                last = done.is_set()
                found = reader.changes(at, limit=7)
                seen.extend(found)
                if found:
                    at = found[-1].position
                elif last:
                    return

        def write(who):
            store = (one, two)[who % 2]
            return [
                store.write([Change(f"u{who}", f"i{k}", 1 + k % 5), Change("all", f"i{k}", 1)])
                for k in range(each)
            ]

        with ThreadPoolExecutor(writers + 1) as pool:
            following = pool.submit(follow)
            written = list(pool.map(write, range(writers)))
            done.set()
            following.result()
        assert [logged.position for logged in seen] == list(range(1, 2 * writers * each + 1))
        firsts = sorted(one.before for of_one in written for one in of_one)
        assert firsts == list(range(0, 2 * writers * each, 2))  # no two writes between one another
        for who in range(writers):
            mine = [change.item for _, change in seen if change.user == f"u{who}"]
            assert mine == [f"i{k}" for k in range(each)]
        assert one.info.n_ratings == writers * each + each
        assert one.verify() == []


WRITER = """
import os, sys
from corated.live.store import Change, open_store
other = os.fork()
with open_store(sys.argv[1]) as store:
    for k in range(30):
        store.write([Change("ann" if other else "bob", f"i{k}", 1 + k % 5)])
if other:
    assert os.waitpid(other, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_writers_in_other_processes(store, place):
    subprocess.run([*PYTHON, WRITER, place], timeout=60, check=True)
    assert [logged.position for logged in store.changes(0)] == list(range(1, 61))
    assert len(rows_of(store)) == 60


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_after_a_fork_both_go_on(store):
    store.write([Change("parent", "before", 1)])
    with store._database._turn:  # a thread of the parent writes at this moment
        child = os.fork()
        if child == 0:
            ok = False
            try:
                store.write([Change("child", "after", 2)])
                ok = ("parent", "before") in rows_of(store)
            finally:
                os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    store.write([Change("parent", "after", 3)])
    assert set(rows_of(store)) == {("parent", "before"), ("child", "after"), ("parent", "after")}
    assert store.verify() == []


# -- reading --------------------------------------------------------------------------------------------


def test_a_snapshot_is_of_one_moment(store):
    store.write([Change("ann", f"i{at:02}", 3, at) for at in range(20)])
    with store.read(batch=6) as snapshot:
        batches = iter(snapshot)
        first = next(batches)
        written = store.write(
            [Change("ann", "i15", 1, 0), Change("ann", "i16", None), Change("zoe", "i", 5, 0)]
        )
        assert written.position == 23  # who reads holds nobody up
        rest = list(batches)
        assert [len(batch) for batch in (first, *rest)] == [6, 6, 6, 2]
        table = pa.Table.from_batches([first, *rest])
        assert set(table["rating"].to_pylist()) == {3.0}
        assert table["timestamp"].type == pa.timestamp("us", "UTC")
        assert snapshot.table() == table  # and again
        assert (snapshot.position, snapshot.scale) == (20, Scale(1, 5, 1))
        assert snapshot.ratings().profile("ann") == {f"i{at:02}": 3.0 for at in range(20)}
    assert changes_of(store, snapshot.position) == [
        ("ann", "i15", 1.0),
        ("ann", "i16", None),
        ("zoe", "i", 5.0),
    ]
    with pytest.raises(StoreError, match="closed"):
        list(snapshot)


def test_snapshots_in_many_threads(store):
    store.write([Change(f"u{u}", f"i{at}", 3) for u in range(5) for at in range(20)])

    def read(_):
        with store.read(batch=7) as snapshot:
            return snapshot.ratings().n_ratings

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, range(24))) == {100}


# -- imports --------------------------------------------------------------------------------------------


def some_ratings(**options):
    users, items = ["bob", "ann", "ann", "zoë"], ["dune", "dune", "emma", "007"]
    return Ratings.from_arrays(users, items, [5, 4, 1, 2], [10**9, 10**9 + 1, 3, 4], time_unit="s", **options)


FORMS = {
    "ratings": lambda ratings: ratings,
    "a table": lambda ratings: ratings.to_arrow(),
    "a reader": lambda ratings: ratings.to_arrow().to_reader(2),
    "batches": lambda ratings: iter(ratings.to_arrow().to_batches(2)),
    "one batch": lambda ratings: ratings.to_arrow().to_batches()[0],
    "columns": lambda ratings: ratings.to_arrow().to_pydict(),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_import_is_what_it_was(place, form):
    ratings = some_ratings()
    with open_store(place) as store:
        assert store.import_(FORMS[form](ratings)) == Written(1, 4, 0)
        info = store.info
        assert (info.scale, info.user_ids, info.item_ids, info.timed) == (
            Scale(1, 5, 1),
            "text",
            "text",
            True,
        )
        assert (info.n_ratings, info.position, info.readable) == (4, 1, 1)
        with store.read() as snapshot:
            assert snapshot.ratings().to_arrow() == ratings.to_arrow()
        with pytest.raises(LogTrimmedError):
            store.changes(0)
        assert store.changes(1) == []
        assert store.verify() == []


def test_an_import_takes_the_place_of_what_is_there(store):
    store.write(
        [Change("ann", "dune", 1, 5), Change("ann", "ulysses", 2, 6), Change("bob", "dune", 5, 10**15)]
    )
    assert store.import_(some_ratings()) == Written(4, 3, 3)  # one is there as it is
    assert rows_of(store) == {
        ("ann", "dune"): 4.0,
        ("ann", "emma"): 1.0,
        ("ann", "ulysses"): 2.0,
        ("bob", "dune"): 5.0,
        ("zoë", "007"): 2.0,
    }
    assert store.import_(some_ratings()) == Written(5, 0, 4)
    assert store.write([Change("ann", "dune", 3)]).position == 6
    assert store.verify() == []


def test_integers_are_imported_in_any_order(place):
    rng = np.random.default_rng(3)
    users, items = np.divmod(rng.choice(40 * 40, 500, replace=False) - 800, 40)
    ratings = Ratings.from_arrays(users, items, rng.integers(0, 11, 500) / 2)
    with open_store(place) as store:
        calls = []
        store.import_(ratings, progress=lambda done, total: calls.append((done, total)))
        assert calls[-1] == (500, 500)
        with store.read(batch=100) as snapshot:
            assert snapshot.ratings().to_arrow() == ratings.to_arrow()
        assert store.info.timed is False
        assert store.verify() == []


REFUSED = {
    "off the scale": (
        lambda: Ratings.from_arrays(["ann", "bob"], ["x", "y"], [5, 6], [1, 2], time_unit="s"),
        DataError,
        '(?s)1 of 2 ratings are off.*user "bob", item "y": 6',
    ),
    "off the scale, in a table": (
        lambda: {"user_id": ["ann", "bob"], "item_id": ["x", "y"], "rating": [5, 6], "timestamp": [1, 2]},
        DataError,
        "off the declared scale",
    ),
    "on no scale": (
        lambda: Ratings.from_arrays(["ann"] * 300, [f"i{at}" for at in range(300)], np.arange(300) ** 2.5),
        DataError,
        "on no scale",
    ),
    "integer users": (
        lambda: Ratings.from_arrays([1], ["x"], [5], [1], time_unit="s"),
        IdTypeError,
        "user ids",
    ),
    "integer items": (
        lambda: Ratings.from_arrays(["a"], [1], [5], [1], time_unit="s"),
        IdTypeError,
        "item ids",
    ),
    "no times": (lambda: Ratings.from_arrays(["ann"], ["x"], [5]), DataError, "have times, these have none"),
    "NUL": (
        lambda: Ratings.from_arrays(["a\0b"], ["x"], [5], [1], time_unit="s"),
        DataError,
        "NUL",
    ),
    "twice": (
        lambda: {"user_id": ["ann"] * 2, "item_id": ["x"] * 2, "rating": [5, 4], "timestamp": [1, 2]},
        DataError,
        "(?i)duplicate|more than once|twice",
    ),
    "not a number": (
        lambda: {"user_id": ["ann"], "item_id": ["x"], "rating": [math.nan], "timestamp": [1]},
        DataError,
        "missing",
    ),
    "no batches": (list, ParameterError, "cannot be imported"),
    "numbers": (lambda: [1, 2], ParameterError, "cannot be imported"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_import_that_does_not_fit_is_refused_whole(unchanged, what):
    made, error, said = REFUSED[what]
    with pytest.raises(error, match=said):
        unchanged.import_(made())


def test_times_are_not_imported_where_there_are_none(place):
    with open_store(place, scale=STARS, timed=False) as store:
        with pytest.raises(DataError, match="have no times, these have some"):
            store.import_(some_ratings())
        assert store.import_(Ratings.from_arrays(["ann"], ["x"], [5])).applied == 1
        assert (store.position, store.verify()) == (1, [])


def test_ratings_of_a_wider_scale_fit_where_they_use_no_more(store):
    assert store.import_(some_ratings(scale=(0, 10, 0.5))) == Written(1, 4, 0)
    assert set(rows_of(store).values()) == {5.0, 4.0, 1.0, 2.0}
    assert store.info.scale == Scale(1, 5, 1)
    assert store.verify() == []


def test_an_import_that_is_stopped_leaves_nothing(store):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.import_(some_ratings(), progress=stop)
    assert (store.position, rows_of(store)) == (0, {})
    store.write([Change("ann", "dune", 5)])  # and the store goes on
    with pytest.raises(KeyboardInterrupt):
        store.import_(some_ratings(), progress=stop)
    assert rows_of(store) == {("ann", "dune"): 5.0}
    assert store.verify() == []


def test_nothing_to_import(store):
    store.import_(some_ratings())
    nothing = some_ratings().where(np.zeros(4, dtype=bool))
    assert store.import_(nothing) == Written(1, 0, 1)


# -- a scale that widens ----------------------------------------------------------------------------------


def test_a_write_widens_the_scale(place):
    with open_store(place, scale=STARS, widen=True) as store, open_store(place) as other:
        store.write([Change("ann", "dune", 5)])
        assert store.write([Change("ann", "emma", 0.5), Change("bob", "emma", 7)]) == Written(4, 2, 1)
        assert store.info.scale == Scale(0.5, 7, 0.5)
        assert rows_of(store) == {("ann", "dune"): 5.0, ("ann", "emma"): 0.5, ("bob", "emma"): 7.0}
        with pytest.raises(LogTrimmedError):  # codes mean something else now
            store.changes(1)
        assert changes_of(store, 2) == [("ann", "emma", 0.5), ("bob", "emma", 7.0)]
        other.write([Change("cat", "dune", 6.5)])  # who did not widen it learns of it
        with pytest.raises(DataError, match=r"0\.5 to 7 by 0\.5"):
            other.write([Change("cat", "dune", 7.5)])
        with pytest.raises(DataError, match="cannot be widened"):
            store.write([Change("cat", "dune", 1000)])
        with pytest.raises(DataError, match="not finite"):
            store.write([Change("cat", "dune", math.inf)])
        assert store.info.scale == Scale(0.5, 7, 0.5)
        assert store.verify() == []


def test_an_import_and_an_opening_widen_the_scale(place):
    with open_store(place, scale=(1, 3, 1), widen=True) as store:
        assert store.import_(some_ratings()) == Written(2, 4, 0)
        assert store.info.scale == Scale(1, 5, 1)
    with open_store(place, scale=(0, 10, 1), widen=True) as store:
        assert (store.info.scale, store.position) == (Scale(0, 10, 1), 3)
        with pytest.raises(LogTrimmedError):
            store.changes(2)
        assert store.import_(some_ratings().to_arrow()).applied == 0
        half = {"user_id": ["ann"], "item_id": ["half"], "rating": [0.5], "timestamp": [10**9]}
        assert store.import_(half).applied == 1
        assert store.info.scale == Scale(0, 10, 0.5)
        assert store.verify() == []


# -- exports and backups ------------------------------------------------------------------------------------


def filled(store):
    users = ["ann", "=bob", 'q"u', "007", "a,b"]
    store.write([Change(user, f"i{at}", 1 + at % 5, 10**15 + at) for user in users for at in range(5)])
    return {(user, f"i{at}"): 1.0 + at % 5 for user in users for at in range(5)}


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_an_export_is_read_as_the_same_ratings(store, tmp_path, ending):
    filled(store)
    path = tmp_path / f"out.{ending}"
    path.write_text("old")
    assert store.export(path) == 25
    again = cr.read_ratings(path, ids="text", scale=STARS)
    with store.read() as snapshot:
        assert again.to_arrow() == snapshot.ratings().to_arrow()
    assert store.export(tmp_path / "other", format=ending) == 25


def test_an_export_as_json_lines(store, tmp_path):
    expected = filled(store)
    assert store.export(tmp_path / "out.jsonl") == 25
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert {(row["user_id"], row["item_id"]): row["rating"] for row in rows} == expected
    moments = {datetime.fromisoformat(row["timestamp"]) for row in rows}
    assert moments == {datetime.fromtimestamp(10**9, UTC) + timedelta(microseconds=at) for at in range(5)}


def test_an_export_that_cannot_be(store, tmp_path):
    with pytest.raises(ParameterError, match="not known"):
        store.export(tmp_path / "out.xlsx")
    with pytest.raises(ParameterError, match="format='xml'"):
        store.export(tmp_path / "out.csv", format="xml")
    with pytest.raises(OutputError, match="does not exist"):
        store.export(tmp_path / "none" / "out.csv")
    assert not list(tmp_path.glob("out*"))


def test_an_empty_export(store, tmp_path):
    for ending in ("parquet", "csv", "jsonl"):
        assert store.export(tmp_path / f"out.{ending}") == 0
    assert pa.parquet.read_table(tmp_path / "out.parquet").num_rows == 0


def contents(store):
    with store._database.reading(snapshot=True) as cursor:
        found = {}
        for table in (RATINGS, LOG, KEYS, CATALOG, STORE):
            cursor.execute(store._database.statements.all(table))
            found[table.name] = [tuple(row) for row in cursor.fetchall()]
    (row,) = found["corated_store"]
    return found | {"corated_store": row[2:]}, row[1]


def test_a_backup_is_the_store(store, tmp_path):
    filled(store)
    store.put_items([Item("i1", "Dune", 1965, ("sf",)), Item("i2")])
    store.write([Change("ann", "i1", 2)], key="k")
    path = tmp_path / "backup.db"
    path.write_text("old")
    store.backup(path)
    assert sorted(p.name for p in tmp_path.glob("*backup*")) == ["backup.db"]
    with open_store(path, create=False) as copy:
        expected, identity = contents(store)
        found, new = contents(copy)
        assert found == expected
        assert new != identity  # it goes its own way from here
        assert copy.verify() == []
        assert copy.write([Change("ann", "i1", 2)], key="k") == Written(26, 1, 25)
        assert copy.write([Change("ann", "i1", 3)]).position == 27
        with pytest.raises(OutputError, match="in use"):
            store.backup(path)
    assert store.position == 26


def test_a_backup_is_restored_into_a_database(store, tmp_path):
    filled(store)
    store.put_items([Item("i1", "Dune", 1965, ("sf",))])
    store.write([Change("ann", "i1", 2)], key="k")
    store.backup(tmp_path / "backup.db")
    address = servers.shared().address()
    with open_store(tmp_path / "backup.db") as backup:
        backup.backup(address)
        with pytest.raises(StoreError, match="not empty"):
            backup.backup(address)
    with open_store(address, create=False) as restored:
        (found, identity), (expected, old) = contents(restored), contents(store)
        assert found == expected
        assert identity != old
        assert restored.verify() == []


def test_a_backup_while_others_write(place, tmp_path):
    with open_store(place, scale=STARS) as store, ThreadPoolExecutor(1) as pool:
        stop = threading.Event()

        def write():
            k = 0
            while not stop.is_set():
                store.write([Change(side, f"i{k}", 1 + k % 5, 0) for side in ("left", "right")])
                k += 1
            return k

        writing = pool.submit(write)
        try:
            for at in range(3):
                store.backup(tmp_path / f"{at}.db")
        finally:
            stop.set()
        assert writing.result() > 0
        for at in range(3):
            with open_store(tmp_path / f"{at}.db") as copy:
                rows = rows_of(copy)
                assert len(rows) == copy.position
                assert {item for side, item in rows if side == "left"} == {
                    item for side, item in rows if side == "right"
                }
                assert copy.verify() == []


def test_a_backup_that_cannot_be(store, tmp_path, place):
    with pytest.raises(OutputError, match="does not exist"):
        store.backup(tmp_path / "none" / "backup.db")
    if "://" not in place:
        link = tmp_path / "link.db"
        link.symlink_to(place)
        for path in (place, link):
            with pytest.raises(OutputError, match="take the place"):
                store.backup(path)
    assert store.verify() == []


# -- the catalog ----------------------------------------------------------------------------------------


def test_the_catalog(store):
    items = [Item("dune", "Dune", 1965, ("sf", "desert")), Item("emma"), Item("zoë", "", None, ("é",))]
    assert store.put_items(items) == 3
    assert (store.catalog_version, store.info.n_catalog, store.info.item_ids) == (1, 3, "text")
    assert [store.item(item.item) for item in items] == items
    assert store.item("nothing") is None
    catalog = store.catalog()
    assert catalog.to_arrow().to_pylist()[0] == {
        "item_id": "dune",
        "title": "Dune",
        "year": 1965,
        "genres": ["sf", "desert"],
    }
    assert list(catalog.ids) == ["dune", "emma", "zoë"]
    assert store.put_items([Item("dune", "Dune II", 1966)]) == 1
    assert store.item("dune") == Item("dune", "Dune II", 1966, ())
    assert store.delete_items(["emma", "nothing"]) == 1
    assert store.delete_items(["nothing"]) == 0
    assert (store.catalog_version, store.item("emma"), len(store.catalog())) == (3, None, 2)
    assert store.put_items([]) == 0
    assert (store.catalog_version, store.position) == (3, 0)
    assert store.put_items(catalog) == 3
    assert store.catalog().to_arrow() == catalog.to_arrow()


def test_a_catalog_of_integers(store):
    store.put_items([Item(10, "ten"), Item(9, "nine"), Item(-1)])
    assert list(store.catalog().ids) == [-1, 9, 10]
    assert store.item(9) == Item(9, "nine")
    with pytest.raises(IdTypeError):
        store.write([Change("ann", "9", 5)])
    for use in (store.item, lambda id: store.put_items([Item(id)]), lambda id: store.delete_items([id])):
        with pytest.raises(IdTypeError):
            use("9")
    assert store.verify() == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (Item("x", 7), "title is 7"),
        (Item("x", "a\0"), "title is"),
        (Item("x", "\ud800"), "title is"),
        (Item("x", None, 1965.0), "year is 1965.0"),
        (Item("x", None, True), "year is True"),
        (Item("x", None, 2**31), "year is"),
        (Item("x", None, None, "sf"), "genres are 'sf'"),
        (Item("x", None, None, (1,)), "genres are"),
    ],
    ids=str,
)
def test_items_that_do_not_fit(unchanged, bad, said):
    with pytest.raises(DataError, match=f'(?s)1 of 2 items.*item "x": the {said}'):
        unchanged.put_items([Item("dune", "Dune"), bad])
    assert (unchanged.info.n_catalog, unchanged.catalog_version) == (0, 0)


# -- erasing --------------------------------------------------------------------------------------------


def test_erasing_a_user_everywhere(store, place):
    name = "erase-me-çelebi"
    store.write([Change(name, f"i{at}", 3) for at in range(100)] + [Change("bob", "i1", 3)], key=f"{name}-1")
    store.write([Change("bob", "i2", 3)], key="bob-1")
    store.write([Change(name, "i1", None)], key="k")
    erased = store.erase(name)
    assert (erased.ratings, erased.logged, erased.keys) == (99, 101, 2)
    assert (erased.before, erased.position, erased.complete) == (103, 104, True)
    assert rows_of(store) == {("bob", "i1"): 3.0, ("bob", "i2"): 3.0}
    assert name not in all_text(store)
    if "://" not in place:
        folder = os.path.dirname(place)  # noqa: PTH120
        left = b"".join(open(entry.path, "rb").read() for entry in os.scandir(folder))  # noqa: PTH123, SIM115
        assert b"bob" in left
        assert name.encode() not in left
    with pytest.raises(LogTrimmedError):  # a follower must not keep the user either
        store.changes(103)
    assert store.write([Change("bob", "i2", 3)], key="bob-1").position == 102  # others' keys stay
    assert store.verify() == []


def test_erasing_a_user_whose_ratings_were_taken_out(store):
    store.write([Change("ann", "dune", 5)], key="k")
    store.write([Change("ann", "dune", None)])
    erased = store.erase("ann")
    assert (erased.ratings, erased.logged, erased.keys, erased.position) == (0, 2, 1, 3)
    assert "ann" not in all_text(store)
    with pytest.raises(LogTrimmedError):
        store.changes(2)
    assert store.verify() == []


def test_erasing_leaves_the_keys_of_others(store):
    """Also of those who wrote just before and just after."""
    answers = {key: store.write([Change(key, "dune", 5)], key=key) for key in ("ann", "bob", "cat")}
    assert store.erase("bob").keys == 1
    for key in ("ann", "cat"):
        assert store.write([Change(key, "dune", 5)], key=key) == answers[key]
    assert store.position == 4


def test_erasing_nobody(store):
    store.write([Change("bob", "i1", 3)])
    erased = store.erase("nobody")
    assert (erased.ratings, erased.logged, erased.keys, erased.position, erased.before) == (0, 0, 0, 1, 1)
    assert store.changes(0)
    with pytest.raises(IdTypeError):
        store.erase(7)
    with pytest.raises(IdTypeError):
        store.erase(None)


# -- verifying ------------------------------------------------------------------------------------------


TAMPERED = {
    "a rating that nobody wrote": (
        sa.insert(RATINGS).values(user_id="x", item_id="y", rating=3, time=1),
        None,
    ),
    "a rating changed": (sa.update(RATINGS).values(rating=1), "3 ratings are not what the log wrote last"),
    "a time changed": (sa.update(RATINGS).values(time=1), "not what the log wrote last"),
    "a rating lost": (sa.delete(RATINGS).where(RATINGS.c.item_id == "i1"), "1 ratings are not what the log"),
    "off the scale": (sa.update(RATINGS).values(rating=9), "off the scale"),
    "a time lost": (sa.update(RATINGS).values(time=None), "lack a time"),
    "a change lost": (sa.delete(LOG).where(LOG.c.position == 2), "the log has 3 changes from 0 to 4"),
    "a change too much": (
        sa.insert(LOG).values(position=9, user_id="a", item_id="b", rating=1, time=1, written=1),
        "after the last position 4",
    ),
    "a position lost": (sa.update(STORE).values(position=3), "after the last position 3"),
    "marks crossed": (sa.update(STORE).values(readable=7), "begins at 7 and ends at 4"),
    "types forgotten": (sa.update(STORE).values(user_ids=None), "not fixed"),
    "ids of another type": (sa.update(STORE).values(user_ids="integer"), "no integer"),
    "an unknown type": (sa.update(STORE).values(user_ids="bytes"), "cannot be read"),
    "a scale that is none": (sa.update(STORE).values(step=0), "cannot be read"),
    "the row lost": (sa.delete(STORE), "cannot be read"),
    "a key of the future": (sa.update(KEYS).values(position=99), "idempotency keys"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_verify_finds(store, what):
    statement, said = TAMPERED[what]
    store.write([Change("ann", f"i{at}", 3, 17) for at in range(3)], key="k")
    store.write([Change("ann", "gone", None)])
    assert store.verify() == []
    tamper(store, statement)
    found = store.verify()
    if said is None:  # imported ratings are not logged, so nothing tells these apart
        assert found == []
    else:
        assert any(said in line for line in found), found


# -- any sequence ----------------------------------------------------------------------------------------


USERS, ITEMS = ["ann", "bob", " ", "é"], ["1", "2", "x"]
LEVELS = [1.0, 2.0, 3.0, 4.0, 5.0]


class AnySequence(RuleBasedStateMachine):
    """Everything a store can do, beside a dictionary and a list."""

    database = ""
    folder = None

    @initialize()
    def begin(self):
        self.truth, self.log, self.keys = {}, [], {}
        self.readable = self.count = 0
        path = self.folder / f"{next(self.names)}"
        path.mkdir()
        self.place = new_place(self.database, path)
        self.store = open_store(self.place, scale=STARS)

    def teardown(self):
        self.store.close()

    def _changes(self, data):
        one = st.builds(
            Change,
            st.sampled_from(USERS),
            st.sampled_from(ITEMS),
            st.none() | st.sampled_from(LEVELS),
            st.integers(-3, 3),
        )
        return data.draw(st.lists(one, max_size=5))

    def _apply(self, changes):
        before = dict(self.truth)
        for user, item, rating, at in changes:
            self.count += 1
            if rating is None:
                self.truth.pop((user, item), None)
                self.log.append(Logged(self.count, Change(user, item, None)))
            else:
                self.truth[user, item] = (rating, at)
                self.log.append(Logged(self.count, Change(user, item, rating, at)))
        return sum(before.get(pair) != self.truth.get(pair) for pair in before.keys() | self.truth.keys())

    def _begin_anew(self):
        self.count += 1
        self.readable, self.log = self.count, []

    @rule(data=st.data(), key=st.none() | st.sampled_from(["a", "b", "c"]))
    def write(self, data, key):
        changes, before = self._changes(data), self.count
        content = [change[:3] + ((change.time,) if change.rating is not None else ()) for change in changes]
        if key in self.keys:
            old, answer, _ = self.keys[key]
            if old == content:
                assert self.store.write(changes, key=key) == answer
            else:
                with pytest.raises(KeyReusedError):
                    self.store.write(changes, key=key)
            return
        applied = self._apply(changes)
        written = self.store.write(changes, key=key)
        assert written == Written(self.count, applied, before)
        if key is not None:
            self.keys[key] = (content, written, {change.user for change in changes})

    @rule(data=st.data())
    def repeat(self, data):
        if self.keys:
            key = data.draw(st.sampled_from(sorted(self.keys)))
            content, answer, _ = self.keys[key]
            changes = [Change(*one) for one in content]
            assert self.store.write(changes, key=key) == answer

    @rule(data=st.data())
    def refuse(self, data):
        with pytest.raises(DataError):
            self.store.write([*self._changes(data), Change("ann", "x", 5.5)])

    @rule(data=st.data())
    def import_some(self, data):
        some = data.draw(
            st.dictionaries(
                st.tuples(st.sampled_from(USERS), st.sampled_from(ITEMS)),
                st.tuples(st.sampled_from(LEVELS), st.integers(-3, 3)),
                min_size=1,
            )
        )
        applied = sum(self.truth.get(pair) != value for pair, value in some.items())
        before = self.count
        table = pa.table(
            {
                "user_id": [user for user, _ in some],
                "item_id": [item for _, item in some],
                "rating": [rating for rating, _ in some.values()],
                "timestamp": pa.array([at for _, at in some.values()], pa.timestamp("us", "UTC")),
            }
        )
        self._begin_anew()
        self.truth |= some
        written = self.store.import_(Ratings.from_table(table, scale=STARS, ids="text"))
        assert written == Written(self.count, applied, before)

    @rule(user=st.sampled_from(USERS))
    def erase(self, user):
        ratings = [pair for pair in self.truth if pair[0] == user]
        logged = {at for at, name in self.everlog.items() if name == user}
        keys = [key for key, (_, _, names) in self.keys.items() if user in names]
        for pair in ratings:
            del self.truth[pair]
        for key in keys:
            del self.keys[key]
        before = self.count
        if ratings or logged or keys:
            self._begin_anew()
        self.everlog = {at: name for at, name in self.everlog.items() if name != user}
        erased = self.store.erase(user)
        assert (erased.ratings, erased.logged, erased.keys) == (len(ratings), len(logged), len(keys))
        assert (erased.position, erased.before) == (self.count, before)

    @rule(data=st.data())
    def trim(self, data):
        upto = data.draw(st.integers(0, self.count + 2))
        self.store.trim(upto)
        self.readable = max(self.readable, min(upto, self.count))
        self.log = [logged for logged in self.log if logged.position > upto]
        self.everlog = {at: name for at, name in self.everlog.items() if at > upto}
        self.keys = {key: kept for key, kept in self.keys.items() if kept[1].position > upto}

    @rule()
    def reopen(self):
        self.store.close()
        self.store = open_store(self.place, create=False)

    @rule()
    @precondition(lambda self: self.database == "sqlite")
    def back_up_and_restore(self):
        restored = self.folder / f"{next(self.names)}.db"
        self.store.backup(restored)
        self.store.close()
        self.place = str(restored)
        self.store = open_store(restored)

    @invariant()
    def same(self):
        for position, change in self.log:
            if position > self.noted:
                self.everlog[position], self.noted = change.user, position
        assert self.store.position == self.count
        assert self.store.changes(self.readable) == self.log
        if self.readable:
            with pytest.raises(LogTrimmedError):
                self.store.changes(self.readable - 1)
        with self.store.read(batch=3) as snapshot:
            assert snapshot.position == self.count
            found = {}
            for batch in snapshot:
                for row in batch.to_pylist():
                    at = round(
                        (row["timestamp"] - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)
                    )
                    found[row["user_id"], row["item_id"]] = (row["rating"], at)
        assert found == self.truth
        assert self.store.verify() == []


@pytest.mark.parametrize("examples", [5, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("database", DATABASES)
def test_any_sequence_of_calls(database, examples, tmp_path):
    class Machine(AnySequence):
        names = iter(range(10**6))

        def __init__(self):
            self.everlog, self.noted = {}, 0
            super().__init__()

    Machine.database, Machine.folder = database, tmp_path
    run_state_machine_as_test(Machine, settings=settings(max_examples=examples, stateful_step_count=20))
