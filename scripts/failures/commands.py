"""`otzyv failures`: what these subcommands are called and ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from scripts.command.escaping import storable
from scripts.command.options import JsonForTable, JsonForTables, takes
from scripts.command.settings import TaxonomyFile, settings
from scripts.failures import details, listing, retry
from shared.errors import ConfigurationError
from shared.store.failures import FailureFilter

commands = typer.Typer()
failures = typer.Typer(help="What failed, and what to do about it.", no_args_is_help=True)
commands.add_typer(failures, name="failures")

Queue = Annotated[str | None, typer.Option(help="Those of this queue.")]
ReasonFilter = Annotated[str | None, typer.Option(metavar="TEXT", help="Those whose reason contains this.")]


@dataclass(frozen=True)
class FailureOptions:
    """Which failures, or the messages of which dead-letter queue."""

    numbers: Annotated[
        list[int] | None, typer.Argument(help="Numbers of failures, see `otzyv failures list`.")
    ] = None
    queue: Queue = None
    reason: ReasonFilter = None
    everything: Annotated[bool, typer.Option("--all", help="Every failure there is.")] = False
    dead_letters: Annotated[
        str | None,
        typer.Option(metavar="QUEUE", help="Instead of failures: the messages in this dead-letter queue."),
    ] = None

    def failures(self) -> FailureFilter | None:
        """None for dead letters. Raises ConfigurationError where nothing was chosen, or two things."""
        conditions = bool(self.numbers) or self.queue is not None or self.reason is not None
        if conditions + self.everything + (self.dead_letters is not None) != 1:
            raise ConfigurationError(
                "failures: expected numbers, --queue and --reason, or else --all, or else --dead-letters; found "
                f"{'several of these' if conditions or self.everything else 'none of these'}"
            )
        if self.dead_letters is not None:
            return None
        if self.queue is not None and self.queue.endswith((".dead", ".rejected")):
            raise ConfigurationError(
                f"--queue: expected the queue that a failure came from, found {self.queue!r}; for the messages in a "
                "dead-letter queue write --dead-letters"
            )
        return FailureFilter(
            tuple(self.numbers) if self.numbers else None, self.queue, self.reason and storable(self.reason)
        )


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
    listing.show_groups(
        FailureFilter(queue=queue, reason=reason and storable(reason)), limit, settings(), json=json
    )


@failures.command("show")
def failures_show(
    number: Annotated[int, typer.Argument(help="Number of the failure, see `otzyv failures list`.")],
    full: Annotated[bool, typer.Option("--full", help="All of the text or payload.")] = False,
    json: JsonForTable = False,
) -> None:
    """Everything about one failure."""
    details.show(number, settings(), full=full, json=json)


@failures.command("retry")
@takes(FailureOptions)
def failures_retry(*, given: FailureOptions, taxonomy: TaxonomyFile = None) -> None:
    """Send it again: a stored review to its stage or to be predicted, what was rejected to reviews.incoming.

    Exit code 3: some were left, because they cannot be sent or have been settled otherwise.
    """
    choice, chosen = given.failures(), settings(taxonomy=taxonomy)
    if choice is None:
        retry.retry_dead_letters(str(given.dead_letters), chosen)
    elif retry.retry(choice, chosen):
        raise typer.Exit(3)


@failures.command("drop")
@takes(FailureOptions)
def failures_drop(
    *, given: FailureOptions, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Give up on it: a review without a label is given to a person with its best guess, all else is forgotten."""
    if choice := given.failures():
        retry.drop(choice, settings(), ask=not yes)
    else:
        retry.drop_dead_letters(str(given.dead_letters), settings(), ask=not yes)
