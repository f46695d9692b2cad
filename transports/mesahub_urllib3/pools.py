"""Pool managers of urllib3, made for a transport's options: straight, or through HTTP, HTTPS and SOCKS proxies."""

from __future__ import annotations

import warnings
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.util import make_headers

from mesahub._util.secret import Secret
from mesahub.errors import ConfigurationError
from mesahub.transport import TransportOptions
from mesahub_urllib3.limits import keep_limits


def make_manager(options: TransportOptions) -> urllib3.PoolManager:
    """A manager for the server of ``options``, whose connections keep to the limits of a call.

    It sets no limit to their number: see `mesahub.transport.slots`.

    Raises:
        ConfigurationError: a certificate file or a proxy that cannot be used.
    """
    arguments: dict[str, Any] = {"num_pools": 1, "maxsize": options.pool_size, "block": False}
    if options.base_url.startswith("https:"):
        context = arguments["ssl_context"] = options.ssl_context()
        if not hasattr(urllib3, "BaseHTTPResponse"):
            # urllib3 1.26 compares host names itself; a context that did would get no name from it for an IP.
            context.check_hostname = False
    proxy = options.proxy_url()
    if proxy is None:
        manager = urllib3.PoolManager(**arguments)
    elif proxy.startswith("socks"):
        manager = _socks_manager(Secret(proxy), arguments)
    else:
        manager = _proxy_manager(Secret(proxy), arguments)
    keep_limits(manager)
    return manager


def _proxy_manager(proxy: Secret, arguments: dict[str, Any]) -> urllib3.PoolManager:
    headers = _proxy_headers(proxy)
    made, why = None, ""
    try:
        made = urllib3.ProxyManager(proxy, proxy_headers=headers, **arguments)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        why = type(error).__name__
    if made is None:
        raise ConfigurationError(
            f"urllib3 cannot use the proxy {_shown(proxy)}: {why}. "
            "Expected http://, https:// or socks5h://[user:password@]host:port."
        )
    return made


def _proxy_headers(proxy: Secret) -> dict[str, str]:
    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    headers = make_headers(proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
    return {name: Secret(value) for name, value in headers.items()}


def _shown(proxy: Secret) -> str:
    scheme, _, rest = proxy.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _socks_manager(proxy: Secret, arguments: dict[str, Any]) -> urllib3.PoolManager:
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
