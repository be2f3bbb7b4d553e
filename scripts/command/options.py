"""Options that commands of several rooms have, and how a command is given many of them as one value.

Those about a file of reviews are in `scripts.files.options`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

Store = Annotated[
    Path | None, typer.Option(help="Folder of `otzyv label --store` instead of the server's database.")
]
JsonForTables = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
JsonForTable = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def takes(options: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator for a command with a parameter of this dataclass: Typer sees an option for each field there.

    The first field comes first of all, as arguments do.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(options, include_extras=True)
        fields = [
            field.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
            for name, field in inspect.signature(options).parameters.items()
        ]
        signature = inspect.signature(command, eval_str=True)
        own = list(signature.parameters.values())
        place = next(at for at, parameter in enumerate(own) if parameter.annotation is options)
        expanded = [fields[0], *own[:place], *fields[1:], *own[place + 1 :]]

        @wraps(command)
        def run(**values: Any) -> None:
            given = options(**{field.name: values.pop(field.name) for field in fields})
            command(**values, **{own[place].name: given})

        run.__signature__ = signature.replace(parameters=expanded)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in expanded}
        return run

    return decorate
