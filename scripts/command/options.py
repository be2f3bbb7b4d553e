"""Options that commands of several rooms have. Those about a file of reviews are in `scripts.files.options`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Store = Annotated[
    Path | None, typer.Option(help="Folder of `otzyv label --store` instead of the server's database.")
]
JsonForTables = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
JsonForTable = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
