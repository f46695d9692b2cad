# Made by scripts/asyncify.py of mesahub/_calls/pipeline.py: change that, and run `make aio`.
"""A transport wrapped in middleware: the base of every client."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from mesahub._aio.layers import Middleware, checked, compose
from mesahub._aio.waiting import Closing
from mesahub._calls.arguments import split_options
from mesahub._calls.pipeline import _target, _unanswered
from mesahub._util.secret import Secret
from mesahub.aio.middleware.auth import auth
from mesahub.aio.middleware.retry import retrying
from mesahub.dialects.base import Dialect, SessionDialect
from mesahub.dialects.mesahub.authorization import bearer
from mesahub.errors import ConfigurationError
from mesahub.middleware.base import fitted, listener
from mesahub.middleware.retry_policy import RetryPolicy
from mesahub.transport import AsyncResponse, Request, TransportOptions
from mesahub.transport.asynchronous.registry import find_async_factory, open_async_transport
from mesahub.transport.base import AsyncTransport
from mesahub.transport.endpoints import Endpoints

if TYPE_CHECKING:
    from mesahub.aio._calls.stream_session import AsyncStreamSession

__all__ = ["AsyncStack", "DEFAULT_TRANSPORT"]


DEFAULT_TRANSPORT = "asyncio"


class AsyncStack:
    """The user's middleware, retry, auth, and the transport. Arguments as `mesahub.aio.AsyncMesahubClient` documents them.

    Attributes:
        send: sends a request through all of it.
        timeout: seconds for a call that has none of its own.
        transport: what moves the requests.
    """

    def __init__(
        self,
        api_key: str | Callable[[], str | Awaitable[str]] | None,
        base_url: str | Sequence[str],
        timeout: float | None,
        *,
        dialect: Dialect | None = None,
        options: Mapping[str, Any],
    ) -> None:
        own, rest = split_options(options)
        transport, middleware, retry = own.pop("transport"), own.pop("middleware"), own.pop("retry")
        allow_insecure = own.pop("allow_insecure")
        if isinstance(api_key, str):
            api_key = Secret(api_key)
        urls = [base_url] if isinstance(base_url, str) else list(base_url)
        base_url = urls[0] if urls else ""
        if dialect is not None:
            dialect.located(urls)
        endpoints = None
        if len(urls) > 1:
            endpoints = dialect.endpoints(urls) if dialect is not None else Endpoints(urls)
        transport_options = TransportOptions(
            base_url=base_url,
            endpoints=endpoints,
            timeout=timeout,
            options=rest,
            open=cast(Any, open_async_transport),
            unanswered=_unanswered(dialect),
            **own,
        )
        if transport is None:
            transport = os.environ.get("MESAHUB_TRANSPORT") or DEFAULT_TRANSPORT
        if isinstance(transport, str):
            name, transport = transport, find_async_factory(transport)
            given: dict[str, Any] = {"api_url": base_url}
            if dialect is None or dialect.needs_key:
                given["api_key"] = api_key
            _require(transport, transport_options, name, **given)
        self.timeout = transport_options.timeout
        if retry is not None and not isinstance(retry, RetryPolicy):
            raise ConfigurationError(f"retry must be a RetryPolicy, not {type(retry).__name__}.")
        if isinstance(middleware, (str, bytes)) or not isinstance(middleware, Sequence):
            raise ConfigurationError(f"middleware must be a list of functions, not {type(middleware).__name__}.")
        self.middleware = tuple(middleware)
        self._urls = tuple(urls)
        if os.environ.get("MESAHUB_LOG"):
            from mesahub.aio.middleware.log_environment import with_logging

            middleware = with_logging(middleware, os.environ["MESAHUB_LOG"])
        middleware = list(fitted(middleware, lambda: _target(urls, dialect, transport)))
        self._closing = Closing()
        outer = [checked(layer) for layer in middleware if not getattr(layer, "inside_retry", False)]
        inner = [checked(layer) for layer in middleware if getattr(layer, "inside_retry", False)]
        listeners = [told for told in map(listener, middleware) if told is not None]
        if retry is None:
            retry = RetryPolicy() if dialect is None else RetryPolicy.for_failover(dialect.capabilities.failover)
        # MesaHub's own rules are the retry layer's default.
        other = None if dialect is None or dialect.name == "mh" else dialect
        layers = [*outer, retrying(retry, self._closing, listeners, dialect=other), *inner]
        self._auth: list[Middleware] = []
        if api_key:
            authorize = bearer if dialect is None else dialect.authorize
            self._auth = [auth(api_key, urls, allow_insecure=allow_insecure, authorize=authorize)]
            layers += self._auth
        self._retry = layers[len(outer)]
        # Last: an error above must not leave a transport open.
        self._owns_transport = callable(transport)
        self.transport: AsyncTransport = open_async_transport(transport, transport_options)
        self._opener, self._options = transport, transport_options
        self.send: Callable[[Request], Coroutine[Any, Any, AsyncResponse]] = compose(layers, self.transport.send)

    def session(self, dialect: SessionDialect) -> AsyncStreamSession:
        """A session of the engine, for a transport that moves requests. The caller's middleware goes around it."""
        from mesahub.aio._calls.stream_session import AsyncStreamSession

        once = compose(self._auth, self.transport.send)
        persist = compose([self._retry, *self._auth], self.transport.send)
        session = AsyncStreamSession(dialect, once, persist, self._elsewhere, self.timeout)
        session.urls = self._urls
        return session

    def _elsewhere(self, url: str) -> tuple[AsyncTransport, Callable[[Request], Coroutine[Any, Any, AsyncResponse]]]:
        if not self._owns_transport:
            raise ConfigurationError(
                "The engine wants the session to go on at another address, and the transport was handed in as an "
                "instance: give its name, or a function that makes it."
            )
        transport: AsyncTransport = open_async_transport(
            self._opener, self._options.replace(base_url=url, endpoints=None)
        )
        return transport, compose(self._auth, transport.send)

    async def close(self) -> None:
        """End waits between attempts, and close the transport unless it was handed in as an instance."""
        self._closing.set()
        if self._owns_transport:
            await self.transport.close()


def _require(factory: Any, options: TransportOptions, name: str, **given: Any) -> None:
    for argument, value in given.items():
        needs = getattr(factory, argument.replace("api_", "needs_"), True)
        if callable(needs):
            needs = needs(options)
        if needs and not value:
            raise ConfigurationError(
                f"The transport {name!r} needs {argument}. Give AsyncMesahubClient(api_key, api_url), or a URL to "
                "mesahub.aio.connect(); without a server, use transport='embedded'."
            )
