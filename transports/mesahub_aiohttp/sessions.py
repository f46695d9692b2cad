"""Sessions of aiohttp: the application's own, or one per event loop made here."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import aiohttp

from mesahub.errors import ConfigurationError
from mesahub.transport import TransportOptions
from mesahub_aiohttp.protocol import check_connections

__all__ = ["Sessions", "checked"]

KEEP_ALIVE = 4.0
"""Seconds an idle connection is kept: below the 5 seconds after which the least patient of the common servers
(Node, uvicorn, Apache) close it."""
_HEAD = 64 * 1024
_forked: list[Any] = []
"""Connectors of a parent process: closing them here would close its connections."""


class Sessions:
    """A session for the loop that runs, made when it is first needed; another loop, or a fork, gets another.

    Args:
        options: those of the transport.
        given: the application's own session, which is used in its own loop, not changed and not closed; or a function
            that returns it, called once in each loop.

    Raises:
        ConfigurationError: a certificate file that cannot be used.
    """

    def __init__(self, options: TransportOptions, given: Any) -> None:
        self._given = given
        self._size = options.pool_size
        self._tls = options.ssl_context() if given is None and options.base_url.startswith("https:") else None
        self._made: aiohttp.ClientSession | None = None
        self._owner: tuple[int, asyncio.AbstractEventLoop] | None = None

    def session(self) -> aiohttp.ClientSession:
        """The session to use now."""
        if isinstance(self._given, aiohttp.ClientSession):
            return self._given
        owner = (os.getpid(), asyncio.get_running_loop())
        if self._made is None or self._owner != owner:
            self._abandon()
            if self._given is None:
                self._made = self._new(owner[1])
            else:
                self._made = checked(self._given())
            self._owner = owner
        return self._made

    def _new(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            ssl=self._tls if self._tls is not None else True,
            limit=self._size,
            keepalive_timeout=KEEP_ALIVE,
        )
        check_connections(connector, loop)
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # proxies are settled by proxy_url(), and ~/.netrc must not replace the key
            auto_decompress=False,
            max_line_size=_HEAD,
            max_field_size=_HEAD,
        )
        session._retry_connection = False  # a request is sent once
        return session

    def _abandon(self) -> None:
        """Let go of a session without waiting: its loop is another one, or this is a forked child."""
        session, self._made = self._made, None
        if session is None or self._owner is None or self._given is not None:
            return
        pid, loop = self._owner
        if pid != os.getpid():
            _forked.append(session)
        elif not loop.is_closed():
            asyncio.run_coroutine_threadsafe(session.close(), loop)
        else:
            connector = session.connector
            session.detach()
            if connector is not None:
                _drop(connector)

    async def close(self) -> None:
        """Close the session, unless it was given."""
        if self._given is None and self._made is not None and self._owner == (os.getpid(), asyncio.get_running_loop()):
            session, self._made = self._made, None
            await session.close()
        else:
            self._abandon()


def _drop(connector: Any) -> None:
    """Close the sockets of a loop that is closed: nothing else can be done with them."""
    for waiting in list(connector._conns.values()):
        for protocol, _ in waiting:
            transport = getattr(protocol, "transport", None)
            sock = None if transport is None else transport.get_extra_info("socket")
            if sock is not None:
                os.close(os.dup(sock.fileno()))
    connector._conns.clear()


def checked(session: Any) -> aiohttp.ClientSession:
    """The application's session, if it can be used.

    Raises:
        ConfigurationError: it is something else, or would answer a write from a cache (aiohttp-client-cache).
    """
    if not isinstance(session, aiohttp.ClientSession):
        raise ConfigurationError(f"session must be an aiohttp.ClientSession, not {type(session).__name__}.")
    cache = getattr(session, "cache", None)
    methods = getattr(cache, "allowed_methods", None) or ()
    cached = sorted({str(method).upper() for method in methods} - {"GET", "HEAD", "OPTIONS"})
    if cached:
        raise ConfigurationError(
            f"The session caches responses to {', '.join(cached)}: statements are sent by POST, so a write would be "
            "answered from the cache and not carried out. Pass a session that caches GET alone, or none."
        )
    return session
