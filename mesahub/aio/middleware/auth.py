# Made by scripts/asyncify.py of mesahub/middleware/auth.py: change that, and run `make aio`.
"""Add the key to each request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from mesahub._aio.layers import Handler, Middleware
from mesahub._aio.opening import settled
from mesahub._aio.waiting import LoopLock
from mesahub.dialects.mesahub.authorization import bearer
from mesahub.errors import ConfigurationError, MesahubError
from mesahub.middleware.auth import Authorize, _checked, _refuse_path, _secret
from mesahub.transport import AsyncResponse, Request
from mesahub.transport.network import origin
from mesahub.url import is_private_host

__all__ = ["auth"]


def auth(
    api_key: str | Callable[[], str | Awaitable[str]],
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
        >>> client = AsyncMesahubClient(lambda: vault.read("mesahub"), url)  # doctest: +SKIP
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


def _with_key(key: str, authorize: Authorize) -> Middleware:
    # Made once: most requests have no header of their own.
    alone = _checked(authorize(_secret(key)))

    async def authenticate(request: Request, forward: Handler) -> AsyncResponse:
        if request.path[:1] != "/":
            _refuse_path(request)
        headers = request.headers
        return await forward(request.with_headers({**headers, **alone} if headers else alone))

    return authenticate


def _with_function(ask: Callable[[], str | Awaitable[str]], authorize: Authorize) -> Middleware:
    lock = LoopLock()
    current: list[Mapping[str, str]] = []

    async def authenticate(request: Request, forward: Handler) -> AsyncResponse:
        if request.path[:1] != "/":
            _refuse_path(request)
        header = current[0] if current else await _renew(None)
        response = await forward(request.with_headers({**request.headers, **header}))
        if response.status != 401:
            return response
        renewed = await _renew(header)
        if renewed == header:
            return response
        # A 401 says that nothing was done, so even a write may be sent again.
        await response.aclose()
        return await forward(request.with_headers({**request.headers, **renewed}))

    async def _renew(refused: Mapping[str, str] | None) -> Mapping[str, str]:
        async with lock:
            # Another task may have asked in the meantime.
            if not current or current[0] == refused:
                try:
                    current[:] = [_checked(authorize(_secret(await settled(ask()))))]
                except MesahubError:
                    raise
                except Exception as error:
                    error.add_note("This was raised by the function that was given as api_key.")
                    raise
            return current[0]

    return authenticate
