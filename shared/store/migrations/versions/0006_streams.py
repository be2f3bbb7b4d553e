"""Streams of RabbitMQ that reviews are read from: how far, and where in them an entry was that could not be read.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STREAMS = """
CREATE TABLE streams (
    name text PRIMARY KEY,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),  -- everything before it is stored
    moved_at timestamptz NOT NULL DEFAULT now(),
    reader text NOT NULL DEFAULT '',       -- who came last to read it, for people; a lock says whether it still does
    unsent bigint[] NOT NULL DEFAULT '{}'  -- the last transaction's reviews: whether they were sent on is not known
);
ALTER TABLE failures ADD COLUMN stream_offset bigint;  -- set where `queue` names a stream
"""

DOWN = """
ALTER TABLE failures DROP COLUMN stream_offset;
DROP TABLE streams;
"""


def upgrade() -> None:
    """Create the table of positions, and the column of failures that points into a stream."""
    op.execute(STREAMS)


def downgrade() -> None:
    """Forget how far streams have been read."""
    op.execute(DOWN)
