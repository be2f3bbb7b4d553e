"""Trains `pair`: the linear model and an LSTM, which err in different places, and the temperature of their mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.classifiers.linear import NEVER
from shared.classifiers.onnx_classifier import Tokens
from shared.classifiers.packaging.logits import torch_logits
from shared.classifiers.packaging.package import Pair
from shared.classifiers.pair import mean
from shared.classifiers.temperature import fit_temperature
from shared.training.arguments import Arguments
from shared.training.data import Data
from shared.training.linear import train_judged
from shared.training.network import train
from shared.training.watch import Watch

NETWORK: Final = "lstm"
"""The architecture of the second member."""
OWN: Final[dict[str, Any]] = {"epochs": 8, "learning_rate": 4e-3, "hidden": 64, "balance": "roots"}
"""Of the network, where nobody gave an argument. A wider or longer trained one says more alone, and adds less."""
EVERY: Final = 3


def of_network(arguments: Arguments) -> Arguments:
    """How the network is trained: a short way to its end, where its learning rate is 0, whatever F1 does meanwhile."""
    own = {name: value for name, value in OWN.items() if getattr(arguments, name) is None}
    epochs = own.get("epochs", arguments.epochs)
    return arguments.model_copy(update={**own, "architecture": NETWORK, "patience": epochs})


def thinned(data: Data) -> Data:
    """The data with every EVERYth of the taxonomy's own texts, but all of a category that no review tells of.

    As in the linear model, what the taxonomy says of words agrees with its own texts by itself.
    """
    told = {row.category for row in data.train if row.review_id}
    own = [row for row in data.train if not row.review_id and row.category in told]
    left_out = {id(row) for at, row in enumerate(own) if at % EVERY}
    return msgspec.structs.replace(data, train=tuple(row for row in data.train if id(row) not in left_out))


def train_pair(arguments: Arguments, data: Data, folder: Path, watch: Watch) -> Pair:
    """Both members on the same data, and the temperature of their mean on the validation part.

    There the linear model is judged out of fold, so that neither member has seen what it is judged by; the network's
    best epoch was chosen there. `folder` and `watch` are the network's, as in `shared.training.network.train`, which
    also says what is raised. The linear model is trained anew when a run goes on.
    """
    linear, logits = train_judged(arguments.model_copy(update={"architecture": "linear"}), data)
    network = train(of_network(arguments), thinned(data), folder, watch)
    ids, _ = Tokens(network.tokenizer, network.max_tokens)([row.text for row in data.validation])
    said = torch_logits(network.network, ids) / network.temperature
    first = len(data.train)
    truth: NDArray[np.int64] = np.array([data.labels.index(row.category) for row in data.validation])
    judged = [
        at
        for at, column in enumerate(truth)
        if first + at in logits and logits[first + at][column] > NEVER / 2
    ]
    temperature = 1.0
    if judged:
        own = np.stack([logits[first + at] for at in judged]) / linear.temperature
        temperature = fit_temperature(mean(own, said[judged]), truth[judged])
    return Pair(linear, network, temperature)
