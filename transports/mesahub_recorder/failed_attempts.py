"""Failed attempts: distinguished from answers, and recorded only on request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesahub.dialects.mesahub.errors import outcome_of
from mesahub.errors import ConnectionLostError, NotSentError, Outcome, RequestTimeoutError, TransportError
from mesahub.transport import Response
from mesahub_recorder.call import Call

FAILURES = (NotSentError, ConnectionLostError, RequestTimeoutError)
"""The errors of a transport that received no answer."""

_NAMES: dict[str, type[TransportError]] = {
    "not_sent": NotSentError,
    "lost": ConnectionLostError,
    "timeout": RequestTimeoutError,
}


def is_refused(call: Call, response: Response) -> bool:
    """Is this a transient failure: not executed, or not the server's own answer?"""
    if response.status < 400:
        # The server sends an empty body if a value is infinite. Any other text is a proxy's.
        payload = _payload(response)
        strange = bool(response.content) and not (
            isinstance(payload, dict)
            and payload.get("error") is None
            and {"rows", "rowsAffected", "stat"} & payload.keys()
        )
        return strange and call.sql is not None and response.status == 200
    response.read()
    return outcome_of(response, call.operation, safe=not call.writes) is not None


def _payload(response: Response) -> Any:
    try:
        return response.payload
    except ValueError:
        return None


def failure_of(error: TransportError) -> dict[str, Any]:
    """The cassette form of an attempt without an answer."""
    name = next(name for name, kind in _NAMES.items() if isinstance(error, kind))
    return {"raised": name, "outcome": error.outcome.name, "message": str(error)}


def raised(answer: Mapping[str, Any]) -> TransportError:
    """The error that was recorded."""
    error = _NAMES[answer["raised"]](answer["message"])
    error.outcome = Outcome[answer["outcome"]]
    return error
