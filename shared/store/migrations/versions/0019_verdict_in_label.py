"""A verdict that was kept stands in the row of its label, and rows name who judged by a number.

No row is rewritten: the columns are new and empty, and what was written before stays as it is. A kept verdict of
before is in `verdicts`, its model a text there, its evidence objects with names. A trigger moves the verdict of a label
that is replaced or deleted to `verdicts`: whoever does it, also by hand, and with no right of his own to write there.

Revision ID: 0019
Revises: 0018
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# Whoever comes while an ALTER waits for a long report waits behind it. So nobody waits long: it tries again.
# Of a view all tables in it are locked.
TAKE_TURN = """
DO $$
BEGIN
    FOR attempt IN 1..1200 LOOP
        BEGIN
            SET LOCAL lock_timeout = '250ms';
            LOCK TABLE labelled_reviews IN ACCESS EXCLUSIVE MODE;
            SET LOCAL lock_timeout = 0;
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            PERFORM pg_sleep(0.25);
        END;
    END LOOP;
    RAISE 'expected a moment without readers of labels and reviews, found none in ten minutes; '
        'end the statements that read them so long, and run it again';
END $$;
"""

UP = """
CREATE TABLE judges (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stage text NOT NULL,
    model text NOT NULL,
    UNIQUE (stage, model)
);
-- Where `judge` is null the label is no stage's verdict, or that stands in `verdicts`.
-- What `evidence` is made of: shared/store/judged/evidence.py.
ALTER TABLE labels ADD COLUMN judge integer, ADD COLUMN score real, ADD COLUMN evidence json;
ALTER TABLE verdicts ADD COLUMN judge integer, ALTER COLUMN model DROP NOT NULL;  -- one of the two

-- The newest of each stage. Of one table each with sub-selects, which can be put into a plan as they are.
CREATE VIEW all_verdicts AS
    SELECT v.review_id, v.taxonomy_id, v.stage, v.revision, v.category, v.confidence, v.score, v.evidence,
           coalesce(v.model, (SELECT j.model FROM judges j WHERE j.id = v.judge)) AS model, v.at
    FROM verdicts v
    WHERE NOT EXISTS (
        SELECT FROM labels l WHERE l.review_id = v.review_id AND l.taxonomy_id = v.taxonomy_id
            AND l.stage = v.stage AND l.judge IS NOT NULL OFFSET 0)
    UNION ALL
    SELECT l.review_id, l.taxonomy_id, l.stage, l.revision, l.category, l.confidence, l.score, l.evidence,
           (SELECT j.model FROM judges j WHERE j.id = l.judge) AS model, l.at
    FROM labels l WHERE l.judge IS NOT NULL;
"""

# Whose view reads it must be its owner from the first moment, not only when the roles get their rights after this.
OWNED = """
DO $$
BEGIN
    EXECUTE (SELECT format('ALTER TABLE judges OWNER TO %s', relowner::regrole)
             FROM pg_class WHERE oid = 'labels'::regclass);
END $$;
"""

HISTORY = """
CREATE OR REPLACE FUNCTION keep_label_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO label_history (review_id, taxonomy_id, revision, category, confidence, stage, status, at)
    VALUES (OLD.review_id, OLD.taxonomy_id, OLD.revision, OLD.category, OLD.confidence, OLD.stage, OLD.status, OLD.at);
    IF OLD.judge IS NOT NULL THEN
        INSERT INTO verdicts AS v
            (review_id, taxonomy_id, stage, revision, category, confidence, score, evidence, judge, at)
        VALUES (OLD.review_id, OLD.taxonomy_id, OLD.stage, OLD.revision, OLD.category, OLD.confidence, OLD.score,
            OLD.evidence, OLD.judge, OLD.at)
        ON CONFLICT (review_id, taxonomy_id, stage) DO UPDATE
        SET revision = excluded.revision, category = excluded.category, confidence = excluded.confidence,
            score = excluded.score, evidence = excluded.evidence, judge = excluded.judge, model = NULL, at = excluded.at
        WHERE v.revision <= excluded.revision;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    -- A label that somebody has changed who knew nothing of the verdict in its row.
    IF NEW.judge = OLD.judge AND NEW.evidence::text = OLD.evidence::text
        AND (NEW.stage, NEW.category) IS DISTINCT FROM (OLD.stage, OLD.category) THEN
        NEW.judge := NULL;
        NEW.score := NULL;
        NEW.evidence := NULL;
    END IF;
    RETURN NEW;
END $$;
"""
HISTORY_BEFORE = """
CREATE OR REPLACE FUNCTION keep_label_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO label_history SELECT OLD.*;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
"""
# As in 0007: a function that is made anew has lost it.
WRITES_BY_ITSELF = """
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION keep_label_history() SECURITY DEFINER SET search_path = pg_catalog, %I, pg_temp',
                   current_schema());
END $$;
"""

LABELLED = """
CREATE OR REPLACE VIEW labelled_reviews AS
    SELECT r.source, r.external_id, r.text, r.created_at, l.category, l.confidence, l.stage, l.status,
           l.at AS labelled_at, t.name AS taxonomy, t.version AS taxonomy_version, r.id AS review_id,
           {model} AS model, n.title AS category_title
    FROM labels l JOIN reviews r ON r.id = l.review_id JOIN taxonomies t ON t.id = l.taxonomy_id
    LEFT JOIN verdicts v ON v.review_id = l.review_id AND v.taxonomy_id = l.taxonomy_id AND v.stage = l.stage
        AND v.revision = l.revision{and_judge}
    LEFT JOIN (
        SELECT id, c->>'slug' AS slug, c->>'title' AS title
        FROM taxonomies, jsonb_array_elements(document->'categories') c) n ON n.id = t.id AND n.slug = l.category
"""
# As a join it would keep that with `verdicts` in the plan where nobody asks for the column.
MODEL = "coalesce(v.model, (SELECT j.model FROM judges j WHERE j.id = coalesce(l.judge, v.judge)))"

# Words are read out of the texts once more; of a text that is gone there are none.
DOWN = """
DROP VIEW all_verdicts;
INSERT INTO verdicts AS v (review_id, taxonomy_id, stage, revision, category, confidence, score, evidence, judge, at)
SELECT review_id, taxonomy_id, stage, revision, category, confidence, score, evidence, judge, at
FROM labels WHERE judge IS NOT NULL
ON CONFLICT (review_id, taxonomy_id, stage) DO UPDATE
SET revision = excluded.revision, category = excluded.category, confidence = excluded.confidence,
    score = excluded.score, evidence = excluded.evidence, judge = excluded.judge, model = NULL, at = excluded.at;
UPDATE verdicts v SET model = j.model FROM judges j WHERE v.model IS NULL AND j.id = v.judge;
UPDATE verdicts v SET evidence = (
    SELECT json_agg(json_build_object(
        'word', substr(t.text, (e->>0)::integer + 1, (e->>1)::integer - (e->>0)::integer), 'start', e->0, 'end', e->1,
        'keyword', e->2, 'category', coalesce(e->>3, v.category)) ORDER BY place)
    FROM json_array_elements(v.evidence) WITH ORDINALITY AS each (e, place),
        (SELECT coalesce(
            (SELECT text FROM reviews WHERE id = v.review_id AND revision = v.revision),
            (SELECT text FROM review_history h WHERE h.review_id = v.review_id AND h.revision = v.revision),
            '') AS text) t)
WHERE json_typeof(evidence) = 'array' AND json_typeof(evidence->0) = 'array';
ALTER TABLE verdicts ALTER COLUMN model SET NOT NULL, DROP COLUMN judge;
ALTER TABLE labels DROP COLUMN judge, DROP COLUMN score, DROP COLUMN evidence;
DROP TABLE judges;
"""


def upgrade() -> None:
    """Add the columns, the numbers and the view over both places."""
    op.execute(TAKE_TURN + UP + OWNED)
    op.execute(LABELLED.format(model=MODEL, and_judge=" AND l.judge IS NULL"))
    op.execute(HISTORY + WRITES_BY_ITSELF)


def downgrade() -> None:
    """Every kept verdict has its own row again, with its model's name and its evidence as objects."""
    op.execute(LABELLED.format(model="v.model", and_judge=""))
    op.execute(DOWN)
    op.execute(HISTORY_BEFORE + WRITES_BY_ITSELF)
