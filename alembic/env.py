"""What Alembic runs: our schema, against our database."""

from alembic import context

from dashboard.starting.migrations import run_migrations

run_migrations(context)  # pyright: ignore[reportArgumentType]
