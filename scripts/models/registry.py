"""`otzyv models`: who serves, what the database keeps, and every way of changing that. What is there: `shown`."""

from __future__ import annotations

import getpass
import os
import random
import shutil
from pathlib import Path

from scripts.command.console import out, remark
from scripts.command.database import opened
from scripts.command.escaping import storable
from scripts.command.progress import phase
from scripts.files.columns import names_in
from scripts.files.gold_file import GoldRow, read_gold
from scripts.files.options import TableOptions
from scripts.language.language import counted, translated
from scripts.pages import figures
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
from shared.store import awaiting, reviews
from shared.store.models import Model
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
            remark(translated("note"), doubt)

    return ask


def keep(number: int, folder: Path | None, settings: Settings, store: Path | None) -> None:
    """Put a model's files into the database."""
    with opened(settings, store, "otzyv models") as here:
        size = registry(here).keep(number, folder)
    told = translated(
        "model {number}: the database keeps its files, {size}; every process that reads it can load it",
        number=number,
        size=in_bytes(size),
    )
    out.print(told, soft_wrap=True)


def discard(number: int, settings: Settings, store: Path | None) -> None:
    """Take them out again."""
    with opened(settings, store, "otzyv models") as here:
        known = registry(here)
        done = known.discard(number)
    if done:
        told = translated(
            "model {number}: its files are in {place} alone now; whoever reads another folder cannot load it",
            number=number,
            place=known.location.url,
        )
    else:
        told = translated("model {number}: the database has none of its files", number=number)
    out.print(told, soft_wrap=True)


def in_bytes(number: int) -> str:
    """How large it is."""
    return counted("{number} byte", "{number} bytes", number)


def promote(
    number: int, alias: Alias, reason: str, settings: Settings, store: Path | None, *, anyway: bool
) -> None:
    """Let a model serve. No worker reads a store."""
    with opened(settings, store, "otzyv models") as here:
        known = registry(here, asking(settings, anyway=anyway)) if store is None else registry(here)
        moved = known.promote(number, alias, moved_by=user(), reason=storable(reason))
        if not moved:
            out.print(translated("model {number} is {alias} already", number=number, alias=alias))
        elif store is not None:
            told = translated(
                "model {number} is {alias}; `otzyv predict --store {store}` uses it",
                number=number,
                alias=alias,
                store=store,
            )
            out.print(told, soft_wrap=True)
        else:
            told = translated(
                "model {number} is {alias}; workers use it from their next batch on",
                number=number,
                alias=alias,
            )
            out.print(told, soft_wrap=True)
            send_parked(here)


def send_parked(here: Runtime) -> None:
    """What waited for a champion is predicted now, and not in a minute."""
    with here.database.transaction() as cursor:
        parked = awaiting.backlog(cursor, here.taxonomy_id).parked
    if not parked:
        return
    told = counted(
        "{number} review waited for a champion and is predicted now",
        "{number} reviews waited for a champion and are predicted now",
        parked,
    )
    out.print(told, soft_wrap=True)
    try:
        sending.sweep()
    except OtzyvError as error:
        told = translated("they are sent by the next sweep, because: {error}", error=error)
        remark(translated("note"), told)


def rollback(reason: str, settings: Settings, store: Path | None, *, anyway: bool) -> None:
    """Let the champion before serve again."""
    with opened(settings, store, "otzyv models") as here:
        known = registry(here, asking(settings, anyway=anyway)) if store is None else registry(here)
        number = known.rollback(moved_by=user(), reason=storable(reason))
    told = translated(
        "model {number} is champion again; workers use it from their next batch on", number=number
    )
    out.print(told, soft_wrap=True)


def withdraw(alias: Alias, reason: str, settings: Settings, store: Path | None) -> None:
    """Let nobody have an alias."""
    with opened(settings, store, "otzyv models") as here:
        done = registry(here).withdraw(alias, moved_by=user(), reason=storable(reason))
    gone, nobody = (
        translated("nobody is {alias} any more", alias=alias),
        translated("nobody was {alias}", alias=alias),
    )
    out.print(gone if done else nobody)


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
    tell_registered(number, artefact, known)


def tell_registered(number: int, artefact: Artefact, known: Registry) -> None:
    """Where a new model lies, and what lets it serve."""
    place = f"{known.location.url}/{artefact.path}"
    if isinstance(known.location, Shelf):
        told = translated("its files are in the database, and a copy in {place}", place=place)
    else:
        told = translated("its files are in {place}", place=place)
    out.print(told, soft_wrap=True)
    told = translated(
        "registered as model {number}; `otzyv models promote {number}` lets it serve", number=number
    )
    out.print(told, soft_wrap=True)


def _exported(
    folder: Path, texts: list[str], checked: list[GoldRow], max_tokens: int | None, here: Runtime
) -> Servable:
    try:
        from shared.classifiers.packaging import hugging_face, measuring
    except ImportError as error:
        raise ConfigurationError(
            f"otzyv models import: expected torch and onnx, found: {error}; in the project's folder: `make models`"
        ) from error
    with phase(translated("reading the model")):
        made = hugging_face.read_folder(folder, here.taxonomy, max_tokens)
    for name in hugging_face.trainers_files(folder):
        remark(translated("left out"), translated("{file}, which is no part of the model", file=name))
    if checked:
        with phase(translated("measuring on gold")):
            made = measuring.measured(made, [row.text for row in checked], [row.category for row in checked])
    with phase(translated("exporting and comparing")):
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
        told = counted(
            "only {number} text to compare on; a file of more with --reviews says more",
            "only {number} texts to compare on; a file of more with --reviews says more",
            len(texts),
        )
        remark(translated("note"), told)
    return texts


def _tell(says: Manifest) -> None:
    """How the exported graphs compare with the model, and what it reaches."""
    if (exported := says.export) is not None:
        for name, agreement in (("fp32", exported.fp32), ("int8", exported.int8)):
            if agreement is not None:
                told = counted(
                    "{graph}: the same category as the model for {share} of {number} text, probabilities up to "
                    "{difference} apart",
                    "{graph}: the same category as the model for {share} of {number} texts, probabilities up to "
                    "{difference} apart",
                    exported.texts,
                    graph=name,
                    share=figures.percent(agreement.same),
                    difference=figures.short(agreement.difference, 2),
                )
                out.print(told, soft_wrap=True)
    if says.metrics or says.temperature != 1.0:
        shown = [
            f"{translated(CALLED.get(name, name))} {figures.short(value, 4)}"
            for name, value in says.metrics.items()
        ]
        heat = translated("temperature {value}", value=figures.short(says.temperature, 3))
        out.print(", ".join((*shown, heat)), soft_wrap=True)
    else:
        told = translated("expected accuracy means little without a gold set; import with --gold to measure")
        remark(translated("not calibrated"), told)
    if exported is not None and exported.fallback:
        remark(translated("fp32 serves"), exported.fallback)


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
    told = translated(
        "model {number} is in {folder}; elsewhere: `otzyv models import {name}`",
        number=number,
        folder=folder,
        name=folder.name,
    )
    out.print(told, soft_wrap=True)
