"""`Urllib3Transport`: requests over a pool of urllib3's."""

from __future__ import annotations

import os
import re
import warnings
from time import monotonic
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import urllib3
from urllib3.util import Timeout, make_headers

from mesahub.errors import ConfigurationError
from mesahub.transport import Request, Response, TransportOptions
from mesahub_urllib3.body import Download, read_whole
from mesahub_urllib3.faults import CAUGHT, translated

_UNSAFE = re.compile(r"[^\t -~\x80-\xff]").search


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
        parts = urlsplit(options.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"api_url must be http://host or https://host, not {options.base_url!r}.")
        self._options = options
        self._peer = f"{parts.scheme}://{parts.netloc}"
        self._own = given is None
        self._manager = _manager(options) if given is None else given
        self._pid = os.getpid()
        self._closed = False

    def send(self, request: Request) -> Response:
        """Send one request and return the answer. See `mesahub.transport` for what it raises."""
        if self._closed:
            raise ConfigurationError("The transport is closed; make a new client.")
        if self._pid != os.getpid():
            # The connections belong to the parent process; this closes only our copies of them.
            self._pid = os.getpid()
            self._manager.clear()
        timeout = self._options.timeout if request.timeout is None else request.timeout
        end = None if timeout is None or request.streams else monotonic() + timeout
        url = self._options.base_url.rstrip("/") + request.path
        if request.params:
            url += "?" + urlencode(request.params)
        content = request.content
        headers = {**self._manager.headers, "Accept-Encoding": "identity", **request.headers}
        if content is not None:
            headers["Content-Type"] = request.content_type or "application/octet-stream"
            headers["Content-Length"] = str(len(content))
        for name, value in request.headers.items():
            # http.client refuses these too, by a ValueError that a body might have raised as well.
            if _UNSAFE(name) or _UNSAFE(value):
                raise ConfigurationError(f"The header {name!r} holds a character that HTTP does not allow there.")
        try:
            raw = self._manager.urlopen(
                request.method,
                url,
                redirect=False,
                retries=False,
                body=content,
                headers=headers,
                timeout=Timeout(connect=self._connect_timeout(timeout), read=timeout),
                pool_timeout=timeout,
                preload_content=False,
                decode_content=False,
            )
        except CAUGHT as error:
            raise translated(error, self._peer) from error
        if request.streams and 200 <= raw.status < 300:
            return Response(raw.status, raw.headers, stream=Download(raw, self._peer))
        return Response(raw.status, raw.headers, read_whole(raw, end, self._peer))

    def close(self) -> None:
        """Close the connections that lie idle; those in use finish their request first."""
        self._closed = True
        if self._own:
            self._manager.clear()

    def _connect_timeout(self, timeout: float | None) -> float:
        longest = self._options.connect_timeout
        return longest if timeout is None else min(longest, timeout)


def _manager(options: TransportOptions) -> urllib3.PoolManager:
    arguments: dict[str, Any] = {"num_pools": 1, "maxsize": options.pool_size, "block": True}
    if options.base_url.startswith("https:"):
        context = arguments["ssl_context"] = options.ssl_context()
        if not hasattr(urllib3, "BaseHTTPResponse"):
            # urllib3 1.26 compares host names itself; a context that did would get no name from it for an IP.
            context.check_hostname = False
    proxy = options.proxy_url()
    if proxy is None:
        return urllib3.PoolManager(**arguments)
    if proxy.startswith("socks"):
        return _socks_manager(proxy, arguments)
    parts = urlsplit(proxy)
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        arguments["proxy_headers"] = make_headers(proxy_basic_auth=credentials)
    try:
        return urllib3.ProxyManager(proxy, **arguments)
    except CAUGHT as error:
        raise ConfigurationError(
            f"urllib3 cannot use the proxy {parts.scheme}://{parts.hostname}: {type(error).__name__}. "
            "Expected http://, https:// or socks5h://[user:password@]host:port."
        ) from None


def _socks_manager(proxy: str, arguments: dict[str, Any]) -> urllib3.PoolManager:
    try:
        with warnings.catch_warnings():
            # urllib3 warns when PySocks is missing, and then fails to import.
            warnings.simplefilter("ignore")
            from urllib3.contrib.socks import SOCKSProxyManager
    except ImportError as error:
        raise ConfigurationError(
            "A SOCKS proxy needs PySocks. Install it: pip install 'mesahub[urllib3,socks]'."
        ) from error
    try:
        return SOCKSProxyManager(proxy, **arguments)
    except ValueError:
        raise ConfigurationError(
            f"urllib3 knows no proxy of the kind {proxy.partition('://')[0]}://; expected socks5h://, "
            "socks5:// or socks4://."
        ) from None
