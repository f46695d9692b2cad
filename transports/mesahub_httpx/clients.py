"""Clients of httpx or httpx2: the application's own, or one per event loop made here."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

from mesahub.errors import ConfigurationError
from mesahub.transport import TransportOptions

__all__ = ["Clients", "checked", "is_function"]

KEEP_ALIVE = 4.0
"""Seconds an idle connection is kept: below the 5 seconds after which the least patient of the common servers
(Node, uvicorn, Apache) close it."""
_forked: list[Any] = []
"""Clients of a parent process: closing them here would close its connections."""


class Clients:
    """A client for the loop that runs, made when it is first needed; another loop, or a fork, gets another.

    Args:
        options: those of the transport.
        given: the application's own client, which is used in its own loop, not changed and not closed; or a function
            that returns it, called once in each loop.

    Raises:
        ConfigurationError: a certificate file or a proxy that cannot be used, or a package that is not installed.
    """

    def __init__(self, options: TransportOptions, given: Any) -> None:
        self._given = given
        self._options = options
        self._made: Any = None
        self._owner: tuple[int, asyncio.AbstractEventLoop] | None = None
        if given is None:
            self._module = _package()
            self._tls = options.ssl_context() if options.base_url.startswith("https:") else False
            self._proxy = options.proxy_url()
            if self._proxy is not None:
                _check_proxy(self._proxy.partition("://")[0].lower())

    def client(self) -> Any:
        """The client to use now."""
        if self._given is not None and not is_function(self._given):
            return self._given
        owner = (os.getpid(), asyncio.get_running_loop())
        if self._made is None or self._owner != owner:
            self._abandon()
            self._made = self._new() if self._given is None else checked(self._given())
            self._owner = owner
        return self._made

    def _new(self) -> Any:
        size = self._options.pool_size
        httpx = self._module
        return httpx.AsyncClient(
            verify=self._tls,
            proxy=self._proxy,
            trust_env=False,  # proxies are settled by proxy_url(), and ~/.netrc must not replace the key
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            limits=httpx.Limits(
                max_connections=None,  # the exchange counts them
                max_keepalive_connections=size,
                keepalive_expiry=KEEP_ALIVE,
            ),
        )

    def _abandon(self) -> None:
        """Let go of a client without waiting: its loop is another one, or this is a forked child."""
        client, self._made = self._made, None
        if client is None or self._owner is None or self._given is not None:
            return
        pid, loop = self._owner
        if pid != os.getpid():
            _forked.append(client)
        elif not loop.is_closed():
            asyncio.run_coroutine_threadsafe(client.aclose(), loop)

    async def close(self) -> None:
        """Close the client, unless it was given."""
        if self._given is None and self._made is not None and self._owner == (os.getpid(), asyncio.get_running_loop()):
            client, self._made = self._made, None
            await client.aclose()
        else:
            self._abandon()


def _package() -> Any:
    try:
        return importlib.import_module("httpx")
    except ImportError as error:
        try:
            return importlib.import_module("httpx2")
        except ImportError:
            raise ConfigurationError(
                "The transport 'httpx' needs the package 'httpx', which is not installed. "
                "Install it: pip install 'mesahub[httpx]'."
            ) from error


def _check_proxy(scheme: str) -> None:
    if scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise ConfigurationError("A SOCKS proxy needs the package socksio. Install it: pip install 'httpx[socks]'.")


def is_function(given: Any) -> bool:
    """Does it return a client when it is called?"""
    return callable(given) and not isinstance(given, type) and not _is_client(given)


def _is_client(given: Any) -> bool:
    # By name: an application may use httpx, httpx2, or both, and httpx2 can take the place of httpx.
    return any(
        kind.__name__ == "AsyncClient" and kind.__module__.partition(".")[0] in ("httpx", "httpx2")
        for kind in type(given).__mro__
    )


def checked(client: Any) -> Any:
    """The application's client, if it can be used.

    Raises:
        ConfigurationError: it is something else, or would answer a write from a cache (hishel) or repeat it
            (httpx-retries).
    """
    if not _is_client(client):
        name = type(client).__name__
        hint = " (a blocking one belongs to blocking code)" if name == "Client" else ""
        raise ConfigurationError(f"client must be an AsyncClient of httpx or httpx2, not {name}{hint}.")
    _refuse_cached_writes(client)
    return client


def _refuse_cached_writes(client: Any) -> None:
    transports = [getattr(client, "_transport", None), *getattr(client, "_mounts", {}).values()]
    repeated = {method for transport in transports for method in _methods_of(transport, set())}
    unsafe = sorted(repeated - {"GET", "HEAD", "OPTIONS"})
    if unsafe:
        raise ConfigurationError(
            f"A transport of the client caches or repeats {', '.join(unsafe)}: statements are sent by POST, so a write "
            "would be answered from the cache and not carried out, or carried out twice. Pass a client that does so "
            "for GET alone, or none. The client of mesahub retries: retry=RetryPolicy(...)."
        )


_METHODS = frozenset({"_cacheable_methods", "cacheable_methods", "supported_methods", "allowed_methods"})
"""Attributes of hishel, httpx-retries and others: the methods that they cache, or send again."""
_PLAIN = frozenset({"httpx", "httpx2", "httpcore", "httpcore2", "ssl", "asyncio", "threading", "builtins", "http"})


def _methods_of(thing: Any, seen: set[int], depth: int = 5) -> set[str]:
    """The methods that a transport caches or repeats, as far as it, and what it is made of, says."""
    found: set[str] = set()
    if id(thing) in seen or depth == 0:
        return found
    seen.add(id(thing))
    items = thing if isinstance(thing, dict) else getattr(thing, "__dict__", {})
    for name, value in list(items.items()):
        if name in _METHODS and isinstance(value, list | tuple | set | frozenset):
            found |= {str(getattr(method, "value", method)).upper() for method in value}
        elif isinstance(value, dict) or type(value).__module__.partition(".")[0] not in _PLAIN:
            found |= _methods_of(value, seen, depth - 1)
    return found
