"""urllib3's exceptions in the words of the contract: what became of the request?

Where urllib3 does not say whether a byte left, the answer is the careful one, MAYBE_RAN.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from http.client import HTTPException

from urllib3 import exceptions as u

from mesahub._util.tracebacks import forget_frames
from mesahub.errors import (
    ConfigurationError,
    ConnectionLostError,
    MesahubError,
    NotSentError,
    Outcome,
    RequestTimeoutError,
    TLSError,
)
from mesahub_urllib3.limits import Limits

CAUGHT = (u.HTTPError, HTTPException, OSError)
"""What urllib3 raises of its own accord."""

_NO_TRUST = (
    "CERTIFICATE",
    "ALERT",
    "WRONG_VERSION",
    "RECORD_LAYER",
    "UNKNOWN_PROTOCOL",
    "HANDSHAKE",
    "T MATCH",
)


def translated(error: BaseException, peer: str, limits: Limits) -> MesahubError:
    """The contract's error for one of `CAUGHT`, which loses its frames: their variables hold the whole request."""
    chain = list(chained(error))
    translation = _translation(chain, peer, limits)
    for each in chain:
        forget_frames(each)
    return translation


def _translation(chain: list[BaseException], peer: str, limits: Limits) -> MesahubError:
    last = chain[-1]
    if _any(chain, u.EmptyPoolError):
        return NotSentError(
            f"All connections to {peer} were in use for as long as the request could wait. Pass the client a "
            "larger pool_size, or close downloads that are not read to the end."
        )
    if _any(chain, u.NewConnectionError):
        return NotSentError(f"{peer} could not be reached: {last}.")
    if _any(chain, u.ConnectTimeoutError):
        return RequestTimeoutError(f"{peer} could not be reached in time.", outcome=Outcome.NOT_SENT)
    for each in chain:
        if isinstance(each, ssl.SSLError | u.SSLError) and _distrust(each):
            return TLSError(f"No TLS connection to {peer}: {each}.")
    if _any(chain, u.LocationValueError, u.URLSchemeUnknown):
        return ConfigurationError(f"urllib3 cannot use the URL of {peer}: {last}.")
    refused = re.search(r"Tunnel connection failed: (401|403|407)\b", str(last))
    if refused:
        return ConfigurationError(
            f"The proxy refuses to connect to {peer} ({refused[1]}). Check the credentials in its URL: "
            "http://user:password@host:port."
        )
    if limits.sent is False:
        if _any(chain, TimeoutError, u.TimeoutError):
            return RequestTimeoutError(f"{peer} could not be reached in time.", outcome=Outcome.NOT_SENT)
        return NotSentError(f"The request to {peer} was not sent: {last}.")
    # urllib3 1.26 calls every broken connection through a proxy a ProxyError, also after sending.
    if limits.sent is None and _any(chain, u.ProxyError) and not _any(chain, ConnectionError):
        return NotSentError(f"The proxy opened no way to {peer}: {last}.")
    if _any(chain, TimeoutError, u.TimeoutError):
        return RequestTimeoutError(f"The time for the request to {peer} ran out.", outcome=Outcome.MAYBE_RAN)
    return ConnectionLostError(f"No trustworthy response from {peer}: {last}.")


def _any(chain: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(each, kinds) for each in chain)


def _distrust(error: ssl.SSLError | u.SSLError) -> bool:
    text = f"{getattr(error, 'reason', '')} {error}".upper()
    return isinstance(error, ssl.SSLCertVerificationError) or any(word in text for word in _NO_TRUST)


def chained(error: BaseException) -> Iterator[BaseException]:
    """An exception, and those that it was raised for, the first cause last."""
    # Not __context__: that may be an exception which was dealt with before.
    seen: list[BaseException | None] = [None]
    current: BaseException | None = error
    while current not in seen:
        assert current is not None
        yield current
        seen.append(current)
        inner = [getattr(current, "reason", None), *reversed(current.args), current.__cause__]
        current = next((each for each in inner if isinstance(each, BaseException)), None)
