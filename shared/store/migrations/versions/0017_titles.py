"""Views of labels and predictions give a category's title beside its slug, as the files of `otzyv label` do.

Revision ID: 0017
Revises: 0016
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# Titles are read out of each taxonomy once for a query, and not once for each of its rows.
TITLES = """
    LEFT JOIN (
        SELECT id, c->>'slug' AS slug, c->>'title' AS title
        FROM taxonomies, jsonb_array_elements(document->'categories') c) n ON n.id = t.id AND n.slug = {table}.category
"""
LABELLED = """
CREATE OR REPLACE VIEW labelled_reviews AS
    SELECT r.source, r.external_id, r.text, r.created_at, l.category, l.confidence, l.stage, l.status,
           l.at AS labelled_at, t.name AS taxonomy, t.version AS taxonomy_version, r.id AS review_id, v.model{title}
    FROM labels l JOIN reviews r ON r.id = l.review_id JOIN taxonomies t ON t.id = l.taxonomy_id
    LEFT JOIN verdicts v ON v.review_id = l.review_id AND v.taxonomy_id = l.taxonomy_id AND v.stage = l.stage
        AND v.revision = l.revision{titles}
"""
PREDICTED = """
CREATE OR REPLACE VIEW predicted_reviews AS
    SELECT r.source, r.external_id, r.text, r.created_at, p.category, p.confidence, p.truncated, p.model_id,
           m.architecture, p.at AS predicted_at, t.name AS taxonomy, t.version AS taxonomy_version, r.id AS review_id,
           s.alias AS serves_as{title}
    FROM predictions p JOIN reviews r ON r.id = p.review_id AND r.revision = p.revision
    JOIN models m ON m.id = p.model_id JOIN taxonomies t ON t.id = m.taxonomy_id
    LEFT JOIN (
        SELECT DISTINCT ON (taxonomy, alias) taxonomy, alias, model_id FROM model_aliases WHERE alias <> 'student'
        ORDER BY taxonomy, alias, id DESC) s ON s.model_id = m.id AND s.taxonomy = t.name{titles}
"""


def upgrade() -> None:
    """Add the column to both."""
    for view, table in ((LABELLED, "l"), (PREDICTED, "p")):
        op.execute(view.format(title=", n.title AS category_title", titles=TITLES.format(table=table)))


def downgrade() -> None:
    """Take it away again: a view cannot lose a column otherwise."""
    op.execute("DROP VIEW labelled_reviews, predicted_reviews")
    for view in (LABELLED, PREDICTED):
        op.execute(view.format(title="", titles=""))
