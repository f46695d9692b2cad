# Made by scripts/asyncify.py of mesahub/_calls/client_options.py: change that, and run `make aio`.
"""The keyword arguments that all clients have in common, for type checkers: defined only here.

Nothing imports this at run time, because a TypedDict with many fields takes longer to create than a client.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from mesahub.transport.base import Transport as Blocking
from mesahub.transport.factories import TransportFactory as BlockingFactory

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from mesahub._aio.layers import Middleware
    from mesahub.dialects.base import Dialect, DialectFactory
    from mesahub.middleware.retry_policy import RetryPolicy
    from mesahub.transport import TLSOptions
    from mesahub.transport.base import AsyncTransport
    from mesahub.transport.factories import AsyncTransportFactory

    Path: TypeAlias = str | os.PathLike[str]
    Names: TypeAlias = Sequence[str]

__all__ = ["AsyncClientOptions", "AsyncConnectOptions", "AsyncTransportArguments"]


class AsyncTransportArguments(TypedDict, total=False):
    """What the transports and dialects of this package take beyond that, each only its own."""

    # urllib, asyncio
    keep_alive: bool
    # requests, urllib3
    session: object
    pool_manager: object
    # embedded; `mode` also of the recorder
    data: Path
    file: Path
    create: bool
    mode: str
    # recorder
    cassette: Path
    inner: str | AsyncTransport | AsyncTransportFactory
    repeats: bool
    ignore_bindings: Names
    redact: Names
    record_failures: bool
    inject: object
    max_age: float
    unused: str | None
    unordered: str | None
    part: str | None
    databases: Mapping[str, str] | None
    # rqlite
    freshness: str
    nondeterministic: bool
    # libsql
    hrana: str
    replica_patience: str


class AsyncClientOptions(AsyncTransportArguments, total=False):
    """The keyword arguments of all clients; for functions that pass them on: ``**options: Unpack[AsyncClientOptions]``.

    Attributes:
        transport: a name from the registry (`mesahub.installed_transports`), a factory, or an instance
            (which is then yours to close). Default: ``MESAHUB_TRANSPORT``, or ``"urllib"``.
        middleware: your own, outermost first: functions ``(request, next) -> response``.
        retry: when to retry; `RetryPolicy.none()` never retries.
        allow_insecure: send the key over plain HTTP to a host outside private networks.
        connect_timeout: seconds to make a connection; default 10.
        tls: a custom CA or a client certificate.
        proxies: ``{"http": url, "https": url}``; by default from the environment.
        pool_size: connections kept open; default 10.
        max_response_bytes: the longest accepted response, except for files; a longer one is a `ResultError`.
            Default: 256 MiB.
        transport_options: arguments of a transport or dialect that is not in this package, by name. They may be given
            as keyword arguments, too, which a type checker does not know.
    """

    transport: str | AsyncTransport | AsyncTransportFactory | Blocking | BlockingFactory | None
    middleware: Sequence[Middleware]
    retry: RetryPolicy | None
    allow_insecure: bool
    connect_timeout: float
    tls: TLSOptions | None
    proxies: Mapping[str, str] | None
    pool_size: int
    max_response_bytes: int
    transport_options: Mapping[str, object] | None


class AsyncConnectOptions(AsyncClientOptions, total=False):
    """The keyword arguments of `mesahub.aio.connect`: those of `AsyncClientOptions`, and what the URL says otherwise."""

    api_key: str | Callable[[], str | Awaitable[str]] | None
    api_url: str | Sequence[str] | None
    route_prefix: str
    timeout: float | None
    dialect: str | Dialect | DialectFactory
    consistency: str | None
