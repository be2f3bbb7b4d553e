"""Alembic migrations. `otzyv db upgrade` applies them; a released one is never edited."""
