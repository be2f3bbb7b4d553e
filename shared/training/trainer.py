"""transformers' Trainer as it is used here: order of batches, loss, one device, and a callback for watch and
checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
)

from shared.classifiers.onnx_classifier import INPUT_IDS
from shared.quality.evaluation import score
from shared.training import checkpoints
from shared.training.architectures.architecture import EncodedText
from shared.training.batching import ByLength, collated
from shared.training.watch import Interrupted, Watch

STEPS_PER_LOG: Final = 10

_TOLD: Final = {
    "loss": "loss",
    "learning_rate": "learning_rate",
    "eval_loss": "held_out_loss",
    "eval_weighted_f1": "held_out_weighted_f1",
    "eval_macro_f1": "held_out_macro_f1",
}
"""What a watch is told, by the trainer's name for it."""


class OneDevice(TrainingArguments):  # type: ignore[misc]  # transformers is Any to mypy
    """Arguments of a run on one device; transformers would take all GPUs that it finds."""

    def __init__(self, device: Any, **fields: Any) -> None:
        self._one = device
        super().__init__(use_cpu=device.type == "cpu", **fields)

    @property
    def device(self) -> Any:
        """The `torch.device`. A GPU that was named is also made the current one, which accelerate uses."""
        found = super().device
        if self._one.type != "cuda" or self._one.index is None:
            return found
        torch.cuda.set_device(self._one)
        return self._one

    @property
    def n_gpu(self) -> int:
        return min(1, int(super().n_gpu))


class Keeper(TrainerCallback):  # type: ignore[misc]  # transformers is Any to mypy
    """Tells the watch, stops when it says so, and marks and tidies checkpoints.

    There is one after each epoch, and one after `every` so many steps; 0 for none.
    """

    def __init__(self, run: Path, watch: Watch, every: int) -> None:
        self._run, self._watch, self._every = run, watch, every
        self._stopping = False

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._watch.progress(state.global_step / state.max_steps)
        self._stopping = self._stopping or self._watch.stop()
        due = self._every and state.global_step % self._every == 0
        # After the last step of an epoch comes the epoch's own checkpoint, which knows how good the model is.
        if (due or self._stopping) and not float(state.epoch).is_integer():
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        checkpoints.seal(checkpoints.place(self._run, state.global_step))
        checkpoints.tidy(self._run, state.best_global_step)
        if self._stopping:
            raise Interrupted(state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float], **_: Any) -> None:  # noqa: ARG002
        values = {name: float(logs[own]) for own, name in _TOLD.items() if own in logs}
        if values:
            self._watch.log(state.global_step, float(state.epoch), values)


class NetworkTrainer(Trainer):  # type: ignore[misc]  # transformers is Any to mypy
    """Trains a PreTrainedModel, or one of peft, on examples with `labels`, and ends with its best weights.

    `args` name the run's folder, which is that of `keeper`; `weights` are those of each label in the loss, empty where
    all count the same; `labels` are slugs, in the order of the logits; `patience` is how many evaluations without a
    better weighted F1 there are before training stops.
    """

    def __init__(
        self,
        model: Any,
        args: OneDevice,
        *,
        train: Sequence[EncodedText],
        validation: Sequence[EncodedText],
        weights: Sequence[float],
        labels: Sequence[str],
        keeper: Keeper,
        patience: int,
    ) -> None:
        super().__init__(
            model=model,
            args=args,
            data_collator=collated,
            train_dataset=train,
            eval_dataset=sorted(validation, key=_length),
            compute_loss_func=Loss(weights),
            compute_metrics=partial(_metrics, labels),
            callbacks=[EarlyStoppingCallback(patience), keeper],
        )
        self.remove_callback(PrinterCallback)
        step = args.per_device_train_batch_size * args.gradient_accumulation_steps
        self._order = ByLength([_length(example) for example in train], step, args.seed)

    def _get_train_sampler(self, train_dataset: object = None) -> ByLength:  # noqa: ARG002
        return self._order

    def to_its_best(self, checkpoint: Path | None) -> None:
        """Train, from a checkpoint or from the beginning, until it stops; the model then has its best weights.

        Raises Interrupted when the watch says so, and what torch raises without memory.
        """
        if checkpoint is None:
            self.train()
            return
        told = checkpoints.state(checkpoint)["stateful_callbacks"]["TrainerControl"]
        if not told["args"]["should_training_stop"]:
            self.train(resume_from_checkpoint=str(checkpoint))
            return
        # The run had ended when it wrote this: no steps left, or no patience.
        # One that stopped early would take another step, which might even be its best.
        self.state = TrainerState.load_from_json(str(checkpoint / checkpoints.STATE))
        run = Path(self.args.output_dir)
        self.state.best_model_checkpoint = str(checkpoints.place(run, self.state.best_global_step))
        self._load_best_model()


class Loss:
    """Cross-entropy, each text with its label's weight; the mean over the texts of a step, however it is divided."""

    def __init__(self, weights: Sequence[float]) -> None:
        self._weights = torch.tensor(weights) if weights else None

    def __call__(self, outputs: Any, labels: Tensor, num_items_in_batch: Any = None) -> Tensor:
        """Logits [n, k] in `outputs`; labels [n]."""
        logits = outputs["logits"].float()
        weight = None if self._weights is None else self._weights.to(logits.device)
        total: Tensor = nn.functional.cross_entropy(logits, labels, weight=weight, reduction="sum")
        return total / (len(labels) if num_items_in_batch is None else num_items_in_batch)


def _length(example: EncodedText) -> int:
    return len(example.get(INPUT_IDS, ()))


def _metrics(labels: Sequence[str], found: Any) -> dict[str, float]:
    answers = [labels[column] for column in found.predictions.argmax(axis=1)]
    scored = score([labels[column] for column in found.label_ids], answers)
    return {"weighted_f1": scored.weighted_f1, "macro_f1": scored.macro_f1}
