"""Modules that are imported lazily: nothing in them runs before it is used."""

from __future__ import annotations

import inspect
import os
from importlib import import_module
from pathlib import Path

import pytest

from scripts.command.lazy import lazily


def test_a_module_loads_when_something_in_it_is_first_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADED", "no")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "loaded_late.py").write_text("import os\nos.environ['LOADED'] = 'yes'\nANSWER = 42\n")
    with lazily():
        late = import_module("loaded_late")
    assert os.environ["LOADED"] == "no"
    assert late.ANSWER == 42
    assert os.environ["LOADED"] == "yes"


def test_who_looks_at_all_modules_loads_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "looked_at.py").write_text("raise ImportError('loaded by a look')\n")
    with lazily():
        late = import_module("looked_at")
    # What torch does to every module while it is imported itself, when what needs torch cannot load yet.
    inspect.getmodule(inspect.currentframe())
    assert late.__file__ == str(tmp_path / "looked_at.py")
    assert not hasattr(late, "__path__")


def test_a_module_that_cannot_load_says_so_when_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "loaded_never.py").write_text("import a_library_that_is_not_there\n")
    with lazily():
        late = import_module("loaded_never")
    with pytest.raises(ImportError, match="a_library_that_is_not_there"):
        late.ANSWER  # noqa: B018  this loads it


def test_what_is_imported_afterwards_loads_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADED", "no")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "loaded_at_once.py").write_text("import os\nos.environ['LOADED'] = 'yes'\n")
    with lazily():
        pass
    import_module("loaded_at_once")
    assert os.environ["LOADED"] == "yes"
