"""Our pages: one head, one style sheet with light and dark, one script, and nothing cut off without a word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.pages import colours
from scripts.pages.templates import SCRIPT, rendered

ROOT = Path(__file__).resolve().parents[4] / "scripts"
PAGES = sorted(
    path for path in ROOT.rglob("*.html") if path.parent.name != "pages" and path.name != "interface.html"
)
BY_NAME = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
LONG = 10
"""Columns of rows that are as many as there are stages or confidences need no search."""


@BY_NAME
def test_every_page_stands_in_the_one_frame_and_brings_no_style_or_script_of_its_own(page):
    text = page.read_text(encoding="utf-8")
    assert text.startswith('{% extends "pages/page.html" %}')
    assert not re.search(r"<(style|script|meta|link)\b", text)
    for block in ("title", "kind", "sections", "body", "words"):
        assert f"{{% block {block} %}}" in text


@BY_NAME
def test_every_colour_is_one_of_ours(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"#[0-9a-f]{6}\b|rgba?\(", text)
    assert {*re.findall(r"var\(--([\w-]+)\)", text)} <= {*colours.LIGHT}


def test_light_and_dark_name_the_same_colours():
    assert colours.LIGHT.keys() == colours.DARK.keys()


def test_the_style_sheet_uses_no_colour_that_is_not_defined():
    own = {"w", "share", "tone", "columns"}
    used = {*re.findall(r"var\(--([\w-]+)\)", (ROOT / "pages/style.css").read_text(encoding="utf-8"))}
    assert used - own <= {*colours.LIGHT}


def test_a_page_fills_the_window():
    style = (ROOT / "pages/style.css").read_text(encoding="utf-8")
    body = re.search(r"^body \{(.*?)\}", style, re.DOTALL | re.MULTILINE)
    assert body is not None
    assert "max-width" not in body[1]


@BY_NAME
def test_what_may_be_long_can_be_searched_and_shown_whole(page):
    text = page.read_text(encoding="utf-8")
    loops = re.findall(
        r"<(?:tbody|ul class=\"samples\")([^>]*)>\s*(?:\{% set[^%]*%\}\s*)?\{% for (\w+)", text
    )
    assert all("data-items" in attributes or name in {"bar", "row", "part"} for attributes, name in loops)
    assert "data-items" in text


def test_the_words_of_the_script_are_in_the_page_where_they_can_be_translated():
    page = (ROOT / "pages/page.html").read_text(encoding="utf-8")
    for name in re.findall(r"words\.(\w+)", SCRIPT):
        assert f"data-{name}=" in page


def test_what_no_html_file_may_hold_is_replaced_in_every_page():
    panel = {
        "title": "a\x00b",
        "measured": "",
        "top": 0,
        "y_ticks": (),
        "x_ticks": (),
        "target_y": 1.0,
        "chosen": None,
    }
    picture = rendered(
        "quality/calibration_plot/plot.svg",
        paint=colours.LIGHT, panels=[{**panel, "note": ""}], target=0.9, chain=False, from_y=0, width=9, height=9,
        box=(1, 1, 1, 1),
    )  # fmt: skip
    assert "a\N{REPLACEMENT CHARACTER}b" in picture


TEMPLATES = sorted([*ROOT.rglob("*.html"), *ROOT.rglob("*.svg")])
SAID = re.compile(r"\{%-? trans .*?endtrans -?%\}|\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
UNTRANSLATED = {"Otzyv", "F1"}
"""Names that are the same in every language."""


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_whatever_a_template_says_can_be_translated(template):
    """Neither text between tags nor what is read aloud stands there as it is; nor does a number of English form."""
    text = template.read_text(encoding="utf-8")
    bare = SAID.sub("", text)
    words = [
        word for piece in re.findall(r">([^<]*)<", bare) for word in re.findall(r"[A-Za-z][\w-]+", piece)
    ]
    assert [word for word in words if word not in UNTRANSLATED] == []
    assert re.findall(r'(?:aria-label|title|placeholder|alt)="[^"]*[A-Za-z]{2,}', bare) == []
    literal = re.findall(r"\{\{[^}]*?(?<!_\()'([a-z][a-z ]+)' (?:if|else)", text)
    assert [word for word in literal if " " in word] == []
    assert not re.search(r"<\w+(?: [\w-]+=\"[^\"]*\")*>\s*\{\{ '%[.+\d]*[dfg]' %", text)
