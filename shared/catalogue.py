"""What there is to choose from: every stage and every architecture, one row each.

Settings, queues, tasks and help texts take the names from here. A row names its code as `module:name`, which is
imported where it is used and nowhere else: this module is read by every process, and most do without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import msgspec

NAVEC: Final = "navec"
"""The similarity encoder that needs neither torch nor a download."""
STUDENT: Final = "student"
"""The stage in which a model judges that was trained on the labels of dearer stages."""
LLM: Final = "llm"
"""The stage whose tokens may be rationed by the day."""
GPU_QUEUE: Final = "gpu.label"
"""The queue of all stages that GPU workers run."""


class ListedStage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage. `code` makes it from `shared.stages.parts.StageParts`.

    `queue` takes its batches: `cpu.` and the stage's name where CPU workers run it, or else GPU_QUEUE. With the value
    `light[1]` of the setting `light[0]` it needs no GPU, and `light_queue` takes them. One that `may_rest` is made as a
    `shared.cascade.stage.StageSource`: there are times when nothing judges in it. Where no stage is sure, the guess of
    one with a higher `guess_rank` goes before a surer one of a lower: who was taught on whole reviews knows better than
    words do, whatever each says of itself.
    """

    name: str
    code: str
    queue: str = GPU_QUEUE
    light: tuple[str, str] = ("", "")
    light_queue: str | None = None
    may_rest: bool = False
    guess_rank: int = 0

    @property
    def queues(self) -> tuple[str, ...]:
        """Every queue that its batches go to by some settings."""
        return (self.queue,) if self.light_queue is None else (self.queue, self.light_queue)

    def queue_by(self, settings: object) -> str:
        """The queue that its batches go to by these settings."""
        if self.light_queue is not None and getattr(settings, self.light[0]) == self.light[1]:
            return self.light_queue
        return self.queue


class ListedArchitecture(msgspec.Struct, frozen=True, kw_only=True):
    """One architecture of classifiers. `code` is its class; those without are linear, and pair of it and a network.

    `pretrained` ones begin with an encoder from elsewhere.
    """

    name: str
    code: str | None
    pretrained: bool = True


def _by_name(*rows: Any) -> dict[str, Any]:
    return {row.name: row for row in rows}


STAGES: Final[dict[str, ListedStage]] = _by_name(
    ListedStage(name="keywords", code="shared.stages.keywords.stage:build", queue="cpu.keywords"),
    ListedStage(
        name="similarity",
        code="shared.stages.similarity:build",
        light=("similarity_encoder", NAVEC),
        light_queue="cpu.similarity",
    ),
    ListedStage(
        name=STUDENT, code="shared.runtime.student:build", queue="cpu.student", may_rest=True, guess_rank=1
    ),
    ListedStage(name="zero_shot", code="shared.stages.zero_shot.stage:build"),
    ListedStage(name=LLM, code="shared.runtime.llm:build", guess_rank=2),
)
"""In the order in which a cascade usually has them."""

ARCHITECTURES: Final[dict[str, ListedArchitecture]] = _by_name(
    ListedArchitecture(name="linear", code=None, pretrained=False),
    ListedArchitecture(name="lstm", code="shared.training.architectures.lstm:Lstm", pretrained=False),
    ListedArchitecture(name="pair", code=None, pretrained=False),
    ListedArchitecture(name="mlp", code="shared.training.architectures.mlp:Mlp"),
    ListedArchitecture(name="full", code="shared.training.architectures.full:Full"),
    ListedArchitecture(name="bert_lstm", code="shared.training.architectures.bert_lstm:BertLstm"),
    ListedArchitecture(name="lora", code="shared.training.architectures.lora:Lora"),
)


def light_stages(settings: object) -> list[str]:
    """The stages that need no GPU by these settings."""
    return [name for name, row in STAGES.items() if row.queue_by(settings) != GPU_QUEUE]


def load(code: str) -> Any:
    """What a row's `module:name` stands for."""
    module, _, name = code.partition(":")
    return getattr(import_module(module), name)
