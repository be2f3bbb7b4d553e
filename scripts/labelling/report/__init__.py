"""What one labelling run did, as a page to forward and as tables for the terminal.

`summary.RunSummary` holds everything that is shown; `render` makes one self-contained HTML file of it, `tables` the
terminal's view. Nothing here counts or reads the store: whoever ran the labelling fills the summary.
"""

from __future__ import annotations

from scripts.labelling.report.html import render
from scripts.labelling.report.terminal import tables

__all__ = ["render", "tables"]
