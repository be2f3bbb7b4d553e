"""What people's answers about a review come to, beside one of them, and answers that name several categories.

For those that are there it is what it was before: the newest, at one time the first by name. An older Otzyv that adds
answers meanwhile settles nothing by them; taking its file in once more does.

Revision ID: 0015
Revises: 0014
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE gold ADD COLUMN also text[] NOT NULL DEFAULT '{}', ADD COLUMN settled text;
UPDATE gold SET settled = gold.category FROM (
    SELECT DISTINCT ON (g.taxonomy_id, g.review_id) g.taxonomy_id, g.review_id, g.annotator
    FROM gold g LEFT JOIN reviews r ON r.id = g.review_id
    ORDER BY g.taxonomy_id, g.review_id, g.revision IS NOT DISTINCT FROM r.revision DESC, g.at DESC, g.annotator
) newest
WHERE (gold.taxonomy_id, gold.review_id, gold.annotator) = (newest.taxonomy_id, newest.review_id, newest.annotator);
CREATE UNIQUE INDEX gold_settled ON gold (taxonomy_id, review_id) WHERE settled IS NOT NULL;
"""
DOWN = "ALTER TABLE gold DROP COLUMN also, DROP COLUMN settled;"


def upgrade() -> None:
    """Add both, and what keeps it to one a review."""
    op.execute(UP)


def downgrade() -> None:
    """Drop them: the newest answer counts again."""
    op.execute(DOWN)
