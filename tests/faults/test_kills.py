"""Stores whose processes are killed at any moment, on both databases.

What was acknowledged is there, nothing is there by half, the tables are of one revision, and `verify` passes.
Twenty kills in all; nearly 400 more with `make soak`.
"""

import os
import random
import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

import corated as cr
from corated.live import _migrate
from corated.live._head import read_head
from corated.live._schema import METADATA, REVISION, VERSION_TABLE
from corated.live.store import Change, _database_at, open_store

from ..servers import DATABASES, new_place
from .nursery import Nursery
from .workers import MODEL, NEXT, STARS, with_next_revision

ROUNDS = [2, pytest.param(33, marks=pytest.mark.slow)]

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="signals and forks as POSIX has them"),
    pytest.mark.jit,  # kernels have little part in this, so once is enough
]

NEXT_REVISION = f'''
"""A revision made up for tests: it changes every row of the ratings, and adds a table filled from them."""
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{NEXT}", "{REVISION}", None, None

def upgrade():
    op.add_column("corated_ratings", sa.Column("made_up", sa.Text))
    op.execute("UPDATE corated_ratings SET made_up = user_id || '/' || item_id")
    columns = sa.Column("user_id", sa.Text, primary_key=True), sa.Column("n", sa.Integer)
    op.create_table("corated_made_up", *columns)
    op.execute("INSERT INTO corated_made_up SELECT user_id, count(*) FROM corated_ratings GROUP BY user_id")

def downgrade():
    op.drop_table("corated_made_up")
    op.execute("UPDATE corated_ratings SET made_up = NULL")
    op.drop_column("corated_ratings", "made_up")
'''


@pytest.fixture(scope="module")
def nursery():
    made = Nursery()
    yield made
    made.close()


@pytest.fixture(params=DATABASES)
def place(request, tmp_path):
    return new_place(request.param, tmp_path)


@pytest.fixture(scope="module")
def migrations(tmp_path_factory):
    """The migrations, and one more."""
    folder = tmp_path_factory.mktemp("migrations") / "all"
    shutil.copytree(Path(_migrate._MIGRATIONS), folder)
    (folder / "versions" / f"revision_{NEXT}.py").write_text(NEXT_REVISION, encoding="utf-8")
    return folder


def rows_of(store):
    with store.read() as snapshot:
        return {(row["user_id"], row["item_id"]): row["rating"] for row in snapshot.table().to_pylist()}


def settle(database):
    """Wait until the server has ended what the killed process had begun."""
    with database.engine.connect() as connection:
        database.alone(connection)
        connection.rollback()
    if _migrate.revision_of(database) is not None:
        with database.writing() as cursor:
            read_head(database, cursor, lock=True)


def moments(rounds):
    drawn = random.Random(rounds)
    return [drawn.uniform(0, 0.1) for _ in range(rounds)]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_writer_is_killed(nursery, place, rounds):
    total = 0
    with open_store(place, scale=STARS) as store:
        for at, seconds in enumerate(moments(rounds)):
            acknowledged = nursery.killed_after(seconds, what="write", place=place, tag=f"r{at}")
            settle(store._database)
            rows = rows_of(store)
            a, b = (sorted(item for user, item in rows if user == f"r{at}-{side}") for side in "ab")
            assert a == b  # none by half
            assert {f"i{k}" for k in range(acknowledged)} <= set(a)
            assert len(a) <= acknowledged + 1  # the one that was not acknowledged may be there
            # Who does not know writes it again with its key, and it is there once.
            changes = [
                Change(f"r{at}-{side}", f"i{acknowledged}", 1 + acknowledged % 5, acknowledged)
                for side in "ab"
            ]
            written = store.write(changes, key=f"r{at}-{acknowledged}")
            total += 2 * (acknowledged + 1)
            assert written.position == store.position == total
            assert store.verify() == []
        assert [logged.position for logged in store.changes(0, limit=total + 9)] == list(range(1, total + 1))


@pytest.mark.parametrize("rounds", ROUNDS)
def test_an_import_is_killed(nursery, place, rounds):
    with open_store(place, scale=STARS, timed=False) as store:
        for seconds in moments(rounds):
            acknowledged = nursery.killed_after(seconds, what="import", place=place)
            settle(store._database)
            (value,) = set(rows_of(store).values())  # all of one import
            assert store.info.n_ratings == 5_000
            assert value in {1 + (acknowledged - 1) % 5, 1 + acknowledged % 5}
            assert store.verify() == []


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("what", ["snapshot", "compact"])
def test_an_index_and_its_store_are_killed(nursery, place, tmp_path, what, rounds):
    """While the file for the next start is written, or the index and the log are compacted."""
    beside, truth = tmp_path / "beside", {}
    open_store(place, scale=STARS).close()
    for at, seconds in enumerate(moments(rounds)):
        acknowledged = nursery.killed_after(seconds, what=what, place=place, tag=f"r{at}", beside=str(beside))
        with cr.open(place, model=MODEL, restart=beside) as db:
            settle(db.store._database)
            db.refresh()
            truth |= {f"r{at}-{side}": {f"i{k}": 1.0 + k % 5 for k in range(acknowledged)} for side in "ab"}
            last = {f"i{acknowledged}": 1.0 + acknowledged % 5}
            if db.profile(f"r{at}-a") != truth[f"r{at}-a"]:
                truth |= {f"r{at}-{side}": truth[f"r{at}-{side}"] | last for side in "ab"}
            assert {user: db.profile(user) for user in db.index.ratings().users} == truth
            found = db.verify(users=3)
            assert found.ok, str(found)
        backup = tmp_path / "beside.backup"
        if backup.exists():
            with open_store(backup, create=False) as copy:
                assert copy.verify() == []


def is_wholly(database, revision):
    """Whether the tables are those of a revision, to the last column."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        kinds = [kind for kind, *_ in compare_metadata(context, METADATA)]
    expected = {
        None: ["add_table"] * len(METADATA.tables),
        REVISION: [],
        NEXT: ["remove_column", "remove_table"],
    }
    return sorted(kinds) == expected[revision]


@pytest.fixture
def one_revision_more(migrations, monkeypatch):
    monkeypatch.setattr(_migrate, "REVISION", REVISION)  # put back at the end, with the folder
    monkeypatch.setattr(_migrate, "_MIGRATIONS", _migrate._MIGRATIONS)
    with_next_revision(migrations)
    return str(migrations)


def as_left(place, allowed):
    """Look at what a kill left behind, before anything is brought to the newest; return the revision."""
    database = _database_at(place, create=False)
    try:
        settle(database)
        found = _migrate.revision_of(database)
        assert found in allowed
        assert is_wholly(database, found)
    finally:
        database.close()
    return found


ONCE = [1, pytest.param(33, marks=pytest.mark.slow)]


@pytest.mark.parametrize("rounds", ONCE)
def test_a_migration_is_killed(nursery, place, one_revision_more, rounds):
    """Up and down with data in the tables: they are wholly the old ones or wholly the new ones."""
    written = {(f"u{at // 50}", f"i{at % 50}"): 3.0 for at in range(2_000)}
    with open_store(place, scale=STARS) as store:
        store.write([Change(*pair, value, 0) for pair, value in written.items()], key="all")
    for at, seconds in enumerate(moments(rounds)):
        job = {"what": "migrate", "place": place, "tag": f"r{at}", "migrations": one_revision_more}
        acknowledged = nursery.killed_after(seconds, **job)
        as_left(place, (REVISION, NEXT))
        # A rating, then up; a rating, then down; ...
        written |= {(f"r{at}", f"i{k}"): 1.0 + k % 5 for k in range((acknowledged + 1) // 2)}
        maybe, value = (f"r{at}", f"i{acknowledged // 2}"), 1.0 + acknowledged // 2 % 5
        with open_store(place, create=False) as store:
            assert is_wholly(store._database, NEXT)
            rows = rows_of(store)
            if acknowledged % 2 == 0 and maybe in rows:
                written[maybe] = value
            assert rows == written
            assert store.verify() == []


@pytest.mark.parametrize("rounds", ONCE)
def test_making_and_removing_tables_is_killed(nursery, place, rounds):
    """Removing takes all that is in them, and making them anew leaves them empty or not there."""
    open_store(place, scale=STARS).close()
    for seconds in moments(rounds):
        acknowledged = nursery.killed_after(seconds, what="make", place=place)
        # Removed, made, filled; removed, ...: the last that was acknowledged, or the next.
        allowed = {0: (None, REVISION), 1: (None, REVISION), 2: (REVISION,)}[acknowledged % 3]
        found = as_left(place, allowed)
        with open_store(place, scale=STARS) as store:
            rows, k = rows_of(store), (acknowledged - 1) // 3
            full = found is not None and acknowledged % 3 == 0
            assert len(rows) == 5_000 if full else len(rows) in (0, 5_000 * (acknowledged % 3 == 2))
            assert set(rows.values()) <= {1.0 + k % 5}
            assert store.verify() == []
