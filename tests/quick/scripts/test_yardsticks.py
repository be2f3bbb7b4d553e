"""F1 on gold and F1 on held-out labels are two yardsticks: whatever is shown to people says which of them it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
F1 = re.compile(r"\bF1\b")
NAMED = re.compile(r"gold|held.out|эталон", re.IGNORECASE)


def docstrings(tree: ast.Module) -> set[ast.expr]:
    """Strings that stand for themselves: they are for who reads the code."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def sentences(path: Path) -> Iterator[str]:
    """Every string of a module that a command may show; the parts of one f-string together."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = docstrings(tree)
    inside = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if node in skipped or node in inside:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "…".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("package", ["scripts", "workers", "shared"])
def test_every_sentence_about_f1_names_its_yardstick(package):
    nameless = [
        f"{path.relative_to(ROOT)}: {said}"
        for path in (ROOT / package).rglob("*.py")
        if "bench" not in path.parts
        for said in sentences(path)
        for sentence in re.split(r"(?<=[.;]) ", said)
        if F1.search(sentence) and not NAMED.search(sentence)
    ]
    assert nameless == []


def test_every_heading_of_a_page_or_picture_that_names_f1_names_its_yardstick():
    heading = re.compile(r"<(th|h1|h2|h3|text|a|title)\b[^>]*>(.*?)</\1>", re.DOTALL)
    nameless = [
        f"{path.relative_to(ROOT)}: {found[1]}"
        for path in [*(ROOT / "scripts").rglob("*.html"), *(ROOT / "scripts").rglob("*.svg")]
        for found in heading.findall(path.read_text(encoding="utf-8"))
        if F1.search(found[1]) and not NAMED.search(found[1])
    ]
    assert nameless == []


def test_every_heading_of_a_table_in_the_docs_that_names_f1_names_its_yardstick():
    pages = [*ROOT.glob("README*.md"), *(ROOT / "docs").glob("*.md")]
    nameless = [
        f"{path.name}: {line}"
        for path in pages
        if path.name not in {"map.md", "vocabulary.md", "language.md"}
        for line, below in pairwise(path.read_text(encoding="utf-8").splitlines())
        if below.startswith("|--") or line.startswith("#")
        for cell in line.split("|")
        if F1.search(cell) and not NAMED.search(cell)
    ]
    assert nameless == []
