"""Which families of transformers can serve and be trained on: each tiny, with random weights, in a process of its own.

`python -m tests.benchmarks.encoders` prints the rows of the table in docs/encoders.md for all that transformers can
load for sequence classification, `python -m tests.benchmarks.encoders bert xlnet` some. Half an hour on one core.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import transformers
import typer
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

from shared.classifiers.packaging.export import export
from shared.classifiers.packaging.hugging_face import read_folder
from shared.classifiers.packaging.package import servable
from shared.errors import ModelError, TrainingError
from shared.training.architectures import network, with_defaults
from tests.support import tiny_encoders
from tests.support.tiny_classifier import LABELS, TAXONOMY, TEXTS
from tests.support.tiny_training import chosen

TRAINED = ("full", "lora", "mlp", "bert_lstm")
SECONDS = 900
"""For one family."""
MEMORY_BYTES = 12 * 2**30


def told(what: Callable[[], str]) -> str:
    """What came out, or the sentence in which it was refused; what is neither is a fault of ours, marked as such."""
    try:
        return what()
    except (ModelError, TrainingError) as error:
        return "refused: " + str(error).split(": ", 1)[1].splitlines()[0][:160]
    except Exception as error:  # noqa: BLE001  the table is to show it
        return f"FAULT {type(error).__name__}: {error}".splitlines()[0][:160]


def imported(folder: Path) -> str:
    """How the graphs of an import compare."""
    says = servable(read_folder(folder, TAXONOMY), TAXONOMY, TEXTS).manifest.export
    assert says is not None
    int8 = says.int8
    return "yes" + (
        f", int8 the same for {int8.same:.1%}, up to {int8.difference:.2g} apart" if int8 else says.fallback
    )


def trained(folder: Path, architecture: str, *, exported: bool) -> str:
    """Whether training begins, and perhaps whether what it would end with can be exported."""
    arguments = with_defaults(chosen(folder, architecture))
    one = network(architecture)
    built = one.build(arguments, LABELS)
    if exported:
        finished = one.finished(built.model)
        export(finished, built.tokenizer, LABELS, TEXTS[:40], max_tokens=built.max_tokens)
    return "yes"


def rows(kind: str, exported: bool) -> Iterator[tuple[str, str]]:
    """What is tried with one family, and what came out."""
    with TemporaryDirectory() as folder:
        both = [Path(folder) / name for name in ("classifier", "base")]
        try:
            for path, labels in zip(both, (LABELS, ()), strict=True):
                tiny_encoders.saved(path, kind, labels)
        except Exception as error:  # noqa: BLE001  a family with sizes of its own
            yield "not tried", f"{type(error).__name__}: {error}".splitlines()[0][:100]
            return
        yield "import", told(lambda: imported(both[0]))
        for architecture in TRAINED:
            yield architecture, told(lambda name=architecture: trained(both[1], name, exported=exported))


def fill(kind: str, exported: bool, queue: Any) -> None:
    """In a process of its own, which may run out of memory."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for row in rows(kind, exported):
        queue.put(row)
    queue.put(None)


def main(
    kinds: Annotated[
        list[str] | None, typer.Argument(help="Model types of transformers; all, if none.")
    ] = None,
    *,
    exported: Annotated[bool, typer.Option(help="Export what each architecture would train, too.")] = False,
) -> None:
    """Print the table."""
    print(f"transformers {transformers.__version__}")
    context = multiprocessing.get_context("spawn")
    for kind in kinds or sorted(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES):
        queue = context.Queue()
        process = context.Process(target=fill, args=(kind, exported, queue))
        process.start()
        try:
            while (row := queue.get(timeout=SECONDS)) is not None:
                print(f"| {kind} | {row[0]} | {row[1]} |", flush=True)
        except Empty:
            print(f"| {kind} | ended | after {SECONDS} s without an answer |", flush=True)
            process.kill()
        process.join()


if __name__ == "__main__":
    sys.setrecursionlimit(10_000)
    typer.run(main)
