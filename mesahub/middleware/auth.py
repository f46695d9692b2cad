"""Puts the key on each request, and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import MappingProxyType

from mesahub._util.secret import Secret
from mesahub.errors import ConfigurationError, MesahubError
from mesahub.middleware.base import Handler, Middleware
from mesahub.transport import Request, Response
from mesahub.transport.network import origin
from mesahub.url import is_private_host


def auth(api_key: str | Callable[[], str], base_url: str, *, allow_insecure: bool = False) -> Middleware:
    """The layer that authenticates.

    Transports follow no redirect, so the key goes to ``base_url`` and to no other origin.

    Args:
        api_key: the key, or a function that gives the current one. It is asked once, and once more after a
            401; when it then gives another key, the request is sent again with that.
        base_url: where the key will go.
        allow_insecure: let it go over plain HTTP to a host outside of private networks.

    Raises:
        ConfigurationError: plain HTTP to a public host, or a key that cannot stand in a header.

    Example:
        >>> client = MesahubClient(lambda: vault.read("mesahub"), url)  # doctest: +SKIP
    """
    if base_url.startswith("http://") and not allow_insecure:
        host = origin(base_url).host
        if not is_private_host(host):
            raise ConfigurationError(
                f"The API key would travel unencrypted to {host}, a host that is not of a private network. Use "
                "https://, or say allow_insecure=True if the network between is yours."
            )
    return _with_function(api_key) if callable(api_key) else _with_key(api_key)


def _header(key: object) -> Secret:
    # First of all: a traceback may show this function's variables.
    key = Secret(key) if isinstance(key, str) else key
    if not isinstance(key, str):
        kind, key = type(key).__name__, None
        raise ConfigurationError(f"The api_key must be text, not {kind}.")
    if not key or not key.isascii() or not key.isprintable() or key != key.strip():
        raise ConfigurationError(
            "The api_key must be printable ASCII text without blanks at its ends, as the server's dashboard shows "
            f"it; this one is {'empty' if not key else 'not'}."
        )
    return Secret(f"Bearer {key}")


def _refuse_path(request: Request) -> None:
    # "http://core" and "@evil.example/" make another host. Nothing of ours makes such a path.
    raise ConfigurationError(f"A request's path must begin with '/', not as {request.path[:20]!r} does.")


def _with_key(key: str) -> Middleware:
    # Made once: most requests have no header of their own.
    alone = MappingProxyType({"Authorization": _header(key)})

    def authenticate(request: Request, forward: Handler) -> Response:
        if request.path[:1] != "/":
            _refuse_path(request)
        headers = request.headers
        return forward(request.with_headers({**headers, **alone} if headers else alone))

    return authenticate


def _with_function(ask: Callable[[], str]) -> Middleware:
    lock = threading.Lock()
    current: list[Secret] = []

    def authenticate(request: Request, forward: Handler) -> Response:
        if request.path[:1] != "/":
            _refuse_path(request)
        header = current[0] if current else _renew(None)
        response = forward(request.with_header("Authorization", header))
        if response.status != 401:
            return response
        renewed = _renew(header)
        if renewed == header:
            return response
        # A 401 says that nothing was done, so even a write may be sent again.
        response.close()
        return forward(request.with_header("Authorization", renewed))

    def _renew(refused: Secret | None) -> Secret:
        with lock:
            # Another thread may have asked in the meantime.
            if not current or current[0] == refused:
                try:
                    current[:] = [_header(ask())]
                except MesahubError:
                    raise
                except Exception as error:
                    error.add_note("This was raised by the function that was given as api_key.")
                    raise
            return current[0]

    return authenticate
