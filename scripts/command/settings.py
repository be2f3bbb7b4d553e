"""The settings of one command: the environment, what its options say, and logs configured by them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from scripts.command.console import remark
from scripts.language.language import translated
from shared import logs
from shared.settings import Settings, load, unknown

TaxonomyFile = Annotated[
    Path | None, typer.Option("--taxonomy", help="Taxonomy file. (default: the nine that ship with Otzyv)")
]
"""The option that most commands have."""


def settings(**overrides: object) -> Settings:
    """Settings with those overrides that are given; variables that are misspelt are told. Raises SettingsError."""
    chosen = load(**{name: value for name, value in overrides.items() if value is not None})
    logs.configure(chosen)
    for name, meant in unknown(os.environ).items():
        told = translated("{name} is no setting", name=name)
        if meant:
            told += translated("; did you mean {name}?", name=meant)
        remark(translated("ignored"), told)
    return chosen
