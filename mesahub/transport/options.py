"""What a transport's factory is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mesahub._util.frozen import Frozen
from mesahub._util.secret import Secret
from mesahub._util.suggest import near
from mesahub.errors import ConfigurationError
from mesahub.transport import network
from mesahub.transport.messages import EMPTY

if TYPE_CHECKING:
    import ssl

    from mesahub.transport.endpoints import Endpoints
    from mesahub.transport.messages import Request, Response

MAX_RESPONSE_BYTES = 256 * 1024 * 1024
"""The longest response that is kept in memory, unless the caller says otherwise."""


CLIENT_ARGUMENTS = (
    "allow_insecure", "api_key", "api_url", "connect_timeout", "consistency", "dialect", "max_response_bytes",
    "middleware", "pool_size", "proxies", "retry", "route_prefix", "timeout", "tls", "transport", "transport_options",
)  # fmt: skip
"""What the clients take themselves, to be suggested where one is misspelt."""


MAX_POOL_SIZE = 10_000
"""Connections: more than this is a mistake, and each takes memory before it is opened."""


class TLSOptions(Frozen):
    """How to trust the server, and how to be trusted.

    Args:
        ca_file: a file of PEM certificates to trust instead of the system's.
        client_cert: a PEM file with the client's certificate chain (and its key, unless ``client_key``).
        client_key: the client's key.
        verify: ``False`` trusts anybody. For experiments only.
    """

    __slots__ = ("ca_file", "client_cert", "client_key", "verify")

    ca_file: str | None
    client_cert: str | None
    client_key: str | None
    verify: bool

    def __init__(
        self,
        *,
        ca_file: str | None = None,
        client_cert: str | None = None,
        client_key: str | None = None,
        verify: bool = True,
    ) -> None:
        self._set(ca_file=ca_file, client_cert=client_cert, client_key=client_key, verify=verify)


def hidden(proxies: Any) -> Any:
    """Proxies whose URLs do not show in a traceback's variables; for the first line of whatever takes them."""
    if isinstance(proxies, str):
        return Secret(proxies)
    if isinstance(proxies, Mapping):
        return {name: Secret(url) if isinstance(url, str) else url for name, url in proxies.items()}
    return proxies


class TransportOptions(Frozen):
    """What a transport's factory is given.

    Args:
        base_url: scheme, host and port (and a path prefix), without a trailing ``/``; ``""`` when the
            caller gave none.
        timeout: seconds for a request that has no timeout of its own.
        connect_timeout: seconds to make a connection.
        tls: certificates; ``None`` for the system's.
        proxies: ``{"http": url, "https": url}``; ``None`` takes them from the environment
            (``HTTP_PROXY``, ``HTTPS_PROXY``, ``NO_PROXY``), ``{}`` uses none.
        pool_size: connections kept open, and the most that are open at once.
        max_response_bytes: the longest response that is kept in memory; files are streamed, and not concerned.
        endpoints: all addresses of the engine, where it has several; ``base_url`` is the first of them. Whoever opens
            the transport opens one for each, so only a transport that ``wraps`` another one sees more than one.
        options: what the caller gave beyond these, by name: the transport's own.
        open: makes a transport from a name, a factory or an instance, for a transport that
            wraps another one (the recorder). Set by the client.
        unanswered: says whether a response is not the engine's answer, so that the same request may be answered in a
            moment; ``None`` for MesaHub's rules. Set by the client.
    """

    __slots__ = (
        "base_url",
        "connect_timeout",
        "endpoints",
        "max_response_bytes",
        "open",
        "options",
        "pool_size",
        "proxies",
        "timeout",
        "tls",
        "unanswered",
    )

    base_url: str
    timeout: float | None
    connect_timeout: float
    tls: TLSOptions | None
    proxies: Mapping[str, str] | None
    pool_size: int
    max_response_bytes: int
    endpoints: Endpoints | None
    options: Mapping[str, Any]
    open: Callable[[Any, TransportOptions], Any] | None
    unanswered: Callable[[Request, Response], bool] | None

    def __init__(
        self,
        *,
        base_url: str = "",
        timeout: float | None = 30.0,
        connect_timeout: float = 10.0,
        tls: TLSOptions | None = None,
        proxies: Mapping[str, str] | None = None,
        pool_size: int = 10,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        endpoints: Endpoints | None = None,
        options: Mapping[str, Any] = EMPTY,
        open: Callable[[Any, TransportOptions], Any] | None = None,
        unanswered: Callable[[Request, Response], bool] | None = None,
    ) -> None:
        proxies = hidden(proxies)
        self._set(
            base_url=base_url,
            timeout=None if timeout is None else network.seconds("timeout", timeout),
            connect_timeout=network.seconds("connect_timeout", connect_timeout),
            tls=tls,
            proxies=network.checked_proxies(proxies),
            pool_size=network.whole_number("pool_size", pool_size, most=MAX_POOL_SIZE),
            max_response_bytes=network.whole_number("max_response_bytes", max_response_bytes),
            endpoints=endpoints,
            options=options,
            open=open,
            unanswered=unanswered,
        )

    def __repr__(self) -> str:
        # Of the transport's own options the names only: a value may be anything, also a token.
        # A traceback may ask for one that is not complete.
        shown = {name: getattr(self, name) for name in self.__slots__ if hasattr(self, name)}
        if "options" in shown:
            shown["options"] = sorted(self.options)
        return f"TransportOptions({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def origin(self) -> network.Origin:
        """Scheme, host, port (``None`` for the scheme's own) and path of ``base_url``.

        Raises `ConfigurationError` if it is not a valid ``http://`` or ``https://`` URL.
        """
        return network.origin(self.base_url)

    def proxy_url(self) -> Secret | None:
        """The proxy that leads to ``base_url``, from ``proxies`` or the environment; ``None`` for none."""
        return network.proxy_url(self.base_url, self.proxies)

    def ssl_context(self) -> ssl.SSLContext:
        """The trust that ``tls`` asks for. Raises `ConfigurationError` for a file that cannot be used."""
        tls = self.tls or TLSOptions()
        return network.ssl_context(
            ca_file=tls.ca_file, client_cert=tls.client_cert, client_key=tls.client_key, verify=tls.verify
        )

    def check_options(self, transport: str, *known: str) -> None:
        """Raise `ConfigurationError` for an option that this transport does not take."""
        for name in self.options:
            if name not in known:
                takes = ", ".join(sorted(known)) or "none"
                raise ConfigurationError(
                    f"The transport {transport!r} takes no option {name!r}.{near(name, (*known, *CLIENT_ARGUMENTS))} "
                    f"Its own options: {takes}."
                )
