"""One training run from labels to a model with a verdict: prepare, train, register, measure on gold, promote or not.

It knows no broker. Everything is kept under the run's lease; what was done before an interruption is not done again.
What trains is `shared.training.network` and `linear_training`, what decides `shared.quality.promotion`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from psycopg2.extensions import cursor as Cursor

from shared.catalogue import ARCHITECTURES
from shared.classifiers import Artefact, Classifier, Location
from shared.classifiers.linear import LinearClassifier
from shared.classifiers.packaging.package import Package, package
from shared.compute.device import gpu_id
from shared.errors import ModelError
from shared.quality.evaluation import score
from shared.quality.promotion import PromotionDecision, decide
from shared.runs import folder as run_folder
from shared.runs.lease import Lease
from shared.serving.registry import Registry
from shared.settings import Settings
from shared.store import Database, aliases, gpu_claims, reviews, runs, snapshots, taxonomies
from shared.store.aliases import Move
from shared.store.runs import Run
from shared.store.snapshots import GoldText
from shared.taxonomy import Taxonomy
from shared.text.masking import without_words
from shared.training.arguments import Arguments, arguments
from shared.training.data import Data, facts, prepared
from shared.training.watch import Interrupted

log = structlog.get_logger()

LINEAR: Final = "linear"
SAMPLE: Final = 1_000
"""Stored reviews on which graphs are compared, and which later days are compared with."""
SPEED_S: Final = 2.0
"""Seconds of the measurement of a model's speed."""


class RunLost(Exception):
    """The run has gone to another process: nothing more of it is to be written."""


class ChampionMoved(Exception):
    """Somebody has moved the champion meanwhile: what was decided about it has to be decided anew."""


class Serving(NamedTuple):
    """Who serves and how that came about; the categories of the taxonomy's newest version."""

    move: Move | None
    categories: list[str]

    @property
    def champion(self) -> int | None:
        """The model that serves."""
        return None if self.move is None else self.move.model_id

    @property
    def held(self) -> str:
        """Why nothing may be moved without a person: one has taken a champion back. Empty where nobody has."""
        if self.move is None or self.move.action == "promote":
            return ""
        what = "rolled back" if self.move.action == "rollback" else "withdrawn"
        return f"the champion was {what} by {self.move.moved_by}, and stays so until somebody promotes one"


class HeldRun(NamedTuple):
    """What a run works with."""

    run: Run
    lease: Lease
    database: Database
    taxonomy: Taxonomy
    settings: Settings
    registry: Registry


def execute(run: Run, lease: Lease, database: Database, taxonomy: Taxonomy, settings: Settings) -> None:
    """Do a run that this process holds, or what is left of it, to its end.

    Raises:
        Interrupted: the lease said so; the run can be resumed.
        TrainingError, ModelError, ConfigurationError: it cannot be done as asked.
        RetryableError: the database or the place of models is away.
        RunLost: somebody else does it.
    """
    registry = Registry(database, Location(settings.models), taxonomy, run.taxonomy_id)
    here = HeldRun(run, lease, database, taxonomy, settings, registry)
    gold = _gold(here)
    model_id, answers = _made(here, gold) if run.model_id is None else _kept(here, run.model_id)
    decision = _promoted(here, model_id, answers, gold)
    _finish(here, decision)
    run_folder.clear(settings.training, run)


def _gold(here: HeldRun) -> list[GoldText]:
    with here.database.transaction() as cursor:
        gold = snapshots.gold(cursor, here.run.snapshot_id)
    return [msgspec.structs.replace(row, text=without_words(row.text)) for row in gold]


def _kept(here: HeldRun, model_id: int) -> tuple[int, list[str]]:
    """The model that the run had made before it was interrupted, and its answers about gold."""
    with here.database.transaction() as cursor:
        return model_id, runs.answers(cursor, here.run.id)


def _made(here: HeldRun, gold: Sequence[GoldText]) -> tuple[int, list[str]]:
    """Train, write the artefact, register it; its number and its answers about gold."""
    chosen = arguments(**here.run.arguments)
    here.lease.say("reads labels")
    began = time.monotonic()
    data, dropped = _data(here, chosen, gold)
    _go_on(here)
    prepared_s = time.monotonic() - began
    with _gpu(here, chosen):
        began = time.monotonic()
        here.lease.say(f"trains on {len(data.train):,} texts")
        made = _trained(here, chosen, data)
        trained_s = time.monotonic() - began
    here.lease.progress(1.0)
    _go_on(here)
    here.lease.say("exports and measures")
    artefact, told = _published(here, made, data, gold)
    told |= {
        "training_s": round(here.run.spent_s + prepared_s + trained_s, 1),
        "train_rows": len(data.train),
        "suspected_label_errors": dropped,
        "notes": _notes(chosen, data),
    }
    return _registered(here, artefact, told)


def _data(here: HeldRun, chosen: Arguments, gold: Sequence[GoldText]) -> tuple[Data, int]:
    """What to train on, and how many suspected label errors were dropped. Raises TrainingError."""
    with here.database.transaction() as cursor:
        rows = [
            msgspec.structs.replace(row, text=without_words(row.text))
            for row in snapshots.rows(cursor, here.run.snapshot_id)
        ]
    data = prepared(rows, (row.text for row in gold), here.taxonomy, chosen)
    if not chosen.clean_labels:
        return data, 0
    from shared.training.label_errors import without_suspects

    here.lease.say("looks for label errors")
    data, suspects = without_suspects(data, chosen.seed)
    return data, len(suspects)


@contextmanager
def _gpu(here: HeldRun, chosen: Arguments) -> Iterator[None]:
    """The GPU that the run computes on, to itself; nothing where it computes on none, or shares it."""
    gpu = None if chosen.architecture == LINEAR else gpu_id(chosen.device)
    if gpu is None or here.settings.gpu_shared:
        yield
        return

    def waiting() -> None:
        here.lease.say("waits for the GPU, which labels or trains (OTZYV_GPU_SHARED=true shares it)")
        if here.lease.stop():
            raise Interrupted(0)

    here.lease.wait(True)
    with gpu_claims.claimed(here.database, gpu, "training", waiting):
        here.lease.wait(False)
        yield


def _trained(here: HeldRun, chosen: Arguments, data: Data) -> Package | LinearClassifier:
    if chosen.architecture == LINEAR:
        from shared.training.linear import train_linear

        return train_linear(chosen, data)
    from shared.training.network import train

    folder = run_folder.of_attempt(here.settings.training, here.run)
    made: Package = train(chosen, data, folder, here.lease)
    return made


def _published(
    here: HeldRun, made: Package | LinearClassifier, data: Data, gold: Sequence[GoldText]
) -> tuple[Artefact, dict[str, Any]]:
    """The artefact, measured on gold by what will serve, and what it costs to serve."""
    sample = _sample(here, data)
    told: dict[str, Any] = {}

    def measure(classifier: Classifier) -> dict[str, float]:
        told["answers"] = _answers(classifier, gold)
        told["reviews_per_s"] = round(_speed(classifier, sample), 1)
        told["metrics"] = _metrics(gold, told["answers"])
        return dict(told["metrics"])

    dataset = {
        **facts(data),
        "snapshot": here.run.snapshot_id,
        "training_run": here.run.id,
        "seed": here.run.seed,
    }
    artefact = package(made, here.taxonomy, sample, here.registry.location, measure=measure, dataset=dataset)
    told["bytes"] = sum(artefact.manifest.files[name].bytes for name in artefact.served)
    return artefact, told


def _sample(here: HeldRun, data: Data) -> list[str]:
    """Texts as stored reviews are, but none that was trained on: a review of the validation part takes its place."""
    trained = {row.review_id for row in data.train}
    held_out = [row.text for row in data.validation]
    with here.database.transaction() as cursor:
        drawn = reviews.some(cursor, SAMPLE)
    chance = random.Random(here.run.seed)  # noqa: S311  no secret
    if not held_out:
        return [text for _, text in drawn]
    return [chance.choice(held_out) if number in trained else text for number, text in drawn]


def _answers(classifier: Classifier, gold: Sequence[GoldText]) -> list[str]:
    if not gold:
        return []
    columns = classifier.predict([row.text for row in gold]).probabilities.argmax(axis=1)
    return [classifier.labels[column] for column in columns]


def _metrics(gold: Sequence[GoldText], answers: Sequence[str]) -> dict[str, float]:
    if not gold:
        return {}
    found = score([row.category for row in gold], answers)
    return {
        "weighted_f1": found.weighted_f1,
        "macro_f1": found.macro_f1,
        "accuracy": found.accuracy,
        "gold_reviews": float(len(gold)),
    }


def _speed(classifier: Classifier, texts: Sequence[str]) -> float:
    """Texts a second on one core, each text once a round."""
    classifier.predict(texts[:50])
    began, done = time.monotonic(), 0
    while done == 0 or time.monotonic() - began < SPEED_S:
        classifier.predict(texts)
        done += len(texts)
    return done / (time.monotonic() - began)


def _notes(chosen: Arguments, data: Data) -> list[str]:
    """What a reader of the leaderboard has to know."""
    notes = [
        f"{count:,} left out: {reason}"
        for reason, count in data.left_out.items()
        if count and reason.startswith("too few")
    ]
    told = facts(data)
    notes += [
        f"{slug} is learnt from {count:,} reviews and {told['taxonomy_texts'][slug]:,} texts of the taxonomy"
        for slug, count in told["training_reviews"].items()
        if count < chosen.fewest <= count + told["taxonomy_texts"][slug]
    ]
    if chosen.random_weights and ARCHITECTURES[chosen.architecture].pretrained:
        notes.append(
            f"begins with random weights in the shape of {Path(str(chosen.base)).name}, not with pretrained ones"
        )
    return notes


def _registered(here: HeldRun, artefact: Artefact, told: dict[str, Any]) -> tuple[int, list[str]]:
    """The model's row and the run's, in one transaction."""
    answers: list[str] = told.pop("answers")
    with here.database.transaction() as cursor:
        number = here.registry.note(cursor, artefact)
        if not runs.keep_model(
            cursor, here.run.id, here.run.attempt, model_id=number, answers=answers, facts=told
        ):
            raise RunLost
    return number, answers


def _promoted(
    here: HeldRun, model_id: int, answers: Sequence[str], gold: Sequence[GoldText]
) -> PromotionDecision:
    """Judge the model against the champion of now, and move aliases where the run may."""
    while True:
        before = _serving(here)
        if before.move is not None and before.move.model_id == model_id:
            return PromotionDecision("champion", before.move.reason)
        decision = _decided(here, before, answers, gold)
        _go_on(here)
        if decision.place is None:
            return decision
        try:
            here.registry.promote(
                model_id,
                decision.place,
                moved_by=f"training run {here.run.id} ({here.run.asked_by})",
                reason=decision.reason,
                guard=partial(_check_still, here, before),
            )
        except ChampionMoved:
            continue
        return decision


def _serving(here: HeldRun) -> Serving:
    with here.database.transaction() as cursor:
        return _serving_by(cursor, here)


def _serving_by(cursor: Cursor, here: HeldRun) -> Serving:
    name = here.taxonomy.name
    return Serving(aliases.newest(cursor, name, "champion"), taxonomies.newest_slugs(cursor, name))


def _check_still(here: HeldRun, before: Serving, cursor: Cursor) -> None:
    """In the transaction that promotes: the run is still ours and wanted, and nobody has moved the champion meanwhile.

    Raises RunLost, Interrupted or ChampionMoved.
    """
    cancelled = runs.hold(cursor, here.run.id, here.run.attempt)
    if cancelled is None:
        raise RunLost
    if cancelled:
        here.lease.why = "cancelled"
        raise Interrupted(0)
    if _serving_by(cursor, here) != before:
        raise ChampionMoved


def _decided(
    here: HeldRun, before: Serving, answers: Sequence[str], gold: Sequence[GoldText]
) -> PromotionDecision:
    here.lease.say("compares with the champion")
    champion = before.champion
    automatic = here.run.auto_promote
    if automatic and before.categories != sorted(here.taxonomy.slugs):
        return PromotionDecision(
            None, f"the taxonomy {here.taxonomy.name} has a newer version with other categories"
        )
    theirs = None
    if champion is not None and gold:
        try:
            classifier = here.registry.artefact(champion).classifier()
        except ModelError as error:
            return PromotionDecision(
                None, f"the champion, model {champion}, cannot be loaded to compare with: {error}"
            )
        if sorted(classifier.labels) != sorted(here.taxonomy.slugs):
            return PromotionDecision(None, f"the champion, model {champion}, is for other categories")
        theirs = _answers(classifier, gold)
    with here.database.transaction() as cursor:
        comparisons = len(runs.of_experiment(cursor, here.run.experiment))
    return decide(
        [row.category for row in gold],
        answers,
        theirs,
        automatic=automatic,
        held=before.held,
        most_fall=here.settings.promote_most_fall,
        comparisons=comparisons,
    )


def _go_on(here: HeldRun) -> None:
    """Raises Interrupted where the run is to stop: what comes next would be seen by others."""
    here.lease.flush()
    if here.lease.stop():
        raise Interrupted(0)


def _finish(here: HeldRun, decision: PromotionDecision) -> None:
    verdict = {"place": decision.place, "reason": decision.reason}
    if decision.verdict is not None:
        verdict |= msgspec.to_builtins(decision.verdict)
    what = {"champion": "became champion: ", "challenger": "stays challenger: ", None: "not promoted: "}[
        decision.place
    ]
    with here.database.transaction() as cursor:
        if not runs.succeed(cursor, here.run.id, here.run.attempt, verdict, what + decision.reason):
            raise RunLost
    log.info("training.succeeded", run=here.run.id, place=decision.place, reason=decision.reason)
