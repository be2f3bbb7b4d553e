"""Models whose files the database keeps: loaded wherever a process was started, and healed where a copy is damaged."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from shared.classifiers import Artefact, Location
from shared.classifiers.artefact import save
from shared.classifiers.packaging.package import package
from shared.errors import ModelError
from shared.runtime import runtime
from shared.runtime.judging import predictor
from shared.serving.loader import Loader
from shared.serving.registry import Registry
from shared.serving.shelf import Shelf, place_of_models
from shared.settings import load
from shared.store import Database
from shared.store.processes import artefacts
from tests.support import tiny_linear
from tests.support.command import run_here
from tests.support.row_files import read_rows, write_rows
from tests.support.stored import TO_PREDICT, ask, review, take_reviews
from tests.support.tiny_linear import TEXTS

Elsewhere = Callable[[str], Registry]


@pytest.fixture
def elsewhere(database: Database, tmp_path: Path) -> Elsewhere:
    """A registry over the same database, of a process whose folder of models is another."""

    def registry(name: str) -> Registry:
        here = runtime.build(load(), database)
        place = place_of_models(database, str(tmp_path / name))
        return Registry(database, place, here.taxonomy, here.taxonomy_id)

    return registry


def registered(registry: Registry) -> int:
    model = package(tiny_linear.model(), runtime.load_taxonomy(load()), TEXTS, registry.location)
    return registry.register(model)


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_worker_that_was_started_in_another_folder_loads_and_serves_the_champion(
    elsewhere: Elsewhere, database: Database, tmp_path: Path
) -> None:
    number = registered(elsewhere("here"))
    elsewhere("here").promote(number, "champion", moved_by="test")
    there = runtime.build(load().model_copy(update={"models": str(tmp_path / "there")}), database)
    ids = take_reviews(database, there.taxonomy_id, *(review(text, text) for text in TEXTS), **TO_PREDICT)
    assert predictor(there).run(ids.unpredicted).predicted == len(TEXTS)
    served = elsewhere("there").artefact(number).served
    assert {path.name for path in files_of(tmp_path / "there")} == {"manifest.json", *served}


def test_a_copy_that_is_damaged_or_half_written_is_fetched_anew(elsewhere: Elsewhere, tmp_path: Path) -> None:
    number = registered(elsewhere("here"))
    whole = [path.read_bytes() for path in files_of(tmp_path / "here")]
    for at, path in enumerate(files_of(tmp_path / "here")):
        path.write_bytes(whole[at][: len(whole[at]) // 2] if at % 2 else whole[at] + b" ")
    artefact = elsewhere("here").artefact(number)
    for name in artefact.manifest.files:
        artefact.read(name)
    assert [path.read_bytes() for path in files_of(tmp_path / "here")] == whole
    assert [path for path in files_of(tmp_path / "here") if path.name.startswith(".")] == []


def test_files_of_the_database_that_were_changed_are_refused(
    elsewhere: Elsewhere, database: Database
) -> None:
    number = registered(elsewhere("here"))
    with database.transaction() as cursor:
        cursor.execute("UPDATE artefact_parts SET content = content || 'x' WHERE name <> 'manifest.json'")
    with pytest.raises(ModelError, match="copy the file again"):
        elsewhere("there").artefact(number).classifier()
    with database.transaction() as cursor:
        cursor.execute("UPDATE artefact_parts SET content = content || ' ' WHERE name = 'manifest.json'")
    with pytest.raises(ModelError, match="it was changed since it was registered"):
        elsewhere("nowhere").artefact(number)


def test_a_process_that_can_write_no_copy_serves_all_the_same(elsewhere: Elsewhere, tmp_path: Path) -> None:
    number = registered(elsewhere("here"))
    (tmp_path / "file").write_text("")
    assert elsewhere("file/below").artefact(number).classifier().labels
    with pytest.raises(ModelError, match="expected a folder that can be written, found: Not a directory"):
        registered(elsewhere("file/below"))


def test_a_large_file_is_kept_in_parts_and_comes_back_the_same(
    elsewhere: Elsewhere, database: Database
) -> None:
    registry = elsewhere("here")
    says = elsewhere("here").artefact(registered(registry)).manifest
    content = {"large": os.urandom(2 * artefacts.PART_BYTES + 1), "empty": b"", "below/it": b"x"}
    number = registry.register(save(registry.location, says, content))
    parts = ask(database, f"SELECT name, count(*) FROM artefact_parts WHERE model_id = {number} GROUP BY 1")
    assert dict(parts) == {"large": 3, "empty": 1, "below/it": 1, "manifest.json": 1}
    there = elsewhere("there").artefact(number)
    assert {name: there.read(name) for name in content} == content


def test_what_is_not_registered_in_the_end_leaves_no_files(elsewhere: Elsewhere, database: Database) -> None:
    registry = elsewhere("here")
    artefact = package(tiny_linear.model(), runtime.load_taxonomy(load()), TEXTS, registry.location)
    with suppress(ModelError), database.transaction() as cursor:
        registry.note(cursor, artefact)
        raise ModelError("lost")
    assert ask(database, "SELECT count(*) FROM artefact_parts") == [(0,)]


def test_a_model_of_a_folder_is_put_into_the_database_and_taken_out_again(
    elsewhere: Elsewhere, database: Database, tmp_path: Path
) -> None:
    here = runtime.build(load(), database)
    old = Registry(database, Location(str(tmp_path / "old")), here.taxonomy, here.taxonomy_id)
    number = registered(old)
    with pytest.raises(
        ModelError,
        match=f"the database keeps no such file either: `otzyv models keep {number} --folder FOLDER` puts it there",
    ):
        elsewhere("there").artefact(number)
    (tmp_path / "a store" / "postgres").mkdir(parents=True)
    typed = f"`otzyv models keep {number} --folder FOLDER --store '{tmp_path}/a store'` puts it there"
    with pytest.raises(ModelError, match=typed):
        elsewhere("a store/models").artefact(number)
    with pytest.raises(ModelError, match="expected the file marketplace"):
        elsewhere("there").keep(number)
    artefact = tmp_path / "old" / old.get(number).path
    for folder in (tmp_path / "old", artefact):
        assert elsewhere("there").keep(number, folder) == sum(
            path.stat().st_size for path in files_of(artefact)
        )
    assert elsewhere("there").artefact(number).classifier().labels
    with pytest.raises(ModelError, match="expected the file marketplace"):
        elsewhere("there").discard(number)  # not all of it is there: nobody could load it any more
    assert elsewhere("old").discard(number)
    assert not elsewhere("old").discard(number)
    with pytest.raises(ModelError, match="OTZYV_MODELS: expected a folder"):
        old.keep(number)


def test_behind_a_url_models_lie_there_and_nowhere_else(database: Database, tmp_path: Path) -> None:
    place = place_of_models(database, f"file://{tmp_path / 'models'}")
    here = runtime.build(load(), database)
    number = registered(Registry(database, place, here.taxonomy, here.taxonomy_id))
    assert not isinstance(place, Shelf)
    assert ask(database, "SELECT count(*) FROM artefact_parts") == [(0,)]
    assert Loader(database, place, here.taxonomy_id, here.taxonomy.slugs).load(number)


def test_commands_keep_show_discard_and_predict_wherever_they_run(
    elsewhere: Elsewhere, database_url: str, tmp_path: Path
) -> None:
    registered(elsewhere("here"))

    def ok(folder: str, *arguments: str | Path) -> str:
        env = {"OTZYV_DATABASE_URL": database_url, "OTZYV_MODELS": str(tmp_path / folder)}
        done = run_here(*arguments, **env)
        assert done.returncode == 0, done.stderr
        return " ".join(done.stdout.split())

    assert "the database" in ok("there", "models", "list")
    assert "Files kept in the database, " in ok("there", "models", "show", "1")
    reviews = write_rows(tmp_path / "reviews.csv", [{"text": text} for text in TEXTS])
    ok("third", "predict", reviews, "--out", tmp_path / "out.csv", "--model", "1")
    assert len(read_rows(tmp_path / "out.csv")) == len(TEXTS)
    assert "its files are in" in ok("there", "models", "discard", "1")
    assert "OTZYV_MODELS" in ok("there", "models", "list")
    assert "the database has none of its files" in ok("there", "models", "discard", "1")
    assert "every process that reads it can load it" in ok("there", "models", "keep", "1")
    assert "model 1 is in" in ok("fourth", "models", "export", "1", tmp_path / "exported")
    assert Artefact(Location(str(tmp_path)), "exported").classifier().labels
