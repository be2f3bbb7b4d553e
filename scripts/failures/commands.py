"""`otzyv failures`: what these subcommands are called and ask for."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.command.options import JsonForTable, JsonForTables
from scripts.command.settings import TaxonomyFile, settings
from scripts.failures import details, listing, retry
from shared.errors import ConfigurationError
from shared.store.failures import FailureFilter

commands = typer.Typer()
failures = typer.Typer(help="What failed, and what to do about it.", no_args_is_help=True)
commands.add_typer(failures, name="failures")

FailureNumbers = Annotated[
    list[int] | None, typer.Argument(help="Numbers of failures, see `otzyv failures list`.")
]
Queue = Annotated[str | None, typer.Option(help="Those of this queue.")]
ReasonFilter = Annotated[str | None, typer.Option(metavar="TEXT", help="Those whose reason contains this.")]
Everything = Annotated[bool, typer.Option("--all", help="Every failure there is.")]
DeadLettersOption = Annotated[
    str | None,
    typer.Option(metavar="QUEUE", help="Instead of failures: the messages in this dead-letter queue."),
]


@failures.command("list")
def failures_list(
    queue: Queue = None,
    reason: ReasonFilter = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Groups to show.")] = 20,
    json: JsonForTables = False,
) -> None:
    """Failures by queue and reason, newest first, and what lies in the dead-letter queues.

    Reasons that are the same but for the numbers in them are one group, shown with its newest as the example.
    """
    listing.show_groups(FailureFilter(queue=queue, reason=_storable(reason)), limit, settings(), json=json)


@failures.command("show")
def failures_show(
    number: Annotated[int, typer.Argument(help="Number of the failure, see `otzyv failures list`.")],
    full: Annotated[bool, typer.Option("--full", help="All of the text or payload.")] = False,
    json: JsonForTable = False,
) -> None:
    """Everything about one failure."""
    details.show(number, settings(), full=full, json=json)


@failures.command("retry")
def failures_retry(
    numbers: FailureNumbers = None,
    queue: Queue = None,
    reason: ReasonFilter = None,
    everything: Everything = False,
    dead_letters: DeadLettersOption = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Send it again: a stored review to its stage or to be predicted, what was rejected to ingest.

    Exit code 3: some were left, because they cannot be sent or have been settled otherwise.
    """
    choice = _choice(numbers, queue, reason, everything, dead_letters)
    chosen = settings(taxonomy=taxonomy)
    left = retry.retry(choice, chosen) if choice else retry.retry_dead_letters(str(dead_letters), chosen)
    if left:
        raise typer.Exit(3)


@failures.command("drop")
def failures_drop(
    numbers: FailureNumbers = None,
    queue: Queue = None,
    reason: ReasonFilter = None,
    everything: Everything = False,
    dead_letters: DeadLettersOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Give up on it: a review without a label is given to a person with its best guess, all else is forgotten."""
    choice = _choice(numbers, queue, reason, everything, dead_letters)
    if choice:
        retry.drop(choice, settings(), ask=not yes)
    else:
        retry.drop_dead_letters(str(dead_letters), settings(), ask=not yes)


def _choice(
    numbers: list[int] | None,
    queue: str | None,
    reason: str | None,
    everything: bool,
    dead_letters: str | None,
) -> FailureFilter | None:
    """What was asked for; None for dead letters. Raises ConfigurationError where that is nothing, or two things."""
    conditions = bool(numbers) or queue is not None or reason is not None
    if conditions + everything + (dead_letters is not None) != 1:
        raise ConfigurationError(
            "failures: expected numbers, --queue and --reason, or else --all, or else --dead-letters; found "
            f"{'several of these' if conditions or everything else 'none of these'}"
        )
    if dead_letters is not None:
        return None
    if queue is not None and queue.endswith((".dead", ".rejected")):
        raise ConfigurationError(
            f"--queue: expected the queue that a failure came from, found {queue!r}; for the messages in a "
            "dead-letter queue write --dead-letters"
        )
    return FailureFilter(tuple(numbers) if numbers else None, queue, _storable(reason))


def _storable(reason: str | None) -> str | None:
    """Bytes of the command line that are no text match nothing, instead of being refused by PostgreSQL."""
    return None if reason is None else reason.encode(errors="replace").decode()
