"""What predictions need: models with their manifest, aliases with a history, reviews that await a prediction.

The tables `models` and `predictions` of 0001 were never written to. Predictions have no foreign keys: the checks would
cost as much as the rows, and only the store deletes reviews and models.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE models
    DROP COLUMN status,
    DROP COLUMN metrics,
    DROP COLUMN dataset,
    ADD COLUMN labels text[] NOT NULL,   -- slugs, in the order of a prediction's probabilities
    ADD COLUMN manifest jsonb NOT NULL;  -- all that the artefact says of itself
ALTER TABLE models RENAME COLUMN artefact_uri TO artefact_path;  -- below OTZYV_MODELS

CREATE TABLE model_aliases (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    taxonomy text NOT NULL,                    -- by name: a model outlives a version with the same categories
    alias text NOT NULL CHECK (alias IN ('champion', 'challenger')),
    action text NOT NULL CHECK (action IN ('promote', 'rollback', 'withdraw')),
    model_id integer REFERENCES models,        -- null: nobody any more
    previous_id integer REFERENCES models,
    moved_by text NOT NULL,
    reason text NOT NULL DEFAULT '',
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((model_id IS NULL) = (action = 'withdraw'))
);
CREATE INDEX ON model_aliases (taxonomy, alias, id DESC);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% only grows: its rows are a history', TG_TABLE_NAME;
END $$;
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON model_aliases
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE predictions
    DROP CONSTRAINT predictions_model_id_fkey,
    ADD COLUMN confidence real NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    ADD COLUMN truncated boolean NOT NULL;     -- whether the model read only the beginning of the text

-- A review is here from the moment it is stored until it has a prediction or a failure.
CREATE TABLE awaiting_prediction (
    review_id bigint NOT NULL,
    taxonomy_id integer NOT NULL,
    revision integer NOT NULL,
    sent_at timestamptz DEFAULT now(),         -- null: parked until there is a champion
    PRIMARY KEY (review_id, taxonomy_id)
);
CREATE INDEX ON awaiting_prediction (taxonomy_id) WHERE sent_at IS NULL;

CREATE VIEW predicted_reviews AS
    SELECT r.source, r.external_id, r.text, r.created_at, p.category, p.confidence, p.truncated, p.model_id,
           m.architecture, p.at AS predicted_at, t.name AS taxonomy, t.version AS taxonomy_version, r.id AS review_id
    FROM predictions p JOIN reviews r ON r.id = p.review_id AND r.revision = p.revision
    JOIN models m ON m.id = p.model_id JOIN taxonomies t ON t.id = m.taxonomy_id;
"""

DOWN = """
DROP VIEW predicted_reviews;
DROP TABLE awaiting_prediction, model_aliases;
DROP FUNCTION refuse_change();
DELETE FROM predictions;
UPDATE training_runs SET model_id = NULL;
DELETE FROM models;
ALTER TABLE predictions
    DROP COLUMN truncated,
    DROP COLUMN confidence,
    ADD FOREIGN KEY (model_id) REFERENCES models;
ALTER TABLE models RENAME COLUMN artefact_path TO artefact_uri;
ALTER TABLE models
    DROP COLUMN manifest,
    DROP COLUMN labels,
    ADD COLUMN metrics jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN dataset jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN status text NOT NULL;
"""


def upgrade() -> None:
    """Add the tables."""
    op.execute(UP)


def downgrade() -> None:
    """Drop them, and all that is in them."""
    op.execute(DOWN)
