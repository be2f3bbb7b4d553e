"""Failures as JSON for programs, which a person may look at in a terminal too."""

from __future__ import annotations

import base64
import codecs
import json
from typing import Any

import msgspec

from shared.store.failures import Failure


def as_json(document: object) -> str:
    """Indented JSON; letters of any alphabet as they are, what shows nothing by itself as an escape."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return "".join(
        char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1]  # only strings hold such
        for char in text
    )


def document_of(failure: Failure) -> dict[str, Any]:
    """All of a failure: its payload as `payload` where it is UTF-8, else as `payload_base64`.

    `cut` says that the text or the payload is not whole.
    """
    fields: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(failure, payload=None))
    payload = failure.payload
    shown = len(failure.text or "") if payload is None else len(payload)
    fields["cut"] = shown < failure.size and (payload is not None or failure.text is not None)
    if payload is None:
        return fields
    try:
        # Half a character at the place of the cut makes it no bytes.
        fields["payload"] = codecs.getincrementaldecoder("utf-8")().decode(payload, final=not fields["cut"])
    except UnicodeDecodeError:
        del fields["payload"]
        fields["payload_base64"] = base64.b64encode(payload).decode()
    return fields
