"""Exceptions of httpx and httpx2 in the words of the contract: what became of the request?

The two packages have the same names, so an exception is known by the names of its classes.
Where httpx does not say whether a byte left, the answer is the careful one, MAYBE_RAN.
"""

from __future__ import annotations

import ssl

from mesahub.errors import (
    ConfigurationError,
    ConnectionLostError,
    MesahubError,
    NotSentError,
    Outcome,
    RequestTimeoutError,
    TLSError,
)
from mesahub.transport.asynchronous.exchange import Call
from mesahub_http1 import ProtocolError

PACKAGES = frozenset({"httpx", "httpx2", "httpcore", "httpcore2"})


def names_of(error: BaseException) -> set[str]:
    """The names of an exception's classes, those of httpx alone."""
    return {kind.__name__ for kind in type(error).__mro__ if kind.__module__.partition(".")[0] in PACKAGES}


def translated(error: BaseException, peer: str, call: Call) -> MesahubError | None:
    """The contract's error for what a call of httpx raised; ``None`` for what it cannot have raised."""
    names = names_of(error)
    if "PoolTimeout" in names:
        return NotSentError(
            f"All connections to {peer} were in use for as long as the client lets a request wait: raise the limits "
            "of your client, or close downloads that are not read to the end."
        )
    if "ConnectTimeout" in names or ("TimeoutException" in names and not call.sent):
        return RequestTimeoutError(f"{peer} could not be reached in time.", outcome=Outcome.NOT_SENT)
    if "TimeoutException" in names:
        return RequestTimeoutError(f"The time for the request to {peer} ran out.", outcome=Outcome.MAYBE_RAN)
    tls = _tls_fault(error)
    if tls is not None:
        return TLSError(f"No TLS connection to {peer}: {tls}.")
    if "ProxyError" in names and not call.sent:
        return _refused_by_proxy(error, peer)
    if names & {"UnsupportedProtocol", "InvalidURL", "LocalProtocolError", "CookieConflict"} and not call.sent:
        return ConfigurationError(f"httpx cannot send this: {error}.")
    if names or isinstance(error, ProtocolError | OSError | ValueError | RuntimeError):
        if not call.sent:
            if not names and isinstance(error, ValueError | RuntimeError) and not isinstance(error, ProtocolError):
                return ConfigurationError(f"httpx cannot send this: {error}.")
            return NotSentError(f"{peer} could not be reached: {_text(error)}.")
        return ConnectionLostError(f"No trustworthy response from {peer}: {_text(error)}.")
    return None


def _text(error: BaseException) -> str:
    return (str(error) or type(error).__name__).rstrip(".")


def _refused_by_proxy(error: BaseException, peer: str) -> MesahubError:
    if str(error).startswith(("401", "403", "407")):
        return ConfigurationError(
            f"The proxy refuses to connect to {peer} ({str(error)[:3]}). Check the credentials in its URL: "
            "http://user:password@host:port."
        )
    return NotSentError(f"The proxy opened no tunnel to {peer}: {_text(error)}.")


def _tls_fault(error: BaseException) -> ssl.SSLError | None:
    each: BaseException | None = error
    seen: set[int] = set()
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        if isinstance(each, ssl.SSLError):
            return None if isinstance(each, ssl.SSLEOFError | ssl.SSLZeroReturnError) else each
        each = each.__cause__ or each.__context__
    return None
