"""JSON responses other than those of query and exec: checked, or raised as errors."""

from __future__ import annotations

from typing import Any

from mesahub.dialects.mesahub.errors import raise_for_status
from mesahub.errors import AmbiguousResultError, MesahubError, ServerError
from mesahub.transport import Response

__all__ = ["read_any", "read_list", "read_object", "records", "unexpected"]


def read_object(response: Response, *, write: bool = False) -> dict[str, Any]:
    """The answer, which is a JSON object. Raises what an error's answer means."""
    answer = read_any(response, write=write)
    if not isinstance(answer, dict) or answer.get("error") is not None:
        raise unexpected(response, "an object", write=write)
    return answer


def read_list(response: Response) -> list[dict[str, Any]]:
    """The answer, which is a JSON array of objects; ``null`` means an empty one, as Go writes it."""
    return records(response, read_any(response))


def records(response: Response, answer: Any) -> list[dict[str, Any]]:
    """A part of an answer that must be an array of objects, or ``None``."""
    if answer is None:
        return []
    if not isinstance(answer, list) or not all(isinstance(record, dict) for record in answer):
        raise unexpected(response, "a list of objects")
    return answer


def read_any(response: Response, *, write: bool = False) -> Any:
    """The JSON of an answer, ``None`` for an empty one. Raises what an error's answer means."""
    raise_for_status(response)
    response.read()
    try:
        return response.payload
    except (ValueError, RecursionError):
        raise unexpected(response, "JSON", write=write) from None


def unexpected(response: Response, expected: str, *, write: bool = False) -> MesahubError:
    """The error for an answer of another shape.

    Args:
        response: the response.
        expected: what was expected.
        write: the request may have changed something.
    """
    try:
        # What a write returns is not repeated: it may hold a new key.
        shown = "something else" if write else f"{response.payload!r:.100}"
    except (ValueError, RecursionError):
        shown = f"{response.content[:80]!r}"
    text = (
        f"The server, or a gateway in front of it, returned {response.status} with {shown} where {expected} was "
        "expected. Is this the URL of a MesaHub server?"
    )
    if write:
        text += " Check whether the call was carried out before you repeat it."
        return AmbiguousResultError.of(text, status_code=response.status)
    return ServerError.of(text, status_code=response.status)
