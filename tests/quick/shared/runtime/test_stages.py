"""Stages built from settings: each the way it is asked for, and each model once a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.cascade.stage import ABSTAINED, verdicts
from shared.errors import ConfigurationError, InvalidAnswer
from shared.runtime import stages
from shared.runtime.stages import LazyStages
from shared.settings import load
from shared.stages.similarity import encoder
from shared.taxonomy import default_taxonomy
from tests.support.chat_endpoint import SMALL, chat_endpoint, encoded

NINE = default_taxonomy()


def test_a_stage_is_built_when_it_is_first_asked_for_and_only_once():
    made: list[str] = []

    def make(name: str):
        made.append(name)
        return stages.build(name, NINE, load(), None, 0)

    lazy = LazyStages(make)
    assert made == []
    assert lazy["keywords"] is lazy["keywords"]
    assert made == ["keywords"]


def test_two_taxonomies_share_the_word_vectors():
    assert encoder(load()) is encoder(load(batch_rows=7))


def test_a_server_is_asked_as_the_settings_say():
    with chat_endpoint() as endpoint:
        settings = load(
            llm_url=endpoint.url,
            llm_model="qwen",
            llm_api_key="secret",
            llm_structured="structured_outputs",
            llm_thinking_off=False,
            llm_extra={"max_tokens": None, "seed": 7},
        )
        stage = stages.build("llm", SMALL, settings, None, 0)
        (verdict,) = verdicts(stage, ["Красивое платье"])
    (request,) = endpoint.requests
    assert verdict is not None
    assert (request["model"], request["seed"]) == ("qwen", 7)
    assert request["structured_outputs"] == {"choice": ["A", "B", "C"]}
    assert not {"max_tokens", "chat_template_kwargs"} & set(request)
    assert endpoint.headers[0]["authorization"] == "Bearer secret"


def test_a_prompt_of_the_users_own_is_sent(tmp_path: Path):
    template = tmp_path / "prompt.jinja"
    template.write_text(
        "{% block system %}{% for c in categories %}{{ c.option }} — {{ c.title }}\n{% endfor %}{% endblock %}"
        "{% block user %}<отзыв>\n{{ review }}\n</отзыв> моими словами{% endblock %}",
        encoding="utf-8",
    )
    with chat_endpoint() as endpoint:
        stage = stages.build("llm", SMALL, load(llm_url=endpoint.url, llm_prompt=template), None, 0)
        verdicts(stage, ["Красивое платье"])
    assert endpoint.requests[0]["messages"][1]["content"].endswith("моими словами")


def test_one_bad_answer_is_an_error_of_its_own_row():
    def model(request):
        return encoded({"choices": []})

    with chat_endpoint(model) as endpoint:
        stage = stages.build("llm", SMALL, load(llm_url=endpoint.url), None, 0)
        bad, unreadable = stage.answers(["платье", " "])
    assert (type(bad.error), bad.verdict) == (InvalidAnswer, None)
    assert unreadable == ABSTAINED


def test_an_nli_model_is_loaded_once_for_all_taxonomies(tmp_path: Path):
    pytest.importorskip("torch", reason="needs the gpu extra")
    from tests.support import tiny_models

    settings = load(zero_shot_model=str(tiny_models.xlm_roberta(tmp_path / "nli")), device="cpu")
    one, other = (stages.build("zero_shot", taxonomy, settings, None, 0) for taxonomy in (NINE, SMALL))
    assert one.nli is other.nli  # type: ignore[attr-defined]
    assert len(one.slugs) != len(other.slugs)  # type: ignore[attr-defined]


def test_a_local_language_model_is_loaded_once_and_answers(tmp_path: Path):
    pytest.importorskip("torch", reason="needs the gpu extra")
    from tests.support.tiny_llm import save_tiny_llm

    save_tiny_llm(tmp_path / "llm")
    settings = load(llm_model=str(tmp_path / "llm"), device="cpu")
    one, other = (stages.build("llm", taxonomy, settings, None, 0) for taxonomy in (NINE, SMALL))
    assert one._backend is other._backend  # type: ignore[attr-defined]
    assert verdicts(one, ["Красивое платье"])[0] is not None


def test_a_sentence_model_that_is_not_there_is_a_matter_of_configuration():
    with pytest.raises(ConfigurationError):
        stages.build("similarity", SMALL, load(similarity_encoder="./nowhere"), None, 0)
