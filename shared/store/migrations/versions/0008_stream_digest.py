"""The digest of the last message read from a stream: another in its place tells that the stream was made anew.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; NULL until the next transaction."""
    op.execute(
        "ALTER TABLE streams ADD COLUMN last_digest bytea  -- of the message before next_offset, where read"
    )


def downgrade() -> None:
    """Forget it."""
    op.execute("ALTER TABLE streams DROP COLUMN last_digest")
