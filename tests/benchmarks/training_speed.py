"""How many reviews a second `full` and `lora` train on, and how much memory that takes, at the shapes of real encoders.

`python -m tests.benchmarks.training_speed reviews.csv [--device cuda] [--seconds 60]`. Weights are random: the
computation is the same. `full` in rubert-tiny2's shape, `lora` in rubert-base's.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from shared.compute.device import device_for
from shared.reviews.labelled_text import Row
from shared.training.architectures import with_defaults
from shared.training.arguments import arguments
from shared.training.data import Data
from shared.training.network import train
from shared.training.watch import Interrupted
from tests.benchmarks.small_encoder import encoder, texts_of

CASES = {"full": "rubert-tiny2", "lora": "rubert-base"}
WARM_UP_STEPS = 5


class Clock:
    """A watch that times steps behind the warm-up, and stops after a while."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.steps = 0
        self._began = time.monotonic()
        self.took = 0.0

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Losses on random weights say nothing."""

    def progress(self, share: float) -> None:  # noqa: ARG002
        """Count a step."""
        self.steps += 1
        if self.steps == WARM_UP_STEPS:
            self._began = time.monotonic()
        self.took = time.monotonic() - self._began

    def stop(self) -> bool:
        """Whether it was long enough."""
        return self.steps > WARM_UP_STEPS and self.took > self._seconds


def measured(architecture: str, texts: list[str], device: str, seconds: float) -> tuple[float, float, int]:
    """Reviews a second, peak memory in MB (of the GPU, or resident), and reviews a step."""
    rows = tuple(Row(text, "ab"[at % 2], at + 1) for at, text in enumerate(texts))
    clock = Clock(seconds)
    with TemporaryDirectory(prefix="otzyv-speed-") as folder:
        encoder(texts, Path(folder) / "encoder", CASES[architecture])
        chosen = with_defaults(
            arguments(
                architecture=architecture,
                base=f"{folder}/encoder",
                random_weights=True,
                epochs=100,
                device=device,
            )
        )
        with suppress(Interrupted):
            train(chosen, Data(("a", "b"), rows, rows[:8]), Path(folder) / "run", clock)
    where = device_for(device)
    if where.type == "cuda":
        memory = torch.cuda.max_memory_allocated(where) / 1e6
        torch.cuda.reset_peak_memory_stats(where)
    else:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    batch = chosen.batch_rows or 1
    return (clock.steps - WARM_UP_STEPS) * batch / clock.took, memory, batch


def main(
    file: Annotated[Path, typer.Argument(help="Reviews, for the lengths of real texts.")],
    device: str = "auto",
    seconds: Annotated[float, typer.Option(help="How long to measure each.")] = 60.0,
    text_column: str = "text",
) -> None:
    """Print a table."""
    texts = texts_of(file, text_column)
    table = Table("architecture", "shape", box=None)
    for name in ("reviews a step", "reviews/s", "peak memory, MB"):
        table.add_column(name, justify="right")
    for architecture, shape in CASES.items():
        rate, memory, batch = measured(architecture, texts, device, seconds)
        table.add_row(architecture, shape, str(batch), f"{rate:,.0f}", f"{memory:,.0f}")
    Console().print(f"device: {device_for(device)}, torch {torch.__version__}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
