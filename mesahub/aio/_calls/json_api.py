# Made by scripts/asyncify.py of mesahub/_calls/json_api.py: change that, and run `make aio`.
"""Calls of the administration: JSON in, JSON out, over any client's stack."""

from __future__ import annotations

from typing import Any, Protocol

from mesahub._calls.json_api import _LISTS, _OBJECTS
from mesahub._util.secret import Secret
from mesahub.dialects.mesahub.json_responses import read_any, read_list, read_object
from mesahub.transport import AsyncResponse, Request

__all__ = ["AsyncApi", "AsyncSender"]


class AsyncSender(Protocol):
    """What sends: a client, or a stack."""

    timeout: float | None

    async def send(self, request: Request, /) -> AsyncResponse:
        """Send a request."""
        ...


class AsyncApi:
    """Sends calls and reads their answers.

    Args:
        sender: a client.
        prefix: of the operations' names, such as ``"admin"``.
    """

    def __init__(self, sender: AsyncSender, prefix: str) -> None:
        self._sender = sender
        self._prefix = prefix

    def request(self, what: str, method: str, path: str, *, safe: bool = False, **fields: Any) -> Request:
        """A request. ``what`` is the operation, such as ``"databases.list"``."""
        fields.setdefault("timeout", self._sender.timeout)
        return Request(f"{self._prefix}.{what}", method, path, safe=safe or method == "GET", **fields)

    async def send(self, request: Request) -> AsyncResponse:
        """Send a request; gives its answer, whatever its status."""
        return await self._sender.send(request)

    async def call(self, what: str, method: str, path: str, **fields: Any) -> Any:
        """Send a request and give the JSON of its answer, ``None`` for an empty one.

        Raises:
            MesahubError: what the server said.
        """
        request = self.request(what, method, path, **fields)
        response = await self.send(request)
        last = what.rpartition(".")[2]
        if last in _LISTS:
            return read_list(response)
        if last in _OBJECTS:
            return read_object(response, write=method != "GET")
        return self.answer(response)

    async def record(self, what: str, method: str, path: str, **fields: Any) -> dict[str, Any]:
        """Send a request and give the object that it answers. Keys in it are a `Secret`, which no ``repr`` shows."""
        request = self.request(what, method, path, **fields)
        answer = read_object(await self.send(request), write=not request.safe)
        for name in ("key", "api_key"):
            if isinstance(answer.get(name), str):
                answer[name] = Secret(answer[name])
        return answer

    async def records(self, what: str, method: str, path: str, **fields: Any) -> list[dict[str, Any]]:
        """Send a request and give the list of objects that it answers."""
        return read_list(await self.send(self.request(what, method, path, **fields)))

    def answer(self, response: AsyncResponse) -> Any:
        """The JSON of an answer."""
        return read_any(response)
