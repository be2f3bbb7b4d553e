"""The OpenAI-compatible backend against somebody else's server: `transformers serve` with a tiny model."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from shared.cascade.stage import verdicts
from shared.errors import ModelError
from shared.stages.llm import ChatServer, Choice, ChoiceOrError, LlmStage, PromptWriter
from shared.taxonomy import default_taxonomy
from tests.support.chat_endpoint import UNHURRIED
from tests.support.processes import launched
from tests.support.servers import PATIENCE_S, free_port, wait_until
from tests.support.tiny_llm import save_tiny_llm

WRITER = PromptWriter(default_taxonomy(), category_examples=1)
TEXTS = ["Платье", "Кроссовки натирают", "Чайник", "Отлично!", "Шторы плотные"]
NEEDED = ("torch", "transformers", "fastapi", "uvicorn", "openai")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"transformers serve needs {', '.join(missing)}: pip install -e '.[gpu,dev]'")
    return save_tiny_llm(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """A running server, from when its health check passes."""
    port = free_port()
    log = folder / "serve.log"
    serve = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
    serve += ["--device", "cpu", "--dtype", "float32", "--port", str(port), "--host", "127.0.0.1"]
    with launched(serve, {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}, log) as process:
        wait_until_healthy(process, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"


def wait_until_healthy(process: subprocess.Popen[bytes], health: str, log: Path) -> None:
    wait_until(lambda: process.poll() is not None or is_healthy(health), f"transformers serve, see {log}")
    if process.poll() is not None:
        pytest.skip(f"transformers serve did not start: {log.read_text('utf-8', 'replace')[-500:]}")


def is_healthy(health: str) -> bool:
    try:
        return httpx2.get(health, timeout=PATIENCE_S).status_code == 200
    except httpx2.TransportError:
        return False


def asked(server: ChatServer) -> list[ChoiceOrError]:
    prompts = [prompt for prompt in map(WRITER.write, TEXTS) if prompt]
    return server.choose(prompts, WRITER.options)


def test_a_server_that_is_not_ours_answers_as_the_local_model_does(url: str, folder: Path) -> None:
    from shared.stages.llm.local import LocalModel

    with ChatServer(url, str(folder), **UNHURRIED, concurrency=2) as server:
        served = asked(server)
        found = verdicts(LlmStage(default_taxonomy(), server, writer=WRITER), TEXTS)
    prompts = [prompt for prompt in map(WRITER.write, TEXTS) if prompt]
    local = LocalModel(str(folder), device="cpu").choose(prompts, WRITER.options)
    assert all(isinstance(outcome, Choice) for outcome in served)
    for there, here, verdict in zip(served, local, found, strict=True):
        assert isinstance(there, Choice)
        assert isinstance(here, Choice)
        assert there.option == here.option
        assert there.tokens_in == here.tokens_in, "the same chat format, thinking off included"
        assert there.tokens_out == 1
        assert there.logprobs is None, "this server has none, and says nothing about it"
        assert verdict is not None
        assert verdict.category == WRITER.slugs[here.option]
        assert verdict.confidence == 0.5


def test_a_field_that_the_server_does_not_know_is_named(url: str, folder: Path) -> None:
    with ChatServer(url, str(folder), **UNHURRIED, structured="structured_outputs") as server:
        error = asked(server)[0]
    assert isinstance(error, ModelError)
    assert "found 422: it does not take structured_outputs. Switch that field off" in str(error)


def test_a_model_that_the_server_does_not_have_is_refused(url: str) -> None:
    with ChatServer(url, "another", **UNHURRIED) as server:
        error = asked(server)[0]
    assert isinstance(error, ModelError)
    assert "found 400" in str(error)
