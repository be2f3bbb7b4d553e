"""The report of a run: hostile text stays text, highlights sit on their words, nothing is loaded."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import msgspec
import pytest
from rich.console import Console

from scripts.labelling.report.highlight import SHOWN, pieces
from scripts.labelling.report.html import render
from scripts.labelling.report.summary import (
    REJECTIONS_SHOWN,
    CategoryRow,
    RunSummary,
    StageRow,
    StatusCounts,
)
from scripts.labelling.report.terminal import tables
from scripts.language import language
from scripts.pages import figures
from shared.cascade.stage import Match
from shared.store.reports.export import LabelledExample
from tests.support.html_page import Page

THIN = figures.THIN
HOSTILE = """</p><script src="//x.y/z.js">alert(1)</script><img src=x onerror=alert(1)> "' {{ 7*7 }} &lt;"""


def histogram(confidences: list[float]) -> tuple[int, ...]:
    """Confidences counted in the report's twenty bins."""
    places = [min(int(confidence * 20), 19) for confidence in confidences]
    return tuple(places.count(place) for place in range(20))


def match(text: str, word: str, category: str = "clothes") -> Match:
    start = text.index(word)
    return Match(word=word, start=start, end=start + len(word), keyword=word, category=category)


def sample(text: str, *words: str, category: str | None = "clothes") -> LabelledExample:
    evidence = msgspec.to_builtins([match(text, word) for word in words])
    return LabelledExample("r1", text, category, 0.91, "keywords", evidence)


OF_ALL: dict[str, Any] = {
    "input_name": "reviews.csv",
    "taxonomy": "marketplace",
    "taxonomy_version": "3f9a1c77be20d4aa",
    "started": datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
}
"""What the summaries below have in common."""


def empty_run() -> RunSummary:
    return RunSummary(**OF_ALL, title="Labels", seconds=0.0, rows_read=0)


def a_run(
    *samples: LabelledExample, unsure: tuple[LabelledExample, ...] = (), title: str = "Одежда"
) -> RunSummary:
    return RunSummary(
        **OF_ALL,
        title="Labels for reviews.csv",
        seconds=14.8,
        rows_read=8297,
        rejected=7,
        statuses=StatusCounts(accepted=5130, human=9, waiting=3000, needs_review=151),
        categories=(
            CategoryRow(slug="shoes", title="Обувь", count=1139, mean_confidence=0.95),
            CategoryRow(slug="clothes", title=title, count=4000, mean_confidence=0.97, samples=samples),
        ),
        stages=(
            StageRow(
                stage="keywords",
                seen=8290,
                kept=5139,
                abstained=2051,
                threshold=0.87,
                mean_confidence=0.93,
                histogram=histogram([0.2] * 1100 + [0.93] * 5139),
            ),
        ),
        unsure=unsure,
        rejections=(("row 12", "text is empty"),),
    )


def terminal(summary: RunSummary, width: int = 80) -> str:
    console = Console(width=width, record=True, force_terminal=False)
    with console.capture() as captured:
        console.print(tables(summary))
    return captured.get()


def marked(summary: RunSummary) -> list[str]:
    """The highlighted words, without the two of the legend."""
    return [word for word in Page(render(summary)).marked if word not in ("Highlighted", "dotted")]


# --- hostile text -------------------------------------------------------------------------------------


def test_hostile_review_text_is_shown_as_text() -> None:
    page = render(a_run(sample(HOSTILE), unsure=(sample(HOSTILE, category=None),)))
    seen = Page(page)
    seen.check_tags_are_ours()
    assert seen.text.count(HOSTILE) == 2


def test_hostile_names_and_reasons_are_shown_as_text() -> None:
    run = a_run(LabelledExample(HOSTILE, "платье", None, None, HOSTILE, None), title=HOSTILE)
    fields = {"title": HOSTILE, "input_name": HOSTILE, "taxonomy": HOSTILE, "taxonomy_version": HOSTILE}
    rejections = ((HOSTILE, HOSTILE),)
    stages = (StageRow(stage=HOSTILE, seen=1, kept=1, abstained=0, histogram=histogram([0.5])),)
    hostile = {name: getattr(run, name) for name in run.__struct_fields__} | fields
    page = render(RunSummary(**hostile | {"rejections": rejections, "stages": stages}))
    Page(page).check_tags_are_ours()


def test_hostile_matched_words_are_escaped_inside_the_highlight() -> None:
    text = "<b>платье</b> пришло"
    page = render(a_run(sample(text, "<b>платье</b>")))
    assert "<mark" in page
    assert Page(page).marked[-1] == "<b>платье</b>"
    assert "<b>платье</b>" not in page


def test_characters_that_html_forbids_are_replaced_and_the_page_is_utf8() -> None:
    page = render(a_run(sample("a\x00b\ud800c\x1bd")))
    assert "a�b�c�d" in page
    assert page.encode()


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = render(a_run(sample("платье", "платье"), unsure=(sample("платье"),)))
    assert "http://" not in page
    assert "https://" not in page
    seen = Page(page)
    seen.check_loads_nothing_and_runs_our_script_alone()
    seen.check_tables_scroll_in_their_boxes()
    assert not re.search(r"url\(|@import", page)
    policy = next(tag[1] for tag in seen.tags if "http-equiv" in tag[1])
    assert (policy["content"] or "").startswith("default-src 'none'")


# --- highlights ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["Купила платье дочке", "👗👍🏽 брала платье 🙂", "e\u0301 ё платье\nсели", "‮платье‬ хорошее", "платье"],
)
def test_exactly_the_matched_word_is_highlighted(text: str) -> None:
    assert marked(a_run(sample(text, "платье"))) == ["платье"]


def test_every_matched_word_is_highlighted_in_order() -> None:
    text = "🙂 юбка и платье, а ещё туфли"
    assert marked(a_run(sample(text, "платье", "юбка"))) == ["юбка", "платье"]


def test_a_word_for_another_category_is_marked_as_such() -> None:
    text = "туфли под платье"
    evidence = msgspec.to_builtins([match(text, "туфли", "shoes"), match(text, "платье")])
    page = render(a_run(LabelledExample("r1", text, "clothes", None, None, evidence)))
    assert '<mark class="other" title="Обувь">туфли</mark>' in page
    assert '<mark title="Одежда">платье</mark>' in page


def test_overlapping_matches_keep_the_first_and_longest() -> None:
    text = "детское платье для дочки"
    found = pieces(text, [match(text, "платье"), match(text, "детское"), match(text, "детское платье")])
    assert [piece.text for piece in found if piece.match] == ["детское платье"]
    assert "".join(piece.text for piece in found) == text


def test_offsets_outside_the_text_highlight_nothing() -> None:
    wrong = [
        Match(word="x", start=start, end=end, keyword="x", category="clothes")
        for start, end in [(-1, 2), (3, 3), (4, 2), (5, 100)]
    ]
    assert [(piece.text, piece.match) for piece in pieces("платье", wrong)] == [("платье", None)]


def test_a_long_review_is_cut_around_its_first_match() -> None:
    text = "очень " * 50_000 + "платье" + " хорошее" * 50_000
    found = pieces(text, [match(text, "платье")])
    assert found[0].text == found[-1].text == "…"
    assert [piece.text for piece in found if piece.match] == ["платье"]
    assert sum(len(piece.text) for piece in found) == SHOWN + 2


def test_a_long_review_without_a_match_shows_its_beginning() -> None:
    found = pieces("начало " + "о" * 10_000, [])
    assert found[0].text.startswith("начало")
    assert found[-1].text == "…"


# --- numbers ------------------------------------------------------------------------------------------


def test_counts_shares_and_thresholds_appear_on_the_page() -> None:
    text = Page(render(a_run(sample("платье", "платье")))).text
    for expected in [f"5{THIN}139", f"8{THIN}297", f"4{THIN}000", "77.8%", "0.97", f"2{THIN}051", "0.87"]:
        assert expected in text
    assert f"3{THIN}151" in text  # passed on: 1 100 below the threshold and 2 051 abstentions
    assert f"1{THIN}100" in text


def test_thresholds_are_on_the_scale_of_confidences_and_that_is_said() -> None:
    assert "kept from a confidence of 0.87" in Page(render(a_run())).text


@pytest.mark.parametrize("spoken", language.LANGUAGES)
def test_eighty_columns_hold_the_figures_of_millions(spoken: str) -> None:
    stage = StageRow(
        stage="similarity",
        seen=1_153_283,
        kept=721_001,
        abstained=191_400,
        threshold=0.8,
        mean_confidence=0.95,
    )
    with language.speaking(spoken):
        told = terminal(msgspec.structs.replace(a_run(), stages=(stage,)))
        line = next(line for line in told.splitlines() if "similarity" in line)
        figured = (
            figures.count(stage.seen),
            figures.percent(stage.kept / stage.seen),
            figures.confidence(0.95),
        )
    assert "…" not in line
    assert all(one in line for one in figured)


def test_what_earlier_runs_had_judged_is_said_where_no_stage_saw_it() -> None:
    said = "396 reviews had been judged by earlier runs, and no stage saw them now: keywords 223"
    stages = (StageRow(stage="keywords", threshold=0.8, mean_confidence=0.95),)
    run = msgspec.structs.replace(a_run(), stages=stages, earlier=said)
    assert said in " ".join(terminal(run).split())
    assert re.search(r"keywords +0 +– +– +– +– +0.80", terminal(run)), "no zeros where nothing was seen"
    assert f"{said}." in Page(render(run)).text


def test_charts_have_text_alternatives() -> None:
    page = render(a_run(sample("платье")))
    charts = [attributes for tag, attributes in Page(page).tags if tag == "svg"]
    assert len(charts) == 1
    spoken = unescape(charts[0]["aria-label"] or "")
    assert spoken == (
        f"Confidence of 6{THIN}239 verdicts of keywords: most, 5{THIN}139, lie between 0.90 and 0.95."
        " Kept from a confidence of 0.87."
    )


def test_a_bar_under_the_threshold_changes_colour_at_the_line() -> None:
    stage = StageRow(
        stage="llm", seen=4, kept=2, abstained=0, threshold=0.88, histogram=histogram([0.87] * 4)
    )
    run = a_run()
    page = render(
        RunSummary(**{name: getattr(run, name) for name in run.__struct_fields__} | {"stages": (stage,)})
    )
    rects = [attributes for tag, attributes in Page(page).tags if tag == "rect"]
    assert [(rect["class"], rect["x"]) for rect in rects] == [("below", "340.0"), ("kept", "352.00")]


def test_categories_are_listed_by_count() -> None:
    text = Page(render(a_run())).text
    assert text.index("Одежда") < text.index("Обувь")


def test_an_empty_run_renders() -> None:
    text = Page(render(empty_run())).text
    assert "no reviews" in text
    assert "nan" not in text.lower()
    assert "Samples" not in text


def test_a_run_with_only_rejected_rows_renders() -> None:
    run = RunSummary(
        **OF_ALL,
        title="Labels",
        seconds=0.2,
        rows_read=60,
        rejected=60,
        categories=(CategoryRow(slug="clothes", title="Одежда", count=0),),
        stages=(StageRow(stage="keywords", seen=0, kept=0, abstained=0, threshold=0.9, histogram=(0,) * 20),),
        rejections=tuple((f"row {row}", "text is empty") for row in range(60)),
    )
    text = Page(render(run)).text
    assert "are listed" not in text
    assert "could not become a review." in text
    assert "row 49" in text
    assert "60 rejected" in terminal(run)


def test_more_rejected_rows_than_a_page_lists_are_told() -> None:
    rows = tuple((f"row {row}", "text is empty") for row in range(REJECTIONS_SHOWN))
    run = msgspec.structs.replace(a_run(), rejected=REJECTIONS_SHOWN + 100, rejections=rows)
    assert f"The first {REJECTIONS_SHOWN} are listed" in Page(render(run)).text


def test_a_stage_refuses_numbers_that_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="together at most seen"):
        StageRow(stage="keywords", seen=10, kept=8, abstained=3)
    with pytest.raises(ValueError, match="expected 20 bins, found 2"):
        StageRow(stage="keywords", seen=10, kept=8, abstained=2, histogram=(1, 2))


@pytest.mark.parametrize(
    ("share", "printed"),
    [(0.0, "0%"), (0.0004, f"<{THIN}0.1%"), (0.1234, "12.3%"), (0.9999, f">{THIN}99.9%"), (1.0, "100%")],
)
def test_shares_never_round_to_nothing_or_everything(share: float, printed: str) -> None:
    assert figures.percent(share) == printed


@pytest.mark.parametrize(
    ("seconds", "printed"),
    [
        (0.841, f"0.84{THIN}s"),
        (14.83, f"14.8{THIN}s"),
        (59.99, f"1{THIN}min 00{THIN}s"),
        (7380, f"2{THIN}h 03{THIN}min"),
    ],
)
def test_durations_have_units(seconds: float, printed: str) -> None:
    assert figures.duration(seconds) == printed


# --- terminal -----------------------------------------------------------------------------------------


def test_the_terminal_shows_categories_and_stages_in_80_columns() -> None:
    shown = terminal(a_run())
    assert "…" not in shown
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80
    for expected in ["Одежда", f"4{THIN}000", "77.8%", "█", "keywords", f"3{THIN}151", "0.87"]:
        assert expected in shown


def test_in_russian_the_tables_fit_too_with_russian_numbers() -> None:
    with language.speaking("ru"):
        shown = terminal(a_run())
    assert max(len(line) for line in shown.splitlines() if "размечено" not in line) <= 80
    for told in (f"8{THIN}297 строк за 14,8{THIN}с", f"размечено 5{THIN}139", f"77,8{THIN}%", "0,97", "без"):
        assert told in shown
    assert not [word for word in ("category", "kept", "labelled", "waiting", "rows") if word in shown]


def test_a_category_title_is_not_read_as_terminal_markup() -> None:
    assert "[red]Одежда[/red]" in terminal(a_run(title="[red]Одежда[/red]"))


def test_an_empty_run_has_tables() -> None:
    assert "0 rows" in terminal(empty_run())


def test_what_is_certified_of_the_labels_is_told_on_the_page_and_in_the_terminal():
    promise = (
        "thresholds of version 1, certified as a chain (keywords,llm): at least 0.95 of what is released"
    )
    run = msgspec.structs.replace(a_run(), certified=promise)
    console = Console(width=160)
    with console.capture() as shown:
        console.print(tables(run))
    assert promise in shown.get()
    assert promise in unescape(render(run))
    assert "<dt>Precision</dt>" not in render(a_run()), "nothing is promised where nobody has calibrated"


def test_in_russian_the_page_says_nothing_in_english() -> None:
    hint = sample("Платье хорошее", "Платье")
    run = msgspec.structs.replace(
        a_run(hint, unsure=(sample("Вещь", category=None),)), rejections=(("7", ""),)
    )
    with language.speaking("ru"):
        page = render(run)
    assert '<html lang="ru">' in page
    told = Page(page.split("</header>")[0].split("<body")[1].partition(">")[2]).text
    told += Page(page.split("</header>")[1].split("<script>")[0]).text
    assert f"Метка есть у 5{THIN}139 из 8{THIN}297 отзывов (61,9{THIN}%)." in told
    assert "01.03.2026, 09:30 UTC" in told
    names = {"Labels", "for", "reviews", "csv", "UTC", "Otzyv", "marketplace", "keywords"}
    assert {*re.findall(r"\b[A-Za-z]{3,}\b", told)} <= names
