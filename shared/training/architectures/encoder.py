"""Pretrained encoders: from the hub or a folder, weights from safetensors only, and no code that a model brings.

What they are put into is in the other files of this package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
)

from shared.classifiers.packaging.export import export
from shared.classifiers.packaging.logits import Logits
from shared.classifiers.packaging.suitable import PROVEN, longest_text, text_of, vocabulary
from shared.encoders.pretrained import kind_and_line, usable
from shared.errors import TrainingError
from shared.training.architectures.architecture import Architecture, Built
from shared.training.architectures.classification import head, numbered
from shared.training.arguments import Arguments

POOLER: Final = "pooler"
"""The layer behind the first token, which many pretrained encoders lack: it is trained here."""


def classifier(arguments: Arguments, labels: Sequence[str]) -> Built:
    """The encoder with its family's own classification layer, as transformers knows it.

    Raises TrainingError where it cannot be had: no such name or folder, no hub, no safetensors, weights missing; and
    ModelError where its tokenizer does not fit, or what was trained with it could not serve.
    """
    config = _config(arguments, **numbered(labels))
    built = _built(arguments, config, AutoModelForSequenceClassification, lambda model: model, labels)
    for part in head_of(built.model).values():
        for layer in part.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = arguments.dropout
    return built


def head_of(model: Any) -> dict[str, nn.Module]:
    """What a model of transformers has around its encoder, by name, whatever its family calls it."""
    encoder = model.base_model
    if encoder is model:
        return {}
    return {name: part for name, part in model.named_children() if encoder not in part.modules()}


class AroundEncoder(Architecture):
    """An architecture whose model, of the class `kind`, is made of a config and an encoder without its own head."""

    kind: Any

    def build(self, arguments: Arguments, labels: Sequence[str]) -> Built:
        """Raises as `classifier`."""

        def inside(encoder: Any) -> Any:
            encoder = without_pooler(encoder)
            config = self.kind.config_class(encoder.config, **head(arguments), **numbered(labels))
            return self.kind(config, encoder)

        return _built(arguments, _config(arguments), AutoModel, inside, labels)


class EncoderConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers is Any to mypy
    """An encoder's config, the width of the layer that is trained behind it, and the dropout there.

    A config that extends it names this `__init__` as its own: transformers writes another where a class has none.
    """

    sub_configs = {"encoder": AutoConfig}  # noqa: RUF012  as transformers declares it

    def __init__(self, encoder: Any = None, hidden: int = 256, dropout: float = 0.2, **fields: Any) -> None:
        self.encoder = config_of(encoder)
        self.hidden = hidden
        self.dropout = dropout
        super().__init__(**fields)


class AroundEncoderModel(PreTrainedModel):  # type: ignore[misc]
    """A model around an encoder: without one it begins with random weights, for weights that are loaded afterwards."""

    def __init__(self, config: EncoderConfig, encoder: Any = None) -> None:
        super().__init__(config)
        if encoder is None:
            encoder = without_pooler(AutoModel.from_config(config.encoder, trust_remote_code=False))
        self.encoder = encoder
        config.encoder = encoder.config

    def _init_weights(self, module: nn.Module) -> None:
        """As torch began them; the encoder has begun already."""


def without_pooler(encoder: Any) -> Any:
    """The encoder without the layer behind its first token, which nothing here reads."""
    if getattr(encoder, POOLER, None) is not None:
        encoder.pooler = _NoPooler()
    return encoder


class _NoPooler(nn.Module):  # type: ignore[misc]
    """Without weights. None in its place would stop the encoders that call it without asking."""

    def forward(self, states: Tensor, *_: object, **__: object) -> Tensor:
        return states


def config_of(told: Any) -> Any:
    """The config of an encoder inside of another config: an object, or the dict that a file holds.

    A config that takes another in also changes how its model computes attention, and to one that reads padding. So the
    object is copied.
    """
    if not isinstance(told, dict):
        return deepcopy(told)
    fields = dict(told)
    return AutoConfig.for_model(fields.pop("model_type"), **fields)


def _built(
    arguments: Arguments, config: Any, kind: Any, made: Callable[[Any], Any], labels: Sequence[str]
) -> Built:
    absent: list[str] = []
    if arguments.random_weights:
        with _loading(arguments, "a config.json of an encoder"):
            encoder = kind.from_config(config, dtype=torch.float32, trust_remote_code=False)
    else:
        encoder, absent = _pretrained(kind, config, arguments)
    place = f"base {_base(arguments)}"
    with _loading(arguments, "a tokenizer that transformers can load"):
        tokenizer = AutoTokenizer.from_pretrained(**_source(arguments))
    content = vocabulary(place, encoder, tokenizer)
    with usable(place, "an encoder of transformers"):
        model = made(encoder)
    network = Logits(model).eval()
    longest = longest_text(place, network, config, tokenizer, arguments.max_tokens, len(labels))
    if config.model_type not in PROVEN:
        # Nobody trains for hours for a model that cannot serve.
        export(network, content, labels, [text_of(longest)], max_tokens=longest)
    fresh = [name for name, part in head_of(encoder).items() if any(True for _ in part.parameters())]
    fresh += [POOLER for name in absent if POOLER in name]
    return Built(model, content, longest, _origin(arguments), tuple(dict.fromkeys(fresh)))


def _base(arguments: Arguments) -> str:
    return str(arguments.base)


def _origin(arguments: Arguments) -> str:
    base = _base(arguments)
    name = Path(base).resolve().name if Path(base).is_dir() else base
    revision = f"@{arguments.base_revision}" if arguments.base_revision else ""
    return f"{name}{revision}{' with random weights' if arguments.random_weights else ''}"


def _source(arguments: Arguments) -> dict[str, Any]:
    """Where transformers looks: never at the hub for a folder, and never for code."""
    base = _base(arguments)
    return {
        "pretrained_model_name_or_path": base,
        "revision": arguments.base_revision or "main",
        "local_files_only": Path(base).is_dir(),
        "trust_remote_code": False,
    }


def _config(arguments: Arguments, **fields: Any) -> Any:
    with _loading(arguments, "a config.json that transformers can read"):
        config = AutoConfig.from_pretrained(**_source(arguments), **fields)
    config.name_or_path = _origin(arguments)
    config.dtype = torch.float32
    return config


def _pretrained(kind: Any, config: Any, arguments: Arguments) -> tuple[Any, list[str]]:
    """The model, and the names of weights that it begins without: of its head, and of a pooler."""
    with _loading(arguments, "weights as .safetensors that transformers can load"):
        model, told = kind.from_pretrained(
            **_source(arguments),
            config=config,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    unread = [*told["missing_keys"], *(told.get("mismatched_keys") or ())]
    names = sorted(one if isinstance(one, str) else str(one[0]) for one in unread)
    head = tuple(f"{name}." for name in head_of(model))
    absent = [name for name in names if not name.startswith(head) and f"{POOLER}." not in name]
    if absent:
        raise TrainingError(
            f"base {_base(arguments)}: expected all weights of an encoder, found {len(absent)} missing or of another "
            f"shape (first: {absent[0]}); name another base, or set random_weights to begin without any"
        )
    model.name_or_path = model.config.name_or_path = _origin(arguments)
    return model, names


@contextmanager
def _loading(arguments: Arguments, expected: str) -> Iterator[None]:
    """Raises TrainingError with advice instead of whatever transformers raises."""
    try:
        yield
    except Exception as error:
        base, first = _base(arguments), kind_and_line(error).rstrip(".")
        advice = (
            "put the missing files there, or name an encoder on the hub"
            if Path(base).is_dir()
            else "check the name and base_revision; where the hub cannot be reached, download the encoder elsewhere "
            "and give its folder as base"
        )
        raise TrainingError(
            f"base {base}: expected {expected}, found: {first}. To go on, {advice}"
        ) from error
