"""A page as a browser would see it, and what no page of ours does."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

from scripts.pages import templates
from scripts.pages.templates import SCRIPT


class Page(HTMLParser):
    """Tags with their attributes, the words under <mark>, the visible text, and what is in scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.marked: list[str] = []
        self.text = ""
        self.scripts: list[str] = []
        self.boxes: list[set[str]] = []
        """Of each table, the classes of all that it stands in."""
        self._in_mark = False
        self._open: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self.boxes.append({name for _, classes in self._open for name in classes.split()})
        if tag in ("div", "figure", "details", "section"):
            self._open.append((tag, dict(attrs).get("class") or ""))
        if tag == "mark":
            self._in_mark = True
            self.marked.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "mark":
            self._in_mark = False
        if self._open and self._open[-1][0] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts.append(data)
        if self.cdata_elem is not None:
            return
        self.text += data
        if self._in_mark:
            self.marked[-1] += data

    def check_tags_are_ours(self) -> None:
        """Fails over a tag or an attribute that only hostile text would bring."""
        assert self.scripts == [SCRIPT]
        assert [tag for tag, _ in self.tags].count("script") == 1
        assert "img" not in {tag for tag, _ in self.tags}
        assert not [name for _, attributes in self.tags for name in attributes if name.startswith("on")]

    def check_tables_scroll_in_their_boxes(self) -> None:
        """Fails over a table that would make the page wider than a narrow window."""
        style = Path(templates.__file__).with_name("style.css").read_text(encoding="utf-8")
        for name in ("card", "scrolled"):
            assert any(
                rule.startswith(f".{name} ") and "overflow-x: auto" in rule for rule in style.splitlines()
            )
        assert [box for box in self.boxes if not box & {"card", "scrolled"}] == []

    def check_loads_nothing_and_runs_our_script_alone(self) -> None:
        """Fails over a tag or a policy by which anything else could run, or that names something outside the page."""
        self.check_tags_are_ours()
        policy = next(str(tag["content"]) for _, tag in self.tags if "http-equiv" in tag)
        ours = b64encode(sha256(self.scripts[0].encode()).digest()).decode()
        assert policy.startswith("default-src 'none'; ")
        assert f"script-src 'sha256-{ours}';" in policy
        for tag, attributes in self.tags:
            assert tag not in {"iframe", "object", "embed", "img", "base", "form"}
            assert attributes.get("src") is None
            assert (attributes.get("href") or "#").startswith(("#", "data:,"))
