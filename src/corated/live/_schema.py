"""The tables of a store, and the statements on them, written once for both databases.

Ids are text in both (integers in decimal), compared by code point; a rating is the number itself, so that
whoever looks into the database can read it, and a wider scale changes no row.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

__all__ = [
    "CATALOG",
    "KEYS",
    "LOG",
    "METADATA",
    "RATINGS",
    "REVISION",
    "STORE",
    "VERSION_TABLE",
    "Statements",
    "statements_for",
]

REVISION = "1"
"""The newest revision of the tables; see migrations/versions."""
VERSION_TABLE = "corated_version"

METADATA = sa.MetaData()
_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

STORE = sa.Table(
    "corated_store",  # one row
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("identity", _TEXT, nullable=False),
    sa.Column("low", sa.Double),
    sa.Column("high", sa.Double),
    sa.Column("step", sa.Double),
    sa.Column("user_ids", _TEXT),
    sa.Column("item_ids", _TEXT),
    sa.Column("timed", sa.Integer),
    sa.Column("position", _BIG, nullable=False),
    sa.Column("readable", _BIG, nullable=False),
    sa.Column("catalog_version", _BIG, nullable=False),
    sa.CheckConstraint("id = 1", name="corated_store_one_row"),
)
RATINGS = sa.Table(
    "corated_ratings",
    METADATA,
    sa.Column("user_id", _TEXT, primary_key=True),
    sa.Column("item_id", _TEXT, primary_key=True),
    sa.Column("rating", sa.Double, nullable=False),
    sa.Column("time", _BIG),
    sqlite_with_rowid=False,
)
LOG = sa.Table(
    "corated_log",
    METADATA,
    sa.Column("position", _BIG, primary_key=True, autoincrement=False),
    sa.Column("user_id", _TEXT, nullable=False),
    sa.Column("item_id", _TEXT, nullable=False),
    sa.Column("rating", sa.Double),  # null: taken out
    sa.Column("time", _BIG),
    sa.Column("written", _BIG, nullable=False),
)
KEYS = sa.Table(
    "corated_keys",
    METADATA,
    sa.Column("key", _TEXT, primary_key=True),
    sa.Column("digest", _TEXT, nullable=False),
    sa.Column("before", _BIG, nullable=False),  # the changes are those after this position ...
    sa.Column("position", _BIG, nullable=False),  # ... up to this one
    sa.Column("applied", _BIG, nullable=False),
    sqlite_with_rowid=False,
)
CATALOG = sa.Table(
    "corated_catalog",
    METADATA,
    sa.Column("item_id", _TEXT, primary_key=True),
    sa.Column("title", _TEXT),
    sa.Column("year", sa.Integer),
    sa.Column("genres", _TEXT, nullable=False),  # a JSON list
    sqlite_with_rowid=False,
)


_MADE: dict[tuple[str, str], Statements] = {}


def statements_for(dialect: sa.Dialect) -> Statements:
    """Return the statements of a dialect, written once: that takes longer than opening a file."""
    key = (dialect.name, dialect.paramstyle)
    if key not in _MADE:
        _MADE[key] = Statements(dialect)
    return _MADE[key]


class Statements:
    """Every statement as text for the driver, with its parameters by place, in the order of the comments.

    Plain text, since a statement built for each write would take longer than SQLite does.
    """

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._insert: Any = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
        fixed = [STORE.c[name] for name in ("low", "high", "step", "user_ids", "item_ids", "timed")]
        marks = [STORE.c.position, STORE.c.readable, STORE.c.catalog_version, STORE.c.identity]
        look = sa.select(*fixed, *marks)
        self.look = self.text(look)
        self.lock = self.text(look.with_for_update())
        # low, high, step, user_ids, item_ids, timed
        self.fix = self.text(sa.update(STORE).values({c: sa.bindparam(f"new_{c.name}") for c in fixed}))
        # position, readable
        self.move = self.text(sa.update(STORE).values({c: sa.bindparam(f"new_{c.name}") for c in marks[:2]}))
        self.name = self.text(sa.update(STORE).values({STORE.c.identity: sa.bindparam("new_identity")}))
        self._of_ratings()
        self._of_log()
        self._of_catalog()

    def _of_ratings(self) -> None:
        by_pair = (RATINGS.c.user_id == sa.bindparam("user"), RATINGS.c.item_id == sa.bindparam("item"))
        changed = self._insert(RATINGS).excluded
        is_new = sa.or_(RATINGS.c.rating != changed.rating, RATINGS.c.time != changed.time)
        self.rate = self.text(self._upsert(RATINGS, is_new))  # user, item, rating, time
        new = sa.table("corated_new", *(sa.column(column.name) for column in RATINGS.c))
        self.merge = self.text(self._upsert(RATINGS, is_new, sa.select(new)))
        self.take_out = self.text(sa.delete(RATINGS).where(*by_pair))  # user, item
        self.ratings = self.text(sa.select(RATINGS).order_by(RATINGS.c.user_id, RATINGS.c.item_id))
        self.count_ratings = self.text(sa.select(sa.func.count()).select_from(RATINGS))
        self.any_rating = self.text(sa.select(sa.exists(sa.select(RATINGS.c.user_id))))
        self.erase_ratings = self.text(sa.delete(RATINGS).where(by_pair[0]))  # user

    def _of_log(self) -> None:
        log = self._insert(LOG)
        self.log = self.text(log)  # position, user, item, rating, time, written
        after = sa.and_(LOG.c.position > sa.bindparam("after"), LOG.c.position <= sa.bindparam("upto"))
        columns = (LOG.c.position, LOG.c.user_id, LOG.c.item_id, LOG.c.rating, LOG.c.time)
        # after, upto. Marks and rows in one statement, so of one moment; the ids' types come along.
        self.changes = self.text(
            sa.select(
                STORE.c.position.label("last"),
                STORE.c.readable,
                STORE.c.user_ids,
                STORE.c.item_ids,
                *columns,
            )
            .select_from(STORE.outerjoin(LOG, after))
            .order_by(LOG.c.position)
        )
        self.trim_log = self.text(sa.delete(LOG).where(LOG.c.position <= sa.bindparam("upto")))
        self.trim_keys = self.text(sa.delete(KEYS).where(KEYS.c.position <= sa.bindparam("upto")))
        self.position_at = self.text(
            sa.select(sa.func.max(LOG.c.position)).where(LOG.c.written <= sa.bindparam("time"))
        )
        first = sa.select(sa.func.min(LOG.c.position)).scalar_subquery()
        self.first_written = self.text(sa.select(LOG.c.written).where(LOG.c.position == first))
        of_user = LOG.c.user_id == sa.bindparam("user")
        self.erase_log = self.text(sa.delete(LOG).where(of_user))  # user
        named = sa.exists().where(of_user, LOG.c.position > KEYS.c.before, LOG.c.position <= KEYS.c.position)
        self.erase_keys = self.text(sa.delete(KEYS).where(named))  # user
        answer = sa.select(KEYS.c.digest, KEYS.c.position, KEYS.c.applied, KEYS.c.before)
        self.find_key = self.text(answer.where(KEYS.c.key == sa.bindparam("asked")))  # key
        self.add_key = self.text(self._insert(KEYS))  # key, digest, before, position, applied

    def _of_catalog(self) -> None:
        self.put_item = self.text(self._upsert(CATALOG, None))  # item, title, year, genres
        one = CATALOG.c.item_id == sa.bindparam("item")
        self.item = self.text(sa.select(CATALOG).where(one))  # item
        self.delete_item = self.text(sa.delete(CATALOG).where(one))  # item
        self.catalog = self.text(sa.select(CATALOG).order_by(CATALOG.c.item_id))
        self.count_catalog = self.text(sa.select(sa.func.count()).select_from(CATALOG))
        self.catalog_changed = self.text(
            sa.update(STORE).values(catalog_version=STORE.c.catalog_version + sa.literal_column("1"))
        )

    def _upsert(self, table: sa.Table, condition: Any, rows: Any = None) -> Any:
        """Return an insert that takes the place of the row with the same key, if the condition holds.

        rows : what selects the rows; None for one row of parameters
        """
        statement = self._insert(table)
        if rows is not None:
            statement = statement.from_select([column.name for column in table.c], rows)
        keys = [column.name for column in table.primary_key]
        new = {c.name: statement.excluded[c.name] for c in table.c if c.name not in keys}
        return statement.on_conflict_do_update(index_elements=keys, set_=new, where=condition)

    def add(self, table: sa.Table) -> str:
        """Return the statement that adds a row, its values in the order of the columns."""
        return self.text(self._insert(table))

    def all(self, table: sa.Table) -> str:
        """Return the statement that reads all rows, by key."""
        return self.text(sa.select(table).order_by(*table.primary_key))

    def text(self, statement: Any) -> str:
        """Return a statement as the driver takes it, with ``?`` or ``%s`` for parameters."""
        return str(statement.compile(dialect=self._dialect))
