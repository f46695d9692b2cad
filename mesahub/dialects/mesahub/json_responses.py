"""JSON answers beside those of query and exec: checked, or the error that they stand for."""

from __future__ import annotations

from typing import Any

from mesahub.dialects.mesahub.errors import raise_for_status
from mesahub.errors import ServerError
from mesahub.transport import Response

__all__ = ["read_any", "read_list", "read_object"]


def read_object(response: Response) -> dict[str, Any]:
    """The answer, which is a JSON object. Raises what an error's answer means."""
    answer = read_any(response)
    if not isinstance(answer, dict):
        raise _wrong(response, answer, "an object")
    return answer


def read_list(response: Response) -> list[dict[str, Any]]:
    """The answer, which is a JSON array; ``null`` stands for an empty one, as Go writes it."""
    answer = read_any(response)
    if answer is None and response.content.strip() == b"null":
        return []
    if not isinstance(answer, list):
        raise _wrong(response, answer, "a list")
    return answer


def read_any(response: Response) -> Any:
    """The JSON of an answer, ``None`` for an empty one. Raises what an error's answer means."""
    raise_for_status(response)
    response.read()
    try:
        answer = response.payload
    except ValueError:
        raise _wrong(response, response.content[:80], "JSON") from None
    if isinstance(answer, dict) and answer.get("error") is not None:
        raise _wrong(response, answer, "a result")
    return answer


def _wrong(response: Response, answer: Any, expected: str) -> ServerError:
    return ServerError.of(
        f"The server, or something before it, answered {response.status} with {answer!r:.100} where {expected} was "
        "expected. Is this the URL of a MesaHub server?",
        status_code=response.status,
    )
