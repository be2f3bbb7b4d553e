"""What Alembic runs: the migrations of this package over the connection of `shared.store.postgres.migration`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
