"""Connections of sessions that are made here: what aiohttp takes in, `mesahub_http1` has checked first.

aiohttp's parser is lenient: it takes a length from two, and what follows a response on an idle connection for the
response to the next request.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from mesahub_http1 import ProtocolError, ResponseParser

__all__ = ["check_connections"]


class CheckedHandler(ResponseHandler):
    """Hands aiohttp the bytes of one response per request, if it is certain where it ends."""

    _checking: ResponseParser | None = None
    _in_body = False
    _head = b""
    _ended = False

    def set_response_params(self, *args: Any, **kwargs: Any) -> None:
        # A request begins. (After HEAD there is no body; other methods are alike to the parser.)
        self._checking = ResponseParser("HEAD" if kwargs.get("skip_payload") else "POST")
        self._in_body = False
        self._head = b""
        super().set_response_params(*args, **kwargs)

    def data_received(self, data: bytes) -> None:
        checking = self._checking
        if not data:
            super().data_received(data)  # aiohttp has paused, and goes on
            return
        if checking is None or checking.complete:
            self._refuse()  # unsolicited data
            return
        try:
            if self._in_body:
                checking.feed(data)
            else:
                self._head += data
                if not checking.feed_head(data):
                    return
                checking.start()
                self._in_body = True
                data, self._head = _without_interim(self._head), b""
        except ProtocolError as error:
            self.set_exception(aiohttp.ClientPayloadError(str(error)))
            payload = self._payload
            if payload is not None and not payload.is_eof():
                payload.set_exception(aiohttp.ClientPayloadError(str(error)))
            self._refuse()
            return
        if checking.complete and not checking.keep_alive:
            self._should_close = True
        super().data_received(data[: -checking.surplus] if checking.surplus else data)

    def eof_received(self) -> None:
        self._ended = True
        super().eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        payload = self._payload
        secure = self.transport is not None and self.transport.get_extra_info("ssl_object") is not None
        if exc is None and secure and not self._ended and payload is not None and not payload.is_eof():
            # Without TLS's own end (close_notify), the end of the stream may be an attacker's.
            payload.set_exception(aiohttp.ClientPayloadError("the TLS connection was cut off"))
        super().connection_lost(exc)

    def _refuse(self) -> None:
        self._should_close = True
        if self.transport is not None:
            self.transport.abort()


def _without_interim(heads: bytes) -> bytes:
    """The bytes from the head of the final response on. (aiohttp takes some interim responses for that.)"""
    start = 0
    while heads[start + 9 : start + 10] == b"1":
        start = heads.index(b"\r\n\r\n", start) + 4
    return heads[start:]


def check_connections(connector: aiohttp.BaseConnector, loop: asyncio.AbstractEventLoop) -> None:
    """Have a connector that was made here (never the application's) check what it receives."""
    made: Any = connector
    made._factory = functools.partial(CheckedHandler, loop=loop)
