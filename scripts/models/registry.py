"""`otzyv models`: what is registered, who serves, and every way of changing that."""

from __future__ import annotations

import getpass
import os
import random
import shutil
from datetime import datetime
from pathlib import Path

from scripts.command.console import err, out, remark
from scripts.command.database import opened
from scripts.command.escaping import storable
from scripts.files.gold_file import GoldRow, read_gold
from scripts.files.input_file import InputFile, read_records
from scripts.pages.tables import table
from shared.classifiers import Artefact, Location
from shared.classifiers import manifest as manifests
from shared.classifiers.manifest import Manifest
from shared.errors import ConfigurationError, InputFileError, ModelError, OtzyvError
from shared.quality.alias import Alias
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.serving.registry import Registry
from shared.settings import Settings
from shared.store import aliases, awaiting, models, reviews
from workers.tasks import sending

SAMPLE = 1_000
"""Texts on which the graphs are compared with the model that they were made from."""
FEW = 100


def registry(here: Runtime) -> Registry:
    """The registry for a runtime's taxonomy."""
    return Registry(here.database, Location(here.settings.models), here.taxonomy, here.taxonomy_id)


def show_all(settings: Settings, store: Path | None) -> None:
    """Registered models and who serves, as a table, with the history of both aliases."""
    with opened(settings, store, "otzyv models") as here, here.database.transaction() as cursor:
        found = models.of_taxonomy(cursor, here.taxonomy.name)
        serving = aliases.current(cursor, here.taxonomy.name)
        moves = aliases.history(cursor, here.taxonomy.name)
        line = awaiting.backlog(cursor, here.taxonomy_id)
        told = [manifests.decode(models.manifest(cursor, model.id), str(model.id)) for model in found]
    names = {number: alias for alias, number in serving.items()}
    rows = [
        (
            str(model.id),
            names.get(model.id, ""),
            model.architecture,
            f"{says.runtime} {says.precision}" if says.runtime == "onnx" else says.runtime,
            _when(model.created_at),
            f"{says.metrics['weighted_f1']:.3f}" if "weighted_f1" in says.metrics else "",
        )
        for model, says in zip(found, told, strict=True)
    ]
    heads = ("model", "serves as", "architecture", "runtime", "registered", "weighted F1")
    nothing = "no models are registered for this taxonomy; see `otzyv models import`"
    out.print(table(heads, rows, left=5) if found else nothing)
    for move in moves[-10:]:
        before, after = (f"model {n}" if n else "nobody" for n in (move.previous_id, move.model_id))
        why = f": {move.reason}" if move.reason else ""
        moved = f"{move.alias}: {before} → {after}, {move.action} by {move.moved_by}{why}"
        out.print(f"{_when(move.at)}  {moved}", soft_wrap=True)
    out.print(
        f"{line.awaiting:,} reviews await a prediction; {line.parked:,} of them wait for a champion that can be loaded"
    )


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def show(number: int, settings: Settings, store: Path | None) -> None:
    """A model's card, where it lies, and whether its files are what they should be."""
    with opened(settings, store, "otzyv models") as found:
        here = registry(found)
        model = here.get(number)
        artefact = here.artefact(number)
    out.print(artefact.read("README.md").decode(), soft_wrap=True)
    out.print(
        f"Files below {here.location.url}/{model.path}, SHA-256 of the manifest {model.sha256}",
        soft_wrap=True,
    )
    broken = []
    for name, file in artefact.manifest.files.items():
        try:
            artefact.read(name)
            state = "unchanged"
        except OtzyvError as error:
            state = str(error)
            broken.append(name)
        out.print(f"* {name}, {file.bytes:,} bytes: {state}", soft_wrap=True)
    if broken:
        raise ModelError(
            f"model {number}: expected unchanged files, found others: {', '.join(broken)}; restore them, or import the "
            "model again"
        )


def promote(number: int, alias: Alias, reason: str, settings: Settings, store: Path | None) -> None:
    """Let a model serve."""
    with opened(settings, store, "otzyv models") as here:
        moved = registry(here).promote(number, alias, moved_by=user(), reason=storable(reason))
        if not moved:
            out.print(f"model {number} is {alias} already")
        elif store is not None:
            out.print(f"model {number} is {alias}; `otzyv predict --store {store}` uses it")
        else:
            out.print(f"model {number} is {alias}; workers use it from their next batch on")
            with here.database.transaction() as cursor:
                parked = awaiting.backlog(cursor, here.taxonomy_id).parked
            if parked:
                out.print(f"{parked:,} reviews waited for a champion and are predicted now")
                try:
                    sending.sweep()  # now, and not in a minute
                except OtzyvError as error:
                    remark("note", f"they are sent by the next sweep, because: {error}")


def rollback(reason: str, settings: Settings) -> None:
    """Let the champion before serve again."""
    here = runtime.build(settings)
    number = registry(here).rollback(moved_by=user(), reason=storable(reason))
    out.print(f"model {number} is champion again; workers use it from their next batch on")


def withdraw(alias: Alias, reason: str, settings: Settings) -> None:
    """Let nobody have an alias."""
    here = registry(runtime.build(settings))
    done = here.withdraw(alias, moved_by=user(), reason=storable(reason))
    out.print(f"nobody is {alias} any more" if done else f"nobody was {alias}")


def user() -> str:
    """Who moves an alias: the user's name, or number where it has no name, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def import_folder(
    folder: Path,
    sample: Path | None,
    text_column: str,
    gold: Path | None,
    max_tokens: int | None,
    settings: Settings,
) -> None:
    """Register a folder of transformers, or one that `otzyv models export` wrote."""
    if not folder.is_dir():
        raise InputFileError(f"{folder}: expected a folder with a model, found none")
    here = runtime.build(settings)
    known = registry(here)
    if (folder / manifests.NAME).exists():
        if gold is not None or max_tokens is not None:
            raise ConfigurationError(
                "otzyv models import: --gold and --max-tokens are for folders of transformers; an exported model "
                "has its metrics and its length already"
            )
        artefact = known.take_in(folder)
    else:
        checked: list[GoldRow] = []
        if gold is not None:
            # Gold can name its reviews only where they have ids.
            with_ids = sample if sample and "id" in next(InputFile(sample).records())[0] else None
            checked = read_gold(gold, with_ids, here.taxonomy)
        artefact = _exported(folder, _texts(sample, text_column, here), checked, max_tokens, here)
    number = known.register(artefact)
    _tell(artefact.manifest)
    out.print(f"its files are in {known.location.url}/{artefact.path}", soft_wrap=True)
    out.print(f"registered as model {number}; `otzyv models promote {number}` lets it serve")


def _exported(
    folder: Path, texts: list[str], checked: list[GoldRow], max_tokens: int | None, here: Runtime
) -> Artefact:
    try:
        from shared.classifiers.packaging import hugging_face, measuring, package
    except ImportError as error:
        raise ConfigurationError(
            f"otzyv models import: expected torch and onnx, found: {error}; in the project's folder: `make models`"
        ) from error
    with err.status("reading the model"):
        made = hugging_face.read_folder(folder, here.taxonomy, max_tokens)
    for name in hugging_face.trainers_files(folder):
        remark("left out", f"{name}, which is no part of the model")
    if checked:
        with err.status("measuring on gold"):
            made = measuring.measured(made, [row.text for row in checked], [row.category for row in checked])
    with err.status("exporting and comparing"):
        return package.package(made, here.taxonomy, texts, Location(here.settings.models))


def _texts(sample: Path | None, column: str, here: Runtime) -> list[str]:
    """Texts to compare the graphs on: from a file, or else stored reviews."""
    if sample is not None:
        texts = [str(row[column]) for row in read_records(sample, column) if row.get(column)]
        texts = random.Random(0).sample(texts, min(SAMPLE, len(texts)))  # noqa: S311  no secret
    else:
        with here.database.transaction() as cursor:
            texts = [text for _, text in reviews.some(cursor, SAMPLE)]
    if not texts:
        raise ModelError(
            "otzyv models import: expected reviews to compare the exported model on, found none in the database; "
            "name a file with --reviews"
        )
    if len(texts) < FEW:
        remark("note", f"only {len(texts)} texts to compare on; a file of more with --reviews says more")
    return texts


def _tell(says: Manifest) -> None:
    """How the exported graphs compare with the model, and what it reaches."""
    if (exported := says.export) is not None:
        for name, agreement in (("fp32", exported.fp32), ("int8", exported.int8)):
            if agreement is not None:
                out.print(
                    f"{name}: the same category as the model for {agreement.same:.2%} of {exported.texts:,} texts, "
                    f"probabilities up to {agreement.difference:.2g} apart",
                    soft_wrap=True,
                )
    if says.metrics or says.temperature != 1.0:
        shown = "".join(f"{name} {value:.4g}, " for name, value in says.metrics.items())
        out.print(f"{shown}temperature {says.temperature:.3g}", soft_wrap=True)
    else:
        remark(
            "not calibrated",
            "expected accuracy means little without a gold set; import with --gold to measure",
        )
    if exported is not None and exported.fallback:
        remark("fp32 serves", exported.fallback)


def export(number: int, folder: Path, settings: Settings, store: Path | None) -> None:
    """Copy a model's files to a folder, checked."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputFileError(f"{folder}: expected a new or empty folder, found something in it")
    with opened(settings, store, "otzyv models") as found:
        here = registry(found)
        artefact = here.artefact(number)
    try:
        for name in artefact.manifest.files:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(artefact.read(name))
        (folder / manifests.NAME).write_bytes(here.location.read(f"{artefact.path}/{manifests.NAME}"))
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise InputFileError(
            f"{folder}: expected a folder that can be written, found: {error.strerror}"
        ) from error
    out.print(f"model {number} is in {folder}; elsewhere: `otzyv models import {folder.name}`")
