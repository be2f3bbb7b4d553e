"""Each stage certified by itself, as rows to store, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from scripts.command.console import out, remark
from scripts.language.language import Sentence, counted, grouped, translated
from scripts.pages import figures
from scripts.pages.tables import table
from scripts.quality import calibration_plot
from shared.quality.calibration import GRID, ThresholdPoint
from shared.quality.certification import StageFinding
from shared.store.thresholds import Threshold


class StageCalibration(msgspec.Struct, frozen=True):
    """What a gold set says of every stage, and whose scores they are. `uncertified_too` stores stages that fail."""

    what = Sentence("each stage by itself")
    nothing = Sentence("no stage is certified")
    chain = None

    findings: Sequence[StageFinding]
    models: Mapping[str, str]
    target: float
    certainty: float
    uncertified_too: bool = False

    @property
    def certified(self) -> bool:
        """Whether any stage is."""
        return any(finding.certified for finding in self.findings)

    def rows(self) -> list[Threshold]:
        """What is stored of all stages."""
        return [row for finding in self.findings for row in self.rows_of(finding)]

    def rows_of(self, finding: StageFinding) -> Iterator[Threshold]:
        """What is stored of one stage. One that is not certified but allowed keeps the rule that it had."""
        stage, rule, model = finding.stage, finding.rule, self.models[finding.stage]
        if self.uncertified_too and not finding.certified:
            yield Threshold(stage, None, model, rule.value, finding.answers, curve=rule.curve)
            yield from (Threshold(stage, slug, model, value) for slug, value in rule.categories.items())
            return
        for group, found in finding.certificates.items():
            value, curve = (rule.value, finding.curve) if group is None else (rule.categories[group], None)
            chosen = found.chosen
            kept, right, bound = (chosen.kept, chosen.right, chosen.bound) if chosen else (0, 0, None)
            yield Threshold(stage, group, model, value, found.answers, kept, right, bound, curve)

    def picture(self, suffix: str, titles: Mapping[str, str]) -> str:
        """Precision against coverage of every stage, as SVG or HTML."""
        told = {"titles": titles, "certainty": self.certainty, "reasons": [*self.reasons()]}
        return calibration_plot.render_stages(self.findings, self.target, suffix, told)

    def show(self) -> None:
        """The table, and why stages are not certified."""
        rows = []
        for finding in self.findings:
            for group, found in finding.certificates.items():
                name = (
                    translated("all") if len(finding.certificates) == 1 else group or translated("the others")
                )
                cells = ("–", "0", "", "")
                if one := found.chosen:
                    cells = (
                        figures.confidence(one.threshold),
                        grouped(one.kept),
                        figures.share(one.precision),
                        figures.share(one.bound),
                    )
                rows.append((finding.stage, name, grouped(found.answers), *cells))
        heads = translated("stage, category, answers, threshold, kept, precision, at least")
        out.print(table(heads.split(", "), rows, left=2))
        for sentence in self.reasons():
            remark(translated("not certified"), sentence)

    def reasons(self) -> Iterator[str]:
        """Why stages, or categories of one, are not certified."""
        for finding in self.findings:
            for group, sentence in reasons(finding, self.target).items():
                yield f"{finding.stage}{f' / {group}' if group else ''}: {sentence}"

    def as_json(self) -> dict[str, object]:
        """The same for programs."""
        stages = []
        for finding in self.findings:
            groups = [
                {
                    "category": group,
                    "answers": found.answers,
                    "chosen": msgspec.to_builtins(found.chosen),
                    "more_checks": found.more_checks,
                }
                for group, found in finding.certificates.items()
            ]
            told = {name: getattr(finding, name) for name in ("stage", "reached", "answers", "certified")}
            stages.append({**told, "rule": msgspec.to_builtins(finding.rule), "groups": groups})
        return {"stages": stages}


def reasons(finding: StageFinding, target: float) -> dict[str | None, str]:
    """Why groups of a stage are not certified, each in a sentence that says what would help."""
    told = {}
    for group, found in finding.certificates.items():
        if found.chosen is not None:
            continue
        if not found.answers:
            told[group] = translated("the gold set has no review that it answers")
            continue
        kept = [point for point in found.points if point.kept]
        if not kept:
            told[group] = counted(
                "its {number} answer does not reach a confidence of {least}",
                "none of its {number} answers reaches a confidence of {least}",
                found.answers,
                least=float(GRID[0]),
            )
            continue
        best = max(kept, key=lambda point: point.bound)
        told[group] = _falling_short(best, found.more_checks, target)
    return told


def _falling_short(best: ThresholdPoint, more_checks: int | None, target: float) -> str:
    counts = {"right": grouped(best.right), "kept": grouped(best.kept)}
    shares = {"precision": figures.share(best.precision), "bound": figures.share(best.bound)}
    measured = translated(
        "at best {right} of {kept} right ({precision}, at least {bound})", **counts, **shares
    )
    if more_checks is None:
        return translated(
            "{measured}; at no threshold better than {target}, so more checks would not help",
            measured=measured,
            target=target,
        )
    return counted(
        "{measured}; the gold set is too small, about {number} more checked review that this stage answers would do "
        "if precision stays as it is",
        "{measured}; the gold set is too small, about {number} more checked reviews that this stage answers would do "
        "if precision stays as it is",
        more_checks,
        measured=measured,
    )
