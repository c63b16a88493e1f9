"""Alembic's entry: runs the revisions on the connection it was given. Only alembic imports it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
