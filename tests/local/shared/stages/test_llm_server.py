"""The OpenAI-compatible backend against a real HTTP server: what is sent, and every way of failing."""

from __future__ import annotations

import json
import math
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import structlog

from shared.errors import InvalidAnswer, ModelError, ModelUnavailable, OtzyvError
from shared.stages.llm import ChatServer, Choice, ChoiceOrError, PromptWriter
from shared.stages.llm.prompt import Prompt
from shared.stages.llm.server import MOST_REPLY_BYTES, retry_after_s
from tests.support.chat_endpoint import (
    GIVE_UP_S,
    SMALL,
    UNHURRIED,
    ChatEndpoint,
    Model,
    Reply,
    by_words,
    chat_endpoint,
    completion,
    encoded,
    review_in,
)

WRITER = PromptWriter(SMALL)
KEY = "sk-very-secret"
RAW: Reply = (200, {}, b"")
GOOD = ("Платье", "Тапки")


@pytest.fixture
def endpoint() -> Iterator[ChatEndpoint]:
    with chat_endpoint() as running:
        yield running


def prompts(*texts: str) -> list[Prompt]:
    return [prompt for prompt in map(WRITER.write, texts) if prompt]


def asked(endpoint: ChatEndpoint, *texts: str, **arguments: Any) -> list[ChoiceOrError]:
    with ChatServer(endpoint.url, "test", **(UNHURRIED | {"attempts": 1} | arguments)) as server:
        return server.choose(prompts(*texts), WRITER.options)


LIMITS_S = (0.5, 2.0, 8.0, 32.0)


def over_its_limit(endpoint: ChatEndpoint, *texts: str, found: str) -> list[ChoiceOrError]:
    """The outcomes with a limit that only the request about `fault` is over: a slow machine gets a longer one."""
    for timeout_s in LIMITS_S:
        outcomes = asked(endpoint, *texts, timeout_s=timeout_s)
        told = f"expected a reply within {timeout_s:g} s, found {found}"
        as_told = [
            told in str(outcome) if text == "fault" else isinstance(outcome, Choice)
            for text, outcome in zip(texts, outcomes, strict=True)
        ]
        if all(as_told):
            break
    return outcomes


def on_fault(reply: Reply) -> Model:
    """A model that gives `reply` for reviews with the word fault."""
    return lambda request: reply if "fault" in review_in(request) else by_words(request)


def failed(outcome: ChoiceOrError) -> OtzyvError:
    assert isinstance(outcome, OtzyvError), outcome
    return outcome


def test_a_request_has_the_form_of_chat_completions(endpoint: ChatEndpoint) -> None:
    asked(endpoint, "Платье", api_key=KEY)
    request = endpoint.requests[0]
    assert [message["role"] for message in request.pop("messages")] == ["system", "user"]
    assert request == {
        "model": "test",
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": True,
        "top_logprobs": 20,
        "chat_template_kwargs": {"enable_thinking": False},
    }
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("arguments", "sent", "absent"),
    [
        (
            {"structured": "structured_outputs"},
            {"structured_outputs": {"choice": ["A", "B", "C"]}},
            "guided_choice",
        ),
        ({"structured": "guided_choice"}, {"guided_choice": ["A", "B", "C"]}, "structured_outputs"),
        ({"thinking_off": False}, {}, "chat_template_kwargs"),
        ({"logprobs": False}, {}, "logprobs"),
        (
            {"extra": {"max_tokens": None, "max_completion_tokens": 1}},
            {"max_completion_tokens": 1},
            "max_tokens",
        ),
    ],
)
def test_fields_that_servers_differ_in_are_settings(
    endpoint: ChatEndpoint, arguments: dict[str, Any], sent: dict[str, Any], absent: str
) -> None:
    asked(endpoint, "Платье", **arguments)
    request = endpoint.requests[0]
    assert {name: request[name] for name in sent} == sent
    assert absent not in request


def test_a_server_without_a_key_gets_no_authorization(endpoint: ChatEndpoint) -> None:
    asked(endpoint, "Платье")
    assert "authorization" not in endpoint.headers[0]


def test_outcomes_come_in_the_order_of_prompts(endpoint: ChatEndpoint) -> None:
    texts = [f"{word} {number}" for number in range(20) for word in ("Платье", "Тапки", "Спасибо")]
    outcomes = asked(endpoint, *texts)
    assert [outcome.option for outcome in outcomes if isinstance(outcome, Choice)] == ["A", "B", "C"] * 20


FAULTS: list[tuple[str, Reply, type[OtzyvError], str]] = [
    ("malformed JSON", (200, {}, b'{"choices": [{"mess'), InvalidAnswer, "found malformed JSON of 19 bytes"),
    ("JSON that is no completion", encoded({"answer": "A"}), InvalidAnswer, "found JSON of another form"),
    ("a page of HTML", (200, {}, b"<html>fault</html>"), InvalidAnswer, "found malformed JSON of 18 bytes"),
    ("bytes that are no text", (200, {}, b'{"choices": "\xff\xfe"}'), InvalidAnswer, "expected a chat completion"),
    ("very deep JSON", (200, {}, b"[" * 100_000), InvalidAnswer, "expected a chat completion"),
    ("an empty body", (200, {}, b""), InvalidAnswer, "found an empty body"),
    ("no choices", encoded({"choices": []}), InvalidAnswer, "expected one choice, found none"),
    ("an option outside the set", encoded(completion("Z")), InvalidAnswer, "expected one of A, B, C, found"),
    ("a sentence", encoded(completion("A или B")), InvalidAnswer, "found another text"),
    ("no text", encoded(completion(None)), InvalidAnswer, "found no text"),
    ("status 400", encoded({"error": "too long"}, 400), InvalidAnswer, "found 400. The server refused this request"),
    ("status 401", encoded({}, 401), ModelError, "Check URL, key and model name"),
    ("status 404", encoded({}, 404), ModelError, "found 404 for the model 'test'"),
    ("a redirect", encoded({}, 307, location="http://127.0.0.1:1/"), ModelError, "found 307"),
    ("status 408", encoded({}, 408), ModelUnavailable, "found 408"),
    ("status 429", encoded({}, 429), ModelUnavailable, "found 429. The server is overloaded or failing"),
    ("status 500", encoded({}, 500), ModelUnavailable, "found 500"),
    ("status 503", encoded({}, 503), ModelUnavailable, "found 503"),
    ("a huge body", (200, {}, b" " * (MOST_REPLY_BYTES + 1)), InvalidAnswer, "expected at most 1000000 bytes"),
    ("a broken encoding", (200, {"content-encoding": "gzip"}, b"no gzip"), ModelUnavailable, "DecodingError"),
    (
        "an unknown field",
        encoded({"detail": "Unexpected fields in the request: {'logprobs'}"}, 422),
        ModelError,
        "it does not take logprobs",
    ),
    (
        "a prompt that is too long",
        encoded({"error": "maximum context length is 4096, max_tokens 1"}, 400),
        InvalidAnswer,
        "this prompt is longer than the model's context. It says: maximum context length is 4096",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "kind", "sentence"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS]
)
def test_a_fault_is_a_typed_error_of_its_row_alone(
    endpoint: ChatEndpoint, reply: Reply, kind: type[OtzyvError], sentence: str
) -> None:
    alone = asked(endpoint, *GOOD)
    endpoint.model = on_fault(reply)
    first, fault, last = asked(endpoint, GOOD[0], "fault", GOOD[1])
    assert [first, last] == alone
    assert isinstance(fault, kind)
    assert sentence in str(fault)
    assert "127.0.0.1" in str(fault)
    assert "fault" not in str(fault), "nothing of a review or a reply is repeated"


def test_a_server_that_refuses_everybody_is_set_up_wrongly(endpoint: ChatEndpoint) -> None:
    endpoint.model = lambda _: encoded({"error": "no such model"}, 400)
    for outcome in asked(endpoint, *GOOD):
        assert isinstance(outcome, ModelError)
        assert "found 400" in str(outcome)
        assert "All 2 were; check model name and fields" in str(outcome)
    assert isinstance(asked(endpoint, GOOD[0])[0], InvalidAnswer)


EXCEEDED = "request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it"
LONG_PROMPTS: dict[str, tuple[int, Any]] = {
    "llama.cpp": (
        400,
        {
            "error": {
                "code": 400,
                "message": EXCEEDED,
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 9000,
                "n_ctx": 4096,
            }
        },
    ),
    "older llama.cpp": (
        500,
        {
            "error": {
                "code": 500,
                "message": "the request exceeds the available context size",
                "type": "server_error",
            }
        },
    ),
    "vLLM": (
        400,
        {
            "object": "error",
            "message": "This model's maximum context length is 4096 tokens. However, you requested 9001 tokens",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
    ),
    "OpenAI": (
        400,
        {
            "error": {
                "message": "This model's maximum context length is 8192 tokens.",
                "type": "invalid_request_error",
                "param": "messages",
                "code": "context_length_exceeded",
            }
        },
    ),
    "SGLang": (
        400,
        {
            "object": "error",
            "message": "The input (9000 tokens) is longer than the model's context length (4096 tokens).",
        },
    ),
    "FastAPI": (413, {"detail": "prompt is too long: 9000 tokens"}),
    "text": (400, "input exceeds the context window"),
}


def refusal(status: int, body: Any) -> Reply:
    return (status, {}, body.encode()) if isinstance(body, str) else encoded(body, status)


@pytest.mark.parametrize("server", LONG_PROMPTS)
def test_a_prompt_that_is_too_long_is_told_as_that_with_the_servers_words(
    endpoint: ChatEndpoint, server: str
) -> None:
    endpoint.model = on_fault(refusal(*LONG_PROMPTS[server]))
    first, fault, _ = asked(endpoint, GOOD[0], "fault", GOOD[1])
    assert isinstance(first, Choice)
    assert isinstance(fault, InvalidAnswer)
    assert "this prompt is longer than the model's context. It says: " in str(fault)
    assert "OTZYV_LLM_EXAMPLES" in str(fault)
    endpoint.model = lambda _: refusal(*LONG_PROMPTS[server])
    for outcome in asked(endpoint, *GOOD):
        assert isinstance(outcome, ModelError)
        assert "the question alone is" in str(outcome)
        assert "check model name" not in str(outcome)


REASONS = [
    (
        404,
        {"error": {"message": "model 'test' not found", "type": "not_found_error"}},
        "model 'test' not found",
    ),
    (401, {"error": {"message": "Invalid API Key", "type": "authentication_error"}}, "Invalid API Key"),
    (400, {"object": "error", "message": "bad chat template", "code": 400}, "bad chat template, 400"),
    (400, {"error": "no such model"}, "no such model"),
    (
        422,
        {"detail": [{"loc": ["body", "seed"], "msg": "Input should be an integer", "input": "x"}]},
        "Input should be an integer",
    ),
    (422, {"detail": "Unexpected keys"}, "Unexpected keys"),
    (503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, "Loading model"),
    (400, "only one system message", "only one system message"),
]


@pytest.mark.parametrize(("status", "body", "said"), REASONS)
def test_the_servers_own_reason_is_told(endpoint: ChatEndpoint, status: int, body: Any, said: str) -> None:
    endpoint.model = lambda _: refusal(status, body)
    for outcome in asked(endpoint, *GOOD):
        assert f"It says: {said}" in str(outcome) or f"{said}" in str(outcome).partition("It says: ")[2]


PRIVATE = "Позвоните Марине 89161234567 насчёт Zaporozhets, платье"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": f"cannot render: {PRIVATE}", "type": "bad"}},
        {"error": f"cannot render {PRIVATE!r}"},
        {"detail": [{"loc": ["body"], "msg": f"cannot render {PRIVATE}", "input": PRIVATE}]},
        {"detail": [{"loc": ["body"], "msg": "cannot render", "input": {"content": PRIVATE}}]},
        f"cannot render: {PRIVATE.upper()}",
        {"message": "cannot render " + "x " * 180 + PRIVATE},
        f"<html><body>cannot render {PRIVATE}</body></html>",
    ],
)
@pytest.mark.parametrize("status", [400, 404, 500])
def test_nothing_of_a_review_gets_into_a_message(endpoint: ChatEndpoint, body: Any, status: int) -> None:
    endpoint.model = lambda _: refusal(status, body)
    for outcome in asked(endpoint, PRIVATE, PRIVATE):
        assert f"found {status}" in str(outcome)
        for word in ("марин", "8916", "zaporo", "позвон", "плать"):
            assert word not in str(outcome).casefold()


@pytest.mark.parametrize("sent", [True, False])
def test_a_server_that_sends_no_log_probabilities_is_told_once_at_its_first_answer(
    endpoint: ChatEndpoint, sent: bool
) -> None:
    endpoint.model = by_words if sent else lambda _: encoded(completion("A"))
    with structlog.testing.capture_logs() as lines:
        with ChatServer(endpoint.url, "test", **UNHURRIED) as server:
            for _ in range(2):
                server.choose(prompts(*GOOD), WRITER.options)
        with ChatServer(endpoint.url, "test", **UNHURRIED, logprobs=False) as server:
            server.choose(prompts(*GOOD), WRITER.options)
    told = [line for line in lines if line["event"] == "llm.no_logprobs"]
    assert len(told) == (0 if sent else 1)
    assert all(line["log_level"] == "warning" and "OTZYV_LLM_LOGPROBS=false" in line["note"] for line in told)


def test_a_server_that_has_answered_before_is_not_set_up_wrongly(endpoint: ChatEndpoint) -> None:
    refused = encoded({"error": "logprobs of this request are bad"}, 400)
    with ChatServer(endpoint.url, "test", **UNHURRIED, attempts=1) as server:
        server.choose(prompts(*GOOD), WRITER.options)
        endpoint.model = lambda _: refused
        for outcome in server.choose(prompts(*GOOD), WRITER.options):
            assert isinstance(outcome, InvalidAnswer)


def test_requests_that_may_be_answered_differently_are_not_taken_for_the_same_model() -> None:
    different: list[dict[str, Any]] = [
        {},
        {"logprobs": False},
        {"structured": "guided_choice"},
        {"thinking_off": False},
        {"extra": {"seed": 1}},
        {"extra": {"seed": 2}},
    ]
    url = "http://127.0.0.1:1/v1"
    names = [ChatServer(url, "test", **fields).model for fields in different]
    assert names[0] == "test"
    assert len(set(names)) == len(names)
    assert names == [ChatServer(url, "test", concurrency=1, **fields).model for fields in different]


def test_tokens_of_a_useless_answer_are_counted(endpoint: ChatEndpoint) -> None:
    endpoint.model = lambda _: encoded(completion("Z"))
    error = failed(asked(endpoint, "Платье")[0])
    assert isinstance(error, InvalidAnswer)
    assert (error.tokens_in, error.tokens_out) == (100, 1)


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        {"content": None},
        {"content": []},
        {"content": [{"token": "<think>", "logprob": -0.1, "top_logprobs": []}]},
        {"content": [{"token": "A", "logprob": None, "top_logprobs": []}]},
    ],
)
def test_missing_log_probabilities_are_no_error(
    endpoint: ChatEndpoint, logprobs: dict[str, Any] | None
) -> None:
    body = completion("A")
    body["choices"][0]["logprobs"] = logprobs
    endpoint.model = lambda _: encoded(body)
    assert asked(endpoint, "Платье") == [Choice("A", None, 100, 1)]


def test_spellings_of_one_option_are_added_up(endpoint: ChatEndpoint) -> None:
    shown = {"A": math.log(0.5), " A": math.log(0.2), "А": math.log(0.1), "B": math.log(0.1), "и": -3.0}
    endpoint.model = lambda _: encoded(completion("A", shown))
    outcome = asked(endpoint, "Платье")[0]
    assert isinstance(outcome, Choice)
    assert outcome.logprobs == {"A": pytest.approx(math.log(0.8)), "B": pytest.approx(math.log(0.1))}


def test_a_reply_without_usage_costs_nothing_known(endpoint: ChatEndpoint) -> None:
    endpoint.model = lambda _: encoded(completion("A") | {"usage": None})
    assert asked(endpoint, "Платье") == [Choice("A", None, 0, 0)]


def test_a_server_that_never_answers_is_given_up(endpoint: ChatEndpoint) -> None:
    endpoint.model = lambda request: (endpoint.late if "fault" in review_in(request) else by_words)(request)
    first, fault, last = over_its_limit(endpoint, GOOD[0], "fault", GOOD[1], found="ReadTimeout")
    assert isinstance(first, Choice)
    assert isinstance(last, Choice)
    assert isinstance(fault, ModelUnavailable)
    assert "found ReadTimeout" in str(fault)


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(endpoint: ChatEndpoint) -> None:
    endpoint.model = on_fault((200, {"x-drip": "0.1"}, b"{" * 10_000))
    first, fault = over_its_limit(endpoint, GOOD[0], "fault", found="part of one")
    assert isinstance(first, Choice)
    assert isinstance(fault, ModelUnavailable)
    assert "found part of one" in str(fault)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        with ChatServer(url, "test", attempts=1) as server:
            outcome = server.choose(prompts("Платье"), WRITER.options)[0]
    assert isinstance(outcome, ModelUnavailable)
    assert "Is the server running?" in str(outcome)


def test_after_the_deadline_nothing_more_is_asked(endpoint: ChatEndpoint) -> None:
    endpoint.model = endpoint.late
    outcomes = asked(endpoint, *(f"отзыв {n}" for n in range(6)), concurrency=2, deadline_s=0.4, attempts=9)
    assert all(isinstance(outcome, ModelUnavailable) for outcome in outcomes)
    assert len(endpoint.requests) <= 2, "those that were on their way"
    assert "expected answers in 0.4 s, found none in time" in str(outcomes[-1])


def test_what_may_pass_is_tried_again(endpoint: ChatEndpoint) -> None:
    def flaky(request: dict[str, Any]) -> Reply:
        return encoded({}, 500) if len(endpoint.requests) == 1 else by_words(request)

    endpoint.model = flaky
    assert isinstance(asked(endpoint, "Платье", attempts=2)[0], Choice)
    assert len(endpoint.requests) == 2


def test_tries_are_limited(endpoint: ChatEndpoint) -> None:
    endpoint.model = lambda _: encoded({}, 500)
    assert isinstance(asked(endpoint, "Платье", attempts=3, longest_pause_s=0.01)[0], ModelUnavailable)
    assert len(endpoint.requests) == 3


def test_what_stays_is_not_tried_again(endpoint: ChatEndpoint) -> None:
    endpoint.model = lambda _: encoded({}, 401)
    asked(endpoint, "Платье", attempts=5)
    assert len(endpoint.requests) == 1


def test_a_pause_is_as_long_as_the_server_asks_for(endpoint: ChatEndpoint) -> None:
    def limited(request: dict[str, Any]) -> Reply:
        return encoded({}, 429, retry_after="1") if len(endpoint.requests) == 1 else by_words(request)

    endpoint.model = limited
    with structlog.testing.capture_logs() as lines:
        assert isinstance(asked(endpoint, "Платье", attempts=2, longest_pause_s=5)[0], Choice)
    assert [(line["event"], line["pause_s"]) for line in lines] == [("llm.retry", 1.0)]


def test_a_server_that_asks_for_a_long_pause_is_left_alone(endpoint: ChatEndpoint) -> None:
    endpoint.model = lambda _: encoded({}, 429, retry_after="3600")
    error = failed(asked(endpoint, "Платье", attempts=5)[0])
    assert isinstance(error, ModelUnavailable)
    assert error.retry_after_s == 3600
    assert len(endpoint.requests) == 1


def test_retry_after_is_a_number_or_a_date() -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=90)
    assert retry_after_s("7") == 7
    most = (soon - datetime.now(UTC)).total_seconds()
    found = retry_after_s(format_datetime(soon, usegmt=True))
    least = (soon - datetime.now(UTC)).total_seconds()
    assert least <= found <= most
    assert retry_after_s(format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)) == 0
    for nonsense in ("", "soon", "-1", "1e99999", "nan"):
        assert retry_after_s(nonsense) is None


def test_no_more_requests_than_allowed_run_at_once(endpoint: ChatEndpoint) -> None:
    together = threading.Barrier(4)

    def in_fours(request: dict[str, Any]) -> Reply:
        together.wait(GIVE_UP_S)
        return by_words(request)

    endpoint.model = in_fours
    outcomes = asked(endpoint, *(f"Платье {n}" for n in range(16)), concurrency=4)
    assert all(isinstance(outcome, Choice) for outcome in outcomes)
    assert endpoint.most_at_once == 4


def test_the_key_is_in_no_message_and_no_log_line(endpoint: ChatEndpoint) -> None:
    endpoint.model = lambda request: encoded({"error": KEY}, 401 if "fault" in review_in(request) else 500)
    with (
        structlog.testing.capture_logs() as lines,
        ChatServer(
            endpoint.url, "test", **UNHURRIED, api_key=KEY, attempts=2, longest_pause_s=0.01
        ) as server,
    ):
        outcomes = server.choose(prompts("fault", "Платье"), WRITER.options)
        told = [*map(str, outcomes), *map(repr, outcomes), json.dumps(lines, default=str)]
        told += [repr(server), repr(server._client), repr(server._client.headers)]
    assert lines
    assert not any(KEY in text or "Платье" in text for text in told)


def test_a_password_in_the_url_is_in_no_message() -> None:
    with ChatServer("http://user:pass-word@127.0.0.1:1/v1", "test", attempts=1) as server:
        outcome = server.choose(prompts("Платье"), WRITER.options)[0]
    assert "http://127.0.0.1:1:" in str(outcome)
    assert "pass-word" not in str(outcome)


@pytest.mark.parametrize("url", ["", "localhost:8000/v1", "ftp://host/v1", "http://", "http://[::1/v1"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ModelError, match=r"expected a URL such as http://127.0.0.1:8000/v1"):
        ChatServer(url, "test")


def test_no_prompts_are_no_requests(endpoint: ChatEndpoint) -> None:
    assert asked(endpoint) == []
    assert endpoint.requests == []
