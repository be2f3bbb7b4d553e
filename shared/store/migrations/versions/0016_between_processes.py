"""What processes have from one another: the files of registered models, and what each process waits for, and why.

Models that are there keep their files where they lie, until somebody runs `otzyv models keep`.

Revision ID: 0016
Revises: 0015
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# Weights do not compress: to try it would take longer than to write them.
UP = """
CREATE TABLE artefact_parts (
    model_id integer NOT NULL REFERENCES models ON DELETE CASCADE,
    name text NOT NULL,              -- of the file, within the model's folder
    part integer NOT NULL,           -- from 0, a MiB each
    content bytea NOT NULL,
    PRIMARY KEY (model_id, name, part)
);
ALTER TABLE artefact_parts ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE TABLE waits (
    key text PRIMARY KEY,            -- of what is tried again: a message, or a process and its work
    who text NOT NULL,               -- the process that tried it last
    what text NOT NULL,
    reason text NOT NULL,            -- of the last try
    tries integer NOT NULL,
    since timestamptz NOT NULL,
    next_at timestamptz NOT NULL     -- of the next try; a wait that is not renewed long after is over
);
"""
DOWN = "DROP TABLE artefact_parts, waits;"


def upgrade() -> None:
    """Add the tables, empty."""
    op.execute(UP)


def downgrade() -> None:
    """Drop them: models serve only where a folder has their files."""
    op.execute(DOWN)
