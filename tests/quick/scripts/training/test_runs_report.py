"""The leaderboard of training runs: what is compared, what is drawn, and that hostile text stays text."""

from __future__ import annotations

import json
import random
import re
from math import inf, nan
from statistics import fmean, stdev

import msgspec
import pytest
from rich.console import Console

from scripts.language import language
from scripts.pages.axis import Axis
from scripts.training.runs_report.charts import MOST_POINTS, heat, interval_axis, panels
from scripts.training.runs_report.findings import Gold, Leaderboard, RunResult, build
from scripts.training.runs_report.html import render
from scripts.training.runs_report.terminal import tables
from shared.quality.bootstrap import differences, intervals
from shared.quality.confusion import confusion
from shared.quality.evaluation import score
from shared.taxonomy import Category, Taxonomy, default_taxonomy
from tests.support.html_page import Page

HOSTILE = """</p><script>alert(1)</script><img src=x onerror=alert(1)> "' {{ 7*7 }} &lt;"""
TAXONOMY = default_taxonomy()
SLUGS = TAXONOMY.slugs
TRUTH = tuple(SLUGS[at % 8] for at in range(240))
GOLD = Gold(
    TRUTH,
    tuple(at % 10 == 0 for at in range(240)),
    tuple("audit" if at % 3 else "file" for at in range(240)),
)
CURVES = {
    "loss": [(step / 100, 2 / step) for step in range(1, 301)],
    "held_out_loss": [(1.0, 0.9), (2.0, 0.6), (3.0, 0.5)],
    "held_out_weighted_f1": [(1.0, 0.6), (2.0, 0.8), (3.0, 0.85)],
    "held_out_macro_f1": [(1.0, 0.5), (2.0, 0.7), (3.0, 0.8)],
}


def answers(right: float, seed: int) -> tuple[str | None, ...]:
    rng = random.Random(seed)
    return tuple(name if rng.random() < right else rng.choice(SLUGS[:8]) for name in TRUTH)


def run(number: int, architecture: str, right: float, **others: object) -> RunResult:
    facts: dict[str, object] = {
        "model": number + 100, "seed": number % 10, "seconds": 60.0 * number, "reviews_per_s": 100.0 * number,
        "bytes": number * 1_000_000, "answers": answers(right, number), "curves": CURVES, "train_rows": 5000,
    }  # fmt: skip
    return RunResult(run=number, architecture=architecture, **facts | others)  # type: ignore[arg-type]


RUNS = (
    run(1, "linear", 0.7),
    run(2, "linear", 0.7),
    run(11, "full", 0.95),
    run(12, "full", 0.95),
    run(21, "mlp", 0.3),
    run(31, "lstm", 0.72),
)


@pytest.fixture(scope="module")
def board() -> Leaderboard:
    return build(RUNS, GOLD, TAXONOMY, champion=(3, answers(0.7, 99)))


def entry(board: Leaderboard, name: str):
    return next(one for one in board.entries if one.name == name)


def terminal(board: Leaderboard, width: int = 100) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(tables(board))
    return captured.get()


# --- what is found --------------------------------------------------------------------------------------


def test_an_architecture_is_the_mean_over_its_seeds(board):
    found = entry(board, "full")
    scores = [score(TRUTH, one.answers) for one in RUNS[2:4]]
    f1 = [one.weighted_f1 for one in scores]
    assert found.seeds == 2
    assert found.weighted.estimate == pytest.approx(fmean(f1))
    assert found.spread == pytest.approx(stdev(f1))
    assert found.macro.estimate == pytest.approx(fmean(one.macro_f1 for one in scores))
    assert found.weighted == intervals(TRUTH, [one.answers for one in RUNS[2:4]]).weighted
    of_shoes = [row.f1 for one in scores for row in one.categories if row.category == "shoes"]
    assert found.categories["shoes"] == pytest.approx(fmean(of_shoes))
    assert (found.seconds, found.reviews_per_s, found.megabytes) == (690.0, 1150.0, 11.5)


def test_the_board_is_sorted_by_weighted_f1_with_the_champion_among_the_others(board):
    estimates = [one.weighted.estimate for one in board.entries]
    assert estimates == sorted(estimates, reverse=True)
    assert board.best.name == "full"
    assert entry(board, "champion (model 3)").champion
    assert entry(board, "champion (model 3)").seconds is None


def test_each_architecture_is_told_whether_it_beats_the_baseline(board):
    words = {one.name: one.word for one in board.entries}
    assert words == {
        "full": "better", "lstm": "unclear", "champion (model 3)": "unclear", "linear": None, "mlp": "worse",
    }  # fmt: skip


def test_comparisons_with_the_baseline_share_their_risk(board):
    linear, full = ([one.answers for one in RUNS if one.architecture == name] for name in ("linear", "full"))
    assert board.comparisons == 4
    expected = differences(TRUTH, linear, full, certainty=1 - 0.05 / 4).weighted
    assert entry(board, "full").difference == expected


def test_without_the_baseline_nothing_is_compared():
    found = build(RUNS[2:], GOLD, TAXONOMY)
    assert found.baseline is None
    assert {one.word for one in found.entries} == {None}
    assert "The baseline was not trained" in Page(render(found)).text
    assert "nothing is compared" in " ".join(terminal(found).split())


def test_another_baseline_can_be_asked_for():
    found = build(RUNS, GOLD, TAXONOMY, baseline="full")
    assert entry(found, "linear").word == "worse"
    assert entry(found, "full").word is None


def test_too_little_gold_makes_every_comparison_unclear_and_says_why():
    few = Gold(TRUTH[:20], GOLD.ambiguous[:20], GOLD.sources[:20])
    runs = [run(at, name, 0, answers=given[:20]) for at, name, given in (
        (1, "linear", answers(0, 1)), (2, "full", TRUTH),
    )]  # fmt: skip
    found = build(runs, few, TAXONOMY)
    assert (entry(found, "full").word, entry(found, "full").doubt) == (
        "unclear",
        "20 gold reviews, fewer than 50",
    )
    assert "full: unclear: 20 gold reviews, fewer than 50" in terminal(found)
    assert "is unclear: 20 gold reviews, fewer than 50" in Page(render(found)).text


def test_reviews_are_also_scored_by_source_and_without_the_ambiguous_ones(board):
    clear = [at for at in range(240) if at % 10]
    f1 = score([TRUTH[at] for at in clear], [RUNS[4].answers[at] for at in clear]).weighted_f1
    assert entry(board, "mlp").not_ambiguous == pytest.approx(f1)
    assert set(entry(board, "mlp").groups) == {"audit", "file"}


def test_where_all_is_ambiguous_no_figure_is_invented():
    gold = Gold(TRUTH, (True,) * 240, GOLD.sources)
    assert entry(build(RUNS, gold, TAXONOMY), "mlp").not_ambiguous is None


def test_the_confusion_matrix_sums_the_seeds(board):
    first, second = (confusion(TRUTH, one.answers, SLUGS).counts for one in RUNS[2:4])
    found = entry(board, "full").matrix.counts
    assert found[0][0] == first[0][0] + second[0][0]
    assert sum(map(sum, found)) == 2 * 240


def test_categories_that_the_taxonomy_has_lost_are_still_shown():
    truth = ("gadgets", *TRUTH[1:])
    found = build(RUNS, Gold(truth, GOLD.ambiguous, GOLD.sources), TAXONOMY)
    assert found.titles["gadgets"] == "gadgets"
    assert found.counts["gadgets"] == 1
    assert "gadgets" in Page(render(found)).text


def test_missing_answers_and_unknown_costs_are_shown_as_such():
    nothing: dict[str, object] = {
        "answers": (None,) * 240,
        "reviews_per_s": None,
        "bytes": None,
        "model": None,
    }
    silent = run(41, "full", 0, **nothing, curves={"loss": CURVES["loss"]})
    found = build([RUNS[0], silent], GOLD, TAXONOMY)
    assert (entry(found, "full").reviews_per_s, entry(found, "full").megabytes) == (None, None)
    text = Page(render(found)).text
    assert "no answer" in text
    assert "not recorded" in text
    assert "–" in terminal(found)


@pytest.mark.parametrize(
    ("runs", "gold", "sentence"),
    [
        ((), GOLD, "expected runs and gold reviews, found 0 and 240"),
        (RUNS, Gold((), (), ()), "expected runs and gold reviews, found 6 and 0"),
        ([run(7, "linear", 1, answers=("shoes",))], GOLD, "each of 240 gold reviews, found that run 7 has 1"),
        (RUNS, Gold(TRUTH, (), GOLD.sources), "found that ambiguous has 0"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_a_sentence(runs, gold, sentence):
    with pytest.raises(ValueError, match=sentence):
        build(runs, gold, TAXONOMY)


def test_a_champion_with_too_few_answers_is_refused():
    with pytest.raises(ValueError, match="found that champion has 1"):
        build(RUNS, GOLD, TAXONOMY, champion=(3, ("shoes",)))


# --- how it is shown ------------------------------------------------------------------------------------


def test_the_page_says_first_who_is_ahead_and_who_beats_the_baseline(board):
    text = Page(render(board)).text
    best = board.best.weighted
    interval = f"{best.estimate:.3f} (95 %: {best.low:.3f} to {best.high:.3f})"
    for sentence in (
        f"full is ahead: weighted F1 on gold {interval}, 240 gold reviews.",
        "Better than the baseline linear: full.",
        "Worse than the baseline linear: mlp.",
        "Not shown to be better than the baseline linear: lstm, champion (model 3).",
    ):
        assert sentence in text


def test_every_architecture_has_an_interval_a_matrix_and_curves(board):
    page = render(board)
    seen = Page(page)
    drawn = [attributes for tag, attributes in seen.tags if tag == "svg"]
    intervals_drawn = [one for one in drawn if "aria-label" in one]
    assert len(intervals_drawn) == 5
    assert seen.text.count("gold ↓ answer →") == 5
    assert seen.text.count("F1 on held-out labels") >= 4
    assert "2 seeds summed: each review counts 2 times" in seen.text
    assert page.count("<polyline") == 4 * len(RUNS)
    assert "run 12, seed 2" in seen.text


def test_the_page_is_one_file_that_loads_and_runs_nothing(board):
    page = render(board)
    assert "https://" not in page
    assert page.replace("http://www.w3.org/2000/svg", "").count("http://") == 0
    Page(page).check_loads_nothing_and_runs_our_script_alone()
    Page(page).check_tables_scroll_in_their_boxes()
    assert "default-src 'none'" in page
    assert page.lstrip().startswith("<!doctype html>")


def test_hostile_titles_notes_and_names_are_shown_as_text():
    taxonomy = Taxonomy(
        name="hostile", categories=(Category(slug="shoes", title=HOSTILE), Category(slug="none", title="b"))
    )
    truth = ("shoes", "none") * 60
    given = tuple("none" if at < 20 else name for at, name in enumerate(truth))
    runs = [
        run(1, "linear", 0, answers=truth, notes=(HOSTILE,)),
        run(2, HOSTILE, 0, answers=given, notes=("random weights", HOSTILE)),
    ]
    board = build(runs, Gold(truth, (False,) * 120, (HOSTILE, "audit") * 60), taxonomy)
    page = render(board)
    seen = Page(page)
    seen.check_tags_are_ours()
    assert seen.text.count(HOSTILE) > 8
    assert "49" not in seen.text.replace("{{ 7*7 }}", "")


def test_names_are_not_read_as_terminal_markup():
    taxonomy = Taxonomy(name="markup", categories=(Category(slug="shoes", title="[red]a[/red]"),))
    truth = ("shoes",) * 60
    runs = [run(1, "[b]x", 0, answers=truth, notes=("[i]note",))]
    shown = terminal(build(runs, Gold(truth, (False,) * 60, ("audit",) * 60), taxonomy))
    for name in ("[red]a[/red]", "[b]x", "[i]note"):
        assert name in shown


def test_names_of_architectures_are_there_in_80_columns_too(board):
    shown = terminal(board, 80)
    assert all(one.name.split()[0] in shown for one in board.entries)


def test_the_terminal_shows_the_board_in_100_columns(board):
    shown = terminal(board)
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 100
    found = entry(board, "full")
    for expected in (
        f"{found.weighted.estimate:.3f} ±{found.spread:.3f}",
        "better",
        "worse",
        "baseline",
        "11.5",
    ):
        assert expected in shown
    assert "1 seed" in shown


def test_the_board_is_plain_data_for_json(board):
    plain = json.loads(json.dumps(msgspec.to_builtins(board, str_keys=True), allow_nan=False))
    assert plain["baseline"] == "linear"
    assert plain["entries"][0]["weighted"].keys() == {"estimate", "low", "high"}
    assert plain["entries"][0]["curves"]["11"]["held_out_weighted_f1"][-1] == [3.0, 0.85]
    assert plain["runs"][0] == {
        "run": 1, "model": 101, "architecture": "linear", "seed": 1, "seconds": 60.0, "train_rows": 5000,
        "weighted_f1": score(TRUTH, RUNS[0].answers).weighted_f1, "macro_f1": score(TRUTH, RUNS[0].answers).macro_f1,
    }  # fmt: skip


def test_a_training_that_left_the_numbers_draws_what_there_is():
    wild = {"loss": [(1.0, 2.0), (2.0, nan), (3.0, inf)], "held_out_weighted_f1": [(1.0, nan)]}
    found = build([run(1, "linear", 0.7, curves=wild)], GOLD, TAXONOMY)
    assert entry(found, "linear").curves == {1: {"loss": [(1.0, 2.0)]}}
    page = render(found)
    assert not re.search(r"\b(nan|inf)\b", page)
    assert "<circle" in page


def test_an_architecture_without_epochs_has_no_empty_picture():
    page = render(build((run(1, "linear", 0.7, curves={}), run(2, "full", 0.9)), GOLD, TAXONOMY))
    assert "Learning curves of full" in page
    assert "Learning curves of linear" not in page


def test_a_long_curve_is_thinned_and_keeps_its_course():
    steps = [(at / 1000, 5.0 - at / 1000) for at in range(5000)]
    found = build([run(1, "linear", 0.7, curves={"loss": steps})], GOLD, TAXONOMY)
    points = panels(found.best, (0.0, 1.0))[0]["lines"][0]["points"]
    assert MOST_POINTS / 2 < len(points) <= MOST_POINTS
    heights = [y for _, y in points]
    assert heights == sorted(heights)


@pytest.mark.parametrize(
    ("low", "high", "names"),
    [
        (0.87, 0.99, ["0.88", "0.90", "0.92", "0.94", "0.96", "0.98"]),
        (0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0.0, 3.0, ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0"]),
        (0.0, 7000.0, ["0", "2000", "4000", "6000"]),
    ],
)
def test_axes_have_a_few_round_ticks(low, high, names):
    ticks = Axis(low, high, 0, 100).ticks()
    assert [name for _, name in ticks] == names
    assert all(0 <= x <= 100 for x, _ in ticks)


def test_colours_and_intervals_of_perfect_answers_do_not_divide_by_nothing():
    found = build([run(1, "linear", 1.0)], GOLD, TAXONOMY)
    assert heat(1.0, found) == 1.0
    axis = interval_axis(found)
    assert axis.low < axis.high
    assert not re.search(r"\b(nan|inf)\b", render(found))


def test_in_russian_the_leaderboard_is_told_in_russian(board):
    with language.speaking("ru"):
        text, shown = Page(render(board)).text, terminal(board)
    assert (
        "Впереди full: взвешенная F1 на эталоне 0,958 (95 %: от 0,940 до 0,975), 240 отзывов эталона." in text
    )
    assert "2 зерна" in shown
    assert not [word for word in ("better", "worse", "unclear", "gold", "seeds") if word in shown]
