"""What a request takes along into httpx: a trace of how far it is, and an auth that leaves the key alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from mesahub.transport.asynchronous.exchange import Call
from mesahub_http1 import ProtocolError

__all__ = ["Trace", "keeping_key"]

_ASKS_AGAIN = frozenset({401, 407})


class Trace:
    """Notes when httpcore begins to send, and hides a redirect that httpx could not read.

    It keeps a transport of the application's from sending a request twice: whether that may be done is not for it to
    say. (An auth may, after a response that asks for other credentials.)

    httpx looks for the target also where it must not follow, and fails at a Location that is not a URL.

    Attributes:
        hidden: the headers that were taken out of the response.
    """

    def __init__(self, call: Call, url: Any) -> None:
        self._call = call
        self._url = url
        self._status = 0
        self._connecting: Any = None
        self.hidden: list[tuple[bytes, bytes]] = []

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "connect_unix_socket.complete")):
            self._connecting = info.get("return_value")
        elif event.endswith("start_tls.complete"):
            self._connecting = None
        elif event.endswith("send_request_headers.started"):
            self._connecting = None
            request = info.get("request")
            if getattr(request, "method", b"") == b"CONNECT":  # of a proxy's tunnel
                return
            if self._call.sent and self._status not in _ASKS_AGAIN:
                raise ProtocolError("a transport of the client would have sent the request a second time")
            self._call.sent = True
        elif event.endswith("receive_response_headers.complete"):
            returned = info.get("return_value")
            if isinstance(returned, tuple) and len(returned) > 3:
                self._status = returned[1]
                if isinstance(returned[3], list):
                    self._hide(returned[3])

    async def drop(self) -> None:
        """Close a connection on which TLS was not complete when the call ended: httpcore leaves it open."""
        stream, self._connecting = self._connecting, None
        if stream is not None:
            await stream.aclose()

    def _hide(self, headers: list[tuple[bytes, bytes]]) -> None:
        for item in headers[:]:
            if item[0].lower() == b"location" and not self._readable(item[1]):
                headers.remove(item)
                self.hidden.append(item)

    def _readable(self, location: bytes) -> bool:
        try:
            self._url.join(type(self._url)(location.decode("latin-1")))
        except Exception:  # noqa: BLE001  (whatever it is, httpx would raise it too)
            return False
        return location.isascii()


def keeping_key(client: Any, built: Any) -> dict[str, Any]:
    """Arguments for a request that has a key: the client's auth may add to it what it likes, but not replace it."""
    auth = client.auth
    if auth is None or "Authorization" not in built.headers:
        return {}
    return {"auth": _keeper(type(auth))(auth)}


def _keeper(kind: type[Any]) -> Any:
    # httpx and httpx2 have each a class for it, and take no other.
    base: Any = next(each for each in kind.__mro__ if each.__name__ == "Auth")

    class Keeper(base):  # type: ignore[misc]
        def __init__(self, auth: Any) -> None:
            self._auth = auth
            self.requires_request_body = auth.requires_request_body
            self.requires_response_body = auth.requires_response_body

        async def async_auth_flow(self, request: Any) -> AsyncIterator[Any]:
            key = request.headers["Authorization"]
            flow = self._auth.async_auth_flow(request)
            try:
                sent = await anext(flow)
                while True:
                    sent.headers["Authorization"] = key
                    response = yield sent
                    sent = await flow.asend(response)
            except StopAsyncIteration:
                return
            finally:
                await flow.aclose()

    return Keeper
