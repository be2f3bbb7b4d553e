"""The picture of a calibration: a panel for each stage, or for each sequence of chains that has a certified one."""

from __future__ import annotations

import re

import pytest

from scripts.language import language
from scripts.quality.calibration_plot import render_chains, render_stages
from shared.cascade.stage import Verdict
from shared.quality.certification import certify_stages
from shared.quality.chain_certificate import Floors, certify_chain
from tests.support.html_page import Page

GOLD = ["a"] * 300
VERDICTS: dict[str, list[Verdict | None]] = {
    "one": [Verdict("a", 0.9)] * 200 + [None] * 100,
    "two": [Verdict("a" if at % 5 else "b", 0.5 + at % 40 / 100) for at in range(300)],
}
DEFAULTS = {"one": 0.8, "two": None}


def heads(page: str) -> list[str]:
    """What stands above each panel."""
    return re.findall(r'(?:font-weight="600"[^>]*>|<h3>)([^<]+)<', page)


@pytest.mark.parametrize("suffix", [".svg", ".html"])
def test_the_chosen_chain_is_a_dot_in_the_panel_of_its_sequence(suffix):
    found = certify_chain(VERDICTS, GOLD, DEFAULTS, 0.9, floors=Floors(0.0, 0.0))
    assert found.chosen is not None
    page = render_chains(found, suffix)
    passed = [one.name for one in found.sequences if one.passed]
    assert heads(page) == [f"one,two, {name}" for name in passed]
    assert page.count("<circle") == sum(found.chosen in one.points for one in found.sequences)
    assert f"keeps {found.chosen.kept:,}" in page
    assert "share of all reviews that the chain keeps" in page


@pytest.mark.parametrize("target", [0.9, 0.999])
def test_the_page_says_which_sequences_have_no_picture_and_why(target):
    found = certify_chain(VERDICTS, GOLD, DEFAULTS, target, floors=Floors(0.0, 0.0))
    page = render_chains(found, ".html")
    text = Page(page).text
    missing = [one.name for one in found.sequences[1:] if not one.passed]
    tested = sum(len(one.points) for one in found.sequences)
    assert f"{tested} chains tested in {len(found.sequences)} fixed sequences" in text
    assert len(re.findall("<svg", page)) + len(missing) == len(found.sequences)
    assert missing
    assert f"no picture, because the first chain of each failed: {'; '.join(missing)}." in text or (
        f"1 sequence has no picture, because its first chain failed: {missing[0]}." in text
    )


def test_without_a_certified_chain_the_main_sequence_is_drawn_without_a_dot():
    page = render_chains(certify_chain(VERDICTS, GOLD, DEFAULTS, 0.999), ".svg")
    assert "one,two, from the defaults" in page
    assert "<circle" not in page


def test_a_gold_set_that_no_stage_answers_can_be_drawn():
    silent: dict[str, list[Verdict | None]] = {"one": [None] * 5}
    assert "0 certified" in render_chains(certify_chain(silent, ["a"] * 5, {"one": 0.8}, 0.95), ".svg")


def test_stages_by_themselves_have_a_panel_each():
    page = render_stages(certify_stages(VERDICTS, GOLD, 0.9), 0.9, ".html")
    assert heads(page) == ["one", "two"]
    assert "share of the reviews that reach the stage" in page


def test_all_panels_have_the_same_axes():
    page = render_stages(certify_stages(VERDICTS, GOLD, 0.9), 0.9, ".html")
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    ticks = [re.findall(r'y="([\d.]+)"[^>]*>([\d.]+)</text>', picture) for picture in pictures]
    assert len(ticks) == 2
    assert ticks[0] == ticks[1]
    assert ticks[0]


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (
            0.9,
            "Certified. With 95 % certainty, at least 90 % of the labels that this chain releases are right.",
        ),
        (
            0.999,
            "Not certified. Gold does not show of any chain of these stages that at least 99.9 % of the labels that it "
            "releases are right.",
        ),
    ],
)
def test_the_page_says_first_whether_the_chain_is_certified(target, sentence):
    found = certify_chain(VERDICTS, GOLD, DEFAULTS, target, floors=Floors(0.0, 0.0))
    seen = Page(render_chains(found, ".html"))
    seen.check_loads_nothing_and_runs_our_script_alone()
    seen.check_tables_scroll_in_their_boxes()
    assert sentence in seen.text
    if found.chosen is not None:
        assert f"it keeps {found.chosen.kept} " in seen.text


def test_the_page_says_first_which_stages_are_certified_and_which_are_not():
    findings = certify_stages(VERDICTS, GOLD, 0.9)
    assert [finding.certified for finding in findings] == [True, False]
    text = Page(render_stages(findings, 0.9, ".html")).text
    assert (
        "Certified: one. With 95 % certainty, at least 90 % of the labels that each of these stages" in text
    )
    assert "Not certified: two." in text


def test_categories_stand_under_their_titles():
    found = certify_chain(VERDICTS, GOLD, DEFAULTS, 0.9, floors=Floors(0.0, 0.0))
    told = {"reasons": ["more gold"], "certainty": 0.95, "titles": {"a": "Обувь"}}
    text = Page(render_chains(found, ".html", told)).text
    assert "Обувь" in text
    assert "more gold" in text


def test_in_russian_a_page_has_russian_sentences_and_numbers():
    found = certify_chain(VERDICTS, GOLD, DEFAULTS, 0.9, floors=Floors(0.0, 0.0))
    with language.speaking("ru"):
        text = Page(render_chains(found, ".html")).text
    assert "Заверено. С надёжностью 95 % верны не менее 90 % меток, которые выпускает эта цепочка." in text
    assert "требуется 0,9" in text
    assert "from the defaults" not in text
    assert "Certified" not in text
