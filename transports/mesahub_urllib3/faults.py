"""urllib3's exceptions in the words of the contract: what became of the request?

Where urllib3 does not tell whether a byte left, the answer is the careful one, MAYBE_RAN.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

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

CAUGHT = (u.HTTPError, OSError)
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


def translated(error: BaseException, peer: str) -> MesahubError:
    """The contract's error for one of `CAUGHT`."""
    chain = list(_chain(error))
    if any(isinstance(e, u.EmptyPoolError) for e in chain):
        return NotSentError(
            f"All connections to {peer} were in use for as long as the request could wait. Give the client a "
            "larger pool_size, or close downloads that are not read to the end."
        )
    if any(isinstance(e, u.NewConnectionError) for e in chain):
        return NotSentError(f"{peer} could not be reached: {chain[-1]}.")
    if any(isinstance(e, u.ConnectTimeoutError) for e in chain):
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
    if any(isinstance(e, TimeoutError | u.TimeoutError) for e in chain):
        return RequestTimeoutError(f"The time for the request to {peer} ran out.", outcome=Outcome.MAYBE_RAN)
    if any(isinstance(e, u.LocationValueError | u.URLSchemeUnknown) for e in chain):
        return ConfigurationError(f"urllib3 cannot use the URL of {peer}: {chain[-1]}.")
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
