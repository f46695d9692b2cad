"""Where the body of a response ends (RFC 9112, 6.3), decided strictly."""

from __future__ import annotations

import re

from mesahub.transport import Headers


class ProtocolError(ValueError):
    """What came is not certain HTTP/1.1. The text continues "No trustworthy response from ...: "."""


_LENGTH = re.compile(r"[0-9]{1,18}").fullmatch


def framing_of(method: str, status: int, headers: Headers, *, keep_alive: bool = True) -> tuple[int | None, bool, bool]:
    """Decide where the body of a response ends.

    Args:
        method: that of the request.
        status: that of the response.
        headers: those of the response.
        keep_alive: the connection would be kept, by the HTTP version (1.1).

    Returns:
        The bytes of the body, ``None`` when it is chunked or ends with the connection; whether it is chunked; and
        whether the connection may carry another request after it.

    Raises:
        ProtocolError: an interim response, another coding than chunked, lengths that differ or are not numbers.
    """
    get = headers.get
    connection = get("connection")
    if connection is not None and "close" in connection.lower():
        keep_alive = False
    if status < 200:
        raise ProtocolError(f"it is the interim response {status}, and the final one did not follow")
    coding = get("transfer-encoding")
    length = get("content-length")
    if method in ("HEAD", "CONNECT") or status == 204 or status == 304:
        # A coding or a length describes what a GET would have sent; what follows CONNECT belongs to the tunnel.
        return 0, False, keep_alive
    if coding is not None:
        if coding.strip(" \t").lower() != "chunked":
            raise ProtocolError(f"it has the unknown Transfer-Encoding {coding!r}")
        # Both a coding and a length may be smuggling (RFC 9112, 6.3): the coding wins, for the last time here.
        return None, True, keep_alive and length is None
    if length is None:
        return None, False, False
    if _LENGTH(length) is None:
        length = _repeated(length)
    return int(length), False, keep_alive


def _repeated(text: str) -> str:
    # Repeated headers come joined by commas; the same number twice is allowed.
    numbers = {part.strip(" \t") for part in text.split(",")}
    number = numbers.pop()
    if numbers or _LENGTH(number) is None:
        raise ProtocolError(f"its Content-Length is {text!r}")
    return number
