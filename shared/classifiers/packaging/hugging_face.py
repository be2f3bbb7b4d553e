"""Reads a sequence-classification folder of Hugging Face transformers. Nothing in it may run code, and all is checked.

Weights are read from safetensors only: a pickle (.bin, .pt) can run code when it is loaded.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open
from safetensors.torch import save
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from shared.classifiers.artefact import PICKLES, WEIGHTS
from shared.classifiers.packaging.logits import Logits
from shared.classifiers.packaging.package import Package
from shared.classifiers.packaging.suitable import longest_text, vocabulary
from shared.encoders.pretrained import usable
from shared.errors import ModelError, TaxonomyError
from shared.taxonomy import Taxonomy

MAX_TOKENS: Final = 512
"""Longest text that is read unless somebody says otherwise: reviews have 23 tokens on average."""
TRAINERS: Final = ("training_args.bin", "optimizer.pt", "optimizer.bin", "scheduler.pt", "rng_state*.pth")
"""What transformers' Trainer leaves beside a model. It is no part of the model, and is not read."""


def read_folder(folder: Path, taxonomy: Taxonomy, max_tokens: int | None = None) -> Package:
    """Load a folder with a model for the categories of `taxonomy`.

    Raises ModelError for no such folder, code or pickles in it, weights that are missing, damaged or not finite, or
    labels that are not the categories of the taxonomy.
    """
    config = _config(folder)
    _refuse_pickles(folder)
    labels = _labels(folder, config, taxonomy)
    _check_depth(folder, config)
    model = _model(folder)
    tokenizer = _tokenizer(folder)
    content = vocabulary(folder, model, tokenizer)
    network = Logits(model.eval())
    limit = longest_text(folder, network, model.config, tokenizer, max_tokens or MAX_TOKENS, len(labels))
    return Package(
        network=network,
        architecture=str(model.config.model_type),
        labels=labels,
        max_tokens=limit,
        tokenizer=content,
        files={
            "config.json": (folder / "config.json").read_bytes(),
            WEIGHTS: save({name: one.contiguous() for name, one in _weights(model).items()}),
        },
        origin=folder.resolve().name,
    )


def trainers_files(folder: Path) -> list[str]:
    """Files of transformers' Trainer, which are left out."""
    return sorted(path.name for path in folder.iterdir() if _is_trainers(path))


def _is_trainers(path: Path) -> bool:
    return any(path.match(name) for name in TRAINERS)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{folder}: expected a folder that transformers has saved, found no readable config.json: {error}"
        ) from error
    if not isinstance(config, dict):
        raise ModelError(f"{path}: expected a JSON object, found {type(config).__name__}")
    if "auto_map" in config or list(folder.glob("*.py")):
        raise ModelError(
            f"{folder}: expected an architecture of transformers, found one that brings code of its own; it is not run"
        )
    named = config.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else ""
    if not architecture.endswith("ForSequenceClassification"):
        raise ModelError(
            f"{path}: expected an architecture ...ForSequenceClassification, found {architecture or 'none'}"
        )
    return config


def _refuse_pickles(folder: Path) -> None:
    pickles = sorted(
        path.name for path in folder.iterdir() if path.suffix.lower() in PICKLES and not _is_trainers(path)
    )
    if pickles:
        raise ModelError(
            f"{folder}: expected weights as .safetensors only, found {', '.join(pickles)}: a pickle can run code when "
            "it is loaded. Save the model again with model.save_pretrained(folder), or remove the file"
        )
    if not list(folder.glob("*.safetensors")):
        raise ModelError(f"{folder}: expected weights in model.safetensors, found none")


def _check_depth(folder: Path, config: dict[str, Any]) -> None:
    """More layers than there are weights would be built all the same, until the memory is full."""
    told = [config.get(name) for name in ("num_hidden_layers", "num_layers", "n_layers", "n_layer")]
    layers = max((one for one in told if isinstance(one, int)), default=0)
    weights = 0
    for path in folder.glob("*.safetensors"):
        try:
            with safe_open(path, framework="np") as file:
                weights += len(file.keys())
        except Exception as error:
            raise ModelError(
                f"{path}: expected a whole .safetensors file, found a damaged or truncated one ({error}); copy it again"
            ) from error
    if layers > weights:
        raise ModelError(
            f"{folder}/config.json: expected no more layers than weights, found {layers:,} layers and "
            f"{weights:,} weights"
        )


def _labels(folder: Path, config: dict[str, Any], taxonomy: Taxonomy) -> tuple[str, ...]:
    """Slugs in the order of the logits, from titles or slugs in `id2label`."""
    named = config.get("id2label")
    place = f"{folder}/config.json"
    if not isinstance(named, dict):
        raise ModelError(
            f"{place}: expected id2label with a label for each number, found {type(named).__name__}"
        )
    try:
        told = [str(named[str(number)]) for number in range(len(named))]
    except KeyError as error:
        raise ModelError(
            f"{place}: expected id2label with the numbers 0 to {len(named) - 1}, found no {error}"
        ) from error
    wanted = taxonomy.slugs
    slugs: list[str] = []
    for label in told:
        with suppress(TaxonomyError):
            slugs.append(taxonomy.category(label).slug)
    if len(told) != len(wanted) or sorted(slugs) != sorted(wanted):
        raise ModelError(
            f"{place}: expected the categories of the taxonomy {taxonomy.name} in id2label, slugs or titles, each once "
            f"({', '.join(wanted)}); found {', '.join(told) or 'none'}"
        )
    return tuple(slugs)


def _model(folder: Path) -> Any:
    disable_progress_bar()
    with usable(folder, "a model that transformers can load"):
        model, told = AutoModelForSequenceClassification.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    absent = sorted(map(str, told["missing_keys"])) + sorted(map(str, told.get("mismatched_keys") or ()))
    if absent:
        raise ModelError(
            f"{folder}: expected all weights, found {len(absent)} missing or of another shape (first: {absent[0]}); "
            "a model without its trained head gives random answers"
        )
    for name, tensor in _weights(model).items():
        if not torch.isfinite(tensor).all():
            raise ModelError(f"{folder}: expected finite weights, found NaN or infinity in {name}")
    return model


def _weights(model: Any) -> dict[str, Any]:
    return {name: one for name, one in distinct_tensors(model).items() if one.is_floating_point()}


def distinct_tensors(model: Any) -> dict[str, Any]:
    """A model's tensors by name; one that is shared goes by its first name."""
    seen: set[int] = set()
    kept = {}
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            kept[name] = tensor
    return kept


def _tokenizer(folder: Path) -> Any:
    with usable(folder, "a tokenizer that transformers can load"):
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
