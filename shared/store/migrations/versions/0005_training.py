"""Training runs with a lease, what they are trained and measured on, and what they logged.

The table `training_runs` of 0001 was never written to.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UP = """
DROP TABLE training_runs;

-- Labels and gold as they were when runs were asked for: runs of one snapshot can be compared review by review.
CREATE TABLE training_snapshots (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    taxonomy_id integer NOT NULL REFERENCES taxonomies,
    sha bytea NOT NULL UNIQUE,               -- of all that follows, and the taxonomy
    review_ids bigint[] NOT NULL,            -- in order of trust: people's labels, accepted ones, guesses
    revisions integer[] NOT NULL,
    categories text[] NOT NULL,
    confidences real[] NOT NULL,
    trusted integer NOT NULL,                -- how many of the first ones are people's
    accepted integer NOT NULL,               -- how many of the first ones are no guesses
    counts jsonb NOT NULL,                   -- of these, reviews by category
    gold_ids bigint[] NOT NULL,
    gold_revisions integer[] NOT NULL,
    gold_categories text[] NOT NULL,
    gold_ambiguous boolean[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE SEQUENCE training_experiments AS integer;
CREATE TABLE training_runs (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key uuid NOT NULL DEFAULT gen_random_uuid(),  -- names its folder: numbers begin anew in every database
    experiment integer NOT NULL,             -- the runs of one command
    taxonomy_id integer NOT NULL REFERENCES taxonomies,
    snapshot_id integer NOT NULL REFERENCES training_snapshots,
    architecture text NOT NULL,
    seed integer NOT NULL,
    arguments jsonb NOT NULL,
    asked_by text NOT NULL,
    reason text NOT NULL DEFAULT '',
    auto_promote boolean NOT NULL,
    time_limit_s integer NOT NULL,
    status text NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    cancel_requested boolean NOT NULL DEFAULT false,
    attempt integer NOT NULL DEFAULT 0,      -- who has another number than this has lost the run
    crashes integer NOT NULL DEFAULT 0,
    worker text NOT NULL DEFAULT '',
    lease_until timestamptz,
    progress real NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    message text NOT NULL DEFAULT '',        -- what it is doing, or why it ended
    spent_s real NOT NULL DEFAULT 0,
    facts jsonb NOT NULL DEFAULT '{}',       -- what it was trained on, and what it cost
    model_id integer REFERENCES models,
    answers text[],                          -- about the snapshot's gold, in its order
    verdict jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz
);
CREATE INDEX ON training_runs (id) WHERE status IN ('queued', 'running');
CREATE INDEX ON training_runs (experiment);
CREATE TABLE training_metrics (
    run_id integer NOT NULL REFERENCES training_runs ON DELETE CASCADE,
    name text NOT NULL,
    step integer NOT NULL,
    epoch double precision NOT NULL,
    value double precision NOT NULL,
    PRIMARY KEY (run_id, name, step)
);

-- Several models may have predicted a review: which of them serves now.
CREATE OR REPLACE VIEW predicted_reviews AS
    SELECT r.source, r.external_id, r.text, r.created_at, p.category, p.confidence, p.truncated, p.model_id,
           m.architecture, p.at AS predicted_at, t.name AS taxonomy, t.version AS taxonomy_version, r.id AS review_id,
           s.alias AS serves_as
    FROM predictions p JOIN reviews r ON r.id = p.review_id AND r.revision = p.revision
    JOIN models m ON m.id = p.model_id JOIN taxonomies t ON t.id = m.taxonomy_id
    LEFT JOIN (
        SELECT DISTINCT ON (taxonomy, alias) taxonomy, alias, model_id FROM model_aliases
        ORDER BY taxonomy, alias, id DESC) s ON s.model_id = m.id AND s.taxonomy = t.name;
"""

DOWN = """
DROP VIEW predicted_reviews;
CREATE VIEW predicted_reviews AS
    SELECT r.source, r.external_id, r.text, r.created_at, p.category, p.confidence, p.truncated, p.model_id,
           m.architecture, p.at AS predicted_at, t.name AS taxonomy, t.version AS taxonomy_version, r.id AS review_id
    FROM predictions p JOIN reviews r ON r.id = p.review_id AND r.revision = p.revision
    JOIN models m ON m.id = p.model_id JOIN taxonomies t ON t.id = m.taxonomy_id;
DROP TABLE training_metrics, training_runs, training_snapshots;
DROP SEQUENCE training_experiments;
CREATE TABLE training_runs (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    taxonomy_id integer NOT NULL REFERENCES taxonomies,
    architecture text NOT NULL,
    params jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL,
    progress real NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    heartbeat_at timestamptz,
    checkpoint text,
    model_id integer REFERENCES models,
    created_at timestamptz NOT NULL DEFAULT now()
);
"""


def upgrade() -> None:
    """Replace the table and add the others."""
    op.execute(UP)


def downgrade() -> None:
    """Drop them, and all that is in them."""
    op.execute(DOWN)
