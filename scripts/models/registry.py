"""`otzyv models`: what is registered, who serves, and every way of changing that."""

from __future__ import annotations

import getpass
import os
import random
import shutil
from datetime import datetime
from pathlib import Path

from scripts.command.console import out, remark
from scripts.command.database import opened
from scripts.command.escaping import storable
from scripts.command.progress import phase
from scripts.files.columns import names_in
from scripts.files.gold_file import GoldRow, read_gold
from scripts.files.options import TableOptions
from scripts.pages.tables import table
from shared.classifiers import Artefact
from shared.classifiers import manifest as manifests
from shared.classifiers.manifest import Manifest
from shared.classifiers.model_card import CALLED
from shared.classifiers.packaging.package import Servable, servable, written
from shared.errors import ConfigurationError, InputFileError, ModelError, ModelRefused, OtzyvError
from shared.quality.alias import Alias
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.serving.registry import Ask, Registry, alone
from shared.serving.shelf import Shelf, place_of_models
from shared.settings import Settings
from shared.store import aliases, awaiting, models, reviews
from shared.store.models import Model
from shared.store.processes import artefacts
from workers.tasks import loading, sending

SAMPLE = 1_000
"""Texts on which the graphs are compared with the model that they were made from."""
FEW = 100


def registry(here: Runtime, ask: Ask = alone) -> Registry:
    """The registry for a runtime's taxonomy. `ask` is as there."""
    place = place_of_models(here.database, here.settings.models)
    return Registry(here.database, place, here.taxonomy, here.taxonomy_id, ask)


def asking(settings: Settings, *, anyway: bool) -> Ask:
    """Who asks the workers that run, and tells what they do not know; with `anyway` also what they refuse."""

    def ask(model: Model) -> None:
        try:
            doubt = loading.asked(model, settings)
        except ModelRefused as error:
            if not anyway:
                raise ModelRefused(f"{error}; --anyway goes on all the same") from error
            doubt = str(error)
        if doubt:
            remark("note", doubt)

    return ask


def show_all(settings: Settings, store: Path | None) -> None:
    """Registered models and who serves, as a table, with the history of both aliases."""
    with opened(settings, store, "otzyv models") as here, here.database.transaction() as cursor:
        found = models.of_taxonomy(cursor, here.taxonomy.name)
        serving = aliases.current(cursor, here.taxonomy.name)
        moves = aliases.history(cursor, here.taxonomy.name)
        line = awaiting.backlog(cursor, here.taxonomy_id)
        kept = artefacts.kept(cursor)
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
            "the database" if model.id in kept else "OTZYV_MODELS",
        )
        for model, says in zip(found, told, strict=True)
    ]
    f1 = "weighted F1\non gold"
    heads = ("model", "serves as", "architecture", "runtime", "registered", f1, "files in")
    first = f"`otzyv train linear --here --store {store}`" if store else "`otzyv train linear`"
    nothing = f"no models are registered for this taxonomy; {first} trains one on the labels"
    out.print(table(heads, rows, left=5) if found else nothing, soft_wrap=not found)
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
        model, artefact = here.get(number), here.artefact(number)
        with found.database.transaction() as cursor:
            kept = artefacts.kept(cursor).get(number)
        out.print(artefact.read("README.md").decode(), soft_wrap=True)
        beside = f"kept in the database, {kept:,} bytes; here" if kept else "below"
        out.print(
            f"Files {beside} {here.location.url}/{model.path}, SHA-256 of the manifest {model.sha256}",
            soft_wrap=True,
        )
        broken = _broken(artefact)
    if broken:
        raise ModelError(
            f"model {number}: expected unchanged files, found others: {', '.join(broken)}; restore them, or import the "
            "model again"
        )


def _broken(artefact: Artefact) -> list[str]:
    """Tell of every file whether it is as it was written; the names of those that are not."""
    broken = []
    for name, file in artefact.manifest.files.items():
        try:
            artefact.read(name)
            state = "unchanged"
        except OtzyvError as error:
            state = str(error)
            broken.append(name)
        out.print(f"* {name}, {file.bytes:,} bytes: {state}", soft_wrap=True)
    return broken


def keep(number: int, folder: Path | None, settings: Settings, store: Path | None) -> None:
    """Put a model's files into the database."""
    with opened(settings, store, "otzyv models") as here:
        size = registry(here).keep(number, folder)
    out.print(
        f"model {number}: the database keeps its files, {size:,} bytes; every process that reads it can load it"
    )


def discard(number: int, settings: Settings, store: Path | None) -> None:
    """Take them out again."""
    with opened(settings, store, "otzyv models") as here:
        known = registry(here)
        done = known.discard(number)
    out.print(
        f"model {number}: its files are in {known.location.url} alone now; whoever reads another folder cannot load it"
        if done
        else f"model {number}: the database has none of its files",
        soft_wrap=True,
    )


def promote(
    number: int, alias: Alias, reason: str, settings: Settings, store: Path | None, *, anyway: bool
) -> None:
    """Let a model serve. No worker reads a store."""
    with opened(settings, store, "otzyv models") as here:
        known = registry(here, asking(settings, anyway=anyway)) if store is None else registry(here)
        moved = known.promote(number, alias, moved_by=user(), reason=storable(reason))
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


def rollback(reason: str, settings: Settings, store: Path | None, *, anyway: bool) -> None:
    """Let the champion before serve again."""
    with opened(settings, store, "otzyv models") as here:
        known = registry(here, asking(settings, anyway=anyway)) if store is None else registry(here)
        number = known.rollback(moved_by=user(), reason=storable(reason))
    out.print(f"model {number} is champion again; workers use it from their next batch on")


def withdraw(alias: Alias, reason: str, settings: Settings, store: Path | None) -> None:
    """Let nobody have an alias."""
    with opened(settings, store, "otzyv models") as here:
        done = registry(here).withdraw(alias, moved_by=user(), reason=storable(reason))
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
    text_columns: list[str] | None,
    gold: Path | None,
    max_tokens: int | None,
    settings: Settings,
    tables: TableOptions,
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
            with_ids = sample if sample and "id" in names_in(next(tables.table(sample).records())) else None
            checked = read_gold(gold, with_ids, here.taxonomy, tables)
        made = _exported(folder, _texts(sample, text_columns, here, tables), checked, max_tokens, here)
        artefact = written(made, known.location)
    number = known.register(artefact)
    _tell(artefact.manifest)
    kept = "the database, and a copy in " if isinstance(known.location, Shelf) else ""
    out.print(f"its files are in {kept}{known.location.url}/{artefact.path}", soft_wrap=True)
    out.print(f"registered as model {number}; `otzyv models promote {number}` lets it serve")


def _exported(
    folder: Path, texts: list[str], checked: list[GoldRow], max_tokens: int | None, here: Runtime
) -> Servable:
    try:
        from shared.classifiers.packaging import hugging_face, measuring
    except ImportError as error:
        raise ConfigurationError(
            f"otzyv models import: expected torch and onnx, found: {error}; in the project's folder: `make models`"
        ) from error
    with phase("reading the model"):
        made = hugging_face.read_folder(folder, here.taxonomy, max_tokens)
    for name in hugging_face.trainers_files(folder):
        remark("left out", f"{name}, which is no part of the model")
    if checked:
        with phase("measuring on gold"):
            made = measuring.measured(made, [row.text for row in checked], [row.category for row in checked])
    with phase("exporting and comparing"):
        return servable(made, here.taxonomy, texts)


def _texts(sample: Path | None, columns: list[str] | None, here: Runtime, tables: TableOptions) -> list[str]:
    """Texts to compare the graphs on: from a file, or else stored reviews."""
    if sample is not None:
        texts = tables.texts_of(sample, columns)
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
        shown = "".join(f"{CALLED.get(name, name)} {value:.4g}, " for name, value in says.metrics.items())
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
    try:
        with opened(settings, store, "otzyv models") as found:
            artefact = registry(found).artefact(number)
            for name in artefact.manifest.files:
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(artefact.read(name))
            (folder / manifests.NAME).write_bytes(artefact.document)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise InputFileError(
            f"{folder}: expected a folder that can be written, found: {error.strerror}"
        ) from error
    out.print(f"model {number} is in {folder}; elsewhere: `otzyv models import {folder.name}`")
