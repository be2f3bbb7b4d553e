"""What an evaluation found, as tables for the terminal, as a page, and as a picture of the confusion matrix."""

from __future__ import annotations

from scripts.quality.evaluation_report.findings import Evaluation, StageLine, SubChain
from scripts.quality.evaluation_report.html import matrix_svg, render, svg
from scripts.quality.evaluation_report.terminal import tables

__all__ = ["Evaluation", "StageLine", "SubChain", "matrix_svg", "render", "svg", "tables"]
