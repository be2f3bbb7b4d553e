"""When a review came that was rejected at first: sent again, it replaces nothing that came after it.

Revision ID: 0018
Revises: 0017
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; no value for all that there are, which were accepted when they came."""
    op.execute("ALTER TABLE reviews ADD COLUMN came_at timestamptz")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE reviews DROP COLUMN came_at")
