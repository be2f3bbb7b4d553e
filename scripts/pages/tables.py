"""Tables for the terminal: what is read stands at the left, figures at the right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich import box
from rich.console import RenderableType
from rich.table import Column, Table

LINED: Final[dict[str, Any]] = {
    "title_style": "bold",
    "box": box.SIMPLE_HEAD,
    "collapse_padding": True,
}
"""The looks of a table with a line under its heads, as `table` takes them."""


def table(
    heads: Iterable[str | Column], rows: Iterable[Sequence[RenderableType]], *, left: int = 1, **looks: Any
) -> Table:
    """Rows under their heads, the first `left` columns at the left. `looks` are options of rich's Table."""
    columns = [
        Column(head, justify="left" if at < left else "right") if isinstance(head, str) else head
        for at, head in enumerate(heads)
    ]
    made = Table(*columns, **{"title_justify": "left", "box": None, "pad_edge": False} | looks)
    for row in rows:
        made.add_row(*row)
    return made


def name(head: str) -> Column:
    """A column of names, which are folded where they would take too much room."""
    return Column(head, overflow="fold", min_width=12)


def figure(head: str) -> Column:
    """A column of figures that are never broken over lines."""
    return Column(head, justify="right", no_wrap=True)
