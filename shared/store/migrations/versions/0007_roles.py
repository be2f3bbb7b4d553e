"""Roles with no more rights than they need, and histories that only their triggers write.

Which role may do what on which table is not here but in `shared.store.postgres.privileges`, which every upgrade brings
into force. Roles belong to the whole server: a user who may not create them goes on without, and going down leaves
them.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Upgrades of several databases of one server may create the same role at the same time.
ROLES = """
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['otzyv_migrator', 'otzyv_worker', 'otzyv_trainer', 'otzyv_operator', 'otzyv_reader']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
                NULL;
            END;
        END IF;
    END LOOP;
END $$;
"""

# Servers older than PostgreSQL 15 let everybody create tables in the schema public.
NOBODY_CREATES = """
DO $$
BEGIN
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END $$;
"""

# A trigger needs no EXECUTE right of whoever sets it off. Temporary tables, which anybody may make, come last.
TRIGGERS_WRITE_HISTORIES = """
DO $$
DECLARE
    history text;
BEGIN
    FOREACH history IN ARRAY ARRAY['keep_review_history', 'keep_label_history'] LOOP
        EXECUTE format('ALTER FUNCTION %1$I() SECURITY DEFINER SET search_path = pg_catalog, %2$I, pg_temp',
                       history, current_schema());
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %I() FROM PUBLIC', history);
    END LOOP;
END $$;
"""

DOWN = """
ALTER FUNCTION keep_review_history() SECURITY INVOKER RESET search_path;
ALTER FUNCTION keep_label_history() SECURITY INVOKER RESET search_path;
GRANT EXECUTE ON FUNCTION keep_review_history(), keep_label_history() TO PUBLIC;
"""


def upgrade() -> None:
    """Create the roles, close the schema, let histories be written by their triggers alone."""
    for part in (ROLES, NOBODY_CREATES, TRIGGERS_WRITE_HISTORIES):
        op.execute(part)


def downgrade() -> None:
    """Let whoever changes a review or a label write the history again."""
    op.execute(DOWN)
