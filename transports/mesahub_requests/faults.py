"""Exceptions of requests, and of urllib3 below it, in the words of the contract: what became of the request?

Where they do not tell whether a byte left, the answer is the careful one, MAYBE_RAN.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

from requests import exceptions as r
from urllib3 import exceptions as u

from mesahub.errors import (
    ConfigurationError,
    ConnectionLostError,
    MesahubError,
    NotSentError,
    Outcome,
    RequestTimeoutError,
    TLSError,
)

CAUGHT = (r.RequestException, u.HTTPError, OSError)
"""What requests raises of its own accord, and urllib3 while a body is read."""

_SETUP = (r.InvalidURL, r.InvalidHeader, r.MissingSchema, r.InvalidSchema, r.InvalidProxyURL)
_NO_TRUST = (
    "CERTIFICATE",
    "ALERT",
    "WRONG_VERSION",
    "RECORD_LAYER",
    "UNKNOWN_PROTOCOL",
    "HANDSHAKE",
    "T MATCH",
)


def translated(error: BaseException, peer: str) -> MesahubError:
    """The contract's error for one of `CAUGHT`."""
    if isinstance(error, _SETUP):
        return ConfigurationError(f"requests cannot send this: {error}.")
    if type(error) is OSError and "Could not find" in str(error):
        return ConfigurationError(f"The session's certificates cannot be used: {error}.")
    chain = list(_chain(error))
    if any(isinstance(e, u.NewConnectionError) for e in chain):
        return NotSentError(f"{peer} could not be reached: {chain[-1]}.")
    if any(isinstance(e, u.ConnectTimeoutError | r.ConnectTimeout) for e in chain):
        return RequestTimeoutError(f"{peer} could not be reached in time.", outcome=Outcome.NOT_SENT)
    for e in chain:
        if isinstance(e, ssl.SSLError | u.SSLError) and _distrust(e):
            return TLSError(f"No TLS connection to {peer}: {e}.")
    if any(isinstance(e, u.ProxyError) for e in chain):
        refused = re.search(r"failed: (401|403|407)\b", str(chain[-1]))
        if refused:
            return ConfigurationError(
                f"The proxy refuses to connect to {peer} ({refused[1]}). Its credentials stand in its URL: "
                "http://user:password@host:port."
            )
        # urllib3 1.26 calls every broken connection behind a proxy a ProxyError, also after sending.
        if not any(isinstance(e, ConnectionError) for e in chain):
            return NotSentError(f"The proxy opened no way to {peer}: {chain[-1]}.")
    if any(isinstance(e, TimeoutError | u.TimeoutError | r.Timeout) for e in chain):
        return RequestTimeoutError(f"The time for the request to {peer} ran out.", outcome=Outcome.MAYBE_RAN)
    return ConnectionLostError(f"No trustworthy answer from {peer}: {chain[-1]}.")


def _distrust(error: ssl.SSLError | u.SSLError) -> bool:
    text = f"{getattr(error, 'reason', '')} {error}".upper()
    return isinstance(error, ssl.SSLCertVerificationError) or any(word in text for word in _NO_TRUST)


def _chain(error: BaseException) -> Iterator[BaseException]:
    # Not __context__: that may be an exception which was dealt with before.
    seen: list[BaseException | None] = [None]
    found: BaseException | None = error
    while found not in seen:
        assert found is not None
        yield found
        seen.append(found)
        inner = [getattr(found, "reason", None), *reversed(found.args), found.__cause__]
        found = next((e for e in inner if isinstance(e, BaseException)), None)
