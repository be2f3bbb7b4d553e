"""`otzyv taxonomy learn`: what it is called and asks for."""

from __future__ import annotations

import typer

from scripts.command.options import JsonForTables, takes
from scripts.command.settings import TaxonomyFile, settings
from scripts.labelling import learn as learning
from scripts.labelling.learn_options import LearnOptions

commands = typer.Typer()


@commands.command()
@takes(LearnOptions)
def learn(*, given: LearnOptions, taxonomy: TaxonomyFile = None, json: JsonForTables = False) -> None:
    """Propose words, phrases, exclusions and weights out of labels, and show what they would change."""
    learning.learn_entries(given, settings(taxonomy=taxonomy, log_level="warning"), as_json=json)
