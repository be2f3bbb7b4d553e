"""A page as a browser would see it, and what no page of ours does."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """Tags with their attributes, the words under <mark>, the visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.marked: list[str] = []
        self.text = ""
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
        self.text += data
        if self._in_mark:
            self.marked[-1] += data

    def check_tags_are_ours(self) -> None:
        """Fails over a tag or an attribute that only hostile text would bring."""
        assert not {"script", "img"} & {tag for tag, _ in self.tags}
        assert not [name for _, attributes in self.tags for name in attributes if name.startswith("on")]

    def check_loads_and_runs_nothing(self) -> None:
        """Fails over a tag that runs something, or names something outside the page."""
        for tag, attributes in self.tags:
            assert tag not in {"script", "iframe", "object", "embed", "img", "base", "form"}
            assert attributes.get("src") is None
            assert (attributes.get("href") or "#").startswith(("#", "data:,"))
