"""Whom the stage with a budget has been asked about, and with which probability at random.

Revision ID: 0014
Revises: 0013
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE asked (
    review_id bigint NOT NULL,
    taxonomy_id integer NOT NULL,
    stage text NOT NULL,
    revision integer NOT NULL,
    probability real CHECK (probability > 0 AND probability <= 1),  -- of being drawn; null: chosen for its worth
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (review_id, taxonomy_id, stage)
);
CREATE INDEX llm_answers_at ON llm_answers (at);
"""
# Who waits for tokens counts as sent never: an older version sends them all again.
DOWN = """
UPDATE waiting SET sent_at = now() WHERE sent_at = 'infinity';
DROP INDEX llm_answers_at;
DROP TABLE asked;
"""


def upgrade() -> None:
    """Add the table, and what finds the newest answers."""
    op.execute(UP)


def downgrade() -> None:
    """Drop both."""
    op.execute(DOWN)
