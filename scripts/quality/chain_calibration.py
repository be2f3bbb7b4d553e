"""A chain certified as a whole, as rows to store, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from scripts.command.console import out, remark
from scripts.language.language import Sentence, counted, grouped, translated
from scripts.pages import figures
from scripts.pages.tables import table
from scripts.quality import calibration_plot
from shared.catalogue import STAGES
from shared.quality.calibration import KeptAnswers
from shared.quality.chain_certificate import FLOOR_ANSWERS, ChainFinding, KeptPart
from shared.store.thresholds import CertifiedChain, Threshold


class ChainCalibration(msgspec.Struct, frozen=True):
    """What a gold set says of a chain, and whose scores they are."""

    what = Sentence("certified as a chain")
    nothing = Sentence("the chain is not certified")

    finding: ChainFinding
    models: Mapping[str, str]

    @property
    def certified(self) -> bool:
        """Whether there are thresholds to use."""
        return self.finding.certified

    @property
    def chain(self) -> CertifiedChain | None:
        """What is certified. A stage that may rest is in it only if it keeps something."""
        found, floors = self.finding.chosen, self.finding.floors
        if found is None:
            return None
        releasing = zip(self.finding.order, found.thresholds, strict=True)
        stages = tuple(name for name, least in releasing if least is not None or not STAGES[name].may_rest)
        return CertifiedChain(stages, found.kept, found.right, found.bound, floors.category, floors.stage)

    def rows(self) -> list[Threshold]:
        """What is stored of each stage. There is no bound for one of them alone."""
        rules = self.finding.rules
        return [
            Threshold(
                part.name, None, self.models[part.name], rules[part.name].value, part.reached, part.kept,
                part.right, None, rules[part.name].curve,
            )
            for part in self.finding.stages
        ]  # fmt: skip

    def picture(self, suffix: str, titles: Mapping[str, str]) -> str:
        """Precision against coverage along the chains that were tested, as SVG or HTML."""
        told = {"titles": titles, "certainty": self.finding.certainty, "reasons": [*reasons(self.finding)]}
        return calibration_plot.render_chains(self.finding, suffix, told)

    def show(self) -> None:
        """The chosen chain by stage and by category, how many were tested, and why there is none."""
        found = self.finding
        if point := found.chosen:
            rows = [
                (
                    part.name,
                    translated("keeps nothing") if least is None else figures.confidence(least),
                    grouped(part.reached),
                    *_kept(part),
                    "",
                )
                for part, least in zip(found.stages, point.thresholds, strict=True)
            ]
            rows.append(
                (translated("the chain"), "", grouped(found.gold), *_kept(point), figures.share(point.bound))
            )
            heads = (translated("stage"), translated("from score"), translated("reached"))
            kept = (translated("kept"), translated("precision"))
            out.print(table((*heads, *kept, translated("at least")), rows, left=1))
            categories = [(part.name, *_kept(part)) for part in found.categories]
            out.print(table((translated("category"), *kept), categories, left=1))
            out.print(translated("coverage {share}", share=figures.share(point.kept / max(1, found.gold))))
        out.print(calibration_plot.chains_tested(found))
        for sentence in reasons(found):
            remark(translated("note") if found.certified else translated("not certified"), sentence)

    def as_json(self) -> dict[str, object]:
        """The same for programs. `rules` are compared with scores."""
        found = self.finding
        chosen = found.chosen and {
            **msgspec.to_builtins(found.chosen),
            "precision": found.chosen.precision,
            "coverage": found.chosen.kept / max(1, found.gold),
        }
        return {
            "chain": list(found.order),
            "chosen": chosen,
            "floors": msgspec.to_builtins(found.floors),
            "stages": [_part(part) for part in found.stages],
            "categories": [_part(part) for part in found.categories],
            "broken": [_part(part) for part in found.broken],
            "rules": msgspec.to_builtins(found.rules),
            "sequences": msgspec.to_builtins(found.sequences),
            "more_checks": found.more_checks,
        }


def reasons(found: ChainFinding) -> Iterator[str]:
    """Why the chain is not certified, or not as far as it could be, in sentences that say what would help."""
    for part in found.broken:
        floor = "--stage-floor" if part.name in found.order else "--category-floor"
        yield translated(
            "the certified chain with most labels would break {floor}: {name}, {right} of {kept} right ({precision})",
            floor=floor,
            name=part.name,
            right=grouped(part.right),
            kept=grouped(part.kept),
            precision=figures.share(part.precision),
        )
    if found.broken and not found.certified:
        yield translated("every certified chain breaks a floor; set a lower one, or mend what is below it")
    if found.certified or found.broken:
        return
    main = found.sequences[0].points[0]
    measured = translated(
        "at the stages' defaults {right} of {kept} kept are right ({precision}, at least {bound})",
        right=grouped(main.right),
        kept=grouped(main.kept),
        precision=figures.share(main.precision),
        bound=figures.share(main.bound),
    )
    if found.more_checks is None:
        yield translated(
            "{measured}, no better than {target}, and neither are stricter thresholds or shorter chains",
            measured=measured,
            target=found.target,
        )
    else:
        yield counted(
            "{measured}; the gold set is too small, about {number} more checked review would do",
            "{measured}; the gold set is too small, about {number} more checked reviews would do",
            found.more_checks,
            measured=measured,
        )


def _kept(part: KeptAnswers) -> tuple[str, str]:
    return grouped(part.kept), figures.share(part.precision) if part.kept else figures.NONE


def _part(part: KeptPart) -> dict[str, object]:
    told = {**msgspec.to_builtins(part), "precision": part.precision, "enough": part.kept >= FLOOR_ANSWERS}
    return dict(told)
