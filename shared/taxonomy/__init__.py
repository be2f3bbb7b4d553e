"""Taxonomies: what the categories are, read from YAML, checked with line numbers."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from shared.taxonomy.inspection import check, check_text
from shared.taxonomy.model import Category, Taxonomy
from shared.taxonomy.source import Problem

DEFAULT_PATH = Path(__file__).resolve().parent / "shipped" / "marketplace.yaml"

__all__ = [
    "DEFAULT_PATH",
    "Category",
    "Problem",
    "Taxonomy",
    "check",
    "check_text",
    "default_taxonomy",
]


@cache
def default_taxonomy() -> Taxonomy:
    """The taxonomy that comes with Otzyv: nine categories of a Russian marketplace."""
    return Taxonomy.load(DEFAULT_PATH)
