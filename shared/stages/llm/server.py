"""Asks an OpenAI-compatible server: vLLM, SGLang, Ollama, llama.cpp, `transformers serve`, or a cloud.

One request per review, several at a time, each with a limit on its whole duration and on the size of its reply.
What may pass is tried again with growing pauses. Neither the key nor anything of a review gets into a message.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, Self

import httpx2
import structlog

from shared.errors import InvalidAnswer, ModelError, ModelUnavailable, OtzyvError
from shared.stages.llm.choice import Choice, ChoiceOrError
from shared.stages.llm.prompt import Prompt
from shared.stages.llm.refusal import reason
from shared.stages.llm.reply import understood

log = structlog.get_logger()

TOP_LOGPROBS: Final = 20
"""Log-probabilities asked for per answer: the most that OpenAI and vLLM (`--max-logprobs`) give by default."""
FIRST_PAUSE_S: Final = 0.5
MOST_REPLY_BYTES: Final = 1_000_000
"""A reply is about 3 kB with log-probabilities; a longer one than this is not read to its end."""

_LATER: Final = frozenset({408, 409, 425, 429})
_SETUP: Final = frozenset({301, 302, 303, 307, 308, 401, 402, 403, 404, 405})
_FIELDS: Final = (
    "top_logprobs",
    "logprobs",
    "structured_outputs",
    "guided_choice",
    "chat_template_kwargs",
    "max_tokens",
    "temperature",
)
"""Optional fields of a request that some servers do not know."""

StructuredOutput = Literal["", "structured_outputs", "guided_choice"]


class _Refusal(InvalidAnswer):
    """The server did not take one request."""


class _TooLong(_Refusal):
    """The request is longer than the model's context."""


LARGER: Final = (
    "Give the model a larger context (llama.cpp -c, vLLM --max-model-len, Ollama num_ctx), or make prompts shorter: "
    "OTZYV_LLM_EXAMPLES, OTZYV_MAX_TEXT_CHARS"
)
UNSCORED: Final = (
    "came without log-probabilities: nothing tells how sure it is, so each counts as 0.5 and goes to a person. Use a "
    "server that sends them (vLLM, llama.cpp, SGLang), or set OTZYV_LLM_LOGPROBS=false to say that this is meant"
)
"""What follows `an answer`: said at the first one, by `otzyv plan` and by `otzyv status`."""


@contextmanager
def certificates_named(server: str) -> Iterator[None]:
    """Raises ModelError where a client of HTTP cannot be made."""
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"{server}: expected certificates of authorities where SSL_CERT_FILE or SSL_CERT_DIR say, found: {error}; "
            "correct these variables, or unset them"
        ) from error


class ChatServer:
    """Implements `shared.stages.llm.choice.Backend`. Close it when done; threads may share it.

    Args:
        base_url: where the protocol begins, such as `http://127.0.0.1:8000/v1`.
        model: the model's name on the server. The attribute `model` has a suffix where requests differ from the
            default ones in a field that may change answers, so that these are not taken for the same.
        api_key: sent as a bearer token; empty for servers without.
        connect_timeout_s, timeout_s: seconds for a connection, and for a whole request with its reply.
        deadline_s: seconds for one call of `choose`; what has not been answered by then is ModelUnavailable.
        longest_pause_s: seconds; a server that asks for a longer pause (Retry-After) is left alone.
        structured: name of the field that restricts the answer to the options. vLLM from 0.12 on calls it
            `structured_outputs`, before that `guided_choice`; empty for servers that have neither.
        thinking_off: send `chat_template_kwargs: {"enable_thinking": false}`, which Qwen3 and its descendants need
            in order to answer at once. A cloud that refuses unknown fields needs it switched off.
        extra: fields merged into every request; None removes a field. For a cloud that has renamed one:
            `{"max_tokens": None, "max_completion_tokens": 1}`.

    Raises ModelError where `base_url` is not an HTTP address, or certificates cannot be read.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str = "",
        concurrency: int = 16,
        connect_timeout_s: float = 5.0,
        timeout_s: float = 60.0,
        deadline_s: float = 100.0,
        attempts: int = 4,
        longest_pause_s: float = 20.0,
        logprobs: bool = True,
        structured: StructuredOutput = "",
        thinking_off: bool = True,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.model: Final = model + _told_apart(logprobs, structured, thinking_off, extra or {})
        self._url, self._server = _address(base_url)
        self._concurrency = concurrency
        self._timeout_s = timeout_s
        self._deadline_s = deadline_s
        self._attempts = attempts
        self._longest_pause_s = longest_pause_s
        self._structured = structured
        self._fields: dict[str, Any] = {"model": model, "max_tokens": 1, "temperature": 0}
        if logprobs:
            self._fields |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        if thinking_off:
            self._fields["chat_template_kwargs"] = {"enable_thinking": False}
        self._extra = dict(extra or {})
        self._has_answered = False
        self._has_told = False
        with certificates_named(self._server):
            self._client = httpx2.Client(
                headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
                timeout=httpx2.Timeout(timeout_s, connect=connect_timeout_s),
                limits=httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def choose(self, prompts: Sequence[Prompt], options: Sequence[str]) -> list[ChoiceOrError]:
        """One outcome per prompt, in order.

        ModelUnavailable for what may pass: no connection, too slow, status 408, 409, 425, 429 and 5xx. ModelError for
        what a person has to change: a redirect, status 401 to 405, or a field that the server does not know.
        InvalidAnswer for everything else, such as a reply that is not a chat completion. Other 4xx are about one
        request, unless all of several are refused by a server that has never answered: then they are ModelError.
        """
        if not prompts:
            return []
        until, stop = time.monotonic() + self._deadline_s, threading.Event()
        pool = ThreadPoolExecutor(min(self._concurrency, len(prompts)), thread_name_prefix="llm")
        try:
            asked = [pool.submit(self._ask, prompt, options, until, stop) for prompt in prompts]
            outcomes = [one.result() for one in asked]
        finally:
            # Also on an interrupt: nobody waits for answers that nobody will read.
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
        # A server that refuses everybody refuses how it is asked: a wrong model's name is 400 for some.
        self._has_answered |= any(isinstance(outcome, Choice) for outcome in outcomes)
        refused = all(isinstance(outcome, _Refusal) for outcome in outcomes)
        if self._has_answered or len(outcomes) == 1 or not refused:
            return outcomes
        too_long = all(isinstance(outcome, _TooLong) for outcome in outcomes)
        advice = "the question alone is" if too_long else "check model name and fields"
        return [ModelError(f"{outcome}. All {len(outcomes)} were; {advice}") for outcome in outcomes]

    def _ask(
        self, prompt: Prompt, options: Sequence[str], until: float, stop: threading.Event
    ) -> ChoiceOrError:
        """Ask until there is an answer, an error that stays, or no time left."""
        attempt, perhaps_billed = 1, 0
        while True:
            try:
                return self._once(prompt, options, until)
            except ModelUnavailable as error:
                perhaps_billed = error.perhaps_billed = error.perhaps_billed + perhaps_billed
                pause = self._pause_s(attempt, error.retry_after_s, until)
                if pause is None:
                    return error
                log.warning(
                    "llm.retry",
                    server=self._server,
                    attempt=attempt,
                    pause_s=round(pause, 2),
                    error=str(error),
                )
                if stop.wait(pause):
                    return error
            except OtzyvError as error:
                return error
            attempt += 1

    def _pause_s(self, attempt: int, asked_for: float | None, until: float) -> float | None:
        """Seconds before the next try; None when there is none.

        Exponential back-off with equal jitter (M. Brooker, "Exponential Backoff and Jitter", AWS, 2015), and
        never less than the server asked for.
        """
        longest = min(self._longest_pause_s, FIRST_PAUSE_S * 2.0 ** (attempt - 1))
        pause = max(longest / 2 + longest / 2 * random.random(), asked_for or 0.0)  # noqa: S311  no secret
        given_up = attempt >= self._attempts or pause > self._longest_pause_s
        return None if given_up or time.monotonic() + pause >= until else pause

    def _once(self, prompt: Prompt, options: Sequence[str], until: float) -> Choice:
        fields = self._fields | {"messages": prompt.messages}
        if self._structured:
            newer = self._structured == "structured_outputs"
            fields[self._structured] = {"choice": list(options)} if newer else list(options)
        request = {name: value for name, value in (fields | self._extra).items() if value is not None}
        until = min(until, time.monotonic() + self._timeout_s)
        left = until - time.monotonic()
        if left <= 0:
            raise ModelUnavailable(
                f"{self._server}: expected answers in {self._deadline_s:g} s, found none in time"
            )
        limits = httpx2.Timeout(left, connect=min(left, self._client.timeout.connect or left))
        try:
            with self._client.stream("POST", self._url, json=request, timeout=limits) as response:
                body = self._body(response, until)
        except httpx2.TimeoutException as error:
            raise self._too_slow(type(error).__name__) from error
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise ModelUnavailable(
                f"{self._server}: expected a reply, found {type(error).__name__}. Is the server running?"
            ) from error
        if response.status_code != httpx2.codes.OK:
            raise self._refusal(response, body, request)
        choice = understood(body, options, self._server)
        if choice.logprobs is None and request.get("logprobs") and not self._has_told:
            self._has_told = True
            log.warning(
                "llm.no_logprobs",
                server=self._server,
                model=self._fields["model"],
                note=f"An answer {UNSCORED}",
            )
        return choice

    def _body(self, response: httpx2.Response, until: float) -> bytes:
        """The body. A server that sends a byte now and then is too slow as well, so the clock is watched here."""
        body = b""
        for piece in response.iter_bytes():
            body += piece
            if len(body) > MOST_REPLY_BYTES:
                raise InvalidAnswer(
                    f"{self._server}: expected at most {MOST_REPLY_BYTES} bytes, found more. Check the server's URL"
                )
            if time.monotonic() > until:
                raise self._too_slow("part of one")
        return body

    def _too_slow(self, found: str) -> ModelUnavailable:
        return ModelUnavailable(
            f"{self._server}: expected a reply within {self._timeout_s:g} s, found {found}. "
            "Lower the concurrency, or allow more time",
            perhaps_billed=1,
        )

    def _refusal(self, response: httpx2.Response, body: bytes, request: Mapping[str, Any]) -> OtzyvError:
        """The error for a status other than 200, with the server's own reason."""
        status, sent = response.status_code, [one["content"] for one in request.get("messages", ())]
        why = reason(body, [*sent, self._client.headers.get("authorization", "")])
        found = f"{self._server}: expected status 200, found {status}"
        said = f". It says: {why.text}" if why.text else ""
        if why.too_long:
            return _TooLong(f"{found}: this prompt is longer than the model's context{said}. {LARGER}")
        if status in _LATER or status >= httpx2.codes.INTERNAL_SERVER_ERROR:
            return ModelUnavailable(
                f"{found}. The server is overloaded or failing; see its log{said}",
                retry_after_s(response.headers.get("retry-after", "")),
            )
        if status in _SETUP:
            return ModelError(
                f"{found} for the model {self._fields['model']!r}. Check URL, key and model name{said}"
            )
        unknown = [name for name in _FIELDS if name in request and name.encode() in body]
        if unknown and not self._has_answered:
            return ModelError(f"{found}: it does not take {unknown[0]}. Switch that field off{said}")
        return _Refusal(f"{found}. The server refused this request; see its log{said}")


def _told_apart(logprobs: bool, structured: str, thinking_off: bool, extra: Mapping[str, Any]) -> str:
    """A suffix for requests that are not the default ones: their answers may differ. The URL does not count."""
    fields = (logprobs, structured, thinking_off, dict(extra))
    if fields == (True, "", True, {}):
        return ""
    told = json.dumps(fields, sort_keys=True, ensure_ascii=False)
    return f"#{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def retry_after_s(header: str) -> float | None:
    """Seconds in a Retry-After header (RFC 9110, section 10.2.3): a number, or a date; None when it is neither."""
    try:
        if header.strip().isdigit():
            return float(header)
        moment = parsedate_to_datetime(header)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _address(base_url: str) -> tuple[str, str]:
    """The URL of chat completions, and how the server is called in messages: without user and password."""
    try:
        url = httpx2.URL(base_url.rstrip("/") + "/chat/completions")
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        # A URL may hold a password: it is not repeated.
        raise ModelError(
            "The LLM server: expected a URL such as http://127.0.0.1:8000/v1, found something else"
        )
    return str(url), f"{url.scheme}://{url.host}" + (f":{url.port}" if url.port else "")
