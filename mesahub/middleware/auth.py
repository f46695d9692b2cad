"""Add the key to each request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mesahub._util.secret import Secret, SecretBytes
from mesahub.dialects.mesahub.authorization import bearer
from mesahub.errors import ConfigurationError, MesahubError
from mesahub.middleware.base import Handler, Middleware
from mesahub.transport import Request, Response
from mesahub.transport.network import origin
from mesahub.url import is_private_host

Authorize = Callable[[Any], Mapping[str, str]]


def auth(
    api_key: str | Callable[[], str],
    base_url: str | Sequence[str],
    *,
    allow_insecure: bool = False,
    authorize: Authorize = bearer,
) -> Middleware:
    """The layer that authenticates.

    Transports follow no redirect, so the key goes to ``base_url`` and to no other origin.

    Args:
        api_key: the key, or a function that returns the current one. It is called once, and again
            after a 401; if it then returns another key, the request is sent again with that.
        base_url: where the key will go: one URL, or several.
        allow_insecure: let it go over plain HTTP to a host outside private networks.
        authorize: makes headers of a key; default: a bearer token.

    Raises:
        ConfigurationError: plain HTTP to a public host, or a key that cannot stand in a header.

    Example:
        >>> client = MesahubClient(lambda: vault.read("mesahub"), url)  # doctest: +SKIP
    """
    for url in (base_url,) if isinstance(base_url, str) else base_url:
        if allow_insecure or not url.startswith("http://"):
            continue
        host = origin(url).host
        if not is_private_host(host):
            raise ConfigurationError(
                f"The API key would travel unencrypted to {host}, a host that is not of a private network. Use "
                "https://, or pass allow_insecure=True if the network between is yours."
            )
    return _with_function(api_key, authorize) if callable(api_key) else _with_key(api_key, authorize)


def _secret(key: Any) -> Any:
    # A traceback may show the variables of whatever is given the key.
    if isinstance(key, str):
        return Secret(key)
    return SecretBytes(key) if isinstance(key, bytes) else key


def _checked(headers: Mapping[str, str]) -> Mapping[str, str]:
    # A dialect's own: whatever shows the headers shows no key.
    return MappingProxyType({name: Secret(value) for name, value in headers.items()})


def _refuse_path(request: Request) -> None:
    # "http://core" and "@evil.example/" make another host. Nothing of ours makes such a path.
    raise ConfigurationError(f"A request's path must begin with '/', not as {request.path[:20]!r} does.")


def _with_key(key: str, authorize: Authorize) -> Middleware:
    # Made once: most requests have no header of their own.
    alone = _checked(authorize(_secret(key)))

    def authenticate(request: Request, forward: Handler) -> Response:
        if request.path[:1] != "/":
            _refuse_path(request)
        headers = request.headers
        return forward(request.with_headers({**headers, **alone} if headers else alone))

    return authenticate


def _with_function(ask: Callable[[], str], authorize: Authorize) -> Middleware:
    lock = threading.Lock()
    current: list[Mapping[str, str]] = []

    def authenticate(request: Request, forward: Handler) -> Response:
        if request.path[:1] != "/":
            _refuse_path(request)
        header = current[0] if current else _renew(None)
        response = forward(request.with_headers({**request.headers, **header}))
        if response.status != 401:
            return response
        renewed = _renew(header)
        if renewed == header:
            return response
        # A 401 says that nothing was done, so even a write may be sent again.
        response.close()
        return forward(request.with_headers({**request.headers, **renewed}))

    def _renew(refused: Mapping[str, str] | None) -> Mapping[str, str]:
        with lock:
            # Another thread may have asked in the meantime.
            if not current or current[0] == refused:
                try:
                    current[:] = [_checked(authorize(_secret(ask())))]
                except MesahubError:
                    raise
                except Exception as error:
                    error.add_note("This was raised by the function that was given as api_key.")
                    raise
            return current[0]

    return authenticate
