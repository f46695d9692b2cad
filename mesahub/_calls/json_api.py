"""Calls of the administration: JSON in, JSON out, over any client's stack."""

from __future__ import annotations

import re
from typing import Any, Protocol

from mesahub._calls.checks import checked_text
from mesahub._util.secret import Secret
from mesahub.dialects.mesahub.json_responses import read_any, read_list, read_object
from mesahub.errors import ArgumentError
from mesahub.transport import Request, Response
from mesahub.url import encode_segment

_LISTS = frozenset({"list", "list_deleted"})
_OBJECTS = frozenset({"create", "get", "update", "health", "version", "restore", "set_status", "tables"})
"""Ends of the names of operations whose answer is a list of records, or a record."""

__all__ = ["Api", "Sender", "segment"]


class Sender(Protocol):
    """What sends: a client, or a stack."""

    timeout: float | None

    def send(self, request: Request, /) -> Response:
        """Send a request."""
        ...


class Api:
    """Sends calls and reads their answers.

    Args:
        sender: a client.
        prefix: of the operations' names, such as ``"admin"``.
    """

    def __init__(self, sender: Sender, prefix: str) -> None:
        self._sender = sender
        self._prefix = prefix

    def request(self, what: str, method: str, path: str, *, safe: bool = False, **fields: Any) -> Request:
        """A request. ``what`` is the operation, such as ``"databases.list"``."""
        fields.setdefault("timeout", self._sender.timeout)
        return Request(f"{self._prefix}.{what}", method, path, safe=safe or method == "GET", **fields)

    def send(self, request: Request) -> Response:
        """Send a request; gives its answer, whatever its status."""
        return self._sender.send(request)

    def call(self, what: str, method: str, path: str, **fields: Any) -> Any:
        """Send a request and give the JSON of its answer, ``None`` for an empty one.

        Raises:
            MesahubError: what the server said.
        """
        request = self.request(what, method, path, **fields)
        response = self.send(request)
        last = what.rpartition(".")[2]
        if last in _LISTS:
            return read_list(response)
        if last in _OBJECTS:
            return read_object(response, write=method != "GET")
        return self.answer(response)

    def record(self, what: str, method: str, path: str, **fields: Any) -> dict[str, Any]:
        """Send a request and give the object that it answers. Keys in it are a `Secret`, which no ``repr`` shows."""
        request = self.request(what, method, path, **fields)
        answer = read_object(self.send(request), write=not request.safe)
        for name in ("key", "api_key"):
            if isinstance(answer.get(name), str):
                answer[name] = Secret(answer[name])
        return answer

    def records(self, what: str, method: str, path: str, **fields: Any) -> list[dict[str, Any]]:
        """Send a request and give the list of objects that it answers."""
        return read_list(self.send(self.request(what, method, path, **fields)))

    def answer(self, response: Response) -> Any:
        """The JSON of an answer."""
        return read_any(response)


def segment(what: str, value: Any) -> str:
    """A path segment of a name or id that the caller gave."""
    return encode_segment(checked_text(what, value))


_SLUG = re.compile(r"[A-Za-z0-9_-]+")


def check_slug(slug: Any) -> str:
    """A slug that the server will take, or `ArgumentError`."""
    if not isinstance(slug, str) or not _SLUG.fullmatch(slug):
        raise ArgumentError(f"A slug must consist of ASCII letters, digits, '_' and '-', not {slug!r:.100}.")
    if len(slug) > 200:
        raise ArgumentError(f"A slug becomes a file's name: {len(slug)} characters are too many, take 200 at most.")
    if slug in ("deleted", "store"):
        raise ArgumentError(
            f"The slug {slug!r} is reserved by the server, which would accept it and then confuse the two."
        )
    return slug
