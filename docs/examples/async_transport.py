"""A small asynchronous transport over httpx, and the contract's tests. Run: pytest docs/examples/async_transport.py"""

import asyncio
from urllib.parse import urlencode

import httpx
import pytest

from mesahub.errors import (
    ConfigurationError,
    ConnectionLostError,
    NotSentError,
    Outcome,
    RequestTimeoutError,
    TLSError,
)
from mesahub.testing import AsyncTransportContract
from mesahub.transport.asynchronous.exchange import AsyncExchange


class SmallTransport:
    def __init__(self, options):
        options.check_options("small")  # has no options of its own, and rejects any
        self._options = options
        self._tls = options.ssl_context()
        # Keeps pool_size and the deadline of the call, reads the body, drops what was cancelled.
        self._exchange = AsyncExchange(options, own=True, translate=translated)
        self._client, self._loop = None, None

    async def send(self, request, /):
        return await self._exchange.send(request, self._open)

    async def _open(self, call):
        request = call.request
        headers = {"Accept-Encoding": "identity", **request.headers}
        if request.authority is not None:
            headers["Host"] = request.authority
        content = request.content
        if content is not None:
            headers["Content-Type"] = request.content_type or "application/octet-stream"
            headers["Content-Length"] = str(len(content))
        query = f"?{urlencode(request.params)}" if request.params else ""
        built = self._for_this_loop().build_request(
            request.method,
            f"{self._options.base_url}{request.path}{query}",
            headers=headers,
            content=content if content is None or isinstance(content, bytes) else call.pieces(),
            timeout=(self._options.connect_timeout, None, None, None),
        )

        async def note(event, _):
            if event.endswith("send_request_headers.started"):
                call.sent = True  # from here on, an error means: it may have been carried out

        built.extensions["trace"] = note
        return Opened(await self._for_this_loop().send(built, stream=True))

    def _for_this_loop(self):
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # connections belong to the loop that opened them
            limits = httpx.Limits(keepalive_expiry=4)
            self._client, self._loop = httpx.AsyncClient(verify=self._tls, limits=limits, trust_env=False), loop
        return self._client

    async def close(self):
        self._exchange.close()
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.aclose()


class Opened:
    """A response whose body is not read yet, as `AsyncExchange` wants it."""

    def __init__(self, response):
        self._response, self._pieces = response, response.aiter_raw()
        self.status, self.headers = response.status_code, response.headers.multi_items()

    async def next(self):
        async for piece in self._pieces:
            if piece:
                return piece
        return b""

    async def close(self):
        await self._response.aclose()


def translated(error, peer, call):
    """What httpx raises, as the contract has it; None for anything else."""
    if isinstance(error, httpx.LocalProtocolError):
        return ConfigurationError(f"httpx cannot send this: {error}.")
    if isinstance(error, httpx.ConnectTimeout):
        return RequestTimeoutError(f"{peer} could not be reached in time.", outcome=Outcome.NOT_SENT)
    if isinstance(error, httpx.ConnectError):
        kind = TLSError if "SSL" in str(error) or "CERT" in str(error) else NotSentError
        return kind(f"{peer} could not be reached: {error}.")
    if isinstance(error, (httpx.TransportError, OSError)) and call.sent:
        return ConnectionLostError(f"No trustworthy response from {peer}: {error}.")
    return None


class TestSmallTransport(AsyncTransportContract):
    frames_strictly = False  # as far as httpx itself goes
    forks = False

    @pytest.fixture
    def async_transport(self):
        return SmallTransport

    @pytest.fixture(autouse=True)
    def leave_out(self, request):
        if "invalid_location" in request.node.name:
            pytest.skip("httpx reads the Location of a redirect also where it must not follow it")
        if "while_it_connects[https]" in request.node.name:
            pytest.skip("httpx leaves a connection open whose TLS handshake was cancelled")
