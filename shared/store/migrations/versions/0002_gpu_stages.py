"""What the stages on GPU workers need: versions of thresholds, paid answers, the day's tokens, audits.

`verdicts.score` is what a stage said, `confidence` what that is worth after calibration; both are kept, because
the next calibration starts from the score. The table `thresholds` of 0001 was never written to.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE verdicts ADD COLUMN score real CHECK (score BETWEEN 0 AND 1);  -- null: the same as confidence

DROP TABLE thresholds;
CREATE TABLE threshold_versions (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    taxonomy_id integer NOT NULL REFERENCES taxonomies,
    target real CHECK (target BETWEEN 0 AND 1),        -- precision asked for
    certainty real CHECK (certainty BETWEEN 0 AND 1),  -- with which it is at least that
    gold_reviews integer,
    note text NOT NULL DEFAULT '',
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON threshold_versions (taxonomy_id, id);
CREATE TABLE thresholds (
    version_id integer NOT NULL REFERENCES threshold_versions ON DELETE CASCADE,
    stage text NOT NULL,
    category text,                                -- null: all that have no row of their own
    model text NOT NULL,                          -- whose scores these are
    value real CHECK (value BETWEEN 0 AND 1),     -- null: keeps nothing
    answers integer,                              -- of the stage on gold
    kept integer,
    correct integer,
    bound real CHECK (bound BETWEEN 0 AND 1),     -- of precision, from below
    curve jsonb                                   -- score to confidence; only where category is null
);
CREATE UNIQUE INDEX ON thresholds (version_id, stage, coalesce(category, ''));

CREATE TABLE llm_answers (
    key bytea PRIMARY KEY,  -- SHA-256 of text, prompt and model
    choice jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE llm_usage (
    day date PRIMARY KEY,   -- in UTC
    tokens bigint NOT NULL DEFAULT 0 CHECK (tokens >= 0)
);

ALTER TABLE gold ADD COLUMN revision integer NOT NULL DEFAULT 1;  -- of the text that was judged
CREATE TABLE audits (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    taxonomy_id integer NOT NULL REFERENCES taxonomies,
    seed bigint NOT NULL,
    population integer NOT NULL,  -- labels that could have been drawn
    at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE audit_items (
    audit_id integer NOT NULL REFERENCES audits ON DELETE CASCADE,
    review_id bigint NOT NULL,
    revision integer NOT NULL,
    category text,                -- the label when it was drawn
    stage text,
    status text NOT NULL,
    confidence real,
    probability double precision NOT NULL CHECK (probability > 0 AND probability <= 1),
    answer text,                  -- what the person said
    annotator text,
    answered_at timestamptz,
    PRIMARY KEY (audit_id, review_id)
);
"""

DOWN = """
DROP TABLE audit_items, audits, llm_usage, llm_answers, thresholds, threshold_versions;
ALTER TABLE gold DROP COLUMN revision;
ALTER TABLE verdicts DROP COLUMN score;
CREATE TABLE thresholds (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    taxonomy_id integer NOT NULL REFERENCES taxonomies,
    stage text NOT NULL,
    category text,
    value real NOT NULL CHECK (value BETWEEN 0 AND 1),
    target real CHECK (target BETWEEN 0 AND 1),
    measured real CHECK (measured BETWEEN 0 AND 1),
    at timestamptz NOT NULL DEFAULT now()
);
"""


def upgrade() -> None:
    """Add the tables."""
    op.execute(UP)


def downgrade() -> None:
    """Drop them, and all that is in them."""
    op.execute(DOWN)
