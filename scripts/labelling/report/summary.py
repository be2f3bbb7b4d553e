"""The numbers and samples that a report shows. Plain data; how it looks is decided in `html` and `terminal`.

Shares and remainders are derived, so that no two figures of a report can contradict each other.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from shared.store.reports.export import LabelledExample

BINS = 20
SAMPLES_PER_CATEGORY = 50
UNSURE_SHOWN = 200
REJECTIONS_SHOWN = 500


class StatusCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many reviews stand where; each stored review is in exactly one of the four.

    `waiting` reviews still have a stage ahead of them, `needs_review` ones have none left.
    """

    accepted: int = 0
    needs_review: int = 0
    human: int = 0
    waiting: int = 0


class CategoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One category: how many labels it got, how sure they are on average (None without labels), examples."""

    slug: str
    title: str
    count: int
    mean_confidence: float | None = None
    samples: tuple[LabelledExample, ...] = ()


class StageRow(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of the funnel.

    `threshold` is the least confidence, 0..1, that is kept, calibrated where a gold set has calibrated; None keeps
    nothing. `kept` verdicts became labels; `abstained` reviews got no verdict at all. `histogram` counts every
    verdict, kept or not, in `BINS` equal bins of confidence; empty where confidences were not collected.
    """

    stage: str
    seen: int = 0
    kept: int = 0
    abstained: int = 0
    threshold: float | None = None
    mean_confidence: float | None = None
    histogram: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError where more was kept than seen, or the histogram has another number of bins."""
        if min(self.kept, self.abstained, self.unsure) < 0:
            raise ValueError(
                f"stage {self.stage!r}: kept ({self.kept}) and abstained ({self.abstained})"
                f" must be at least 0 and together at most seen ({self.seen})"
            )
        if len(self.histogram) not in (0, BINS):
            raise ValueError(f"stage {self.stage!r}: expected {BINS} bins, found {len(self.histogram)}")

    @property
    def unsure(self) -> int:
        """Verdicts below the threshold."""
        return self.seen - self.kept - self.abstained

    @property
    def passed_on(self) -> int:
        """Everything this stage did not keep: verdicts below the threshold and abstentions."""
        return self.seen - self.kept


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One labelling run.

    `rejected` counts every refused row, `rejections` holds the first `REJECTIONS_SHOWN` of them: an id or a row number,
    and why it could not become a review. `stages` are in the order of the cascade. `started` carries a time zone.
    `certified` says in words what a gold set certifies of the labels, `earlier` what earlier runs on the same store had
    judged of the file's reviews: no stage has seen these in this run.
    """

    title: str
    input_name: str
    taxonomy: str
    taxonomy_version: str
    started: datetime
    seconds: float
    rows_read: int
    rejected: int = 0
    statuses: StatusCounts = StatusCounts()
    categories: tuple[CategoryRow, ...] = ()
    stages: tuple[StageRow, ...] = ()
    unsure: tuple[LabelledExample, ...] = ()
    rejections: tuple[tuple[str, str], ...] = ()
    certified: str = ""
    earlier: str = ""

    @property
    def labelled(self) -> int:
        """Reviews that have a label."""
        return self.statuses.accepted + self.statuses.human

    @property
    def replaced(self) -> int:
        """Rows whose text a later row with the same id replaced, or that say the same once more."""
        known = self.labelled + self.statuses.needs_review + self.statuses.waiting + self.rejected
        return max(0, self.rows_read - known)

    @property
    def rows_per_second(self) -> float | None:
        """Input rows per second of the whole run; None for a run too short to say."""
        return self.rows_read / self.seconds if self.seconds > 0 else None

    @property
    def ranked(self) -> list[CategoryRow]:
        """The categories, those with the most labels first."""
        return sorted(self.categories, key=lambda row: -row.count)

    def share(self, category: CategoryRow) -> float:
        """The category's part of all categories' labels, 0..1."""
        total = sum(row.count for row in self.categories)
        return category.count / total if total else 0.0
