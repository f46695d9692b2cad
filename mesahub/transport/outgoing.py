"""A request as other HTTP libraries take it: its URL and its headers."""

from __future__ import annotations

from urllib.parse import urlencode

from mesahub.transport.messages import Request

__all__ = ["headers_of", "url_of"]


def url_of(base_url: str, request: Request) -> str:
    """Where a request goes.

    Args:
        base_url: the server's, without a slash at its end.
        request: the request.
    """
    return f"{base_url}{request.path}" + (f"?{urlencode(request.params)}" if request.params else "")


def headers_of(request: Request) -> dict[str, str]:
    """The headers of a request, but for the length of its body."""
    # Identity: a file must arrive as it is stored.
    headers = {"Accept-Encoding": "identity", **request.headers}
    if request.authority is not None:
        headers["Host"] = request.authority
    if request.content is not None:
        headers["Content-Type"] = request.content_type or "application/octet-stream"
    return headers
