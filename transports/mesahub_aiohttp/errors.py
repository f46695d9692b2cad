"""Exceptions of aiohttp in the words of the contract: what became of the request?

Where aiohttp does not say whether a byte left, the answer is the careful one, MAYBE_RAN.
"""

from __future__ import annotations

import ssl

import aiohttp

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


def translated(error: BaseException, peer: str, call: Call) -> MesahubError | None:
    """The contract's error for what a call of aiohttp raised; ``None`` for what it cannot have raised."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _refused_by_proxy(error, peer)
    if isinstance(error, aiohttp.ClientConnectorError | ssl.SSLError):
        return _unreachable(error, peer, call)
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        return TLSError(f"No TLS connection to {peer}: its certificate has another fingerprint.")
    if isinstance(error, TimeoutError):  # aiohttp's own, of connecting or of a session's limits
        if not call.sent:
            return RequestTimeoutError(f"{peer} could not be reached in time.", outcome=Outcome.NOT_SENT)
        return RequestTimeoutError(f"The time for the request to {peer} ran out.", outcome=Outcome.MAYBE_RAN)
    if isinstance(error, aiohttp.InvalidURL) or (
        not call.sent and isinstance(error, ValueError | TypeError | RuntimeError)
    ):
        return ConfigurationError(f"aiohttp cannot send this: {error}.")
    if isinstance(error, ProtocolError | aiohttp.ClientError | OSError | ValueError | RuntimeError):
        if not call.sent and not isinstance(error, ProtocolError):
            return NotSentError(f"The request to {peer} was not sent: {error}.")
        return ConnectionLostError(f"No trustworthy response from {peer}: {_text(error)}.")
    return None


def _text(error: BaseException) -> str:
    """What it says. A ClientResponseError shows the URL, and its cause is what went wrong."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{error.message or error.__cause__}".rstrip(".")
    return f"{error or type(error).__name__}".rstrip(".")


def _refused_by_proxy(error: aiohttp.ClientHttpProxyError, peer: str) -> MesahubError:
    if error.status in (401, 403, 407):
        return ConfigurationError(
            f"The proxy refuses to connect to {peer} ({error.status}). Check the credentials in its URL: "
            "http://user:password@host:port."
        )
    return NotSentError(f"The proxy opened no tunnel to {peer}: it answered {error.status}.")


def _unreachable(error: aiohttp.ClientConnectorError | ssl.SSLError, peer: str, call: Call) -> MesahubError:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return TLSError(f"No TLS connection to {peer}: {error.certificate_error}.")
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return TLSError(f"No TLS connection to {peer}: {cause}.")
    if call.sent:
        return ConnectionLostError(f"No trustworthy response from {peer}: {cause}.")
    return NotSentError(f"{peer} could not be reached: {cause}.")
