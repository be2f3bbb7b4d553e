"""Texts embedded by a sentence-transformers model: understands whole sentences, wants torch and a model's weights.

torch is imported when an encoder is made, never before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared.encoders.encoder import Role, Vectors, unit
from shared.encoders.pretrained import DIGITS, first_line, version_of
from shared.errors import ConfigurationError

DEFAULT_MODEL: Final = "deepvk/USER2-small"
"""34 million parameters, 384 dimensions, Russian, Apache-2.0."""
BATCH_TEXTS: Final = 64
"""Texts in one forward pass. Passes are filled in order of length, so little of them is padding."""
MOST_TOKENS: Final = 512
"""Tokens of a text that are read, prefix included; fewer where the model itself reads fewer."""
MOST_CHARS: Final = 4000
"""Characters of a text that the tokenizer gets: more than MOST_TOKENS tokens of Russian."""

_PREFIXES: Final = {
    "deepvk/USER2-": ("classification: ", "classification: "),
    "intfloat/multilingual-e5-": ("query: ", "passage: "),
}
"""What families of models want before a query and before a document, from their model cards. USER2's calls
"classification: " the default and most universal one (huggingface.co/deepvk/USER2-small, Prefixes)."""
_KNOWN: Final = re.compile(r"[^\W_]")
_EXTRA: Final = "pip install 'otzyv[gpu]'"


class SentenceEncoder:
    """Implements `shared.encoders.encoder.Encoder`.

    Args:
        name: a model of the Hugging Face hub, or a folder with one. Its weights have to be safetensors; code that
            comes with a model is never run.
        query_prefix, document_prefix: put before every review, and before every text of the taxonomy. None takes
            those that the model was trained with where they are known here, and none elsewhere.
        device: as torch names it; None takes the best that torch finds.
        revision: a commit or branch of the hub; None takes the newest.
        local_files_only: never asks the network, only what has been downloaded before.

    Raises ConfigurationError where sentence-transformers is not installed, or the model cannot be loaded.
    """

    def __init__(
        self,
        name: str = DEFAULT_MODEL,
        *,
        query_prefix: str | None = None,
        document_prefix: str | None = None,
        device: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
    ) -> None:
        known = prefixes_of(name)
        self._prefixes: dict[Role, str] = {
            "query": known[0] if query_prefix is None else query_prefix,
            "document": known[1] if document_prefix is None else document_prefix,
        }
        self._model = _load(name, device, revision, local_files_only)
        own_limit = self._model.max_seq_length
        with suppress(AttributeError):  # of static vectors, which know no limit; MOST_CHARS cuts their texts
            self._model.max_seq_length = min(own_limit or MOST_TOKENS, MOST_TOKENS)
        self._dimensions = int(self._model.encode(["слово"], show_progress_bar=False).shape[1])
        folder = Path(name)
        if folder.is_dir():
            version = f"{folder.name}@{version_of(folder.rglob('*.safetensors'), named=False)}"
        else:
            # A model of static vectors has no network of transformers.
            network = getattr(self._model[0], "auto_model", None)
            commit = getattr(getattr(network, "config", None), "_commit_hash", None)
            version = f"{name}@{str(commit or 'unknown')[:DIGITS]}"
        self.model = f"{version} {list(self._prefixes.values())}"

    def embed(self, texts: Sequence[str], role: Role) -> Vectors:
        """Rows of length 1, shape [texts, dimensions]; zeros where a text has neither letter nor digit."""
        rows = np.zeros((len(texts), self._dimensions), np.float32)
        known = [at for at, text in enumerate(texts) if _KNOWN.search(text)]
        if known:
            cut = (texts[at][:MOST_CHARS] for at in known)
            rows[known] = self._model.encode(
                # With a replacement sign for every lone surrogate, which tokenizers refuse.
                [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in cut],
                prompt=self._prefixes[role],
                batch_size=BATCH_TEXTS,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return unit(rows)


def prefixes_of(name: str) -> tuple[str, str]:
    """What a model was trained to see before a query and before a document; empty where that is not known."""
    return next((both for family, both in _PREFIXES.items() if name.startswith(family)), ("", ""))


def _load(name: str, device: str | None, revision: str | None, local_files_only: bool) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ConfigurationError(
            f"expected the package sentence-transformers for the encoder {name!r}, found: {error}. "
            f"Install it ({_EXTRA}), or use the encoder 'navec'."
        ) from error
    try:
        return SentenceTransformer(
            name,
            device=device,
            revision=revision,
            local_files_only=local_files_only,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    # Loading goes through four libraries and the network; each raises errors of its own.
    except Exception as error:
        raise ConfigurationError(
            f"expected a sentence-transformers model with safetensors weights at {name!r}, "
            f"found: {first_line(error)}. Check the name, download it where there is a network and copy it here, "
            "or use the encoder 'navec'."
        ) from error
