"""Columns that cost less to write: evidence as it comes, and names that are compared byte by byte.

`jsonb` takes every verdict's evidence apart once more, and nothing asks for a part of it: half of what a verdict cost.
Names are no words of a language; by its rules they were compared at every step down the index. The change writes
`verdicts` and the index of names anew.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

VIEWS = """
CREATE VIEW labelled_reviews AS
    SELECT r.source, r.external_id, r.text, r.created_at, l.category, l.confidence, l.stage, l.status,
           l.at AS labelled_at, t.name AS taxonomy, t.version AS taxonomy_version, r.id AS review_id
    FROM labels l JOIN reviews r ON r.id = l.review_id JOIN taxonomies t ON t.id = l.taxonomy_id;
CREATE VIEW predicted_reviews AS
    SELECT r.source, r.external_id, r.text, r.created_at, p.category, p.confidence, p.truncated, p.model_id,
           m.architecture, p.at AS predicted_at, t.name AS taxonomy, t.version AS taxonomy_version, r.id AS review_id,
           s.alias AS serves_as
    FROM predictions p JOIN reviews r ON r.id = p.review_id AND r.revision = p.revision
    JOIN models m ON m.id = p.model_id JOIN taxonomies t ON t.id = m.taxonomy_id
    LEFT JOIN (
        SELECT DISTINCT ON (taxonomy, alias) taxonomy, alias, model_id FROM model_aliases
        ORDER BY taxonomy, alias, id DESC) s ON s.model_id = m.id AND s.taxonomy = t.name;
"""

CHANGE = """
DROP VIEW predicted_reviews, labelled_reviews;
ALTER TABLE reviews ALTER COLUMN source TYPE text COLLATE "{collation}",
                    ALTER COLUMN external_id TYPE text COLLATE "{collation}";
ALTER TABLE verdicts ALTER COLUMN evidence TYPE {evidence} USING evidence::{evidence};
"""


def upgrade() -> None:
    """Change the columns; the views over them are made anew as they were."""
    op.execute(CHANGE.format(collation="C", evidence="json") + VIEWS)


def downgrade() -> None:
    """As they were before."""
    op.execute(CHANGE.format(collation="default", evidence="jsonb") + VIEWS)
