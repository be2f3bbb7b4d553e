"""Artefacts of models that are damaged while a worker serves."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: `make models`")

import onnx
from onnx import numpy_helper

from shared.classifiers import Artefact
from shared.classifiers import manifest as manifests
from shared.serving.registry import Registry
from tests.faults.world import BOTH_WAYS, World
from tests.support import ledger as tables
from tests.support.tiny_registry import Models


def graph_of(folder: Path) -> Path:
    """The graph that serves."""
    return folder / manifests.decode((folder / manifests.NAME).read_bytes(), "test").graph


def truncate(folder: Path) -> None:
    """Half of the graph."""
    graph = graph_of(folder)
    graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])


def flip(folder: Path) -> None:
    """One byte of the graph is another: only the checksum tells."""
    graph = graph_of(folder)
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(bytes(content))


def pickled(folder: Path) -> None:
    """A pickle in the place of the graph."""
    graph_of(folder).write_bytes(pickle.dumps({"weights": [1.0]}))


def relabelled(folder: Path) -> None:
    """A manifest that names other categories."""
    place = folder / manifests.NAME
    told = json.loads(place.read_text())
    place.write_text(json.dumps(told | {"labels": ["food", *told["labels"][1:]]}))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "truncated": truncate, "wrong checksum": flip, "pickle": pickled, "other labels": relabelled,
}  # fmt: skip


def another(registry: Registry, models: Path, source: str, name: str) -> tuple[int, Path]:
    """A copy of an artefact that is a model of its own, registered; its number and its folder."""
    path = f"{Path(source).parent}/{name.replace(' ', '-')}"
    folder = models / path
    shutil.copytree(models / source, folder)
    place = folder / manifests.NAME
    place.write_text(json.dumps(json.loads(place.read_text()) | {"origin": name}))
    return registry.register(Artefact(registry.location, path)), folder


def with_a_champion(world: World, tiny: Models) -> tuple[Path, Registry, dict[str, int]]:
    """The folder of models that processes read, its registry, whose first model is champion, and their numbers."""
    models = world.folder / "models"
    registry, numbers = tiny.registry(world.database, models)
    registry.promote(numbers["first"], "champion", moved_by="test")
    world.told = {"OTZYV_MODELS": str(models)}
    return models, registry, numbers


@BOTH_WAYS
@pytest.mark.case(19, expected="refused, with a reason; the champion that serves goes on")
def test_a_champion_that_is_damaged_is_refused_and_the_one_before_serves_on(
    world: World, tiny: Models
) -> None:
    """New champions are damaged before the worker reads them: truncated, changed, a pickle, other labels."""
    models, registry, numbers = with_a_champion(world, tiny)
    sent = 0
    with world.running():
        for name, damage in DAMAGES.items():
            number, folder = another(registry, models, tiny.paths["second"], name)
            registry.promote(number, "champion", moved_by="test")
            damage(folder)
            world.send(200, first=sent)
            sent += 200
            world.wait(
                lambda sent=sent: world.count("predictions") == sent, f"predictions beside a {name} model"
            )
            registry.promote(numbers["first"], "champion", moved_by="test")
            refused = world.run("models", "promote", str(number))
            assert refused.returncode != 0, name
            assert "Traceback" not in refused.stderr
            assert "expected" in refused.stderr, refused.stderr
        world.wait_settled(sent)
    by = tables.rows(world.database, "SELECT DISTINCT model_id FROM predictions")
    assert by == [(numbers["first"],)], "no prediction is by a damaged model"
    world.ledger.note(f"{', '.join(DAMAGES)}: all {sent} predictions are by the champion before")
    world.ledger.check()


@BOTH_WAYS
@pytest.mark.case(19, expected="cannot be promoted; the champion that serves goes on")
def test_a_model_whose_weights_are_no_numbers_is_not_promoted_and_the_old_one_serves_on(
    world: World, tiny: Models
) -> None:
    """A model with NaN weights, whose checksums are right, is promoted while a worker serves another."""
    models, registry, numbers = with_a_champion(world, tiny)
    source, path = tiny.paths["second"], f"{Path(tiny.paths['second']).parent}/nan"
    shutil.copytree(models / source, models / path)
    poison(models / path)
    number = registry.register(Artefact(registry.location, path))
    with world.running():
        world.send(100)
        world.wait(lambda: world.count("predictions") == 100, "predictions")
        refused = world.run("models", "promote", str(number))
        assert refused.returncode != 0
        world.ledger.note(refused.stderr.strip()[-160:])
        world.send(100, first=100)
        world.wait(lambda: world.count("predictions") == 200, "predictions")
        world.wait_settled(200)
    assert tables.rows(world.database, "SELECT DISTINCT model_id FROM predictions") == [(numbers["first"],)]
    world.ledger.check()


def poison(folder: Path) -> None:
    """NaN in every floating weight of the graph, with a manifest whose checksums fit."""
    graph = graph_of(folder)
    network = onnx.load(graph)
    for tensor in network.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor) * float("nan")
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(network, graph)
    refit(folder, graph.name)


def refit(folder: Path, name: str) -> None:
    """Let the manifest name a file as it is now."""
    content = (folder / name).read_bytes()
    place = folder / manifests.NAME
    told = json.loads(place.read_text())
    told["files"][name] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    place.write_text(json.dumps(told))
