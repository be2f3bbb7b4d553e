"""`otzyv enqueue`, `status`, `health` and `db`: what these commands are called and ask for.

Those that run until they are stopped are in `process_commands`: whoever asks after health need not load Celery.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from scripts.command import console
from scripts.command.options import takes
from scripts.command.settings import settings
from scripts.files.options import FileOptions
from scripts.language.language import translated
from scripts.service import enqueue as sending
from scripts.service import status as state
from scripts.service.prune import prune
from shared.runtime.runtime import open_database
from shared.store.postgres import schema

commands = typer.Typer()


@commands.command()
@takes(FileOptions)
def enqueue(
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show progress until everything is labelled.")
    ] = False,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for a full queue that takes nothing.")
    ] = 600.0,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="By the live lane, among what comes by itself; without it by the bulk lane, which gives way.",
        ),
    ] = False,
    given: FileOptions,
) -> None:
    """Send a file of reviews to RabbitMQ, confirmed message by message; prints the batch id."""
    chosen = settings()
    batch, sent = sending.enqueue(given.rows(), chosen, patience, "live" if live else "bulk")
    if follow and not sending.follow(batch, sent, chosen, "live" if live else "bulk"):
        raise typer.Exit(3)


@commands.command()
def status(
    batch: Annotated[UUID | None, typer.Argument(help="Show one batch instead of everything.")] = None,
) -> None:
    """Queues, backlog, oldest unlabelled review and labels by stage; or how far a batch is."""
    chosen = settings()
    if batch is None:
        console.out.print(state.overall(chosen))
    else:
        sending.show_batch(batch, chosen)


@commands.command()
def health(
    worker: Annotated[bool, typer.Option("--worker", help="Ask this machine's Celery worker too.")] = False,
) -> None:
    """Exit with 0 when RabbitMQ and PostgreSQL answer; says what is tried again and again all the same."""
    degraded = state.check_health(settings(), worker=worker)
    console.out.print(translated("degraded") if degraded else translated("ok"))
    for sentence in degraded:
        console.out.print(sentence, soft_wrap=True)


db = typer.Typer(help="The database schema.", no_args_is_help=True)
commands.add_typer(db, name="db")


@db.command("upgrade")
def db_upgrade() -> None:
    """Create or update the tables, and the roles that may use them. Safe to repeat."""
    chosen = settings()
    logins = {role: password.get_secret_value() for role, password in chosen.database_logins.items()}
    version = schema.upgrade(
        open_database(chosen, "otzyv db upgrade"),
        {role: password for role, password in logins.items() if password},
        lambda sentence: console.remark(translated("note"), sentence),
    )
    console.out.print(translated("database schema is at version {version}", version=version))


@db.command("prune")
def db_prune(
    older_than: Annotated[int, typer.Option(min=1, help="Days since a review's text came.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete old reviews and all that was made of them, but for what waits or people have judged.

    Runs as the user who upgrades the schema: no other may delete reviews.
    """
    prune(settings(), older_than, dry_run=dry_run, yes=yes)
