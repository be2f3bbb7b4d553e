"""Artefacts: what is written is what is read, and what was changed since is refused."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from shared.classifiers import Artefact, Location, Manifest, save
from shared.classifiers.manifest import Agreement, Export
from shared.errors import ModelError, ModelUnavailable

CONTENTS = {"model.fp32.onnx": b"graph" * 1000, "tokenizer.json": b"{}", "folder/deep.txt": b"text"}


def manifest() -> Manifest:
    return Manifest(
        architecture="bert",
        taxonomy="test",
        taxonomy_version="abc",
        labels=("clothes", "nothing"),
        max_tokens=64,
        temperature=1.5,
        precision="fp32",
        export=Export(10, Agreement(1.0, 1e-6), None, "int8 failed"),
        created_at="2026-01-01T00:00:00+00:00",
    )


@pytest.fixture(params=["directory", "memory"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    return Location(str(tmp_path / "models") if request.param == "directory" else f"memory://{uuid4().hex}")


def test_what_was_written_is_read_again(location: Location) -> None:
    written = save(location, manifest(), CONTENTS)
    again = Artefact(location, written.path, written.sha256)
    assert written.path == f"test/bert-{written.sha256[:12]}"
    assert {name: again.read(name) for name in CONTENTS} == CONTENTS
    assert msgspec.structs.replace(again.manifest, files={}) == manifest()
    with pytest.raises(ModelError, match=r"expected the file test/other/manifest\.json, found none"):
        Artefact(location, "test/other")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"graph" * 999, "expected 5,000 bytes, found 4,995; copy the file again"),
        (b"Graph" * 1000, "expected SHA-256 "),
    ],
)
def test_a_file_that_was_cut_or_changed_is_refused(location: Location, content: bytes, sentence: str) -> None:
    artefact = save(location, manifest(), CONTENTS)
    location.write(f"{artefact.path}/model.fp32.onnx", content)
    with pytest.raises(ModelError, match=sentence):
        artefact.read("model.fp32.onnx")


def test_a_manifest_that_was_changed_is_refused(location: Location) -> None:
    artefact = save(location, manifest(), CONTENTS)
    name = f"{artefact.path}/manifest.json"
    location.write(name, location.read(name).replace(b"1.5", b"2.5"))
    with pytest.raises(ModelError, match="it was changed since it was registered"):
        Artefact(location, artefact.path, artefact.sha256)


def test_a_manifest_from_before_there_were_several_runtimes_is_one_of_a_graph(location: Location) -> None:
    artefact = save(location, manifest(), CONTENTS)
    name = f"{artefact.path}/manifest.json"
    told = json.loads(location.read(name))
    del told["runtime"]
    location.write(name, json.dumps(told).encode())
    again = Artefact(location, artefact.path)
    assert again.manifest.runtime == "onnx"
    assert again.served == ("model.fp32.onnx", "tokenizer.json")


def test_what_is_no_manifest_or_a_newer_one_is_refused(location: Location) -> None:
    artefact = save(location, manifest(), CONTENTS)
    name = f"{artefact.path}/manifest.json"
    told = json.loads(location.read(name))
    location.write(name, b'{"format": 1')
    with pytest.raises(ModelError, match="expected the manifest of a model, found something else"):
        Artefact(location, artefact.path)
    location.write(name, json.dumps(told | {"format": 3}).encode())
    with pytest.raises(ModelError, match="expected format 1 or 2, found 3; install the newer Otzyv"):
        Artefact(location, artefact.path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"taxonomy": "../../elsewhere"}, "inside of the model's folder, found '../../elsewhere'"),
        ({"architecture": ".."}, "inside of the model's folder, found '..'"),
        ({"files": {"../../../etc/passwd": {"bytes": 1, "sha256": "00"}}}, "found '../../../etc/passwd'"),
        ({"files": {"/etc/passwd": {"bytes": 1, "sha256": "00"}}}, "found '/etc/passwd'"),
        ({"architecture": "a\nb"}, "found 'a\\nb'"),
        ({"architecture": "x" * 300}, "expected names of files inside of the model's folder"),
        ({"temperature": 0}, "expected a temperature from 0.01 to 100.0, found 0"),
        ({"temperature": 1e-300}, "expected a temperature from 0.01 to 100.0, found 1e-300"),
        ({"max_tokens": 0}, "expected max_tokens from 3 to 8192, found 0"),
        ({"max_tokens": 10**12}, "expected max_tokens from 3 to 8192, found 1000000000000"),
        ({"origin": "a\x00b"}, "found a NUL character in it"),
        (
            {"reference": {"texts": 1, "expected_accuracy": 1, "categories": {}, "confidences": []}},
            "a share for each label and 10 bins of confidence, found 0 and 0",
        ),
        ({"labels": "clothes"}, "expected the manifest of a model, found something else"),
    ],
)
def test_a_manifest_that_leads_astray_is_refused(
    location: Location, changes: dict[str, object], sentence: str
) -> None:
    artefact = save(location, manifest(), CONTENTS)
    name = f"{artefact.path}/manifest.json"
    location.write(name, json.dumps(json.loads(location.read(name)) | changes).encode())
    with pytest.raises(ModelError) as error:
        Artefact(location, artefact.path)
    assert sentence in str(error.value)


def test_what_is_not_there_is_said(location: Location) -> None:
    with pytest.raises(ModelError, match=r"expected the file test/none/manifest\.json, found none"):
        Artefact(location, "test/none")
    artefact = save(location, manifest(), CONTENTS)
    with pytest.raises(ModelError, match=r"expected a file model\.int8\.onnx in the manifest"):
        artefact.read("model.int8.onnx")


def test_a_url_that_fsspec_does_not_know_is_refused() -> None:
    with pytest.raises(ModelError, match="expected a directory or a URL that fsspec can open"):
        Location("nowhere://models")


def test_a_place_that_does_not_answer_may_be_tried_again(tmp_path: Path, monkeypatch) -> None:
    location = Location(str(tmp_path))

    def lost(*_: object, **__: object) -> None:
        raise OSError("connection reset")

    monkeypatch.setattr(location._files, "cat_file", lost)
    with pytest.raises(ModelUnavailable, match="connection reset"):
        location.read("a")
