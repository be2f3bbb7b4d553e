"""Models by number: registered, promoted, rolled back. Every change is checked before and noted after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import safetensors.numpy
from psycopg2.extensions import cursor as Cursor

from shared.classifiers import Artefact, Location, OnnxClassifier
from shared.classifiers import manifest as manifests
from shared.classifiers.artefact import PICKLES, WEIGHTS, put
from shared.errors import InvalidAnswer, ModelError, OtzyvError
from shared.quality.alias import Alias
from shared.serving.shelf import Shelf
from shared.store import Database, aliases, models
from shared.store.models import Model
from shared.store.processes import artefacts
from shared.taxonomy import Taxonomy

Ask = Callable[[Model], None]

TOKENS_AT_ONCE: Final = 64
"""Of a check that reads a whole vocabulary: short texts cost least for each token."""


def _champions(cursor: Cursor, taxonomy: str) -> tuple[list[int], int | None]:
    """The line of champions, and who serves now."""
    line = aliases.champions(aliases.history(cursor, taxonomy))
    return line, aliases.current(cursor, taxonomy).get("champion")


def alone(_model: Model) -> None:
    """Whom a registry asks where no other process serves."""


class Registry:
    """The models of one taxonomy: their rows in the database, their artefacts at a location.

    `ask` is called with a model that is about to serve, and raises ModelRefused where others cannot load it.
    """

    def __init__(
        self, database: Database, location: Location, taxonomy: Taxonomy, taxonomy_id: int, ask: Ask = alone
    ) -> None:
        self._ask = ask
        self._database = database
        self.location: Final = location
        self._taxonomy = taxonomy
        self._name = taxonomy.name
        self._taxonomy_id = taxonomy_id

    def register(self, artefact: Artefact) -> int:
        """The number of an artefact that lies at the location; the same artefact again has the same number."""
        with self._database.transaction() as cursor:
            return self.note(cursor, artefact)

    def note(self, cursor: Cursor, artefact: Artefact) -> int:
        """`register` in somebody's transaction."""
        says = artefact.manifest
        number = models.register(
            cursor,
            self._taxonomy_id,
            architecture=says.architecture,
            path=artefact.path,
            sha256=artefact.sha256,
            labels=says.labels,
            manifest=manifests.encode(says),
        )
        if isinstance(self.location, Shelf):
            self.location.keep(cursor, number, artefact)
        return number

    def get(self, number: int) -> Model:
        """A registered model. Raises ModelError."""
        with self._database.transaction() as cursor:
            model = models.get(cursor, number)
        if model is None or model.taxonomy != self._name:
            raise ModelError(
                f"expected the number of a model for the taxonomy {self._name}, found {number}; "
                "see `otzyv models list`"
            )
        return model

    def artefact(self, number: int) -> Artefact:
        """Its artefact. Raises ModelError where the manifest is not the one that was registered."""
        model = self.get(number)
        return Artefact(self.location, model.path, model.sha256)

    def keep(self, number: int, folder: Path | None = None) -> int:
        """Put a model's files into the database, from its own folder or one above; returns how many bytes they are.

        Raises ModelError where they are not whole there, or the models of this set-up lie behind a URL.
        """
        model, shelf = self.get(number), self._shelf()
        place, path = Location(shelf.url), model.path
        if folder is not None:
            alone = (folder / manifests.NAME).exists()
            place = Location(str(folder.resolve().parent if alone else folder))
            path = folder.resolve().name if alone else path
        artefact = Artefact(place, path, model.sha256)
        with self._database.transaction() as cursor:
            artefacts.discard(cursor, number)
            shelf.keep(cursor, number, artefact)
            return artefacts.kept(cursor)[number]

    def discard(self, number: int) -> bool:
        """Take a model's files out of the database; False where it has none of them.

        Raises ModelError where the folder of this process has them not whole: nobody could load the model any more.
        """
        model, shelf = self.get(number), self._shelf()
        artefact = Artefact(Location(shelf.url), model.path, model.sha256)
        for name in artefact.manifest.files:
            artefact.read(name)
        with self._database.transaction() as cursor:
            return bool(artefacts.discard(cursor, number))

    def _shelf(self) -> Shelf:
        if not isinstance(self.location, Shelf):
            raise ModelError(
                f"OTZYV_MODELS: expected a folder, beside which the database keeps models, found {self.location.url}; "
                "they lie there and nowhere else"
            )
        return self.location

    def promote(
        self,
        number: int,
        alias: Alias,
        *,
        moved_by: str,
        reason: str = "",
        guard: Callable[[Cursor], None] = lambda _: None,
    ) -> bool:
        """Let a model be champion or challenger; False where it is already.

        A challenger that becomes champion is challenger no more. Raises ModelError where the model cannot serve: the
        old one goes on. Raises what `guard` raises, which is called in the transaction that moves.
        """
        self._ask(self._check(number))
        with self._database.transaction() as cursor:
            aliases.lock(cursor, self._name)
            now = aliases.current(cursor, self._name)
            guard(cursor)
            if alias == "challenger" and now.get("champion") == number:
                raise ModelError(
                    f"model {number}: expected another model than the champion as its challenger"
                )
            moved = aliases.move(
                cursor, self._name, alias, number, "promote", moved_by=moved_by, reason=reason
            )
            self._one_alias_each(cursor, moved_by)
        return moved

    def rollback(self, *, moved_by: str, reason: str = "") -> int:
        """Let the champion before the present one serve again, or the last one where nobody does; returns its number.

        Two rollbacks go two champions back. Raises ModelError where there is none, or it cannot serve.
        """
        with self._database.transaction() as cursor:
            line, serving = _champions(cursor, self._name)
        before = line if serving is None else line[:-1]
        if not before:
            raise ModelError(
                f"expected a champion before the present one, found {'none' if line else 'no champion at all'}; "
                "`otzyv models list` shows who served, `otzyv models promote` lets one serve"
            )
        self._ask(self._check(before[-1]))
        with self._database.transaction() as cursor:
            aliases.lock(cursor, self._name)
            if _champions(cursor, self._name) != (line, serving):
                raise ModelError(
                    "expected nobody to move the champion meanwhile, found it moved; look and try again"
                )
            aliases.move(
                cursor, self._name, "champion", before[-1], "rollback", moved_by=moved_by, reason=reason
            )
            self._one_alias_each(cursor, moved_by)
        return before[-1]

    def withdraw(self, alias: Alias, *, moved_by: str, reason: str = "") -> bool:
        """Let nobody have an alias; False where nobody has."""
        with self._database.transaction() as cursor:
            aliases.lock(cursor, self._name)
            return aliases.move(cursor, self._name, alias, None, "withdraw", moved_by=moved_by, reason=reason)

    def _one_alias_each(self, cursor: Cursor, moved_by: str) -> None:
        """A challenger that has become champion is challenger no more."""
        now = aliases.current(cursor, self._name)
        if now.get("champion") is not None and now.get("champion") == now.get("challenger"):
            why = "became champion"
            aliases.move(cursor, self._name, "challenger", None, "withdraw", moved_by=moved_by, reason=why)

    def take_in(self, folder: Path) -> Artefact:
        """Copy an artefact that `otzyv models export` wrote to the location, after all of it is checked.

        Raises ModelError for pickles, files that are not what the manifest says, weights that are no numbers, labels
        that are not the taxonomy's, and graphs or linear models that cannot be loaded.
        """
        pickles = sorted(path.name for path in folder.rglob("*") if path.suffix.lower() in PICKLES)
        if pickles:
            raise ModelError(
                f"{folder}: expected no pickles, found {', '.join(pickles)}: they can run code; remove them"
            )
        given = Artefact(Location(str(folder.resolve().parent)), folder.resolve().name)
        self._check_labels(str(folder), given.manifest.labels)
        if given.manifest.taxonomy != self._name:
            raise ModelError(
                f"{folder}: expected a model for the taxonomy {self._name}, found one for "
                f"{given.manifest.taxonomy}; import it where that taxonomy is in use"
            )
        contents = {name: given.read(name) for name in given.manifest.files}
        _check_weights(str(folder), contents.get(WEIGHTS))
        _try(str(folder), given)
        _read_every_token(str(folder), given)
        manifest = (folder / manifests.NAME).read_bytes()
        return put(self.location, given.manifest, given.sha256, {**contents, manifests.NAME: manifest})

    def _check(self, number: int) -> Model:
        """The model. Raises ModelError unless it can serve: labels, files, its graph or the linear model itself."""
        model = self.get(number)
        self._check_labels(f"model {number}", tuple(model.labels))
        artefact = Artefact(self.location, model.path, model.sha256)
        for name in artefact.manifest.files:
            artefact.read(name)
        _try(f"model {number}", artefact)
        return model

    def _check_labels(self, what: str, labels: tuple[str, ...]) -> None:
        wanted = self._taxonomy.slugs
        if sorted(labels) != sorted(wanted):
            raise ModelError(
                f"{what}: expected the categories of the taxonomy {self._name} ({', '.join(wanted)}), found "
                f"{', '.join(labels)}"
            )


def _check_weights(what: str, content: bytes | None) -> None:
    if content is None:
        return
    try:
        tensors = safetensors.numpy.load(content)
    except Exception as error:
        raise ModelError(f"{what}: expected readable weights in {WEIGHTS}, found: {error}") from error
    broken = sorted(name for name, tensor in tensors.items() if not np.isfinite(tensor).all())
    if broken:
        raise ModelError(f"{what}: expected finite weights, found NaN or infinity in {broken[0]}")


def _read_every_token(what: str, artefact: Artefact) -> None:
    """A graph from elsewhere may hold other numbers than the weights beside it: it has to read each token once.

    A linear model has no others, and they were checked when it was loaded.
    """
    classifier = artefact.classifier()
    if not isinstance(classifier, OnnxClassifier):
        return
    width = min(artefact.manifest.max_tokens, TOKENS_AT_ONCE)
    last = classifier.tokens.last_id
    for start in range(0, last + 1, width):
        logits = classifier.logits([list(range(start, min(start + width, last + 1)))])
        if not np.isfinite(logits).all():
            raise ModelError(
                f"{what}: expected finite logits, found others for tokens {start} to {start + width - 1}; the graph "
                "is damaged: export the model again"
            )


def _try(what: str, artefact: Artefact) -> None:
    """One prediction, and the longest text of the last token: whatever a review contains, the graph has to read it.

    A graph that answers nonsense, or for another number of labels, is refused.
    """
    classifier = artefact.classifier()
    try:
        shape = classifier.predict(["Отзыв"]).probabilities.shape
        if isinstance(classifier, OnnxClassifier):
            classifier.logits([[classifier.tokens.last_id] * artefact.manifest.max_tokens])
    except InvalidAnswer as error:
        raise ModelError(f"{what}: {error}") from error
    except OtzyvError:
        raise
    except Exception as error:
        raise ModelError(f"{what}: expected a graph that answers, found: {error}") from error
    if shape != (1, len(classifier.labels)):
        raise ModelError(f"{what}: expected {len(classifier.labels)} logits, found {shape[1]}")
