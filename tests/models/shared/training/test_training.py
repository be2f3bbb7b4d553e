"""Training that is stopped, killed, short of memory or asked for too much, with a real trainer on a tiny encoder."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: `make models`")

import torch

from shared.classifiers.onnx_classifier import Tokens
from shared.classifiers.packaging.logits import torch_logits
from shared.classifiers.packaging.package import Package
from shared.classifiers.temperature import fit_temperature
from shared.errors import ConfigurationError, ModelError, TrainingError
from shared.training import checkpoints
from shared.training.arguments import arguments
from shared.training.batching import ByLength
from shared.training.data import Data
from shared.training.network import train
from shared.training.trainer import Loss
from shared.training.watch import Interrupted
from tests.support import tiny_training
from tests.support.tiny_training import LABELS, STEPS_PER_EPOCH, Eyes, chosen, data

ALL = (*data().train, *data().validation)
EPOCHS = 4


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_training.base(tmp_path_factory.mktemp("base") / "tiny-encoder")


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Package, Eyes]:
    """A run that nothing interrupted, and what was seen of it."""
    eyes = Eyes()
    return train(tried(base), data(), tmp_path_factory.mktemp("whole"), eyes), eyes


def tried(base: Path, architecture: str = "full", **values: Any) -> Any:
    """Arguments of a run of 32 steps, with dropout, so that random numbers matter."""
    return chosen(base, architecture, **{"epochs": EPOCHS, "dropout": 0.2} | values)


def answers(made: Package) -> np.ndarray:
    ids, _ = Tokens(made.tokenizer, made.max_tokens)([row.text for row in ALL])
    return torch_logits(made.network, ids)


def same(found: Package, expected: Package) -> None:
    np.testing.assert_allclose(answers(found), answers(expected), atol=1e-5)
    assert found.temperature == pytest.approx(expected.temperature, abs=1e-3)


def steps(folder: Path) -> list[int]:
    """Numbers of the checkpoints in a run's folder."""
    return sorted(int(path.name.split("-")[1]) for path in folder.glob("checkpoint-*"))


# What comes out


def test_a_run_tells_its_watch_how_far_and_how_good_it_is(whole: tuple[Package, Eyes]) -> None:
    _, eyes = whole
    steps_taken = EPOCHS * STEPS_PER_EPOCH
    assert eyes.shares == [*(step / steps_taken for step in range(1, steps_taken + 1)), 1.0]
    assert [step for step, _ in eyes.validated()] == [8, 16, 24, 32]
    told = {name for _, _, values in eyes.logged for name in values}
    assert told == {"loss", "learning_rate", "held_out_loss", "held_out_weighted_f1", "held_out_macro_f1"}
    losses = [(step, epoch, values["loss"]) for step, epoch, values in eyes.logged if "loss" in values]
    assert losses[0][:2] == (1, 0.125)
    assert losses[-1][2] < losses[0][2]


def test_the_weights_of_the_best_epoch_and_a_temperature_of_the_validation_part_come_out(
    whole: tuple[Package, Eyes],
) -> None:
    made, eyes = whole
    ids, _ = Tokens(made.tokenizer, made.max_tokens)([row.text for row in data().validation])
    logits = torch_logits(made.network, ids)
    truth = np.array([LABELS.index(row.category) for row in data().validation])
    best = max(value for _, value in eyes.validated())
    assert best == pytest.approx((logits.argmax(axis=1) == truth).mean(), abs=0.3)
    assert made.temperature == pytest.approx(fit_temperature(logits, truth))
    assert (made.architecture, made.labels, made.origin) == ("full", LABELS, "trained on tiny-encoder")


def test_the_same_seed_gives_the_same_model_and_another_seed_another(
    base: Path, tmp_path: Path, whole: tuple[Package, Eyes]
) -> None:
    same(train(tried(base), data(), tmp_path / "again", Eyes()), whole[0])
    other = train(tried(base, seed=1), data(), tmp_path / "other", Eyes())
    assert np.abs(answers(other) - answers(whole[0])).max() > 1e-3


def test_the_newest_checkpoints_and_the_best_one_are_kept(base: Path, tmp_path: Path) -> None:
    eyes = Eyes()
    train(tried(base, epochs=6, learning_rate=1e-3), data(), tmp_path, eyes)
    best = max(eyes.validated(), key=lambda told: (told[1], -told[0]))[0]
    assert steps(tmp_path) == sorted({best, 40, 48})
    assert all(checkpoints.is_whole(path) for path in tmp_path.glob("checkpoint-*"))


# Stopped, killed and taken up again


@pytest.mark.parametrize("architecture", ["full", "lora", "mlp", "bert_lstm"])
@pytest.mark.parametrize("step", [11, 16], ids=["in an epoch", "after an epoch"])
def test_a_run_that_is_stopped_goes_on_from_there_and_ends_as_if_it_was_not(
    base: Path, tmp_path: Path, architecture: str, step: int
) -> None:
    asked = tried(base, architecture, epochs=3)
    with pytest.raises(
        Interrupted, match=f"stopped after step {step}; training goes on from there"
    ) as stopped:
        train(asked, data(), tmp_path / "run", Eyes(stop=step))
    assert stopped.value.step == step
    assert step in steps(tmp_path / "run")
    eyes, undisturbed = Eyes(), Eyes()
    found = train(asked, data(), tmp_path / "run", eyes)
    assert eyes.shares[0] == (step + 1) / (3 * STEPS_PER_EPOCH)
    same(found, train(asked, data(), tmp_path / "undisturbed", undisturbed))
    assert eyes.validated() == [told for told in undisturbed.validated() if told[0] > step]


def test_lstm_too_goes_on_where_it_was_stopped(base: Path, tmp_path: Path) -> None:
    asked = tried(base, "lstm", epochs=2)
    with pytest.raises(Interrupted):
        train(asked, data(), tmp_path / "run", Eyes(stop=5))
    same(
        train(asked, data(), tmp_path / "run", Eyes()), train(asked, data(), tmp_path / "undisturbed", Eyes())
    )


def killed(base: Path, folder: Path, eyes: str, values: str = "") -> int:
    """The signal that ended a process which trained as `whole` was."""
    code = (
        "import sys; from pathlib import Path; import torch; torch.set_num_threads(1)\n"
        "from shared.training.network import train\n"
        "from tests.support.tiny_training import Eyes, chosen, data\n"
        f"asked = chosen(Path(sys.argv[1]), epochs=4, dropout=0.2, {values})\n"
        f"train(asked, data(), Path(sys.argv[2]), Eyes({eyes}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, base, folder], capture_output=True, text=True, check=False
    )
    assert done.returncode < 0, done.stderr
    return -done.returncode


def test_a_killed_process_loses_no_more_than_the_steps_since_its_last_checkpoint(
    base: Path, tmp_path: Path, whole: tuple[Package, Eyes]
) -> None:
    assert killed(base, tmp_path, "kill=14", "checkpoint_steps=5") == signal.SIGKILL
    assert steps(tmp_path) == [8, 10]
    eyes = Eyes()
    same(train(tried(base, checkpoint_steps=5), data(), tmp_path, eyes), whole[0])
    assert eyes.shares[0] == 11 / 32


def test_a_process_that_is_killed_while_it_writes_a_checkpoint_goes_on_from_the_one_before(
    base: Path, tmp_path: Path, whole: tuple[Package, Eyes]
) -> None:
    room = (base / "model.safetensors").stat().st_size * 3 // 2
    assert killed(base, tmp_path, f"choke=9, file_bytes={room}") == signal.SIGXFSZ
    broken = checkpoints.place(tmp_path, 16)
    assert (broken / "model.safetensors").is_file()
    assert (broken / "optimizer.pt").is_file()
    assert not (broken / checkpoints.MARKER).exists()
    eyes = Eyes()
    same(train(tried(base), data(), tmp_path, eyes), whole[0])
    assert eyes.shares[0] == 9 / 32


def shorten(checkpoint: Path, name: str) -> None:
    with (checkpoint / name).open("r+b") as file:
        file.truncate(file.seek(0, 2) // 2)


BROKEN = {
    "without a marker": lambda checkpoint: (checkpoint / checkpoints.MARKER).unlink(),
    "with half a marker": lambda checkpoint: shorten(checkpoint, checkpoints.MARKER),
    "with half of the weights": lambda checkpoint: shorten(checkpoint, "model.safetensors"),
    "with half of the optimizer": lambda checkpoint: shorten(checkpoint, "optimizer.pt"),
    "without a state": lambda checkpoint: (checkpoint / checkpoints.STATE).unlink(),
    "with a file more": lambda checkpoint: (checkpoint / "scaler.pt").write_bytes(b"?"),
    "empty": lambda checkpoint: [path.unlink() for path in checkpoint.iterdir()],
}


@pytest.fixture(scope="module")
def stopped(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was stopped in its third epoch."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.raises(Interrupted):
        train(tried(base), data(), folder, Eyes(stop=20))
    assert steps(folder)[-2:] == [16, 20]
    return folder


@pytest.mark.parametrize("damage", BROKEN)
def test_a_checkpoint_that_was_not_written_to_its_end_is_deleted(
    base: Path, tmp_path: Path, stopped: Path, whole: tuple[Package, Eyes], damage: str
) -> None:
    folder = Path(shutil.copytree(stopped, tmp_path / "run"))
    BROKEN[damage](checkpoints.place(folder, 20))
    assert checkpoints.newest(folder) == checkpoints.place(folder, 16)
    assert 20 not in steps(folder)
    if damage == "without a marker":
        eyes = Eyes()
        same(train(tried(base), data(), folder, eyes), whole[0])
        assert eyes.shares[0] == 17 / 32


def test_a_checkpoint_whose_best_one_is_lost_is_no_place_to_go_on_from(tmp_path: Path, stopped: Path) -> None:
    folder = Path(shutil.copytree(stopped, tmp_path / "run"))
    best = checkpoints.state(checkpoints.place(folder, 20))["best_global_step"]
    assert best in (8, 16)
    shutil.rmtree(checkpoints.place(folder, best))
    assert checkpoints.newest(folder) is None or best == 16
    assert 20 not in steps(folder)


def test_a_folder_without_checkpoints_is_a_beginning(tmp_path: Path) -> None:
    assert checkpoints.newest(tmp_path / "nowhere") is None
    (tmp_path / "checkpoint-of-mine").mkdir()
    assert checkpoints.newest(tmp_path) is None
    assert (tmp_path / "checkpoint-of-mine").is_dir()


# Early stopping


def never_better(base: Path, **values: Any) -> Any:
    """Arguments of a run that learns nothing: its first validation is its best."""
    return tried(base, learning_rate=1e-12, weight_decay=0, epochs=20, patience=2, **values)


def test_a_run_that_gets_no_better_stops_after_its_patience(base: Path, tmp_path: Path) -> None:
    eyes = Eyes()
    train(never_better(base), data(), tmp_path, eyes)
    assert [step for step, _ in eyes.validated()] == [8, 16, 24]
    assert eyes.shares[-2:] == [24 / 160, 1.0]


def test_patience_that_is_used_up_stays_so_when_a_run_is_taken_up(base: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(never_better(base), data(), tmp_path, Eyes(stop=18))
    eyes = Eyes()
    train(never_better(base), data(), tmp_path, eyes)
    assert [step for step, _ in eyes.validated()] == [24]


def test_a_run_that_had_ended_takes_no_further_step(base: Path, tmp_path: Path) -> None:
    first = train(never_better(base), data(), tmp_path, Eyes())
    eyes = Eyes()
    same(train(never_better(base), data(), tmp_path, eyes), first)
    assert eyes.shares == [1.0]
    with pytest.raises(Interrupted):
        train(tried(base, "lora", epochs=1), data(), tmp_path / "all", Eyes(stop=8))
    eyes = Eyes()
    train(tried(base, "lora", epochs=1), data(), tmp_path / "all", eyes)
    assert eyes.shares == [1.0]


# Memory


@pytest.mark.parametrize("balance", ["none", "weights"])
def test_a_step_without_memory_is_done_in_parts_and_stays_the_same_step(
    base: Path, tmp_path: Path, balance: str
) -> None:
    calm: dict[str, Any] = {"balance": balance, "dropout": 0.0, "epochs": 2, "learning_rate": 1e-3}
    folder = Path(shutil.copytree(base, tmp_path / "calm"))
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    eyes = Eyes(full=11, no_memory=2)
    found = train(tried(folder, **calm), data(), tmp_path / "run", eyes)
    expected = train(tried(folder, **calm), data(), tmp_path / "roomy", Eyes())
    np.testing.assert_allclose(answers(found), answers(expected), atol=1e-3)
    assert eyes.shares[11] == 9 / 16


def test_a_run_without_memory_for_one_text_says_so(base: Path, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match="expected memory for a training step of one text, found too little"
    ):
        train(tried(base), data(), tmp_path, Eyes(full=1, no_memory=100))


def test_the_parts_of_a_step_add_up_to_its_loss() -> None:
    logits = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 1, 0, 1, 1])
    for weights in ((), (0.5, 2.0)):
        loss = Loss(weights)
        parts = [loss({"logits": logits[at : at + 2]}, labels[at : at + 2], 6) for at in (0, 2, 4)]
        torch.testing.assert_close(sum(parts), loss({"logits": logits}, labels))


# Batches


def test_every_epoch_reads_all_texts_once_in_an_order_of_its_own() -> None:
    lengths = np.random.default_rng(0).integers(1, 40, 1_001).tolist()
    order = ByLength(lengths, 16, seed=3)
    read = []
    for epoch in (0, 1, 0):
        order.set_epoch(epoch)
        read.append(list(order))
        assert sorted(read[-1]) == list(range(1_001))
    assert read[0] == read[2] != read[1]
    batches = [[lengths[at] for at in read[0][start : start + 16]] for start in range(0, 1_001, 16)]
    padding = sum(max(batch) * len(batch) - sum(batch) for batch in batches)
    assert padding < 0.1 * sum(lengths)


@pytest.mark.parametrize("balance", ["oversample", "weights"])
def test_rare_categories_are_balanced_as_asked(base: Path, tmp_path: Path, balance: str) -> None:
    few = [row for row in data().train if row.category == "clothes"][:3]
    many = [row for row in data().train if row.category == "electronics"]
    rare = msgspec.structs.replace(data(), train=(*few, *many))
    eyes = Eyes()
    train(tried(base, balance=balance, epochs=1), rare, tmp_path, eyes)
    texts = 2 * len(many) if balance == "oversample" else len(many) + 3
    assert len(eyes.shares) == -(-texts // 4) + 1


# What is refused


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"epochs": 0}, "epochs: Input should be greater than or equal to 1; found 0"),
        ({"learning_rate": -1}, "learning_rate: Input should be greater than 0; found -1"),
        ({"dropout": 1}, "dropout: Input should be less than 1; found 1"),
        ({"max_tokens": 3}, "max_tokens: Input should be greater than or equal to 8; found 3"),
        (
            {"balance": "smote"},
            "balance: Input should be 'oversample', 'weights', 'roots' or 'none'; found 'smote'",
        ),
        ({"speed": 1}, "speed: Extra inputs are not permitted; found 1"),
    ],
)
def test_an_argument_out_of_range_is_named(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TrainingError) as error:
        arguments(architecture="full", **values)
    assert sentence in str(error.value)


def refused(asked: Any, given: Data, folder: Path, error: type[Exception] = TrainingError) -> str:
    with pytest.raises(error) as told:
        train(asked, given, folder, Eyes())
    return str(told.value)


def test_an_integration_that_is_not_installed_is_named_with_how_to_install_it(
    base: Path, tmp_path: Path
) -> None:
    sentence = refused(tried(base, report_to=("wandb",)), data(), tmp_path)
    assert "found 'wandb'; pip install wandb, or leave it out" in sentence
    assert "found 'telegraph'" in refused(tried(base, report_to=("telegraph",)), data(), tmp_path)


def test_half_numbers_are_for_gpus(base: Path, tmp_path: Path) -> None:
    sentence = refused(tried(base, dtype="float16"), data(), tmp_path)
    assert "expected float32 or auto on the device cpu, found float16" in sentence


def test_a_device_that_is_not_there_is_named(base: Path, tmp_path: Path) -> None:
    assert "found 'cuda:77'" in refused(tried(base, device="cuda:77"), data(), tmp_path, ConfigurationError)


def test_data_that_cannot_be_trained_on_is_refused(base: Path, tmp_path: Path) -> None:
    def changed(**fields: Any) -> str:
        return refused(tried(base), msgspec.structs.replace(data(), **fields), tmp_path)

    assert "expected at least two categories to train on, found 1" in changed(labels=("clothes",))
    assert "expected reviews in the validation part, found none" in changed(validation=())
    assert "expected reviews in the training part, found none" in changed(train=())
    assert "in the training part, found electronics" in changed(labels=("clothes", "shoes"))


def test_an_architecture_that_is_no_network_is_refused(tmp_path: Path) -> None:
    assert "found 'linear'" in refused(arguments(architecture="linear"), data(), tmp_path)


def test_a_model_that_has_burst_is_refused(base: Path, tmp_path: Path) -> None:
    weights = torch.full((8,), float("nan"))
    folder = Path(shutil.copytree(base, tmp_path / "nan"))
    from safetensors.torch import load_file, save_file

    broken = load_file(folder / "model.safetensors")
    broken["encoder.layer.0.attention.self.query.bias"][:8] = weights
    save_file(broken, folder / "model.safetensors", metadata={"format": "pt"})
    sentence = refused(tried(folder, epochs=1), data(), tmp_path / "run", ModelError)
    assert "expected a model whose answers are numbers" in sentence
