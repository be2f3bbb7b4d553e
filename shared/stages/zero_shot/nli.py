"""An NLI model from the hub or a folder: loaded from safetensors only, checked, with a version to tell it by.

What is done with its logits is not here: that is `zero_shot`. torch is imported when a model is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.compute.device import device_for, dtype_for
from shared.encoders.pretrained import first_line, version_of
from shared.errors import ConfigurationError

ENTAILMENT: Final = "entail"
"""How the label of entailment begins, in any case: what transformers' ZeroShotClassificationPipeline looks for."""
PARTS: Final = ("*.json", "*.safetensors", "*.model", "*.txt")
"""Files of a model's folder that decide what it answers."""


@dataclass(frozen=True, slots=True)
class NliModel:
    """A sequence classification network with its tokenizer, ready on its device.

    `entailment` is the index of that label among the logits, `limit` the longest pair in tokens that the
    network has positions for, `version` is `name@commit` (hub) or `folder@digest` (12 digits of SHA-256 over
    its files); it does not depend on device or dtype.
    """

    network: Any
    tokenizer: Any
    device: Any
    entailment: int
    limit: int
    version: str


def load(name: str | Path, revision: str | None, device: str, dtype: str) -> NliModel:
    """Loads a model by hub name or folder; code that comes with a model is never run.

    Raises ConfigurationError where it cannot be loaded, or lacks weights, a fast tokenizer, a padding token or a label
    that begins with "entail".
    """
    place = device_for(device)
    number = dtype_for(dtype, place)
    tokenizer, network, missing = _pretrained(str(name), revision, number)
    if missing:
        raise ConfigurationError(
            f"{name}: expected weights for every layer, found none for {', '.join(sorted(missing)[:4])}. "
            "Choose a model that was trained for NLI, not a bare encoder"
        )
    entailment = _entailment(str(name), network.config.label2id, tokenizer)
    folder = Path(name)
    if folder.is_dir():
        files = {path for part in PARTS for path in folder.glob(part)}
        version = f"{folder.resolve().name}@{version_of(files, named=True)}"
    else:
        version = f"{name}@{getattr(network.config, '_commit_hash', None) or revision or 'main'}"
    return NliModel(
        network=network.eval().to(place),
        tokenizer=tokenizer,
        device=place,
        entailment=entailment,
        limit=_limit(network, tokenizer),
        version=version,
    )


def _pretrained(name: str, revision: str | None, dtype: Any) -> tuple[Any, Any, list[str]]:
    """Tokenizer, network, and the names of weights that the files lack."""
    source = {"revision": revision or "main", "trust_remote_code": False}
    if Path(name).is_absolute() and not Path(name).is_dir():
        raise _unloadable(name, "no such folder")
    try:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(name, **source)
        network, info = AutoModelForSequenceClassification.from_pretrained(
            name, **source, use_safetensors=True, dtype=dtype, output_loading_info=True
        )
    except MemoryError:
        raise
    except ImportError as error:
        raise ConfigurationError(
            f"{name}: expected the packages it needs, found: {error}. Install them: pip install 'otzyv[gpu]'"
        ) from error
    # Which exception a broken folder raises depends on the file that is broken.
    except Exception as error:
        raise _unloadable(name, first_line(error)) from error
    return tokenizer, network, [*info["missing_keys"], *map(str, info["mismatched_keys"])]


def _unloadable(name: str, found: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name}: expected an NLI model for sequence classification with safetensors weights, "
        f"found: {found.rstrip('.')}. Check the name or folder and the revision; without a network, "
        "name a folder or fill the hub's cache first"
    )


def _entailment(name: str, label2id: dict[str, int], tokenizer: Any) -> int:
    """The number of that label. Raises ConfigurationError where there is none, or the tokenizer cannot serve."""
    if not tokenizer.is_fast:
        raise ConfigurationError(
            f"{name}: expected a fast tokenizer, found {type(tokenizer).__name__}. Add its tokenizer.json"
        )
    if tokenizer.pad_token_id is None:
        raise ConfigurationError(
            f"{name}: expected a tokenizer with a padding token, found none. Set pad_token in its configuration"
        )
    for label, index in label2id.items():
        if label.lower().startswith(ENTAILMENT):
            return int(index)
    raise ConfigurationError(
        f"{name}: expected a label that begins with {ENTAILMENT!r}, found {', '.join(map(repr, label2id))}. "
        "Choose an NLI model, or name its labels in label2id of config.json"
    )


def _limit(network: Any, tokenizer: Any) -> int:
    """The longest pair in tokens: what the tokenizer says, and no more than there are positions."""
    limits = [int(tokenizer.model_max_length)]
    positions = getattr(network.config, "max_position_embeddings", None)
    if isinstance(positions, int) and positions > 0:
        # Some positions no token gets: the RoBERTa family counts from its padding index + 1.
        modules = (one for name, one in network.named_modules() if name.endswith("position_embeddings"))
        padding = getattr(next(modules, None), "padding_idx", None)
        limits.append(positions if padding is None else positions - int(padding) - 1)
    return min(limits)
