"""Training runs side by side on gold: a leaderboard for the terminal, as a page with pictures, and as JSON."""

from __future__ import annotations

from scripts.training.runs_report.findings import Entry, Gold, Leaderboard, RunLine, RunResult, build
from scripts.training.runs_report.html import as_json, render
from scripts.training.runs_report.terminal import tables

__all__ = ["Entry", "Gold", "Leaderboard", "RunLine", "RunResult", "as_json", "build", "render", "tables"]
