"""What a browser sends: cookies, forms, and whether another site made it send them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.server.request import Request

__all__ = ["cookie", "from_elsewhere", "read_form"]

BODY_LIMIT = 512 * 1024
"""Bytes of a form."""
FIELDS = 20


def cookie(environ: dict[str, Any], name: str) -> str:
    """The value of a cookie; ``""`` without one. Cookies of other applications on this host may have any form."""
    for part in str(environ.get("HTTP_COOKIE", "")).split(";"):
        key, _, value = part.partition("=")
        if key.strip() == name:
            return value.strip()
    return ""


def read_form(request: Request) -> dict[str, str]:
    """The fields of a form; of a repeated name the first value.

    Raises:
        RefusedError: 413 it is too large, 415 it is not a form, 400 it has too many fields.
    """
    kind = request.header("content-type").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise RefusedError(415, "A form is expected.")
    if request.length > BODY_LIMIT:
        raise RefusedError(
            413, f"The form is larger than {BODY_LIMIT // 1024} KiB. Send long statements with the client."
        )
    text = request.stream.read(request.length).decode("latin-1")
    fields: dict[str, str] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS, errors="replace")
    except ValueError:
        raise RefusedError(400, "The form has too many fields.") from None
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def from_elsewhere(request: Request, public_url: str | None) -> bool:
    """Did a page of another site send this form?

    Browsers say where a form comes from: in ``Sec-Fetch-Site`` on https and on loopback, in ``Origin`` always. A
    program says nothing, and holds no cookie that another site could use.
    """
    site = request.header("sec-fetch-site")
    if site:
        return site not in ("same-origin", "none")
    origin = request.header("origin")
    if not origin:
        return False
    try:
        host = urlsplit(origin).netloc.lower()
        own = {request.header("host").lower()} | ({urlsplit(public_url).netloc.lower()} if public_url else set())
    except ValueError:
        return True
    return not host or host not in own
