"""Real training workers over a real RabbitMQ and PostgreSQL: killed, stopped, cancelled, and what they promote."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("torch", reason="torch is not installed: `make models`")

from kombu import Connection

from shared.runtime import runtime
from shared.settings import Settings, load
from shared.store import Database
from shared.training import checkpoints
from tests.support import ledger, tiny_training, training_data
from tests.support.processes import kill, run, started
from tests.support.producer import publish, review
from tests.support.servers import PATIENCE_S, RabbitNode, rabbit_node, wait_until
from tests.support.stored import ask
from tests.support.training_data import status

SMALL = ("--set", "learning_rate=1e-3", "--set", "batch_rows=8", "--set", "taxonomy_rows=false")
"""27 steps an epoch."""
LONG = ("--set", "epochs=1000", "--set", "patience=1000")
"""Minutes, of which a test waits for a few seconds."""


class Place:
    """Reviews with labels and gold, an encoder, and folders for models and checkpoints."""

    def __init__(self, settings: Settings, database: Database, folder: Path) -> None:
        self.settings, self.database, self.folder = settings, database, folder
        here = runtime.build(settings, database)
        training_data.store(database, here.taxonomy_id)
        self.base = tiny_training.base(folder / "base")
        self.env = {
            "OTZYV_MODELS": str(folder / "models"),
            "OTZYV_TRAINING": str(folder / "training"),
            "OTZYV_TRAINING_LEASE_S": "2",
            "OTZYV_WORKER_PROCESSES": "1",
        }

    def train(self, *arguments: str) -> str:
        done = run("train", *arguments, settings=self.settings, **self.env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def full(self, *arguments: str) -> None:
        """Ask for a run of `full` on the tiny encoder."""
        self.train("full", "--base", str(self.base), *SMALL, *arguments)

    @contextmanager
    def worker(self, name: str = "train", **more: str) -> Iterator[Any]:
        log = self.folder / f"{name}.log"
        arguments = ("worker", "train", "--name", name)
        with started(*arguments, settings=self.settings, log=log, **self.env | more) as process:
            yield process

    def ended(self, number: int = 1) -> bool:
        return status(self.database)[number - 1][1] in ("succeeded", "failed", "cancelled")

    def step(self, number: int = 1) -> int:
        query = "SELECT coalesce(max(step), 0) FROM training_metrics WHERE run_id = %s"
        return int(ask(self.database, query, number)[0][0])

    def forget_steps(self) -> int:
        """Forget what was logged; the step of the newest whole checkpoint, behind which a run that goes on begins."""
        ask(self.database, "DELETE FROM training_metrics RETURNING 1")
        return max(int(path.name.split("-")[1]) for path in self.whole_checkpoints())

    def first_step(self) -> int:
        return int(ask(self.database, "SELECT min(step) FROM training_metrics")[0][0])

    def field(self, name: str, number: int = 1) -> Any:
        return ask(self.database, f"SELECT {name} FROM training_runs WHERE id = %s", number)[0][0]

    def checkpoints(self, number: int = 1) -> list[Path]:
        return sorted((self.folder / "training").glob(f"run-{number}-*/attempt-*/checkpoint-*"))

    def whole_checkpoints(self) -> list[Path]:
        return [path for path in self.checkpoints() if checkpoints.is_whole(path)]


@pytest.fixture
def place(settings: Settings, database: Database, tmp_path: Path) -> Place:
    return Place(settings, database, tmp_path)


def test_a_run_is_trained_measured_and_registered_and_its_folder_cleared(place: Place) -> None:
    with place.worker():
        place.train("linear", "--follow")
        place.full("--set", "epochs=3", "--seeds", "2", "--follow")
    assert status(place.database) == [(1, "succeeded"), (2, "succeeded"), (3, "succeeded")]
    assert ledger.count(place.database, "models") == 3
    assert place.field("(facts->'metrics'->>'weighted_f1')::real") > 0.9
    assert place.checkpoints(2) == []
    assert place.step(2) > 0
    listed = run("runs", "list", settings=place.settings)
    assert listed.stdout.count("succeeded") == 3
    shown = run("runs", "show", "2", settings=place.settings).stdout
    assert "held_out_loss" in shown
    compared = run("runs", "compare", "1", "2", "3", settings=place.settings, **place.env)
    assert compared.returncode == 0, compared.stderr
    assert "2 seeds" in compared.stdout


def test_a_run_whose_worker_is_killed_goes_on_from_its_checkpoint_on_another(place: Place) -> None:
    place.full("--set", "patience=1000", "--set", "epochs=30", "--set", "checkpoint_steps=10")
    with place.worker("first") as worker:
        wait_until(lambda: place.step() >= 40, "some steps")
        kill(worker)
    reached = place.forget_steps()
    assert not place.ended()
    with place.worker("second"):
        wait_until(place.ended, "the run to end")
    assert status(place.database) == [(1, "succeeded")]
    assert (place.field("attempt"), place.field("crashes")) == (2, 1)
    assert place.first_step() > reached


def test_a_worker_that_is_killed_while_it_saves_leaves_the_champion_serving_and_the_run_goes_on(
    place: Place,
) -> None:
    place.train("linear", "--auto-promote")
    with place.worker():
        wait_until(place.ended, "a champion")
    place.full("--set", "epochs=3", "--set", "checkpoint_steps=3", "--auto-promote")
    with place.worker("killed") as worker:
        wait_until(lambda: status(place.database)[1] == (2, "running"), "the run to begin")
        # Looks more often than `wait_until`: a checkpoint is written in some hundredths of a second.
        end = time.monotonic() + PATIENCE_S
        while not is_stopped_in_the_middle_of_saving(place, worker.pid):
            assert time.monotonic() < end, "the worker was never stopped in the middle of saving"
            assert not place.ended(2), "the worker was never stopped in the middle of saving"
        kill(worker)
    assert is_unsealed(place)
    assert champion(place) == 1
    with place.worker("last"):
        wait_until(lambda: place.ended(2), "the run to end")
    assert status(place.database) == [(1, "succeeded"), (2, "succeeded")]
    listed = run("models", "list", settings=place.settings, **place.env)
    assert listed.returncode == 0, listed.stderr


def is_stopped_in_the_middle_of_saving(place: Place, worker: int) -> bool:
    """Stop the worker if it saves at the moment, and look again: where it was through with that, it goes on.

    Whoever looks and kills at once comes too late on a busy machine.
    """
    if not is_unsealed(place):
        return False
    os.killpg(worker, signal.SIGSTOP)
    parent = psutil.Process(worker)
    family = [parent, *parent.children(recursive=True)]
    wait_until(lambda: all(one.status() in STILL for one in family), "the worker to stand still")
    if is_unsealed(place):
        return True
    os.killpg(worker, signal.SIGCONT)
    return False


STILL = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)


def is_unsealed(place: Place) -> bool:
    """Whether the second run's newest checkpoint is not whole."""
    found = max(place.checkpoints(2), key=lambda path: int(path.name.split("-")[1]), default=None)
    return found is not None and not (found / checkpoints.MARKER).exists()


def test_only_the_training_process_is_killed_and_its_worker_goes_on_with_the_run(place: Place) -> None:
    place.full("--set", "patience=1000", "--set", "epochs=30")
    with place.worker() as worker:
        wait_until(lambda: place.step() >= 20, "some steps")
        child = training_process(worker.pid)
        child.kill()
        wait_until(place.ended, "the run to end")
    assert status(place.database) == [(1, "succeeded")]
    assert place.field("crashes") == 1


def training_process(worker: int) -> psutil.Process:
    (child,) = [
        one
        for one in psutil.Process(worker).children()
        if "workers.training.child" in " ".join(one.cmdline())
    ]
    return child


def test_no_training_process_outlives_its_worker(place: Place) -> None:
    place.full(*LONG)
    with place.worker() as worker:
        wait_until(lambda: place.step() >= 1, "a step")
        child = training_process(worker.pid)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(PATIENCE_S)
        wait_until(lambda: not child.is_running() or child.status() == "zombie", "the child to leave")


def test_a_worker_that_is_stopped_gives_its_run_back_with_a_checkpoint(place: Place) -> None:
    place.full(*LONG)
    with place.worker("first") as worker:
        wait_until(lambda: place.step() >= 20, "some steps")
        worker.terminate()
        assert worker.wait(PATIENCE_S) == 0
    assert status(place.database) == [(1, "queued")]
    assert place.field("crashes") == 0
    assert place.checkpoints()
    reached = place.forget_steps()
    with place.worker("second"):
        wait_until(lambda: place.step() > 0, "the run to go on")
        assert place.first_step() > reached
        assert place.field("worker").startswith("second@")


def test_a_running_run_is_cancelled_at_its_next_step_and_the_next_one_begins(place: Place) -> None:
    place.full(*LONG)
    place.train("linear")
    with place.worker():
        wait_until(lambda: place.step() >= 1, "a step")
        assert "stops at its next step" in run("runs", "cancel", "1", settings=place.settings).stdout
        wait_until(lambda: place.ended(2), "the next run to end")
    assert status(place.database) == [(1, "cancelled"), (2, "succeeded")]


def test_a_run_over_its_time_limit_fails_and_the_next_one_begins(place: Place) -> None:
    place.full(*LONG, "--time-limit", "8")
    place.train("linear")
    with place.worker():
        wait_until(lambda: place.ended(2), "the next run to end")
    assert status(place.database) == [(1, "failed"), (2, "succeeded")]
    assert "expected to end within 8 s" in place.field("message")


def test_what_cannot_be_trained_fails_with_a_sentence(place: Place) -> None:
    place.train("full", "--base", str(place.folder / "nowhere"))
    place.train("linear", "--set", "fewest=100000")
    with place.worker():
        wait_until(lambda: place.ended(2), "both to end")
    assert status(place.database) == [(1, "failed"), (2, "failed")]
    assert "nowhere: expected a config.json" in place.field("message")
    assert "expected at least 2 categories" in place.field("message", 2)


def wrong(place: Place) -> None:
    """Give two words of each category to the other one: what is trained on that is right about three of five."""
    right(place)
    swapped = "|".join(word for words in training_data.WORDS.values() for word in words[:2])
    with place.database.transaction() as cursor:
        cursor.execute(
            "UPDATE labels l SET category = CASE category WHEN 'shoes' THEN 'clothes' ELSE 'shoes' END "
            "FROM reviews r WHERE r.id = l.review_id AND r.text ~ %s",
            (swapped,),
        )


def right(place: Place) -> None:
    clothes = "|".join(training_data.WORDS["clothes"])
    with place.database.transaction() as cursor:
        cursor.execute(
            "UPDATE labels l SET category = CASE WHEN r.text ~ %s THEN 'clothes' ELSE 'shoes' END "
            "FROM reviews r WHERE r.id = l.review_id",
            (clothes,),
        )


def test_a_worse_model_is_not_promoted_a_better_one_is_and_cpu_workers_serve_it_within_seconds(
    place: Place,
) -> None:
    arguments = ("linear", "--auto-promote", "--follow", "--set", "taxonomy_rows=false")
    with (
        place.worker(),
        started("worker", "cpu", settings=place.settings, log=place.folder / "cpu.log", **place.env),
    ):
        wrong(place)
        place.train(*arguments)
        assert champion(place) == 1
        right(place)
        place.train(*arguments)
        assert champion(place) == 2, place.field("message", 2)
        publish(place.settings, json.dumps(review(10_000, "Платье номер 1")).encode())
        served = "SELECT model_id FROM predictions"
        wait_until(lambda: ask(place.database, served), "a prediction")
        assert ask(place.database, served) == [(place.field("model_id", 2),)], "by the new champion at once"
        wrong(place)
        place.train(*arguments)
        assert champion(place) == 2, place.field("message", 2)
    verdict = place.field("verdict", 3)
    assert verdict["place"] == "challenger"
    assert "not better" in verdict["reason"]
    history = " ".join(run("models", "list", settings=place.settings, **place.env).stdout.split())
    assert "training run 2" in history
    assert "not better" in history


def champion(place: Place) -> int:
    query = "SELECT model_id FROM model_aliases WHERE alias = 'champion' ORDER BY id DESC LIMIT 1"
    return int(ask(place.database, query)[0][0])


def test_a_run_is_not_cut_by_the_brokers_acknowledgement_time_out(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    # The channel of a consumer that holds a message for 3 s is closed, and that is looked at every second.
    with (
        rabbit_node("{consumer_timeout, 3000}, {channel_tick_interval, 1000}") as node,
        node.virtual_host() as url,
    ):
        place = Place(load(amqp_url=url, database_url=database_url), database, tmp_path)
        place.full("--set", "epochs=1", "--seeds", "2")
        place.full(*LONG)
        place.train("linear")
        with place.worker():
            wait_until(lambda: place.step(3) > 0, "the third run to begin")
            wait_until(lambda: place.field("spent_s", 3) > 15, "the third run to take long")
            run("runs", "cancel", "3", settings=place.settings)
            wait_until(lambda: place.ended(4), "the fourth run to end")
            # The worker consumes still: a new message wakes it at once.
            place.train("linear", "--follow")
        assert [state for _, state in status(database)] == [
            "succeeded", "succeeded", "cancelled", "succeeded", "succeeded",
        ]  # fmt: skip
        assert "PreconditionFailed" not in (tmp_path / "train.log").read_text()
        assert time_out_is_in_force(node, url)


def time_out_is_in_force(node: RabbitNode, url: str) -> bool:
    """Whether the node closes a channel that holds a message: otherwise the test above says nothing."""
    with Connection(url) as connection, connection.channel() as channel:
        channel.queue_declare("held", durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
        with connection.Producer(channel) as producer:
            producer.publish("x", routing_key="held", exchange="")
        wait_until(lambda: channel.basic_get("held") is not None, "the message")
        try:
            connection.drain_events(timeout=PATIENCE_S)
        except Exception as error:  # noqa: BLE001  whatever the driver calls it
            return "timeout" in str(error).lower() or "406" in str(error)
    return False


def test_a_linear_run_that_is_cancelled_makes_no_champion(place: Place) -> None:
    place.train("linear", "--auto-promote")
    with place.worker():
        wait_until(lambda: status(place.database) == [(1, "running")], "the run to begin")
        run("runs", "cancel", "1", settings=place.settings)
        wait_until(place.ended, "the run to end")
    assert status(place.database) == [(1, "cancelled")]
    assert ledger.count(place.database, "model_aliases") == 0
    assert not list((place.folder / "training").glob("run-*"))


def test_a_champion_that_a_person_rolled_back_is_not_replaced_by_a_run(place: Place) -> None:
    arguments = ("linear", "--auto-promote", "--follow", "--set", "taxonomy_rows=false")
    with place.worker():
        wrong(place)
        place.train(*arguments, "--set", "regularisation=0.9")
        right(place)
        place.train(*arguments)
        assert champion(place) == 2
        assert run("models", "rollback", settings=place.settings, **place.env).returncode == 0
        place.train(*arguments, "--set", "regularisation=1.1")
    assert champion(place) == 1
    assert "the champion was rolled back by" in place.field("message", 3)


def test_a_run_for_other_categories_than_the_champions_is_not_promoted(place: Place) -> None:
    place.train("linear", "--auto-promote")
    with place.database.transaction() as cursor:
        cursor.execute(
            """
            INSERT INTO taxonomies (name, version, document)
            SELECT name, 'later', jsonb_set(document, '{categories}', (document->'categories') - 0) FROM taxonomies
            """
        )
    with place.worker():
        wait_until(place.ended, "the run to end")
    assert status(place.database) == [(1, "succeeded")]
    assert "has a newer version with other categories" in place.field("message")
    assert ledger.count(place.database, "model_aliases") == 0


def test_runs_of_two_databases_with_one_number_do_not_go_on_from_each_others_checkpoints(
    place: Place,
) -> None:
    place.full(*LONG)
    with place.worker("first") as worker:
        wait_until(place.whole_checkpoints, "a checkpoint")
        kill(worker)
    assert place.whole_checkpoints()
    with place.database.transaction() as cursor:
        cursor.execute("DELETE FROM training_runs")
        cursor.execute("ALTER TABLE training_runs ALTER COLUMN id RESTART WITH 1")
    place.full("--set", "epochs=1")
    with place.worker("second"):
        wait_until(place.ended, "the run to end")
    assert ask(place.database, "SELECT min(step) FROM training_metrics") == [(1,)]


def test_who_asks_for_a_run_is_told_that_no_worker_trains(place: Place) -> None:
    done = run("train", "linear", settings=place.settings, **place.env)
    assert (done.returncode, "no worker: none that trains runs now" in done.stderr) == (0, True), done.stderr
    with place.worker():
        wait_until(place.ended, "the run to end")
        done = run("train", "linear", settings=place.settings, **place.env)
        assert (done.returncode, "no worker" in done.stderr) == (0, False), done.stderr


def test_labels_of_something_else_replace_those_of_stages_and_not_those_of_people(place: Place) -> None:
    with place.database.transaction() as cursor:
        cursor.execute("UPDATE labels SET status = 'human', stage = NULL WHERE review_id = 1")
    names = ask(place.database, "SELECT external_id FROM reviews ORDER BY id LIMIT 3")
    path = place.folder / "theirs.csv"
    path.write_text("id,category\n" + "".join(f"{name},обувь\n" for (name,) in names), encoding="utf-8")
    done = run("labels", "import", path, "--method", "my-llm", settings=place.settings)
    assert done.returncode == 0, done.stderr
    assert "2 reviews have labels by my-llm; 1 keeps what people gave" in done.stdout
    assert "replaced: 2 by test" in done.stdout
    by = "SELECT coalesce(stage, status), count(*) FROM labels WHERE review_id <= 3 GROUP BY 1 ORDER BY 1"
    assert ask(place.database, by) == [("human", 1), ("my-llm", 2)]
    for content, method, told in (
        (
            f"id,category\n{names[0][0]},обувь\n{names[0][0]},одежда\n",
            "x",
            "found another answer in row 2 and no order",
        ),
        ("id,category\nnobody,обувь\n", "x", "expected one stored review with the id 'nobody', found none"),
        (f"id,category,confidence\n{names[0][0]},обувь,2\n", "x", "expected a confidence from 0 to 1"),
        (f"id,category\n{names[0][0]},обувь\n", "human", "--method: expected a name"),
    ):
        path.write_text(content, encoding="utf-8")
        refused = run("labels", "import", path, "--method", method, settings=place.settings)
        assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
        assert told in " ".join(refused.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("full", "--set", "seed=7"), "--set: expected name=value with a name out of"),
        (("full", "--set", "epochs=0"), "epochs: Input should be greater than or equal to 1"),
        (("fool",), "architecture: expected one of linear, lstm"),
        (
            ("full", "--here", "--base", "./nowhere"),
            "--base: expected a folder with an encoder, found none",
        ),
        ((), "expected architectures out of linear, lstm"),
        (
            ("linear", "--here", "--store", "nowhere"),
            "--store: expected a folder that `otzyv label --store` has made",
        ),
        (("linear", "--store", "nowhere"), "add --here"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_a_sentence(
    arguments: tuple[str, ...], told: str, database_url: str
) -> None:
    done = run("train", *arguments, OTZYV_DATABASE_URL=database_url)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert told in " ".join(done.stderr.split())


def test_training_here_needs_no_broker_and_goes_on_with_what_was_interrupted(place: Place) -> None:
    away = {**place.env, "OTZYV_AMQP_URL": "amqp://guest:guest@127.0.0.1:1//"}
    done = run("train", "linear", "--here", settings=place.settings, **away)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    log = place.folder / "here.log"
    command = ("train", "full", "--here", "--base", str(place.base), *SMALL, *LONG)
    with started(*command, settings=place.settings, log=log, **away) as process:
        wait_until(lambda: place.step(2) >= 20, "some steps")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 3
    assert status(place.database) == [(1, "succeeded"), (2, "queued")]
    run("runs", "cancel", "2", settings=place.settings)
    place.full("--set", "epochs=1")
    done = run("train", "--here", settings=place.settings, **away)
    assert done.returncode == 0, done.stderr
    assert status(place.database)[2] == (3, "succeeded")
