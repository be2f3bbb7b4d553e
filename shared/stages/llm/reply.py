"""The OpenAI chat completions protocol, as far as it is used: what is sent, and what a reply says.

Fields: platform.openai.com/docs/api-reference/chat. A message of an error never repeats a reply: it may hold
the review.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shared.errors import InvalidAnswer
from shared.stages.llm.choice import Choice, by_option
from shared.stages.llm.options import read


class _Token(msgspec.Struct):
    token: str
    logprob: float | None = None


class _Position(_Token):
    top_logprobs: list[_Token] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Position] | None = None


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    logprobs: _Logprobs | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Reply(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


_DECODER = msgspec.json.Decoder(_Reply)


def understood(body: bytes, options: Sequence[str], server: str) -> Choice:
    """The choice in the body of a reply with status 200.

    Raises InvalidAnswer where the body is empty or not a chat completion, or the answer is none of the options.
    """
    if not body.strip():
        raise InvalidAnswer(
            f"{server}: expected a chat completion, found an empty body. See the server's log"
        )
    try:
        reply = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # Not chained: its message may quote the body.
        kind = "JSON of another form" if isinstance(error, msgspec.ValidationError) else "malformed JSON"
        raise InvalidAnswer(
            f"{server}: expected a chat completion, found {kind} of {len(body)} bytes. Check the server's URL"
        ) from None
    if not reply.choices:
        raise InvalidAnswer(f"{server}: expected one choice, found none. See the server's log")
    usage = reply.usage or _Usage()
    spent = (usage.prompt_tokens or 0, usage.completion_tokens or 0)
    said = reply.choices[0].message.content or ""
    option = read(said, options)
    if option is None:
        what = "another text" if said.strip() else "no text"
        raise InvalidAnswer(
            f"{server}: expected one of {', '.join(options)}, found {what}. "
            "Try structured choice, another model, or a server that can switch thinking off",
            *spent,
        )
    return Choice(option, _shown(reply.choices[0].logprobs, options), *spent)


def _shown(logprobs: _Logprobs | None, options: Sequence[str]) -> dict[str, float] | None:
    """Log-probabilities by option at the first position where an option was said; None where there are none."""
    for position in (logprobs and logprobs.content) or ():
        if read(position.token, options) is None:
            continue
        tokens = [position, *(position.top_logprobs or ())]
        values = {token.token: token.logprob for token in tokens if token.logprob is not None}
        return by_option(((read(token, options), value) for token, value in values.items()), options) or None
    return None
