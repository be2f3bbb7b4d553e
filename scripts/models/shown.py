"""`otzyv models list` and `show`: what is registered, who serves, and one model with its files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.table import Table

from scripts.command.console import out
from scripts.command.database import opened
from scripts.language.language import counted, grouped, translated
from scripts.models.registry import in_bytes, registry
from scripts.pages import figures
from scripts.pages.tables import table
from shared.classifiers import Artefact
from shared.classifiers import manifest as manifests
from shared.errors import ModelError, OtzyvError
from shared.settings import Settings
from shared.store import aliases, awaiting, models
from shared.store.aliases import Move
from shared.store.processes import artefacts


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
            figures.share(says.metrics["weighted_f1"]) if "weighted_f1" in says.metrics else "",
            translated("the database") if model.id in kept else "OTZYV_MODELS",
        )
        for model, says in zip(found, told, strict=True)
    ]
    first = f"`otzyv train linear --here --store {store}`" if store else "`otzyv train linear`"
    nothing = translated(
        "no models are registered for this taxonomy; {command} trains one on the labels", command=first
    )
    out.print(table_of(rows) if found else nothing, soft_wrap=not found)
    for move in moves[-10:]:
        out.print(f"{_when(move.at)}  {moved(move)}", soft_wrap=True)
    waiting = counted(
        "{number} review awaits a prediction; {parked} of them wait for a champion that can be loaded",
        "{number} reviews await a prediction; {parked} of them wait for a champion that can be loaded",
        line.awaiting,
        parked=grouped(line.parked),
    )
    out.print(waiting, soft_wrap=True)


def table_of(rows: Sequence[Sequence[str]]) -> Table:
    """Models, under the heads of their figures."""
    heads = (translated("model"), translated("serves as"), translated("architecture"), translated("runtime"))
    more = (translated("registered"), translated("weighted F1\non gold"), translated("files in"))
    return table((*heads, *more), rows, left=5)


def moved(move: Move) -> str:
    """One change of an alias, in a line."""
    before, after = (
        translated("model {number}", number=number) if number else translated("nobody")
        for number in (move.previous_id, move.model_id)
    )
    told = translated("{action} by {who}", action=move.action, who=move.moved_by)
    why = f": {move.reason}" if move.reason else ""
    return f"{move.alias}: {before} → {after}, {told}{why}"


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
        place = f"{here.location.url}/{model.path}"
        if kept:
            told = translated(
                "Files kept in the database, {size}; here {place}, SHA-256 of the manifest {sha256}",
                size=in_bytes(kept),
                place=place,
                sha256=model.sha256,
            )
        else:
            told = translated(
                "Files below {place}, SHA-256 of the manifest {sha256}", place=place, sha256=model.sha256
            )
        out.print(told, soft_wrap=True)
        broken = tell_files(artefact)
    if broken:
        raise ModelError(
            f"model {number}: expected unchanged files, found others: {', '.join(broken)}; restore them, or import the "
            "model again"
        )


def tell_files(artefact: Artefact) -> list[str]:
    """Tell of every file whether it is as it was written; the names of those that are not."""
    broken = []
    for name, file in artefact.manifest.files.items():
        try:
            artefact.read(name)
            state = translated("unchanged")
        except OtzyvError as error:
            state = str(error)
            broken.append(name)
        out.print(f"* {name}, {in_bytes(file.bytes)}: {state}", soft_wrap=True)
    return broken
