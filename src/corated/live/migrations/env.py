"""Run by Alembic: migrates on the connection, and in the transaction, that it was given."""

from alembic import context

from corated.live._schema import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
