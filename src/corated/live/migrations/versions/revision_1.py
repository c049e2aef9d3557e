"""The first tables."""

import uuid

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "1"
down_revision = None
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and the one row about the store."""
    store = op.create_table(
        "corated_store",
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
    op.create_table(
        "corated_ratings",
        sa.Column("user_id", _TEXT, primary_key=True),
        sa.Column("item_id", _TEXT, primary_key=True),
        sa.Column("rating", sa.Double, nullable=False),
        sa.Column("time", _BIG),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "corated_log",
        sa.Column("position", _BIG, primary_key=True, autoincrement=False),
        sa.Column("user_id", _TEXT, nullable=False),
        sa.Column("item_id", _TEXT, nullable=False),
        sa.Column("rating", sa.Double),
        sa.Column("time", _BIG),
        sa.Column("written", _BIG, nullable=False),
    )
    op.create_table(
        "corated_keys",
        sa.Column("key", _TEXT, primary_key=True),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("before", _BIG, nullable=False),
        sa.Column("position", _BIG, nullable=False),
        sa.Column("applied", _BIG, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "corated_catalog",
        sa.Column("item_id", _TEXT, primary_key=True),
        sa.Column("title", _TEXT),
        sa.Column("year", sa.Integer),
        sa.Column("genres", _TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(
        store, [{"id": 1, "identity": uuid.uuid4().hex, "position": 0, "readable": 0, "catalog_version": 0}]
    )


def downgrade() -> None:
    """Remove them, with everything in them."""
    for name in ("catalog", "keys", "log", "ratings", "store"):
        op.drop_table(f"corated_{name}")
