"""Alembic's entry: runs the migrations on the database that `flask migrate` has opened."""

from alembic import context

from ideas_hub import schema

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=schema.metadata,
    include_name=schema.is_ours,
    render_as_batch=connection.dialect.name == "sqlite",
    transaction_per_migration=False,
)
context.run_migrations()
