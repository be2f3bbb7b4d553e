"""Which rule holds for a stage right now: what the settings say, what a calibration stored, the stage's default."""

from __future__ import annotations

from collections.abc import Mapping

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

    def current(self, cursor: Cursor, stage: Stage) -> StageRule:
        """The rule for a stage, read anew where there is a newer version."""
        version = thresholds.newest(cursor, self._taxonomy_id)
        if version != self._version:
            self._stored = thresholds.rules(cursor, version)
            self._version = version
            log.info("thresholds.version", version=version, taxonomy_id=self._taxonomy_id)
        stored = self._stored.get(stage.name)
        if stored is not None and stored.model != stage.model:
            log.warning(
                "thresholds.of_another_model", stage=stage.name, expected=stage.model, found=stored.model
            )
        return resolve(stage, self._chosen, stored)


def resolve(stage: Stage, chosen: Mapping[str, float], stored: StoredRule | None = None) -> StageRule:
    """The rule that holds. A stored one counts only for the model whose scores it was made for."""
    rule = StageRule(stage.default_threshold)
    if stored is not None and stored.model == stage.model:
        rule = stored.rule
    if stage.name in chosen:
        rule = msgspec.structs.replace(rule, value=chosen[stage.name], categories={})
    own = {
        name.partition("/")[2]: value for name, value in chosen.items() if name.startswith(f"{stage.name}/")
    }
    return msgspec.structs.replace(rule, categories={**rule.categories, **own}) if own else rule
