"""The stage of a language model as the settings build it, against a real HTTP server."""

from __future__ import annotations

from pathlib import Path

from shared.cascade.stage import ABSTAINED, verdicts
from shared.errors import InvalidAnswer
from shared.settings import load
from tests.support.chat_endpoint import SMALL, chat_endpoint, encoded
from tests.support.stage_contract import built


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
        stage = built("llm", SMALL, settings, None, 0)
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
        stage = built("llm", SMALL, load(llm_url=endpoint.url, llm_prompt=template), None, 0)
        verdicts(stage, ["Красивое платье"])
    assert endpoint.requests[0]["messages"][1]["content"].endswith("моими словами")


def test_one_bad_answer_is_an_error_of_its_own_row():
    def model(request):
        return encoded({"choices": []})

    with chat_endpoint(model) as endpoint:
        stage = built("llm", SMALL, load(llm_url=endpoint.url), None, 0)
        bad, unreadable = stage.answers(["платье", " "])
    assert (type(bad.error), bad.verdict) == (InvalidAnswer, None)
    assert unreadable == ABSTAINED
