"""Attempts that came to nothing: told from answers, and kept only for those who ask for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mesahub.errors import ConnectionLostError, NotSentError, Outcome, RequestTimeoutError, TransportError
from mesahub.transport import Response
from mesahub_recorder.interaction import Call

FAILURES = (NotSentError, ConnectionLostError, RequestTimeoutError)
"""What a transport raises when no answer came."""

_NAMES: dict[str, type[TransportError]] = {
    "not_sent": NotSentError,
    "lost": ConnectionLostError,
    "timeout": RequestTimeoutError,
}
# The server's words for "not now". A constraint's message may hold them as a name, and is an answer.
_BUSY = re.compile(r"(database|table|schema) is locked|queue (is )?full")
_CONSTRAINT = re.compile(r"[A-Z ]+constraint failed", re.IGNORECASE)


def is_refused(call: Call, response: Response) -> bool:
    """Was it not carried out, or is this no answer of the server's? The same call may be answered in a moment."""
    if response.status < 400:
        # An empty body is the server's answer where a value is an infinity. Other text is a proxy's.
        strange = bool(response.content) and not isinstance(_payload(response), dict)
        return strange and call.sql is not None and response.status == 200
    text = _text(response)
    if response.status == 503:
        return "inactive" not in text.lower()  # a database that is switched off is an answer
    if response.status in (429, 502, 504):
        return True
    return _BUSY.search(text) is not None and _CONSTRAINT.search(text) is None


def _payload(response: Response) -> Any:
    try:
        return response.payload
    except ValueError:
        return None


def _text(response: Response) -> str:
    response.read()
    payload = _payload(response)
    if isinstance(payload, dict):
        return " ".join(str(payload[name]) for name in ("error", "message") if name in payload)
    return response.content.decode(errors="replace")


def failure_of(error: TransportError) -> dict[str, Any]:
    """What the cassette holds of an attempt that got no answer."""
    name = next(name for name, kind in _NAMES.items() if isinstance(error, kind))
    return {"raised": name, "outcome": error.outcome.name, "message": str(error)}


def raised(answer: Mapping[str, Any]) -> TransportError:
    """The error that was recorded."""
    error = _NAMES[answer["raised"]](answer["message"])
    error.outcome = Outcome[answer["outcome"]]
    return error
