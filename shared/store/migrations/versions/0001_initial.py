"""The first schema: reviews, the cascade's tables, and those of models, training and gold.

`waiting` is the heart of it: a review has a row there from the moment it is stored until it has a label or
a failure, in the same transaction each time. So nothing can be forgotten, the backlog and the oldest
unlabelled review are read from a small table, and that row is the lock that keeps two workers apart.

Verdicts, labels and waiting rows carry the review's revision. They have no foreign key to reviews: the check
would cost as much as the row, and only the store deletes reviews.

Revision ID: 0001
Revises:
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

REVIEWS = """
CREATE TABLE taxonomies (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    version text NOT NULL,
    document jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (name, version)
);
CREATE TABLE batches (
    id uuid PRIMARY KEY,
    name text NOT NULL DEFAULT '',
    messages integer CHECK (messages > 0),  -- known once the last message has come
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE batch_messages (
    batch_id uuid NOT NULL REFERENCES batches ON DELETE CASCADE,
    number integer NOT NULL CHECK (number >= 0),
    review_ids bigint[] NOT NULL,
    rejected integer NOT NULL,
    PRIMARY KEY (batch_id, number)
);
CREATE TABLE reviews (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    external_id text NOT NULL,
    text text NOT NULL,
    text_sha bytea NOT NULL,  -- SHA-256 of the UTF-8 text
    revision integer NOT NULL DEFAULT 1,
    batch_id uuid,            -- the batch that brought this text
    created_at timestamptz,   -- when the customer wrote it
    received_at timestamptz NOT NULL DEFAULT now(),
    meta jsonb,
    UNIQUE (source, external_id)
);
CREATE TABLE review_history (
    review_id bigint NOT NULL,
    revision integer NOT NULL,
    text text NOT NULL,
    text_sha bytea NOT NULL,
    received_at timestamptz NOT NULL,
    replaced_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (review_id, revision)
);
CREATE FUNCTION keep_review_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO review_history (review_id, revision, text, text_sha, received_at)
    VALUES (OLD.id, OLD.revision, OLD.text, OLD.text_sha, OLD.received_at);
    RETURN NEW;
END $$;
CREATE TRIGGER keep_history BEFORE UPDATE OF text ON reviews
    FOR EACH ROW WHEN (OLD.text_sha <> NEW.text_sha) EXECUTE FUNCTION keep_review_history();
"""

CASCADE = """
CREATE TABLE waiting (
    review_id bigint NOT NULL,
    taxonomy_id integer NOT NULL,
    revision integer NOT NULL,
    stage text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),    -- when it came to this stage
    sent_at timestamptz NOT NULL DEFAULT now(),  -- when its message was last sent
    PRIMARY KEY (review_id, taxonomy_id)
);
CREATE TABLE verdicts (
    review_id bigint NOT NULL,
    taxonomy_id integer NOT NULL,
    stage text NOT NULL,
    revision integer NOT NULL,
    category text NOT NULL,
    confidence real NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    evidence jsonb NOT NULL,
    model text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (review_id, taxonomy_id, stage)
);
CREATE TABLE labels (
    review_id bigint NOT NULL,
    taxonomy_id integer NOT NULL,
    revision integer NOT NULL,
    category text,     -- none when no stage had a guess
    confidence real,
    stage text,        -- whose verdict it is
    status text NOT NULL CHECK (status IN ('accepted', 'needs_review', 'human')),
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (review_id, taxonomy_id),
    CHECK (category IS NOT NULL OR status = 'needs_review')
);
CREATE TABLE label_history (
    LIKE labels,
    replaced_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON label_history (review_id, taxonomy_id);
CREATE FUNCTION keep_label_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO label_history SELECT OLD.*;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER keep_history BEFORE UPDATE OR DELETE ON labels
    FOR EACH ROW EXECUTE FUNCTION keep_label_history();
CREATE TABLE failures (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,  -- of what failed and where: the same failure twice is one row
    queue text NOT NULL,
    reason text NOT NULL,
    review_id bigint,              -- set when a stored review failed in a stage
    taxonomy_id integer,
    revision integer,
    source text,                   -- of a review that never got as far as the table
    external_id text,
    batch_id uuid,
    payload bytea,                 -- the rejected message or review as it came
    traceback_hash text,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON failures (review_id) WHERE review_id IS NOT NULL;
CREATE INDEX ON failures (batch_id) WHERE batch_id IS NOT NULL;
CREATE VIEW labelled_reviews AS
    SELECT r.source, r.external_id, r.text, r.created_at, l.category, l.confidence, l.stage, l.status,
           l.at AS labelled_at, t.name AS taxonomy, t.version AS taxonomy_version, r.id AS review_id
    FROM labels l JOIN reviews r ON r.id = l.review_id JOIN taxonomies t ON t.id = l.taxonomy_id;
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

LEARNING = """
CREATE TABLE gold (
    review_id bigint NOT NULL,
    taxonomy_id integer NOT NULL REFERENCES taxonomies,
    category text NOT NULL,
    annotator text NOT NULL,
    ambiguous boolean NOT NULL DEFAULT false,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (review_id, taxonomy_id, annotator)
);
CREATE TABLE models (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    taxonomy_id integer NOT NULL REFERENCES taxonomies,
    architecture text NOT NULL,
    artefact_uri text NOT NULL,
    artefact_sha bytea NOT NULL UNIQUE,
    metrics jsonb NOT NULL DEFAULT '{}',
    dataset jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE predictions (
    review_id bigint NOT NULL,
    model_id integer NOT NULL REFERENCES models,
    revision integer NOT NULL,
    category text NOT NULL,
    probabilities real[] NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (review_id, model_id)
);
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
    """Create every table."""
    for part in (REVIEWS, CASCADE, LEARNING):
        op.execute(part)


def downgrade() -> None:
    """Drop every table, and all that is in them."""
    op.execute(
        """
        DROP VIEW labelled_reviews;
        DROP TABLE training_runs, predictions, models, gold, thresholds, failures, label_history, labels,
            verdicts, waiting, review_history, reviews, batch_messages, batches, taxonomies;
        DROP FUNCTION keep_label_history();
        DROP FUNCTION keep_review_history();
        """
    )
