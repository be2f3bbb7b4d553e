"""`otzyv models` as a user runs it: imported, promoted, rolled back, exported, and every folder that is refused."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed: `make models`")

import torch
from safetensors.torch import load_file, save_file

from shared.store import Database
from shared.taxonomy import default_taxonomy
from tests.support import tiny_classifier
from tests.support.command import run_here
from tests.support.processes import run
from tests.support.row_files import write_rows
from tests.support.stored import ask
from tests.support.tiny_classifier import TEXTS


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models as transformers saves them."""
    base = tmp_path_factory.mktemp("folders")
    return [
        tiny_classifier.folder(base / f"model{seed}", default_taxonomy().slugs, seed=seed)
        for seed in (11, 12)
    ]


class Shell:
    """Runs `otzyv models` on a database and a place for models: in this process, which has imported torch."""

    def __init__(self, url: str, folder: Path) -> None:
        self.how: Callable[..., subprocess.CompletedProcess[str]] = run_here
        self.models = folder / "models"
        self._env: dict[str, Any] = {
            "OTZYV_DATABASE_URL": url,
            "OTZYV_MODELS": str(self.models),
            "OTZYV_AMQP_URL": "amqp://127.0.0.1:1//",
        }
        self.reviews = write_rows(folder / "reviews.csv", [{"text": text} for text in TEXTS])

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return self.how("models", *arguments, **self._env)

    def ok(self, *arguments: str | Path) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return " ".join(done.stdout.split())

    def refused(self, *arguments: str | Path) -> str:
        done = self.run(*arguments)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stdout + done.stderr
        return " ".join(done.stderr.split())


@pytest.fixture
def shell(database_url: str, tmp_path: Path) -> Shell:
    return Shell(database_url, tmp_path)


def test_a_folder_of_transformers_is_imported_promoted_rolled_back_and_exported(
    shell: Shell, folders: list[Path], database: Database, tmp_path: Path
) -> None:
    shell.how = run  # processes, as a user starts them
    assert "no models are registered for this taxonomy; `otzyv train linear` trains one" in shell.ok("list")
    told = shell.ok("import", folders[0], "--reviews", shell.reviews)
    assert "registered as model 1" in told
    assert "fp32: the same category as the model for 100% of 200 texts" in told
    assert "registered as model 2" in shell.ok("import", folders[1], "--reviews", shell.reviews)
    assert "model 1 is champion" in shell.ok("promote", "1")
    assert "model 1 is champion already" in shell.ok("promote", "1")
    assert "model 2 is challenger" in shell.ok("promote", "2", "--as", "challenger")
    assert "model 2 is champion" in shell.ok("promote", "2", "--reason", "better on shoes")
    assert "model 1 is champion again" in shell.ok("rollback", "--reason", "worse on toys")
    listed = shell.ok("list")
    for line in (
        "champion: model 1 → model 2, promote by",
        ": better on shoes",
        "champion: model 2 → model 1, rollback by",
        ": worse on toys",
        "0 reviews await a prediction",
    ):
        assert line in listed
    shown = shell.ok("show", "1")
    assert "bert for marketplace" in shown
    assert "tokenizer.json" in shown
    assert "unchanged" in shown
    assert "model 1 is in" in shell.ok("export", "1", tmp_path / "exported")
    assert "expected a new or empty folder" in shell.refused("export", "1", tmp_path / "exported")
    again = shell.ok("import", tmp_path / "exported")
    assert "registered as model 1" in again, "the same artefact is the same model"
    assert "nobody is champion any more" in shell.ok("withdraw", "champion")
    assert ask(database, "SELECT count(*) FROM model_aliases") == [(6,)]


def test_an_exported_model_serves_elsewhere(
    shell: Shell, folders: list[Path], tmp_path: Path, database: Database
) -> None:
    shell.ok("import", folders[0], "--reviews", shell.reviews)
    shell.ok("export", "1", tmp_path / "exported")
    with database.transaction() as cursor:
        cursor.execute("DELETE FROM models")
    shutil.rmtree(shell.models)
    assert "registered as model" in shell.ok("import", tmp_path / "exported")


def test_a_model_is_measured_on_gold_when_it_is_imported(
    shell: Shell, folders: list[Path], tmp_path: Path
) -> None:
    gold = write_rows(tmp_path / "gold.csv", [{"text": text, "category": "обувь"} for text in TEXTS])
    told = shell.ok("import", folders[0], "--reviews", shell.reviews, "--gold", gold)
    assert "weighted F1 on gold" in told
    assert "temperature" in told
    shell.ok("export", "1", tmp_path / "out")
    sentence = shell.refused("import", tmp_path / "out", "--gold", gold)
    assert "--gold and --max-tokens are for folders of transformers" in sentence


def test_without_reviews_to_compare_on_a_model_is_not_imported(shell: Shell, folders: list[Path]) -> None:
    assert "expected reviews to compare the exported model on" in shell.refused("import", folders[0])


def test_stored_reviews_are_what_a_model_is_compared_on(
    shell: Shell, folders: list[Path], database: Database
) -> None:
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO reviews (source, external_id, text, text_sha) SELECT 'shop', n::text, 'Платье ' || n, '' "
            "FROM generate_series(1, 120) n"
        )
    assert "of 120 texts" in shell.ok("import", folders[0])


def test_what_cannot_be_imported_is_refused_and_the_champion_serves_on(
    shell: Shell, folders: list[Path], tmp_path: Path
) -> None:
    shell.ok("import", folders[0], "--reviews", shell.reviews)
    shell.ok("promote", "1")

    def crafted(name: str) -> Path:
        return Path(shutil.copytree(folders[1], tmp_path / name))

    def import_of(folder: Path) -> str:
        return shell.refused("import", folder, "--reviews", shell.reviews)

    pickled = crafted("pickled")
    (pickled / "model.safetensors").unlink()
    (pickled / "pytorch_model.bin").write_bytes(pickle.dumps({}))
    assert "found pytorch_model.bin: a pickle can run code" in import_of(pickled)

    labelled = crafted("labelled")
    config = json.loads((labelled / "config.json").read_text())
    config["id2label"]["0"] = "food"
    (labelled / "config.json").write_text(json.dumps(config))
    assert "expected the categories of the taxonomy marketplace in id2label" in import_of(labelled)

    poisoned = crafted("poisoned")
    weights = load_file(poisoned / "model.safetensors")
    weights["classifier.bias"][0] = float("nan")
    save_file(weights, poisoned / "model.safetensors", metadata={"format": "pt"})
    assert "found NaN or infinity in classifier.bias" in import_of(poisoned)

    truncated = crafted("truncated")
    content = (truncated / "model.safetensors").read_bytes()
    (truncated / "model.safetensors").write_bytes(content[:-100])
    assert "found a damaged or truncated one" in import_of(truncated)

    assert "expected a folder with a model, found none" in import_of(tmp_path / "nowhere")
    assert "champion" in shell.ok("list")
    assert "expected the number of a model" in shell.refused("promote", "2")


def test_an_artefact_that_was_changed_is_refused(shell: Shell, folders: list[Path], tmp_path: Path) -> None:
    shell.ok("import", folders[0], "--reviews", shell.reviews)
    shell.ok("export", "1", tmp_path / "good")

    def crafted(name: str) -> Path:
        return Path(shutil.copytree(tmp_path / "good", tmp_path / name))

    changed = crafted("changed")
    graph = next(changed.glob("*.onnx"))
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    assert "expected SHA-256" in shell.refused("import", changed)

    truncated = crafted("truncated")
    graph = next(truncated.glob("*.onnx"))
    graph.write_bytes(graph.read_bytes()[:-100])
    assert "copy the file again" in shell.refused("import", truncated)

    pickled = crafted("pickled")
    (pickled / "extra.pkl").write_bytes(pickle.dumps(0))
    assert "expected no pickles, found extra.pkl" in shell.refused("import", pickled)

    longer = crafted("longer")
    told = json.loads((longer / "manifest.json").read_text())
    (longer / "manifest.json").write_text(json.dumps(told | {"max_tokens": 8_000}))
    assert "expected a graph that answers" in shell.refused("import", longer)

    missing = crafted("missing")
    (missing / "tokenizer.json").unlink()
    assert "expected the file" in shell.refused("import", missing)

    foreign = crafted("foreign")
    told = json.loads((foreign / "manifest.json").read_text())
    (foreign / "manifest.json").write_text(json.dumps(told | {"taxonomy": "another"}))
    assert "found one for another" in shell.refused("import", foreign)

    relabelled = crafted("relabelled")
    manifest = (relabelled / "manifest.json").read_text()
    (relabelled / "manifest.json").write_text(manifest.replace('"shoes"', '"food"'))
    assert "expected the categories of the taxonomy marketplace" in shell.refused("import", relabelled)

    shell.ok("discard", "1")
    (shell.models / "marketplace").rename(shell.models / "elsewhere")
    sentence = shell.refused("promote", "1")
    assert "expected the file marketplace/" in sentence
    assert "the database keeps no such file either: `otzyv models keep 1 --folder FOLDER`" in sentence


def test_weights_of_an_artefact_that_are_no_numbers_are_refused(
    shell: Shell, folders: list[Path], tmp_path: Path
) -> None:
    import hashlib

    shell.ok("import", folders[0], "--reviews", shell.reviews)
    shell.ok("export", "1", tmp_path / "poisoned")
    path = tmp_path / "poisoned" / "model.safetensors"
    weights = load_file(path)
    weights[
        "model.bert.pooler.dense.bias"
        if "model.bert.pooler.dense.bias" in weights
        else "bert.pooler.dense.bias"
    ][0] = torch.inf
    save_file(weights, path)
    manifest = json.loads((path.parent / "manifest.json").read_text())
    content = path.read_bytes()
    manifest["files"]["model.safetensors"] = {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (path.parent / "manifest.json").write_text(json.dumps(manifest))
    assert "found NaN or infinity in bert.pooler.dense.bias" in shell.refused("import", path.parent)


def test_gold_may_name_its_reviews_by_ids_of_the_file_of_reviews(
    shell: Shell, folders: list[Path], tmp_path: Path
) -> None:
    gold = tmp_path / "gold.csv"
    named = [{"id": number, "text": text} for number, text in enumerate(TEXTS)]
    reviews = write_rows(tmp_path / "named.csv", named)
    gold.write_text("id,category\n1,обувь\n2,одежда\n", encoding="utf-8")
    told = shell.ok("import", folders[0], "--reviews", reviews, "--gold", gold)
    assert "gold reviews 2" in told
    assert f"its files are in the database, and a copy in {shell.models}/marketplace/" in told


def test_a_model_whose_files_were_changed_is_shown_with_what_is_wrong_and_an_exit_status(
    shell: Shell, folders: list[Path]
) -> None:
    shell.ok("import", folders[0], "--reviews", shell.reviews)
    shell.ok("discard", "1")
    (path,) = shell.models.rglob("model.int8.onnx")
    path.write_bytes(path.read_bytes()[:100])
    assert "expected unchanged files, found others: model.int8.onnx" in shell.refused("show", "1")
