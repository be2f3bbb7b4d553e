"""One training run from labels to a model with a verdict: prepare, train, register, measure on gold, promote or not.

It knows no broker. Everything is kept under the run's lease; what was done before an interruption is not done again.
What trains is `shared.training.network` and `linear`, what decides `shared.quality.promotion`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import structlog

from shared.catalogue import ARCHITECTURES
from shared.classifiers.packaging.package import Package, TrainedModel, servable, written
from shared.compute.device import gpu_id
from shared.runs import folder as run_folder
from shared.runs.held_run import HeldRun, RunLost
from shared.runs.lease import Lease
from shared.runs.measuring import measured
from shared.runs.promoting import promoted
from shared.serving.registry import Ask, Registry, alone
from shared.serving.shelf import place_of_models
from shared.settings import Settings
from shared.store import Database, gpu_claims, reviews, runs, snapshots
from shared.store.runs import Run
from shared.store.snapshots import GoldText
from shared.taxonomy import Taxonomy
from shared.text.masking import without_words
from shared.training.arguments import Arguments, arguments
from shared.training.data import Data, facts, prepared
from shared.training.watch import Interrupted

log = structlog.get_logger()

LINEAR: Final = "linear"
PAIR: Final = "pair"
SAMPLE: Final = 1_000
"""Stored reviews on which graphs are compared, and which later days are compared with."""
_ENDS: Final = {"champion": "became champion: ", "challenger": "stays challenger: ", None: "not promoted: "}


def execute(
    run: Run, lease: Lease, database: Database, taxonomy: Taxonomy, settings: Settings, ask: Ask = alone
) -> None:
    """Do a run that this process holds, or what is left of it, to its end. `ask` is as in `Registry`.

    Raises:
        Interrupted: the lease said so; the run can be resumed.
        TrainingError, ModelError, ConfigurationError: it cannot be done as asked.
        RetryableError: the database or the place of models is away.
        RunLost: somebody else does it.
    """
    place = place_of_models(database, settings.models)
    registry = Registry(database, place, taxonomy, run.taxonomy_id, ask)
    held = HeldRun(run, lease, database, taxonomy, settings, registry)
    with database.transaction() as cursor:
        gold = [
            msgspec.structs.replace(row, text=without_words(row.text))
            for row in snapshots.gold(cursor, run.snapshot_id)
        ]
        # Of the model that the run had made before it was interrupted, if it had.
        answers = [] if run.model_id is None else runs.answers(cursor, run.id)
    model_id = run.model_id
    if model_id is None:
        model_id, answers = _made(held, gold)
    decision = promoted(held, model_id, answers, gold)
    verdict = {"place": decision.place, "reason": decision.reason}
    if decision.verdict is not None:
        verdict |= msgspec.to_builtins(decision.verdict)
    what = _ENDS[decision.place] + decision.reason
    with database.transaction() as cursor:
        if not runs.succeed(cursor, run.id, run.attempt, verdict, what):
            raise RunLost
    log.info("training.succeeded", run=run.id, place=decision.place, reason=decision.reason)
    run_folder.clear(settings.training, run)


def _made(held: HeldRun, gold: Sequence[GoldText]) -> tuple[int, list[str]]:
    """Train, write the artefact, register it; its number and its answers about gold."""
    run, lease = held.run, held.lease
    chosen = arguments(**run.arguments)
    lease.say("reads labels")
    began = time.monotonic()
    data, dropped = _data(held, chosen, gold)
    held.go_on()
    spent_s = run.spent_s + time.monotonic() - began
    with _gpu(held, chosen):
        began = time.monotonic()
        lease.say(f"trains on {len(data.train):,} texts")
        made = _trained(held, chosen, data)
        spent_s += time.monotonic() - began
    lease.progress(1.0)
    held.go_on()
    lease.say("exports and measures")
    sample = _sample(held, data)
    ready = servable(made, held.taxonomy, sample)
    answers, metrics, reviews_per_s = measured(ready.classifier, gold, sample)
    dataset = {**facts(data), "snapshot": run.snapshot_id, "training_run": run.id, "seed": run.seed}
    artefact = written(ready, held.registry.location, metrics=metrics, dataset=dataset)
    told = {
        "training_s": round(spent_s, 1),
        "train_rows": len(data.train),
        "suspected_label_errors": dropped,
        "notes": _notes(chosen, data),
        "metrics": metrics,
        "reviews_per_s": reviews_per_s,
        "bytes": sum(artefact.manifest.files[name].bytes for name in artefact.served),
    }
    with held.database.transaction() as cursor:
        number = held.registry.note(cursor, artefact)
        if not runs.keep_model(cursor, run.id, run.attempt, number, answers, told):
            raise RunLost
    return number, answers


def _data(held: HeldRun, chosen: Arguments, gold: Sequence[GoldText]) -> tuple[Data, int]:
    """What to train on, and how many suspected label errors were dropped. Raises TrainingError."""
    with held.database.transaction() as cursor:
        rows = [
            msgspec.structs.replace(row, text=without_words(row.text))
            for row in snapshots.rows(cursor, held.run.snapshot_id)
        ]
    data = prepared(rows, (row.text for row in gold), held.taxonomy, chosen)
    if not chosen.clean_labels:
        return data, 0
    held.lease.say("looks for label errors")
    # Needs scikit-learn: 130 MiB and a second that other runs do without. So does the linear model below.
    from shared.training.label_errors import without_suspects

    data, suspects = without_suspects(data, chosen.seed)
    return data, len(suspects)


@contextmanager
def _gpu(held: HeldRun, chosen: Arguments) -> Iterator[None]:
    """The GPU that the run computes on, to itself; nothing where it computes on none, or shares it."""
    gpu = None if chosen.architecture == LINEAR else gpu_id(chosen.device)
    if gpu is None or held.settings.gpu_shared:
        yield
        return

    def waiting() -> None:
        held.lease.say("waits for the GPU, which labels or trains (OTZYV_GPU_SHARED=true shares it)")
        if held.lease.stop():
            raise Interrupted(0)

    held.lease.wait(True)
    with gpu_claims.claimed(held.database, gpu, "training", waiting):
        held.lease.wait(False)
        yield


def _trained(held: HeldRun, chosen: Arguments, data: Data) -> TrainedModel:
    if chosen.architecture == LINEAR:
        from shared.training.linear import train_linear

        return train_linear(chosen, data, held.lease)
    folder = run_folder.of_attempt(held.settings.training, held.run)
    # Both need torch, which the linear model is trained without.
    from shared.training import network, pair

    if chosen.architecture == PAIR:
        return pair.train_pair(chosen, data, folder, held.lease)
    made: Package = network.train(chosen, data, folder, held.lease)
    return made


def _sample(held: HeldRun, data: Data) -> list[str]:
    """Texts as stored reviews are, but none that was trained on: a review of the validation part takes its place."""
    trained = {row.review_id for row in data.train}
    held_out = [row.text for row in data.validation]
    with held.database.transaction() as cursor:
        drawn = reviews.some(cursor, SAMPLE)
    chance = random.Random(held.run.seed)  # noqa: S311  no secret
    return [chance.choice(held_out) if held_out and number in trained else text for number, text in drawn]


def _notes(chosen: Arguments, data: Data) -> list[str]:
    """What a reader of the leaderboard has to know."""
    notes = [
        f"{count:,} left out: {reason}"
        for reason, count in data.left_out.items()
        if count and reason.startswith("too few")
    ]
    told = facts(data)
    notes += [
        f"reviews that {slug} is learnt from: {count:,}, and texts of the taxonomy: {told['taxonomy_texts'][slug]:,}"
        for slug, count in told["training_reviews"].items()
        if count < chosen.fewest <= count + told["taxonomy_texts"][slug]
    ]
    if chosen.random_weights and ARCHITECTURES[chosen.architecture].pretrained:
        notes.append(
            f"begins with random weights in the shape of {Path(str(chosen.base)).name}, not with pretrained ones"
        )
    return notes
