"""`otzyv bench`: what its commands are called and ask for. The work is in `scripts.bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.file_options import FileArgument, TextColumn
from scripts.input_file import InputFile

bench = typer.Typer(help="Measured comparisons, with the peers they run against.", no_args_is_help=True)


@bench.command("keywords")
def bench_keywords(
    file: FileArgument,
    seconds: Annotated[float, typer.Option(help="How long to measure in all.")] = 27.0,
    text_column: TextColumn = "text",
    json: Annotated[Path | None, typer.Option("--json", help="Write the figures there as well.")] = None,
) -> None:
    """Reviews per second of the keyword stage on one core, evidence included."""
    from scripts.bench.report import keywords

    keywords(InputFile(file), text_column, seconds, json)


@bench.command("classifier")
def bench_classifier(
    file: FileArgument,
    seconds: Annotated[float, typer.Option(help="How long to measure in all.")] = 90.0,
    tokenizer: Annotated[
        Path | None,
        typer.Option(help="Folder with rubert-tiny2's tokenizer. Without it one is trained on the texts."),
    ] = None,
    text_column: TextColumn = "text",
    json: Annotated[Path | None, typer.Option("--json", help="Write the figures there as well.")] = None,
) -> None:
    """Predictions per second on one core, beside transformers, torch and bare ONNX Runtime."""
    from scripts.bench.report import classifier

    classifier(InputFile(file), text_column, seconds, tokenizer, json)


@bench.command("zero-shot")
def bench_zero_shot(
    file: FileArgument,
    seconds: Annotated[float, typer.Option(help="How long to measure.")] = 60.0,
    device: Annotated[str, typer.Option(help="auto, cuda, cuda:1, mps or cpu.")] = "auto",
    text_column: TextColumn = "text",
    json: Annotated[Path | None, typer.Option("--json", help="Write the figures there as well.")] = None,
) -> None:
    """Reviews per second of the zero-shot stage, and its share of what the device can do."""
    from scripts.bench.report import zero_shot

    zero_shot(InputFile(file), text_column, seconds, device, json)
