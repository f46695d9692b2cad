"""`AiohttpTransport`: requests over a session of aiohttp, the application's own or one made here."""

from __future__ import annotations

from typing import Any

import aiohttp
from yarl import URL

from mesahub._util.secret import Secret
from mesahub.transport import AsyncResponse, Request, TransportOptions
from mesahub.transport.asynchronous.exchange import AsyncExchange, Call
from mesahub.transport.network import check_headers
from mesahub.transport.outgoing import headers_of
from mesahub_aiohttp.body import Body, Response
from mesahub_aiohttp.errors import translated
from mesahub_aiohttp.sessions import Sessions, checked
from mesahub_http1 import framing_of
from mesahub_http1.proxy import parse_proxy


class AiohttpTransport:
    """HTTP/1.1 over aiohttp, 3.12 or newer.

    One instance serves one event loop at a time; on another loop, or in a forked process, it starts with new
    connections.

    Args:
        options: of its own it takes ``session``: your ``aiohttp.ClientSession``, or a function that returns it, called
            once in each event loop. Its connector, certificates, headers, cookies, traces and middlewares are used; it
            is not changed and not closed. Without one the transport makes a session for each event loop. ``tls`` and
            ``proxies`` given to the client hold for your session too.

    Raises:
        ConfigurationError: a wrong URL, option, certificate file or proxy, or a session that answers writes from a
            cache.
    """

    def __init__(self, options: TransportOptions) -> None:
        options.check_options("aiohttp", "session")
        session: Any = options.options.get("session")
        makes = callable(session) and not isinstance(session, type)
        if session is not None and not makes:
            checked(session)
        self._exchange = AsyncExchange(options, own=session is None, check=framing_of, translate=translated)
        self._sessions = Sessions(options, session)
        self._connect_timeout = options.connect_timeout
        self._more: dict[str, Any] = {}
        proxy = options.proxy_url() if session is None or options.proxies is not None else None
        if proxy is not None:
            parse_proxy(proxy, "aiohttp")
            self._more["proxy"] = Secret(proxy)
        if session is not None and options.tls is not None:
            self._more["ssl"] = options.ssl_context()

    @staticmethod
    def needs_key(options: TransportOptions) -> bool:
        """A session that authenticates by itself needs no key."""
        session: Any = options.options.get("session")
        if session is None:
            return True
        return getattr(session, "auth", None) is None and "Authorization" not in getattr(session, "headers", ())

    async def send(self, request: Request, /) -> AsyncResponse:
        """Send one request and return the answer. See `mesahub.transport` for what it raises.

        A cancelled call drops its connection: a late response is discarded.
        """
        return await self._exchange.send(request, self._open)

    async def _open(self, call: Call) -> Response:
        request = call.request
        headers = headers_of(request)
        check_headers(headers)
        url = URL(self._exchange.url(request), encoded=True)
        try:
            while True:
                # Also where there is none: it says when the request is sent, and keeps it from being sent twice.
                body = Body(call)
                try:
                    response = await self._request(request.method, url, headers, body)
                except aiohttp.ClientConnectionError:
                    if not body.unsolicited:
                        raise
                else:
                    if body.began:
                        return Response(response)
                    response.close()  # it was there before the request was sent: it is not the response to it
        finally:
            headers = {}  # a traceback may show this function's variables

    async def _request(self, method: str, url: URL, headers: dict[str, str], body: Body) -> aiohttp.ClientResponse:
        try:
            return await self._sessions.session().request(
                method,
                url,
                data=body,
                headers=headers,
                skip_auto_headers=("User-Agent",) if "Content-Type" in headers else ("User-Agent", "Content-Type"),
                allow_redirects=False,
                raise_for_status=False,
                # The whole call has one deadline, that of the exchange.
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout, ceil_threshold=1e9),
                **self._more,
            )
        finally:
            headers = {}

    async def close(self) -> None:
        """Close the transport; the session too, unless it was given."""
        self._exchange.close()
        await self._sessions.close()
