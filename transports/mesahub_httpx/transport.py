"""`HttpxTransport`: requests over a client of httpx or httpx2, the application's own or one made here."""

from __future__ import annotations

from typing import Any

from mesahub.errors import ConfigurationError
from mesahub.transport import AsyncResponse, Request, TransportOptions
from mesahub.transport.asynchronous.exchange import AsyncExchange, Call
from mesahub.transport.network import check_headers
from mesahub.transport.outgoing import headers_of
from mesahub_http1 import framing_of
from mesahub_httpx.body import Response
from mesahub_httpx.clients import Clients, checked, is_function
from mesahub_httpx.errors import translated
from mesahub_httpx.hooks import Trace, keeping_key


class HttpxTransport:
    """HTTP/1.1 over an ``AsyncClient`` of httpx (0.27 or newer) or httpx2.

    One instance serves one event loop at a time; on another loop, or in a forked process, it starts with new
    connections.

    Args:
        options: of its own it takes ``client``: your ``AsyncClient``, or a function that returns it, called once in
            each event loop. Its transports, proxies, certificates, headers, cookies, auth and event hooks are used; it
            is not changed and not closed. Without one the transport makes a client for each event loop (of httpx, or
            of httpx2 if that alone is installed).

    Raises:
        ConfigurationError: a wrong URL, option, certificate file or proxy, or a client that answers writes from a
            cache.
    """

    def __init__(self, options: TransportOptions) -> None:
        options.check_options("httpx", "client")
        client = options.options.get("client")
        if client is not None:
            if not is_function(client):
                checked(client)
            _refuse_settings(options)
        self._exchange = AsyncExchange(options, own=client is None, check=framing_of, translate=translated)
        self._clients = Clients(options, client)
        self._connect_timeout = options.connect_timeout

    @staticmethod
    def needs_key(options: TransportOptions) -> bool:
        """A client that authenticates by itself needs no key."""
        client: Any = options.options.get("client")
        if client is None:
            return True
        return getattr(client, "auth", None) is None and "Authorization" not in getattr(client, "headers", ())

    async def send(self, request: Request, /) -> AsyncResponse:
        """Send one request and return the answer. See `mesahub.transport` for what it raises.

        A cancelled call drops its connection: a late response is discarded.
        """
        return await self._exchange.send(request, self._open)

    async def _open(self, call: Call) -> Response:
        request = call.request
        headers = headers_of(request)
        content = request.content
        if content is not None:
            headers["Content-Length"] = str(len(content))
        check_headers(headers)
        client = self._clients.client()
        try:
            built = client.build_request(
                request.method,
                self._exchange.url(request),
                headers=headers,
                content=content if content is None or isinstance(content, bytes) else call.pieces(),
                # The whole call has one deadline, that of the exchange.
                timeout=(self._connect_timeout, None, None, None),
            )
            trace = Trace(call, built.url)
            built.extensions = {**built.extensions, "trace": trace}
            try:
                response = await client.send(built, stream=True, follow_redirects=False, **keeping_key(client, built))
            except BaseException:
                await trace.drop()
                raise
            call.sent = True  # what answers without a network has no trace
            return Response(response, trace.hidden)
        finally:
            content, headers = None, {}  # a traceback may show this function's variables

    async def close(self) -> None:
        """Close the transport; the client too, unless it was given."""
        self._exchange.close()
        await self._clients.close()


def _refuse_settings(options: TransportOptions) -> None:
    if options.tls is not None or options.proxies:
        raise ConfigurationError(
            "Pass either client= or tls= and proxies=: a client of httpx takes certificates and proxies where it is "
            "made, AsyncClient(verify=..., proxy=...)."
        )
