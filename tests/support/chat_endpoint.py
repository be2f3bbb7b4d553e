"""A real HTTP server that speaks the OpenAI chat completions protocol, for tests.

It reads the categories out of the prompt, as a model would, and answers by the words it finds in the review. Words
beside those order faults, so that one batch can hold good and bad rows.
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from shared.taxonomy import Taxonomy
from tests.support.servers import PATIENCE_S

SMALL = Taxonomy.parse("""
name: small
none_category: nothing
categories:
  - slug: clothes
    title: одежда
    description: Одежда для взрослых
    examples: [Платье село по фигуре, Кофта колючая]
  - slug: shoes
    title: обувь
    examples: [Тапки тёплые]
  - slug: nothing
    title: нет товара
""")

WORDS = {"платье": "одежда", "кофта": "одежда", "тапки": "обувь"}
SURE = 0.9
OUTSIDE = 0.05
"""Probability of a token that is no option."""
GIVE_UP_S = PATIENCE_S
"""A request that nothing ends is dropped after this time, so that a broken test does not hang."""
UNHURRIED: dict[str, Any] = {
    "connect_timeout_s": PATIENCE_S,
    "timeout_s": PATIENCE_S,
    "deadline_s": PATIENCE_S,
}
"""Limits of a `ChatServer` that no load reaches: a request over its limit would be an abstention of its row."""

OPTION = re.compile(r"^(\w) — ([^.\n]+)", re.MULTILINE)
REVIEW = re.compile(r"<отзыв>\n(.*)\n</отзыв>", re.DOTALL)

Headers = dict[str, str]
Reply = tuple[int, Headers, bytes]
Model = Callable[[dict[str, Any]], Reply]


def options_in(request: dict[str, Any]) -> dict[str, str]:
    """Options by title, as the prompt lists them."""
    return {title: option for option, title in OPTION.findall(request["messages"][0]["content"])}


def review_in(request: dict[str, Any]) -> str:
    """The review that a request is about."""
    found = REVIEW.search(request["messages"][1]["content"])
    assert found, "a request without a delimited review"
    return found[1]


def completion(said: str | None, logprobs: dict[str, float] | None = None) -> dict[str, Any]:
    """A chat completion of one token, 100 tokens of prompt."""
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": said},
        "finish_reason": "length",
    }
    if logprobs is not None:
        top = [{"token": token, "logprob": value, "bytes": None} for token, value in logprobs.items()]
        first = {"token": said, "logprob": logprobs.get(said or "", -1.0), "bytes": None, "top_logprobs": top}
        choice["logprobs"] = {"content": [first], "refusal": None}
    usage = {"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101}
    return {"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage}


def encoded(body: object, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, json.dumps(body, ensure_ascii=False).encode()


def chosen(request: dict[str, Any], option: str) -> Reply:
    """An answer of `option`, sure of it, with the other options sharing what is left."""
    others = [other for other in options_in(request).values() if other != option]
    rest = (1.0 - SURE - OUTSIDE) / len(others)
    logprobs = {option: math.log(SURE), "Ответ": math.log(OUTSIDE)}
    logprobs |= {other: math.log(rest) for other in others}
    return encoded(completion(option, logprobs if request.get("logprobs") else None))


def by_words(request: dict[str, Any]) -> Reply:
    """A model that knows three words."""
    review, options = review_in(request).lower(), options_in(request)
    title = next((title for word, title in WORDS.items() if word in review), "нет товара")
    return chosen(request, options[title])


class _Server(ThreadingHTTPServer):
    # With the library's five, Linux drops connections of a burst, and a client tries again after 1, 3 and 7 seconds:
    # later than the limit of a connection.
    request_queue_size = 128


class ChatEndpoint:
    """A running server. `requests` and `headers` are what came in, `most_at_once` how many together."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.requests: list[dict[str, Any]] = []
        self.headers: list[Headers] = []
        self.asked: Counter[str] = Counter()
        self.most_at_once = 0
        self.released = threading.Event()
        """Set when the server stops: whatever a model waits for, it has to wait for this as well."""
        self._now = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def late(self, request: dict[str, Any]) -> Reply:
        """A model that knows three words, and answers when nobody waits any more."""
        self.released.wait(GIVE_UP_S)
        return by_words(request)

    def start(self) -> None:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def _took(self, request: dict[str, Any], headers: Headers) -> None:
        with self._lock:
            self.requests.append(request)
            self.headers.append(headers)
            self.asked[review_in(request)] += 1
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)

    def _gave(self) -> None:
        with self._lock:
            self._now -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                assert self.path == "/v1/chat/completions"
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                endpoint._took(request, {name.lower(): value for name, value in self.headers.items()})
                try:
                    status, headers, body = endpoint.model(request)
                finally:
                    endpoint._gave()
                try:
                    self._send(status, headers, body)
                except OSError:
                    self.close_connection = True  # the client has given up

            def _send(self, status: int, headers: Headers, body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if "x-drip" in headers:
                    for byte in body:
                        if endpoint.released.wait(float(headers["x-drip"])):
                            break
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                    return
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name in the base
                pass

        return Handler


@contextmanager
def chat_endpoint(model: Model = by_words) -> Iterator[ChatEndpoint]:
    """Runs a server on a free port of this machine."""
    endpoint = ChatEndpoint(model)
    endpoint.start()
    try:
        yield endpoint
    finally:
        endpoint.stop()
