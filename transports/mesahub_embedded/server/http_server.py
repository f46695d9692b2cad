"""The HTTP server: waitress, with limits for those who connect and never ask, and turns for those who ask too much.

What waitress does by itself: it stops accepting at its limit of connections, so that as many half-sent requests stop
the server, and it gives its threads to whoever asks first, so that as many endless statements of one key do.
"""

# The stubs that type checkers bring for waitress differ from its code.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportIncompatibleMethodOverride=false

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from waitress.adjustments import Adjustments  # type: ignore[import-untyped]
from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.parser import HTTPRequestParser  # type: ignore[import-untyped]
from waitress.server import TcpWSGIServer  # type: ignore[import-untyped]
from waitress.task import ThreadedTaskDispatcher  # type: ignore[import-untyped]
from waitress.utilities import BadRequest  # type: ignore[import-untyped]

from mesahub_embedded.server.limits import ConnectionLimits

__all__ = ["HttpServer", "listen"]

BODY_LIMIT = 256 * 1024 * 1024
"""Bytes of a request: uploads may have 100 MiB; what is beyond is refused by its size, not by a broken connection."""
HEAD_LIMIT = 32 * 1024
"""Bytes of a request's line and headers."""
OPEN_BODY = 1024 * 1024
"""Bytes that are taken from a caller without a known key; the answer is 401 all the same."""


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    def received(self, data: bytes) -> int:
        try:
            count: int = super().received(data)
        except ValueError:  # a Content-Length with more digits than Python converts
            self.error = BadRequest("Content-Length is invalid")
            self.completed = self.headers_finished = True
            return len(data)
        return count


class _Unauthorized(BadRequest):  # type: ignore[misc]
    code = 401
    reason = "Unauthorized"

    def to_response(self, _: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        return "401 Unauthorized", [("Content-Type", "application/json")], b'{"error":"Unauthorized"}\n'


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection."""

    parser_class = _Parser

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.head_since: float | None = time.monotonic()
        self._checked: Any = None
        self._refused = False

    @property
    def rank(self) -> tuple[int, float]:
        """The order of closing when there are too many: no request yet, idle after one, still sending one."""
        if self.head_since is not None:
            return (0, self.head_since)
        return (1 if self.request is None else 2, self.last_activity)

    def end(self) -> None:
        """Have the connection closed when its own turn comes in this or the next round of the loop.

        Closed at once, its descriptor could be that of a connection which is accepted in the same round, and which
        would get the events of this one, its end among them.
        """
        self.will_close = True
        own: Any = self.socket
        with contextlib.suppress(OSError):
            own.shutdown(socket.SHUT_RDWR)

    def received(self, data: bytes) -> bool:
        if self._refused:
            return False
        if self.head_since is None:
            self.head_since = time.monotonic()
        more: bool = super().received(data)
        request = self.request
        if request is None or request.headers_finished:
            self.head_since = None
        if request is not None and request.headers_finished and request is not self._checked:
            self._checked = request
            if (request.chunked or request.content_length > OPEN_BODY) and not self.server.admits(request):
                self._refuse(request)
        return more

    def _refuse(self, request: Any) -> None:
        self._refused = True
        request.error = _Unauthorized("")
        request.completed = True
        with self.requests_lock:
            self.request = None
            self.requests.append(request)
            if len(self.requests) == 1:
                self.server.add_task(self)


class _Dispatcher(ThreadedTaskDispatcher):  # type: ignore[misc]
    """Threads that take the next request whose key has not too many running already."""

    def __init__(self, per_key: int, exempt: Callable[[str], bool]) -> None:
        super().__init__()
        self._per_key = per_key
        self._exempt = exempt
        self._running: Counter[str] = Counter()

    def _next(self) -> tuple[Any, str] | None:
        for index, channel in enumerate(self.queue):
            key = credential(channel.requests[0]) if channel.requests else ""
            if self._running[key] < self._per_key or self._exempt(key):
                del self.queue[index]
                self._running[key] += 1
                return channel, key
        return None

    def _wait(self, thread_no: int) -> tuple[Any, str] | None:
        """Wait for a request that may run; ``None`` when this thread is to end."""
        with self.lock:
            while self.stop_count == 0:
                taken = self._next()
                if taken is not None:
                    return taken
                self.active_count -= 1
                self.queue_cv.wait()
                self.active_count += 1
            self.active_count -= 1
            self.stop_count -= 1
            self.threads.discard(thread_no)
            self.thread_exit_cv.notify()
            return None

    def handler_thread(self, thread_no: int) -> None:
        while True:
            taken = self._wait(thread_no)
            if taken is None:
                return
            channel, key = taken
            try:
                channel.service()
            except BaseException:
                self.logger.exception("Exception when servicing %r", channel)
            finally:
                with self.lock:
                    self._running[key] -= 1
                    if not self._running[key]:
                        del self._running[key]


class HttpServer(TcpWSGIServer):  # type: ignore[misc]
    """A listening socket and its connections."""

    channel_class = _Channel

    def __init__(self, *arguments: Any, limits: ConnectionLimits, admits: Callable[[str, str], bool], **options: Any):
        self._limits = limits
        self._admits = admits
        super().__init__(*arguments, **options)

    def admits(self, request: Any) -> bool:
        """May this caller send a large body?"""
        token = parse_qs(request.query or "").get("token", [""])[0]
        return self._admits(_bearer(request), token)

    def maintenance(self, now: float) -> None:
        """Close the connections that have taken too long."""
        moment = time.monotonic()
        for channel in list(self.active_channels.values()):
            head = channel.head_since
            late = head is not None and moment - head > self._limits.head_seconds and not channel.requests
            idle = now - channel.last_activity > self._limits.idle_seconds
            if late or (idle and (not channel.requests or channel.total_outbufs_len)):
                channel.end()

    def readable(self) -> bool:
        more: bool = super().readable()
        return more and (len(self.active_channels) < self._limits.connections or self._eldest() is not None)

    def handle_accept(self) -> None:
        if len(self.active_channels) >= self._limits.connections:
            eldest = self._eldest()
            if eldest is not None:
                eldest.end()
        super().handle_accept()

    def _eldest(self) -> Any:
        idle = [channel for channel in self.active_channels.values() if not channel.requests and not channel.will_close]
        return min(idle, key=lambda channel: channel.rank, default=None)


def credential(request: Any) -> str:
    """Whose request it is: the bearer token, or that of a link, or ``""``."""
    return _bearer(request) or parse_qs(request.query or "").get("token", [""])[0]


def _bearer(request: Any) -> str:
    header: str = request.headers.get("AUTHORIZATION", "")
    return header[7:] if header.startswith("Bearer ") else ""


def listen(
    app: Any,
    listening: socket.socket,
    sockets: dict[int, Any],
    limits: ConnectionLimits,
    *,
    admits: Callable[[str, str], bool],
    exempt: Callable[[str], bool],
) -> HttpServer:
    """A server on a socket that listens; ``run()`` it.

    Args:
        app: the WSGI application.
        listening: the socket.
        sockets: takes all open sockets, to be closed at the end.
        limits: what connections and keys may take.
        admits: may a caller with this bearer token, or this link's token, send a large body?
        exempt: has this token no limit of requests at the same time?
    """
    adjustments = Adjustments(
        sockets=[listening],
        threads=limits.threads,
        max_request_body_size=BODY_LIMIT,
        max_request_header_size=HEAD_LIMIT,
        # Lets a statement ask whether its caller is still there.
        channel_request_lookahead=1,
        cleanup_interval=1,
        connection_limit=2**31,  # `HttpServer` has its own
        clear_untrusted_proxy_headers=True,
        # select() ends at descriptor 1,024, and every open database has several.
        asyncore_use_poll=True,
        ident=None,
    )
    # It would write a line for each request that waits for a thread, which is what a queue is for.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    dispatcher = _Dispatcher(limits.per_key, exempt)
    dispatcher.set_thread_count(limits.threads)
    sockinfo = (listening.family, listening.type, listening.proto, listening.getsockname())
    return HttpServer(
        app,
        sockets,
        True,
        listening,
        dispatcher=dispatcher,
        adj=adjustments,
        bind_socket=False,
        sockinfo=sockinfo,
        limits=limits,
        admits=admits,
    )
