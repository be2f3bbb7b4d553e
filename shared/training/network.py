"""Trains a network on categorised reviews, from where an earlier process stopped or was killed, into a Package."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import structlog
from safetensors.torch import save
from transformers import set_seed
from transformers.integrations import get_available_reporting_integrations
from transformers.utils import logging as transformers_logging

from shared.classifiers.artefact import WEIGHTS
from shared.classifiers.onnx_classifier import Tokens
from shared.classifiers.packaging.hugging_face import distinct_tensors
from shared.classifiers.packaging.logits import Logits, torch_logits
from shared.classifiers.packaging.package import Package
from shared.classifiers.temperature import fit_temperature
from shared.compute.device import device_for, dtype_for, out_of_memory, release
from shared.errors import TrainingError
from shared.reviews.labelled_text import Row
from shared.training import checkpoints
from shared.training.architectures import Architecture, Built, network, with_defaults
from shared.training.arguments import Arguments
from shared.training.batching import LABELS
from shared.training.data import Data, class_weights, oversampled
from shared.training.trainer import STEPS_PER_LOG, Keeper, NetworkTrainer, OneDevice
from shared.training.watch import Interrupted, Watch

log = structlog.get_logger()

_PACKAGES: Final = {"azure_ml": "azureml-mlflow"}
"""Of integrations that are called otherwise than the package that they need."""


class _Run(NamedTuple):
    """What one training run is made of; `device` is a torch.device, `arguments` have no gaps."""

    arguments: Arguments
    architecture: Architecture
    data: Data
    folder: Path
    watch: Watch
    device: Any


def train(arguments: Arguments, data: Data, folder: Path, watch: Watch) -> Package:
    """Train a network until the weighted F1 on the validation part no longer rises; the best weights are the result.

    `folder` belongs to this run alone: after a stop or a kill, a call with the same arguments, data and folder goes on
    from the newest checkpoint in it, and ends as it would have. Where a step needs more memory than there is, it is
    computed in parts. The temperature is fitted on the validation part.

    Raises TrainingError where an argument or the data cannot be used here, or there is no memory for one text;
    ModelError where the encoder's tokenizer does not fit; ConfigurationError for no such device, or no word vectors;
    Interrupted where the watch said so.
    """
    run = _checked(arguments, data, folder, watch)
    rows = run.arguments.batch_rows or 1
    while True:
        try:
            return _trained(run, rows)
        except Interrupted:
            raise
        except Exception as error:
            if not out_of_memory(error):
                raise
            if rows == 1:
                raise TrainingError(
                    "expected memory for a training step of one text, found too little; use a smaller base, another "
                    "device or fewer max_tokens"
                ) from error
            # The largest part that is at most half and divides a step: the steps stay the same.
            rows = next(part for part in range(rows // 2, 0, -1) if rows % part == 0)
        release(run.device)
        log.warning("training_step_divided", rows=rows, step_rows=run.arguments.batch_rows)


def _checked(arguments: Arguments, data: Data, folder: Path, watch: Watch) -> _Run:
    """Raises TrainingError or ConfigurationError for what cannot work, before anything is loaded."""
    filled = with_defaults(arguments)
    device = device_for(filled.device)
    if filled.dtype in ("bfloat16", "float16") and device.type != "cuda":
        raise TrainingError(
            f"dtype: expected float32 or auto on the device {device}, found {filled.dtype}; mixed precision is for GPUs"
        )
    if len(data.labels) < 2:
        raise TrainingError(f"expected at least two categories to train on, found {len(data.labels)}")
    for name, rows in (("training", data.train), ("validation", data.validation)):
        if not rows:
            raise TrainingError(f"expected reviews in the {name} part, found none; label more reviews")
        if strange := sorted({row.category for row in rows} - {*data.labels}):
            raise TrainingError(
                f"expected the categories {', '.join(data.labels)} in the {name} part, found {strange[0]}"
            )
    there = get_available_reporting_integrations()
    for name in filled.report_to:
        if name not in there:
            raise TrainingError(
                f"report_to: expected an integration of transformers that is installed, found {name!r}; "
                f"pip install {_PACKAGES.get(name, name)}, or leave it out (installed: {', '.join(there) or 'none'})"
            )
    return _Run(filled, network(filled.architecture), data, folder, watch, device)


def _trained(run: _Run, rows: int) -> Package:
    """Train with `rows` texts at a time, which divide a step's."""
    with _quietly():
        set_seed(run.arguments.seed)
        built = run.architecture.build_for(run.arguments, run.data)
        ids, _ = Tokens(built.tokenizer, built.max_tokens)([row.text for row in run.data.validation])
        trainer = _trainer(run, built, ids, rows)
        # Memory that is full here is no reason to begin anew: the caller tries again from this folder.
        trainer.to_its_best(checkpoints.newest(run.folder))
        run.watch.progress(1.0)
        return _package(run, built, ids)


def _trainer(run: _Run, built: Built, validation: list[list[int]], rows: int) -> NetworkTrainer:
    arguments, labels = run.arguments, run.data.labels
    train: Sequence[Row] = run.data.train
    weights: Sequence[float] = ()
    if arguments.balance == "oversample":
        train = oversampled(train, arguments.seed)
    elif arguments.balance in ("weights", "roots"):
        weights = class_weights(train, labels, roots=arguments.balance == "roots")
    ids, _ = Tokens(built.tokenizer, built.max_tokens)([row.text for row in train])

    def examples(some: list[list[int]], of: Sequence[Row]) -> list[dict[str, Any]]:
        made = run.architecture.examples(built.model, some, run.device)
        return [{**one, LABELS: labels.index(row.category)} for one, row in zip(made, of, strict=True)]

    return NetworkTrainer(
        run.architecture.trained(built.model),
        _settings(run, rows, len(train)),
        train=examples(ids, train),
        validation=examples(validation, run.data.validation),
        weights=weights,
        labels=labels,
        keeper=Keeper(run.folder, run.watch, arguments.checkpoint_steps),
        patience=arguments.patience,
    )


def _settings(run: _Run, rows: int, texts: int) -> OneDevice:
    arguments = run.arguments
    batch, epochs = arguments.batch_rows or 1, arguments.epochs or 1
    precision = str(dtype_for(arguments.dtype, run.device)).removeprefix("torch.")
    return OneDevice(
        run.device,
        output_dir=str(run.folder),
        seed=arguments.seed,
        num_train_epochs=epochs,
        per_device_train_batch_size=rows,
        per_device_eval_batch_size=rows,
        gradient_accumulation_steps=batch // rows,
        learning_rate=arguments.learning_rate,
        weight_decay=arguments.weight_decay,
        warmup_steps=ceil(arguments.warmup * epochs * ceil(texts / batch)),
        bf16=precision == "bfloat16",
        fp16=precision == "float16",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=None,
        load_best_model_at_end=True,
        metric_for_best_model="weighted_f1",
        greater_is_better=True,
        restore_callback_states_from_checkpoint=True,
        logging_steps=STEPS_PER_LOG,
        logging_first_step=True,
        report_to=list(arguments.report_to),
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=run.device.type == "cuda",
    )


def _package(run: _Run, built: Built, validation: list[list[int]]) -> Package:
    made: Logits = run.architecture.finished(built.model)
    logits = torch_logits(made, validation)
    if not np.isfinite(logits).all():
        raise TrainingError(
            "expected a model whose answers are numbers, found others after training; choose a lower learning_rate"
        )
    made.model.config.architectures = [type(made.model).__name__]
    columns = np.array([run.data.labels.index(row.category) for row in run.data.validation])
    return Package(
        network=made,
        architecture=run.arguments.architecture,
        labels=run.data.labels,
        max_tokens=built.max_tokens,
        tokenizer=built.tokenizer,
        files={
            "config.json": made.model.config.to_json_string().encode(),
            WEIGHTS: save(
                {name: one.contiguous() for name, one in distinct_tensors(made.model).items()},
                metadata={"format": "pt"},
            ),
        },
        temperature=fit_temperature(logits, columns),
        origin=f"trained on {built.origin}",
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Without transformers' progress bars, its remarks, and what libraries think of each other's old names."""
    transformers_logging.disable_progress_bar()
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        transformers_logging.set_verbosity(level)
