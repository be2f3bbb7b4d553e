"""What a model has answered in a run of `otzyv predict` that may be interrupted: kept in a file, in order."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from scripts.labelling.unfinished import UnfinishedRun

NAME: Final = "predictions"
LENGTH: Final = 4
"""Bytes before each part that say how long it is."""


class PredictedText(msgspec.Struct, frozen=True, array_like=True):
    """What the model says about one text."""

    slug: str
    confidence: float
    truncated: bool
    probabilities: dict[str, float]


PartAnswers = list[PredictedText | str]
"""Of some rows in order; a word is the reason why a row was rejected."""

_decoder: Final = msgspec.msgpack.Decoder(PartAnswers)


class KeptPredictions:
    """The answers of a run. `earlier` are those of an interrupted one, to be had once."""

    def __init__(self, run: UnfinishedRun, file: BinaryIO, earlier: Iterator[PartAnswers]) -> None:
        self._run, self._file = run, file
        self._left = run.done.rows
        self.earlier = earlier

    def add(self, answers: PartAnswers) -> None:
        """Keep the answers of the next part, if they are no earlier ones."""
        if self._left:
            self._left -= len(answers)
            return
        data = msgspec.msgpack.encode(answers)
        self._file.write(len(data).to_bytes(LENGTH, "big") + data)
        self._file.flush()
        self._run.done.rows += len(answers)
        self._run.note()


@contextmanager
def kept_answers(run: UnfinishedRun) -> Iterator[KeptPredictions]:
    """Where the answers of a run are kept while it lasts."""
    path = run.folder / NAME
    path.touch()
    with path.open("r+b") as file:
        end = sum(LENGTH + len(data) for data, _ in _parts(path, run.done.rows))
        file.truncate(end)
        file.seek(0, io.SEEK_END)
        yield KeptPredictions(run, file, (answers for _, answers in _parts(path, run.done.rows)))


def _parts(path: Path, rows: int) -> Iterator[tuple[bytes, PartAnswers]]:
    """The parts of a file that hold so many rows. One that was cut is none, and those after it."""
    with path.open("rb") as file:
        while rows > 0 and (length := file.read(LENGTH)):
            data = file.read(int.from_bytes(length, "big"))
            answers = _decoder.decode(data)
            rows -= len(answers)
            yield data, answers
