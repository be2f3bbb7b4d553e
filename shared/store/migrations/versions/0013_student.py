"""The stage `student`: an alias of its own, the labels withheld to measure it, and labels that name their model.

Revision ID: 0013
Revises: 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# A model may be champion and student at once: a prediction is still one row.
SERVES = """
CREATE VIEW predicted_reviews AS
    SELECT r.source, r.external_id, r.text, r.created_at, p.category, p.confidence, p.truncated, p.model_id,
           m.architecture, p.at AS predicted_at, t.name AS taxonomy, t.version AS taxonomy_version, r.id AS review_id,
           s.alias AS serves_as
    FROM predictions p JOIN reviews r ON r.id = p.review_id AND r.revision = p.revision
    JOIN models m ON m.id = p.model_id JOIN taxonomies t ON t.id = m.taxonomy_id
    LEFT JOIN (
        SELECT DISTINCT ON (taxonomy, alias) taxonomy, alias, model_id FROM model_aliases {which}
        ORDER BY taxonomy, alias, id DESC) s ON s.model_id = m.id AND s.taxonomy = t.name;
"""
LABELLED = """
CREATE VIEW labelled_reviews AS
    SELECT r.source, r.external_id, r.text, r.created_at, l.category, l.confidence, l.stage, l.status,
           l.at AS labelled_at, t.name AS taxonomy, t.version AS taxonomy_version, r.id AS review_id{model}
    FROM labels l JOIN reviews r ON r.id = l.review_id JOIN taxonomies t ON t.id = l.taxonomy_id{verdicts};
"""
# Found by its key, and only where somebody asks for the column.
VERDICTS = """
    LEFT JOIN verdicts v ON v.review_id = l.review_id AND v.taxonomy_id = l.taxonomy_id AND v.stage = l.stage
        AND v.revision = l.revision"""

UP = """
ALTER TABLE model_aliases DROP CONSTRAINT model_aliases_alias_check,
    ADD CONSTRAINT model_aliases_alias_check CHECK (alias IN ('champion', 'challenger', 'student'));
ALTER TABLE alarms DROP CONSTRAINT alarms_kind_check,
    ADD CONSTRAINT alarms_kind_check CHECK (kind IN ('expected_accuracy', 'disagreement', 'psi_categories',
        'psi_confidence', 'withheld_precision'));
CREATE TABLE withheld (
    review_id bigint NOT NULL,
    taxonomy_id integer NOT NULL,
    stage text NOT NULL,
    revision integer NOT NULL,
    model text NOT NULL,                 -- as in verdicts
    category text NOT NULL,              -- the label that was withheld
    confidence real NOT NULL,
    score real NOT NULL,                 -- what the stage itself said, before any calibration
    probability real NOT NULL CHECK (probability > 0 AND probability <= 1),
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (review_id, taxonomy_id, stage)
);
-- A return to an earlier version looks at no new gold.
ALTER TABLE threshold_versions ADD COLUMN calibrated_at timestamptz;
UPDATE threshold_versions SET calibrated_at = at;
ALTER TABLE threshold_versions ALTER COLUMN calibrated_at SET DEFAULT now(),
    ALTER COLUMN calibrated_at SET NOT NULL;
ALTER TABLE audits ADD COLUMN drawn_from text NOT NULL DEFAULT 'labels'
    CHECK (drawn_from IN ('labels', 'disagreements', 'withheld'));
UPDATE audits SET drawn_from = 'disagreements' WHERE disagreements_with IS NOT NULL;
DROP VIEW labelled_reviews, predicted_reviews;
"""

# The history of aliases refuses to lose rows, and only grows: moves of the student would be in the way of the check.
DOWN = """
ALTER TABLE model_aliases DISABLE TRIGGER only_grows;
DELETE FROM model_aliases WHERE alias = 'student';
ALTER TABLE model_aliases ENABLE TRIGGER only_grows;
ALTER TABLE model_aliases DROP CONSTRAINT model_aliases_alias_check,
    ADD CONSTRAINT model_aliases_alias_check CHECK (alias IN ('champion', 'challenger'));
DELETE FROM alarms WHERE kind = 'withheld_precision';
ALTER TABLE alarms DROP CONSTRAINT alarms_kind_check,
    ADD CONSTRAINT alarms_kind_check CHECK (kind IN ('expected_accuracy', 'disagreement', 'psi_categories',
        'psi_confidence'));
DROP TABLE withheld;
ALTER TABLE threshold_versions DROP COLUMN calibrated_at;
ALTER TABLE audits DROP COLUMN drawn_from;
DROP VIEW labelled_reviews, predicted_reviews;
"""


def upgrade() -> None:
    """Add what the stage needs."""
    op.execute(UP)
    op.execute(LABELLED.format(model=", v.model", verdicts=VERDICTS))
    op.execute(SERVES.format(which="WHERE alias <> 'student'"))


def downgrade() -> None:
    """Drop it, and all that is in it."""
    op.execute(DOWN)
    op.execute(LABELLED.format(model="", verdicts=""))
    op.execute(SERVES.format(which=""))
