"""A page as a browser would see it, and what no page of ours does."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

from scripts.pages.templates import SCRIPT


class Page(HTMLParser):
    """Tags with their attributes, the words under <mark>, the visible text, and what is in scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.marked: list[str] = []
        self.text = ""
        self.scripts: list[str] = []
        self._in_mark = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "mark":
            self._in_mark = True
            self.marked.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "mark":
            self._in_mark = False

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
