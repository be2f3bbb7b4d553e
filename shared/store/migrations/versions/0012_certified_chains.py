"""What a version of thresholds is certified for: each stage by itself, or a whole chain of stages in an order.

A chain's own counts stand here; `thresholds` has a row for each of its stages, whose values are scores then.

Revision ID: 0012
Revises: 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; every version so far has certified each stage by itself."""
    op.execute("""
        ALTER TABLE threshold_versions
            ADD COLUMN kind text NOT NULL DEFAULT 'stage' CHECK (kind IN ('stage', 'chain')),
            ADD COLUMN stages text[],                                        -- of the chain, in its order
            ADD COLUMN kept integer,                                         -- of gold_reviews, by the chain
            ADD COLUMN correct integer,
            ADD COLUMN bound real CHECK (bound BETWEEN 0 AND 1),             -- of the chain's precision, from below
            ADD COLUMN category_floor real CHECK (category_floor BETWEEN 0 AND 1),
            ADD COLUMN stage_floor real CHECK (stage_floor BETWEEN 0 AND 1),
            ADD CHECK (kind = 'stage' OR stages IS NOT NULL AND kept IS NOT NULL AND correct IS NOT NULL
                AND bound IS NOT NULL AND category_floor IS NOT NULL AND stage_floor IS NOT NULL);
    """)


def downgrade() -> None:
    """Drop them with the versions that need them: an older Otzyv would take their scores for confidences."""
    op.execute("""
        DELETE FROM threshold_versions WHERE kind = 'chain';
        ALTER TABLE threshold_versions
            DROP COLUMN kind, DROP COLUMN stages, DROP COLUMN kept, DROP COLUMN correct, DROP COLUMN bound,
            DROP COLUMN category_floor, DROP COLUMN stage_floor;
    """)
