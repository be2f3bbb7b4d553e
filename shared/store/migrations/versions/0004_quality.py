"""Quality of predictions by day, alarms, audits of where labels and predictions disagree, and backfills.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE quality (
    model_id integer NOT NULL REFERENCES models,
    day date NOT NULL,                       -- in UTC
    category text NOT NULL DEFAULT '',       -- empty: all
    predictions integer NOT NULL,
    expected_accuracy real NOT NULL,
    labelled integer NOT NULL,
    disagreements integer NOT NULL,
    psi_categories real,
    psi_confidence real,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model_id, day, category)
);
CREATE TABLE alarms (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id integer NOT NULL REFERENCES models,
    day date NOT NULL,
    category text NOT NULL DEFAULT '',
    kind text NOT NULL CHECK (kind IN ('expected_accuracy', 'disagreement', 'psi_categories', 'psi_confidence')),
    value real NOT NULL,
    "limit" real NOT NULL,
    n integer NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (model_id, day, category, kind)
);
CREATE INDEX ON predictions USING brin (at);
CREATE TABLE backfills (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id integer NOT NULL REFERENCES models,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE backfill_parts (
    backfill_id integer NOT NULL REFERENCES backfills ON DELETE CASCADE,
    part integer NOT NULL,
    first_id bigint NOT NULL,
    next_id bigint NOT NULL,                 -- the first review that has not been looked at
    last_id bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),   -- when it last went on
    PRIMARY KEY (backfill_id, part)
);
ALTER TABLE audits ADD COLUMN disagreements_with integer REFERENCES models;  -- null: drawn from all labels
"""

DOWN = """
ALTER TABLE audits DROP COLUMN disagreements_with;
DROP INDEX predictions_at_idx;
DROP TABLE backfill_parts, backfills, alarms, quality;
"""


def upgrade() -> None:
    """Add the tables."""
    op.execute(UP)


def downgrade() -> None:
    """Drop them, and all that is in them."""
    op.execute(DOWN)
