"""Which rule holds for a stage right now: what the settings say, what a calibration stored, the stage's default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import structlog
from psycopg2.extensions import cursor as Cursor

from shared.cascade.rule import StageRule
from shared.cascade.stage import Stage
from shared.store import thresholds
from shared.store.thresholds import StoredRule

log = structlog.get_logger()


class Rules:
    """The rules for one taxonomy.

    `chosen` are thresholds by `stage` or `stage/category`; they go before stored ones, whose calibration curves hold
    all the same. A new version in the database holds from the next batch on.
    """

    def __init__(self, taxonomy_id: int, chosen: Mapping[str, float]) -> None:
        self._taxonomy_id = taxonomy_id
        self._chosen = chosen
        self._version: int | None = None
        self._stored: dict[str, StoredRule] = {}

    def current(self, cursor: Cursor, stage: Stage, order: Sequence[str]) -> StageRule:
        """The rule for a stage in a cascade of the stages `order`, read anew where there is a newer version."""
        return self.currents(cursor, [stage], order)[0]

    def currents(self, cursor: Cursor, stages: Sequence[Stage], order: Sequence[str]) -> list[StageRule]:
        """The rules for several of them, which are of one version."""
        version = thresholds.newest(cursor, self._taxonomy_id)
        if version != self._version:
            self._stored = thresholds.rules(cursor, version)
            self._version = version
            log.info("thresholds.version", version=version, taxonomy_id=self._taxonomy_id)
        return [self._rule(stage, order) for stage in stages]

    def _rule(self, stage: Stage, order: Sequence[str]) -> StageRule:
        stored = self._stored.get(stage.name)
        if stored is not None and stored.model != stage.model:
            log.warning(
                "thresholds.of_another_model", stage=stage.name, expected=stage.model, found=stored.model
            )
        elif stored is not None and not stored.holds_for(stage.model, order):
            log.warning(
                "thresholds.of_another_chain",
                stage=stage.name,
                expected=",".join(order),
                found=",".join(stored.chain or ()),
            )
        return resolve(stage, self._chosen, stored, order)


def resolve(
    stage: Stage, chosen: Mapping[str, float], stored: StoredRule | None = None, order: Sequence[str] = ()
) -> StageRule:
    """The rule that holds for a stage in a cascade of the stages `order`.

    A stored one counts only for the model whose scores it was made for and, where a whole chain is certified, for that
    chain in its order: else the stage's own default holds, and a stage without one keeps nothing. A chain is certified
    with the models of all its stages, of which each process knows only its own: where another stage has a new model,
    the thresholds of this one stay, and the promise waits for the next `otzyv calibrate`.
    """
    rule = StageRule(stage.default_threshold)
    if stored is not None and stored.holds_for(stage.model, order):
        rule = stored.rule
    if stage.name in chosen:
        rule = StageRule(chosen[stage.name], curve=rule.curve)
    own = {
        name.partition("/")[2]: value for name, value in chosen.items() if name.startswith(f"{stage.name}/")
    }
    if own:
        rule = msgspec.structs.replace(rule, categories={**rule.categories, **own}, version=None)
    return rule
