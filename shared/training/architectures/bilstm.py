"""A text's states read forwards and backwards by an LSTM, and the classification layer behind: `lstm` and `bert_lstm`.

Each direction is a network of its own, and the text is turned round by its own length, not the batch's. A two-way LSTM
of torch does that only for packed sequences, which cannot be exported.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BiLstm(nn.Module):  # type: ignore[misc]  # torch is Any to mypy
    """From states of shape [n, tokens, size] and mask [n, tokens] to logits [n, k]; what the mask hides is not read.

    Both the largest and the mean of each number over a text's tokens go into the last layer. A state has `size`
    numbers, each direction `hidden`; dropout is that of states and before the last layer.
    """

    def __init__(self, size: int, hidden: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.forwards = nn.LSTM(size, hidden, batch_first=True)
        self.backwards = nn.LSTM(size, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(4 * hidden, labels)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Texts have at least one token each."""
        states = self.dropout(states)
        # Where each place of a text reads from when the text is turned round. Padding stays where it is.
        length = mask.sum(dim=1, keepdim=True)
        place = torch.arange(mask.shape[1], device=mask.device)[None]
        turned = torch.where(place < length, length - 1 - place, place)
        there, _ = self.forwards(states)
        back, _ = self.backwards(_rows(states, turned))
        read = torch.cat([there, _rows(back, turned)], dim=2)
        kept = mask[..., None].to(read.dtype)
        mean = (read * kept).sum(dim=1) / kept.sum(dim=1)
        # What an LSTM gives lies in -1..1, so that nothing hidden is the largest.
        largest = (read - 3 * (1 - kept)).amax(dim=1)
        return self.classifier(self.dropout(torch.cat([largest, mean], dim=1)))


def _rows(states: Tensor, places: Tensor) -> Tensor:
    return torch.gather(states, 1, places[..., None].expand(-1, -1, states.shape[2]))
