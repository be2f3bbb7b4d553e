"""Old reviews are found by when they came, without reading all of them: a few kilobytes of index a million.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.execute("CREATE INDEX ON reviews USING brin (received_at)")


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP INDEX reviews_received_at_idx")
