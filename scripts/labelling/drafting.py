"""`otzyv taxonomy draft`: categories proposed from a file of reviews, tried on the same reviews, and written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from scripts.command.console import out, remark
from scripts.command.progress import review_progress
from scripts.files import whole_file
from scripts.files.review_rows import ReviewRows
from scripts.labelling.sample import SampledTexts, sample
from scripts.language.language import ENGLISH, counted, speaking, translated
from scripts.pages import figures
from shared.cascade.stage import Verdict, verdicts
from shared.encoders.navec import NavecEncoder
from shared.errors import InputFileError
from shared.stages.keywords.stage import DEFAULT_THRESHOLD, KeywordStage
from shared.taxonomy import Taxonomy
from shared.taxonomy.drafting.page import Coverage, page
from shared.taxonomy.drafting.proposal import Draft, common_nouns, draft
from shared.taxonomy.transliteration import slug

ENDINGS: Final = (".yaml", ".yml")
COMMONEST: Final = 8
"""Nouns that are shown with each category."""
EXAMPLES: Final = 2
"""Reviews shown with each category."""
READABLE: Final = range(30, 140)
"""Characters of a review that is shown if there are such."""
CHUNK: Final = 1_000
"""Reviews between two steps of the progress."""


def draft_file(
    rows: ReviewRows, path: Path, wanted: int | None, size: int, seed: int, *, overwrite: bool
) -> None:
    """Read the file once, propose a taxonomy, see what its keywords label, and write it with that as comments."""
    whole_file.check(path, None, rows.file.path, ENDINGS)
    if path.exists() and not overwrite:
        raise InputFileError(
            f"{path}: expected a new file, found one that may have been edited; "
            "name another with --out, or add --overwrite"
        )
    drawn = sample(rows, size, seed)
    with review_progress() as progress:
        task = progress.add_task(translated("words and their groups"), total=2, note="")
        encoder = NavecEncoder()
        progress.advance(task)
        proposed = draft(drawn.texts, lambda words: encoder.embed(words, "document"), wanted)
        progress.advance(task)
    name = slug(path.stem)
    covered = tried(Taxonomy.parse(page(name, proposed)), drawn.texts)
    text = page(name, proposed, head(rows.file.name, drawn, covered, seed), covered)
    # Whatever the reviews in its comments hold, nothing is written that cannot be read.
    Taxonomy.parse(text, str(path))
    whole_file.write_text(path, text)
    tell(path, drawn, proposed, covered, wanted)


def tried(taxonomy: Taxonomy, texts: Sequence[str]) -> dict[str, Coverage]:
    """What the keyword stage keeps of reviews, by category, and under "" what it leaves over; with examples of each."""
    stage = KeywordStage(taxonomy)
    found: dict[str, dict[str, float]] = {name: {} for name in (*taxonomy.slugs, "")}
    counts = Counter[str]()
    with review_progress() as progress:
        task = progress.add_task(
            translated("labelling"), total=len(texts), note=translated("with the proposed words")
        )
        for start in range(0, len(texts), CHUNK):
            some = texts[start : start + CHUNK]
            for text, verdict in zip(some, verdicts(stage, some), strict=True):
                name = kept(verdict)
                counts[name] += 1
                found[name][text] = verdict.confidence if verdict and name else 0.0
            progress.update(task, advance=len(some))
    return {
        name: Coverage(counts[name], examples(reviews), common_nouns(list(reviews), COMMONEST))
        for name, reviews in found.items()
    }


def kept(verdict: Verdict | None) -> str:
    """The category of a verdict that is kept at the usual threshold; "" where none is."""
    return verdict.category if verdict and verdict.confidence >= DEFAULT_THRESHOLD else ""


def examples(reviews: Mapping[str, float]) -> list[str]:
    """The surest reviews, those of a readable length before others."""
    order = sorted(reviews.items(), key=lambda review: (len(review[0]) not in READABLE, -review[1]))
    return [text for text, _ in order[:EXAMPLES]]


def head(name: str, drawn: SampledTexts, covered: dict[str, Coverage], seed: int) -> list[str]:
    """What a person who edits the draft should know first."""
    left = covered[""].reviews / len(drawn.texts)
    with speaking(ENGLISH):  # as all comments of the file
        labelled = figures.percent(1 - left).replace(figures.THIN, " ")
    return [
        f"A draft by otzyv taxonomy draft, from {len(drawn.texts)} of {drawn.rows} rows of {name} (seed {seed}). "
        f"Its words label {labelled} of them.",
        "To do: name the categories, move words, merge and delete; then otzyv taxonomy check, and otzyv evaluate "
        "on some reviews whose category people gave.",
    ]


def tell(
    path: Path, drawn: SampledTexts, proposed: Draft, covered: dict[str, Coverage], wanted: int | None
) -> None:
    """What was proposed, in a few lines."""
    if wanted and len(proposed.categories) < wanted:
        told = counted(
            "these reviews give {number} category, not {wanted}",
            "these reviews give {number} categories, not {wanted}",
            len(proposed.categories),
            wanted=wanted,
        )
        remark(translated("fewer"), told)
    counts = Counter({name: coverage.reviews for name, coverage in covered.items()})
    for category in proposed.categories:
        out.print(f"{figures.count(counts[category.slug]):>8}  {category.title}", soft_wrap=True)
    out.print(f"{figures.count(counts['other']):>8}  {translated('reviews that name nothing')}")
    out.print(f"{figures.count(counts['']):>8}  {translated('left over')}")
    read = counted("{number} review", "{number} reviews", len(drawn.texts))
    told = translated(
        "{reviews} of {rows} rows; taxonomy: {file}", reviews=read, rows=figures.count(drawn.rows), file=path
    )
    out.print(told, soft_wrap=True)
