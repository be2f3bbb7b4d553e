"""Who looks on while a model is trained, and may ask that it stops. No torch here: workers import this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Watch(Protocol):
    """Told by `shared.training.network.train` how far it is. Whatever a method raises ends the training."""

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Some of `loss`, `learning_rate`, `held_out_loss`, `held_out_weighted_f1` and `held_out_macro_f1`.

        They are those after `step` steps; what is held out is the validation part. F1 on gold is not known here.
        `epoch` counts passes over the training reviews: 1.5 is in the middle of the second.
        """

    def progress(self, share: float) -> None:
        """How much of the most that may be trained is done, 0..1; called after each step."""

    def stop(self) -> bool:
        """Whether to save a checkpoint now and raise Interrupted; asked after each step."""


class Interrupted(Exception):
    """Training stopped as its watch asked; the run's folder holds a checkpoint, from which `train` goes on.

    Where `anew` is set there is none: the next attempt begins anew.
    """

    def __init__(self, step: int, *, anew: bool = False) -> None:
        super().__init__(
            f"stopped after step {step}; training {'begins anew' if anew else 'goes on from there'}"
        )
        self.step, self.anew = step, anew
