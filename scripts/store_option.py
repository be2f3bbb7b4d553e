"""The option of commands that work on the folder of `otzyv label --store` as well as on the server's database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Store = Annotated[
    Path | None, typer.Option(help="Folder of `otzyv label --store` instead of the server's database.")
]
