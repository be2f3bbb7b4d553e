"""Which chains are tried on a gold set, and in which order: known from the stages alone, before any gold is read.

A chain is one threshold of the score for each stage. The chains stand in a few fixed sequences, each from a chain that
is most likely precise enough down to looser ones. That nothing here depends on gold is what makes the certificate in
`shared.quality.chain_certificate` hold: the stages' defaults must not have been chosen on the same gold either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

Thresholds = tuple[float | None, ...]
"""The score from which each stage of a chain keeps its verdicts, in the chain's order; None keeps nothing."""

MAIN_SEQUENCE: Final = "from the defaults"
MAIN_SHARE: Final = 0.8
"""Of the risk, what the sequence from the defaults gets; the others share the rest. With half of the reference gold the
bound is 0.001 lower than with all of the risk, and a taxonomy whose defaults are too bold still gets an answer."""
STEPS: Final = 100
"""Thresholds are loosened in steps of a hundredth. With steps of five hundredths, half of the reference gold certified
0.013 less coverage: a sequence that stops in front of a large step has more left to spend."""
FIRST: Final = 0.9
"""Where a stage begins that is kept only under a certificate, in a chain in which nothing else is kept: at 0.99 there
would hardly be an answer to judge by. Behind stages that keep something it begins at 0.99."""

DIGITS: Final = 4
"""Of a threshold: so many go through PostgreSQL's `real` as they are, and what is kept is exactly what was tested."""
STRICTER: Final = {"half-way": 0.5, "three quarters of the way": 0.75}
"""How far from the defaults to 1 the stricter sequences begin."""


class FixedSequence(msgspec.Struct, frozen=True):
    """Chains that are tested one after the other until one fails, with this share of the whole risk."""

    name: str
    share: float
    chains: tuple[Thresholds, ...]


def family(defaults: Mapping[str, float | None]) -> tuple[FixedSequence, ...]:
    """The sequences for stages in the order of their chain, with their default thresholds; the first is the main one.

    The main one begins with every stage at its default. Others begin nearer to 1, for stages whose defaults are too
    bold, and without each stage in turn, for a stage that is bad at any threshold. A stage whose default is None begins
    with nothing in all of them, and has one of its own in which the others keep nothing, for words that keep hardly
    anything. From there the last stage is loosened step by step until it keeps every answer, then the one before it: a
    later stage sees only what is left, so that loosening it adds labels and replaces none, and the last stages are
    usually the best ones that there are.
    """
    names = tuple(defaults)
    defaults = {name: value if value is None else round(value, DIGITS) for name, value in defaults.items()}
    start = _begun([*defaults.values()])
    others = [
        (f"from {way} to 1", tuple(v if v is None else round(v + (1 - v) * part, DIGITS) for v in start), -1)
        for way, part in STRICTER.items()
    ]
    if len(names) > 1:
        for out, name in enumerate(names):
            rest = [None if at == out else value for at, value in enumerate(defaults.values())]
            others.append((f"without {name}", _begun(rest, out), out))
    alone = [
        (f"{name} alone", tuple(_alone(at, len(names))))
        for at, (name, value) in enumerate(defaults.items())
        if value is None and any(other is not None for other in defaults.values())
    ]
    share = (1.0 - MAIN_SHARE) / (len(others) + len(alone))
    return (
        FixedSequence(MAIN_SEQUENCE, MAIN_SHARE, tuple(_loosened(start))),
        *(FixedSequence(name, share, tuple(_loosened(begin, out))) for name, begin, out in others),
        *(FixedSequence(name, share, chains) for name, chains in alone),
    )


def _begun(defaults: Sequence[float | None], out: int = -1) -> Thresholds:
    """The first chain of a sequence, in which something has to be kept: at worst by the last stage but `out`."""
    if any(value is not None for value in defaults):
        return tuple(defaults)
    return next(_alone(max(at for at in range(len(defaults)) if at != out), len(defaults)))


def _alone(only: int, stages: int) -> Iterator[Thresholds]:
    """Chains in which one stage keeps verdicts, ever more of them."""
    for step in reversed(range(round(FIRST * STEPS) + 1)):
        yield tuple(step / STEPS if at == only else None for at in range(stages))


def _loosened(start: Thresholds, out: int = -1) -> Iterator[Thresholds]:
    """The chain `start`, and all that follow it; the stage at `out` keeps nothing in any of them."""
    yield start
    chain = [*start]
    for at in reversed(range(len(chain))):
        begin = chain[at]
        for step in reversed(range(STEPS)):
            if at != out and (begin is None or step / STEPS < begin):
                chain[at] = step / STEPS
                yield tuple(chain)
