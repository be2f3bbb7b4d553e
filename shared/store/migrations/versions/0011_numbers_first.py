"""Numbers of new reviews are drawn before the rows are copied in: ingest needs a right on their sequence.

Nothing changes in the tables. The right itself comes with the others, which `otzyv db upgrade` gives after this.

Revision ID: 0011
Revises: 0010
"""

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing to change."""


def downgrade() -> None:
    """Nothing to change."""
