"""`otzyv train`: asks for runs, one for each architecture and seed, or does them here."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from rich.table import Table

from scripts.command.console import out, remark
from scripts.command.database import opened
from scripts.command.ending import handled
from scripts.command.help import sentence
from scripts.files.answer_file import Given, read_answers
from scripts.language.language import counted, translated
from scripts.models.registry import user
from scripts.pages.tables import table
from scripts.quality.taken_answers import import_answers
from scripts.training.options import TrainOptions
from scripts.training.runs import follow_all, unfinished, watched
from shared.catalogue import ARCHITECTURES
from shared.errors import ConfigurationError, RetryableError, TrainingError
from shared.runs.schedule import asked
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store import runs, snapshots
from shared.store.runs import Asked
from shared.store.snapshots import Snapshot
from shared.training.arguments import Arguments, arguments
from workers.process.worker_name import node
from workers.rabbitmq.queue_states import has_consumers
from workers.rabbitmq.topology import GPU_TRAIN
from workers.tasks import sending
from workers.training.supervisor import Trainer

ALL = "all"
UNFINISHED = 3
OWN = ("architecture", "seed")
"""Arguments that are given otherwise: as the command's arguments, and by --seed and --seeds."""


def train(request: TrainOptions, settings: Settings) -> int:
    """Ask for the runs, and watch or do them if asked to; returns the exit status."""
    if "help" in (request.given or ()):
        out.print(arguments_table())
        return 0
    wanted = _wanted(request, settings)
    if request.store is not None and not request.here:
        raise ConfigurationError("otzyv train --store: no worker reads that folder; add --here")
    answers = answers_in_file(request, settings)
    with opened(settings, request.store, "otzyv train") as here:
        if request.gold is not None:
            import_answers(request.gold, answers, here)
        numbers = _ask(here, wanted) if wanted else []
        if request.here:
            return _work(here, numbers, request.store)
        try:
            for number in numbers:
                sending.wake_trainer(number)
            if not has_consumers(settings, GPU_TRAIN):
                told = translated(
                    "none that trains runs now; start one: `otzyv worker train`, or train by --here"
                )
                remark(translated("no worker"), told)
        except RetryableError as error:
            told = translated(
                "training workers look for runs by themselves, in a moment: {error}", error=error
            )
            remark(translated("note"), told)
        if request.follow:
            return 0 if watched(here, numbers) else UNFINISHED
    told = translated("watch them with `otzyv runs watch`; a worker does them: `otzyv worker train`")
    out.print(told, soft_wrap=True)
    return 0


def arguments_table() -> Table:
    """What --set takes."""
    rows = (
        (
            name,
            translated("the architecture's own") if field.default is None else str(field.default),
            translated(sentence(field.description or "")),
        )
        for name, field in Arguments.model_fields.items()
        if name not in OWN
    )
    return table((translated("argument"), translated("default"), translated("what it is")), rows, left=3)


def answers_in_file(request: TrainOptions, settings: Settings) -> list[Given]:
    """People's answers in the gold file, read before a server is asked or started; none where no file is named."""
    if request.gold is None:
        return []
    return read_answers(request.gold, runtime.load_taxonomy(settings), "people", tables=request)


def _wanted(request: TrainOptions, settings: Settings) -> list[Asked]:
    """One run for each architecture and seed. Raises TrainingError."""
    names = list(dict.fromkeys(request.architectures or ()))
    if ALL in names:
        names = list(ARCHITECTURES)
    if not names and not request.here:
        raise TrainingError(
            f"otzyv train: expected architectures out of {', '.join((*ARCHITECTURES, ALL))}, found none"
        )
    flags = {name: True for name in ("random_weights", "clean_labels") if getattr(request, name)}
    values = {"base": request.base, **flags, **_given(request.given or ())}
    if values.get("base") is not None:
        base = str(values["base"])
        if Path(base).is_dir():
            values["base"] = str(Path(base).absolute())  # a worker was started elsewhere
        elif request.here and base.startswith((".", "/", "~")):
            raise TrainingError(f"--base: expected a folder with an encoder, found none at {base}")
    return [
        asked(
            arguments(**{**values, "architecture": name, "seed": seed}),
            asked_by=user(),
            reason="otzyv train",
            auto_promote=request.auto_promote,
            time_limit_s=request.time_limit or settings.training_time_limit_s,
        )
        for name in names
        for seed in range(request.seed, request.seed + request.seeds)
    ]


def _given(pairs: Iterable[str]) -> dict[str, Any]:
    """Values of --set name=value; a list is separated by commas. Raises TrainingError."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        field = Arguments.model_fields.get(name)
        if not sign or field is None or name in OWN:
            names = ", ".join(name for name in Arguments.model_fields if name not in OWN)
            raise TrainingError(f"--set: expected name=value with a name out of {names}; found {pair!r}")
        values[name] = [one for one in value.split(",") if one] if name == "report_to" else value
    return values


def _ask(here: Runtime, wanted: list[Asked]) -> list[int]:
    with here.database.transaction() as cursor:
        snapshot = snapshots.get(cursor, snapshots.take(cursor, here.taxonomy_id))
        if len(snapshot.counts) < 2:
            found = ", ".join(f"{n:,} of {slug}" for slug, n in snapshot.counts.items()) or "none"
            raise TrainingError(
                "otzyv train: expected accepted labels of two categories or more for the taxonomy "
                f"{here.taxonomy.name} {here.taxonomy.version}, gold not counted; found {found}; let the cascade "
                "label reviews first"
            )
        experiment, numbers = runs.ask(cursor, here.taxonomy_id, snapshot.id, wanted)
    tell_asked(experiment, numbers, snapshot)
    return numbers


def tell_asked(experiment: int, numbers: list[int], snapshot: Snapshot) -> None:
    """Which runs there will be, and of what they learn."""
    told = translated(
        "experiment {experiment}: {runs}; {reviews}, {categories}; to measure on: {gold}",
        experiment=experiment,
        runs=translated("run {number}", number=numbers[0])
        if len(numbers) == 1
        else translated("runs {first} to {last}", first=numbers[0], last=numbers[-1]),
        reviews=counted(
            "{number} labelled review", "{number} labelled reviews", sum(snapshot.counts.values())
        ),
        categories=counted("{number} category", "{number} categories", len(snapshot.counts)),
        gold=counted("{number} gold review", "{number} gold reviews", snapshot.gold),
    )
    out.print(told, soft_wrap=True)
    if not snapshot.gold:
        told = translated(
            "nothing will say how good these models are; check labels with `otzyv audit`, or name a file with --gold"
        )
        remark(translated("no gold"), told)


def _work(here: Runtime, numbers: list[int], store: Path | None) -> int:
    """Do what is queued, in processes of this terminal; a run that is interrupted goes back to the queue.

    `numbers` are the runs that were asked for, whose end the exit status tells.
    """
    trainer = Trainer(here.settings, here.database, node("here"), idle=False)
    numbers = numbers or unfinished(here)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        told = translated(
            "the run stops at its next step, a network's with a checkpoint; {command} takes it up",
            command=f"`otzyv train --here{f' --store {store}' if store else ''}`",
        )
        remark(translated("stopping"), told)
        trainer.stop()

    with handled(stop, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        thread = threading.Thread(target=trainer.run, name="trainer")
        thread.start()
        whole = follow_all(here, numbers, while_=thread.is_alive)
        thread.join()
    return 0 if whole else UNFINISHED
