"""What fails and is tried again, in words for people."""

from __future__ import annotations

from scripts.language.language import counted, grouped
from shared.store.processes.waits import Wait


def waited(wait: Wait) -> str:
    """One sentence. What waits, and why, is told as it was noted."""
    values = {
        "what": wait.what,
        "since": f"{wait.since:%Y-%m-%d %H:%M}",
        "who": wait.who,
        "reason": wait.reason,
    }
    if wait.count == 1:
        return counted(
            "{what}: tried {number} time since {since} UTC, by {who}: {reason}",
            "{what}: tried {number} times since {since} UTC, by {who}: {reason}",
            wait.tries,
            **values,
        )
    return counted(
        "{what}: tried {number} time since {since} UTC, {count} of them, by {who}: {reason}",
        "{what}: tried {number} times since {since} UTC, {count} of them, by {who}: {reason}",
        wait.tries,
        count=grouped(wait.count),
        **values,
    )
