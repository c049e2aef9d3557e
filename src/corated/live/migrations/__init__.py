"""The tables of a store, revision by revision (Alembic)."""
