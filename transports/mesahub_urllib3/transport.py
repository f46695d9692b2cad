"""`Urllib3Transport`: requests over a pool of urllib3's."""

from __future__ import annotations

import urllib3
from urllib3.util import Timeout

from mesahub.errors import ConfigurationError
from mesahub.transport import Request, Response, TransportOptions
from mesahub.transport.network import check_headers
from mesahub.transport.outgoing import headers_of
from mesahub_urllib3.exchange import Exchange
from mesahub_urllib3.limits import Limits
from mesahub_urllib3.pools import make_manager


class Urllib3Transport:
    """HTTP/1.1 over urllib3, 1.26.12 or newer. urllib3's own retries and redirects are off.

    Args:
        options: of its own it takes ``pool_manager``: your ``urllib3.PoolManager`` or ``ProxyManager``. Its
            headers, pool sizes, certificates and proxy are used; it is not changed and not closed. Without
            one the transport makes a pool; ``proxies`` may then name HTTP, HTTPS and (with the extra
            ``socks``) SOCKS proxies.

    Raises:
        ConfigurationError: a wrong URL, option, certificate file or proxy.
    """

    def __init__(self, options: TransportOptions) -> None:
        options.check_options("urllib3", "pool_manager")
        given = options.options.get("pool_manager")
        if given is not None and not isinstance(given, urllib3.PoolManager):
            raise ConfigurationError(
                f"pool_manager must be a urllib3.PoolManager or ProxyManager, not {type(given).__name__}."
            )
        if given is not None and (options.tls is not None or options.proxies is not None):
            raise ConfigurationError(
                "A pool_manager has certificates and proxies of its own: give tls and proxies to the manager."
            )
        self._manager = make_manager(options) if given is None else given
        self._own = given is None
        self._exchange = Exchange(options, own=self._own, forget=self._manager.clear)

    def send(self, request: Request) -> Response:
        """Send one request and return the response. See `mesahub.transport` for what it raises."""
        return self._exchange.send(request, self._call)

    def _call(self, request: Request, limits: Limits) -> urllib3.BaseHTTPResponse:
        content = request.content
        headers = {**self._manager.headers, **headers_of(request)}
        if content is not None:
            headers["Content-Length"] = str(len(content))
        check_headers(headers)
        connect, read = limits.seconds()
        try:
            return self._manager.urlopen(
                request.method,
                self._exchange.url(request),
                redirect=False,
                retries=False,
                body=content,
                headers=headers,
                timeout=Timeout(connect=connect, read=read),
                pool_timeout=read,
                preload_content=False,
                decode_content=False,
            )
        finally:
            content, headers = None, {}  # a traceback may show this function's variables

    def close(self) -> None:
        """Close the connections that are idle; those in use finish their request first."""
        self._exchange.close()
        if self._own:
            self._manager.clear()
