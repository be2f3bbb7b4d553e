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
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from shared.classifiers.artefact import PICKLES, WEIGHTS
from shared.classifiers.packaging.export import Logits
from shared.classifiers.packaging.package import Package
from shared.encoders.pretrained import usable
from shared.errors import ModelError, TaxonomyError
from shared.taxonomy import Taxonomy

MAX_TOKENS: Final = 512
"""Longest text that is read unless somebody says otherwise: reviews have 23 tokens on average."""
PADDING_TOLERANCE: Final = 1e-3
"""Of a logit, and relative to it: a sum in another order is no further apart."""
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
    limit = min(longest_text(model.config, tokenizer), max_tokens or MAX_TOKENS)
    network = Logits(model.eval())
    _try(folder, network, limit, len(labels))
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
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not tokenizer.is_fast:
        raise ModelError(
            f"{folder}: expected a fast tokenizer (tokenizer.json), found a slow one; save it with a tokenizer.json"
        )
    return tokenizer


def vocabulary(folder: Path, model: Any, tokenizer: Any) -> bytes:
    """The tokenizer.json that serves. Raises ModelError for tokens that the model has no vectors for.

    Tokens that transformers adds to a vocabulary that lacks them, such as [MASK], are left out if the model never had
    them: a review that contains one as text would stop the network.
    """
    rows = int(model.get_input_embeddings().weight.shape[0])
    told = json.loads(tokenizer.backend_tokenizer.to_str())
    told["added_tokens"] = [one for one in told["added_tokens"] if one["id"] < rows]
    content = json.dumps(told, ensure_ascii=False).encode()
    last = max(Tokenizer.from_buffer(content).get_vocab().values(), default=0)
    if last >= rows:
        raise ModelError(
            f"{folder}/tokenizer.json: expected tokens below {rows:,}, as many as the model has vectors for, found "
            f"number {last:,}; save the tokenizer that the model was trained with"
        )
    return content


def longest_text(config: AutoConfig, tokenizer: Any) -> int:
    """The most tokens of a text that the network has positions for."""
    positions = getattr(config, "max_position_embeddings", None) or tokenizer.model_max_length
    # Models of RoBERTa's family begin to count behind the padding's number.
    if "roberta" in str(getattr(config, "model_type", "")):
        positions -= (config.pad_token_id or 0) + 1
    return int(min(positions, tokenizer.model_max_length))


def _try(folder: Path, network: Logits, tokens: int, labels: int) -> None:
    """A text of the greatest length, and a short one behind which there is padding, go through before it is taken."""
    ids = torch.full((2, tokens), 2, dtype=torch.long)
    mask = torch.ones_like(ids)
    ids[1, 3:] = mask[1, 3:] = 0
    with usable(folder, f"a model that reads texts of {tokens} tokens"), torch.inference_mode():
        shape = tuple(network(ids[:1], mask[:1]).shape)
        padded, alone = network(ids, mask)[1], network(ids[1:, :3], mask[1:, :3])[0]
    if not torch.allclose(padded, alone, rtol=PADDING_TOLERANCE, atol=PADDING_TOLERANCE):
        raise ModelError(
            f"{folder}: expected a model whose answer does not depend on the padding behind a text, such as BERT; "
            "found one that reads its last token; only encoders can serve"
        )
    if shape != (1, labels):
        raise ModelError(f"{folder}: expected {labels} logits, one for each label, found {shape[-1]}")
