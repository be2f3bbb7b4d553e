"""Progress: no figure is cut at any width, and where nothing can be redrawn there are lines now and then."""

from __future__ import annotations

from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from scripts.command.progress import (
    FIRST_LINE_S,
    LONGEST_SILENCE_S,
    Lines,
    NarrowProgress,
    done,
    file_progress,
    gone,
    left,
    percent,
    rate,
    review_progress,
    reviews,
)
from scripts.language import language

THIN = language.THIN
NAME = "sending выгрузка-отзывов-маркетплейса-за-ноябрь-2026-исправленная.csv"
ALL = (percent, reviews, rate, gone, left)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def drawn(width: int, said=ALL, note: str = "", **figures) -> list[str]:
    """The lines of a task that has gone for a while, on a terminal of this width."""
    clock = Clock()
    console = Console(file=StringIO(), width=width, force_terminal=True, highlight=False)
    progress = NarrowProgress(said, first_to_go=(gone, rate, left), console=console, clock=clock)
    task = progress.add_task(NAME, total=figures.pop("total", 1.0), note=note, reviews=0)
    progress.update(task, completed=0)
    clock.now += 10_000
    progress.update(task, **figures)
    clock.now += 20
    progress.update(task, **{**figures, "advance": figures["completed"] / 500, "completed": None})
    plain = Console(file=StringIO(), width=width)
    plain.print(*progress.get_renderables(), sep="\n")
    return plain.file.getvalue().rstrip().splitlines()  # type: ignore[attr-defined]


@pytest.fixture(params=["en", "ru"], autouse=True)
def spoken(request):
    language.use(request.param)
    yield
    language.use("en")


def test_at_80_columns_every_figure_of_a_file_is_whole():
    (line,) = drawn(80, completed=0.5, reviews=123_456_789)
    for figure in (language.in_percent("50"), f"123{THIN}456{THIN}789", f"12{THIN}321", "2:46:20"):
        assert figure in line
    assert "…" in line, "the name gives way"
    assert len(line) <= 80


def test_at_80_columns_every_figure_of_a_known_number_of_reviews_is_whole():
    (line,) = drawn(80, (done, gone, left), completed=1_234_567_890, total=9_876_543_210)
    for figure in (f"1{THIN}237{THIN}037{THIN}025", f"9{THIN}876{THIN}543{THIN}210", "2:47:00"):
        assert figure in line


@pytest.mark.parametrize("width", [40, 50, 60, 80, 120, 200])
def test_at_no_width_a_figure_is_cut(width):
    (line,) = drawn(width, completed=0.5, reviews=123_456_789)
    assert len(line) <= width
    assert f"123{THIN}456{THIN}789" in line
    assert language.in_percent("50") in line
    assert "…" not in line.replace("…", "", 1)


def test_a_note_has_lines_of_its_own_and_is_whole():
    note = ", ".join(
        f"{n:,} wait for {stage}"
        for n, stage in ((12_345_678, "similarity"), (23_456_789, "zero_shot"), (3, "llm"))
    )
    lines = drawn(80, (done, gone, left), note=note, completed=1_000_000, total=40_000_000)
    assert f"1{THIN}002{THIN}000" in lines[0]
    assert " ".join(" ".join(lines[1:]).split()) == note


@pytest.mark.parametrize("made", [file_progress, review_progress])
def test_where_nothing_can_be_redrawn_there_are_lines_now_and_then(made, monkeypatch):
    clock, written = Clock(), StringIO()
    console = Console(file=written, width=80, highlight=False)
    monkeypatch.setattr("scripts.command.progress.err", console)
    progress = made()
    progress._lines = Lines(clock)
    with progress:
        task = progress.add_task(NAME, total=1.0, reviews=0)
        for _ in range(3_600):
            clock.now += 1
            progress.update(task, advance=1 / 4_000, reviews=123_456_789, note="7 wait for llm")
    lines = written.getvalue().splitlines()
    assert all(line.startswith(f"{NAME}: ") for line in lines), "none is broken at 80 columns"
    assert 15 <= len(lines) <= 60
    assert lines[-1].endswith("; 7 wait for llm")


def test_lines_come_after_ten_seconds_and_then_more_and_more_seldom():
    clock = Clock()
    lines, began = Lines(clock), clock.now
    times = []
    for _ in range(20_000):
        clock.now += 1
        if lines.due():
            times.append(clock.now - began)
    assert times[:3] == [FIRST_LINE_S, 2 * FIRST_LINE_S, 3 * FIRST_LINE_S]
    assert max(later - before for before, later in pairwise(times)) == LONGEST_SILENCE_S


def test_the_time_that_is_left_follows_from_the_pace_of_the_last_half_minute():
    clock = Clock()
    progress = NarrowProgress(
        (done, left), console=Console(file=StringIO(), force_terminal=True), clock=clock
    )
    number = progress.add_task("x", total=1_000)
    task = next(one for one in progress.tasks if one.id == number)
    assert left(task) == ""
    for _ in range(20):
        clock.now += 1
        progress.update(task.id, advance=10)
    assert "0:01:2" in left(task)
    progress.update(task.id, completed=1_000)
    assert left(task) == ""


def test_no_command_draws_progress_of_another_kind():
    allowed = {"progress.py": "rich.progress", "label.py": "starting PostgreSQL"}
    root = Path(__file__).resolve().parents[4] / "scripts"
    others = [
        f"{path.name}: {line.strip()}"
        for path in root.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if ("rich.progress" in line or ".status(" in line or "track(" in line)
        and "aliases" not in line
        and allowed.get(path.name, "-") not in line
        and path.name != "progress.py"
    ]
    assert others == ["enqueue.py: from rich.progress import Progress, TaskID"]
