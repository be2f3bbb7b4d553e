"""What is certified of the labels that a cascade gives now, in words for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from scripts.language.language import Sentence
from shared.cascade.rule import StageRule, is_certified_chain
from shared.store.thresholds import Version


def by_rules(version: Version | None, rules: Mapping[str, StageRule]) -> Sentence | None:
    """By the newest version of thresholds, and the rules that hold for the stages of a chain and their models.

    None where nothing was ever calibrated, or the defaults were asked for: then nobody expects a certificate.
    """
    if version is None or version.target is None:
        return None
    # A stage that keeps nothing changes nothing that is released.
    other = [name for name, rule in rules.items() if rule.version != version.id and rule.keeps_some]
    if not other:
        return _held(version)
    return Sentence(
        "nothing is certified: the {held}, are not those of {stages} here, by its model, the chain or OTZYV_THRESHOLDS",
        held=_held(version),
        stages=", ".join(other),
    )


def by_settings(version: Version | None, order: Sequence[str], chosen: Iterable[str]) -> Sentence:
    """By the newest version, the stages that judge now, in order, and what OTZYV_THRESHOLDS names.

    No stage has to be built.
    """
    if version is None or version.target is None:
        return Sentence("thresholds: defaults and settings, nothing is certified")
    if version.chain is not None and not is_certified_chain(version.chain.stages, order):
        return Sentence(
            "nothing is certified: the {held}, are those of another chain than {chain}, which judges now, with its "
            "defaults",
            held=_held(version),
            chain=",".join(order),
        )
    over = sorted({name.partition("/")[0] for name in chosen} & set(order))
    if not over:
        return _held(version)
    return Sentence(
        "nothing is certified: the {held}, are set aside by OTZYV_THRESHOLDS for {stages}",
        held=_held(version),
        stages=", ".join(over),
    )


def _held(version: Version) -> Sentence:
    """The thresholds of a version, and what is certified by them."""
    if version.target is None or version.certainty is None:
        return Sentence("thresholds of version {number}, nothing is certified", number=version.id)
    numbers = {"number": version.id, "target": version.target, "certainty": 100 * version.certainty}
    if version.chain is None:
        return Sentence(
            "thresholds of version {number}, each stage by itself: at least {target} of what it keeps, {certainty} % "
            "certainty",
            **numbers,
        )
    return Sentence(
        "thresholds of version {number}, certified as a chain ({chain}): at least {target} of what is released, "
        "{certainty} % certainty",
        chain=",".join(version.chain.stages),
        **numbers,
    )
