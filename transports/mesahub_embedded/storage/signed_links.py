"""Links and tokens that work without an API key: signed text with a target and an expiry time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.storage.catalog import new_id

if TYPE_CHECKING:
    from mesahub_embedded.storage.data_folder import Store

__all__ = ["FILE", "FILES", "UPLOAD", "Link", "check", "is_genuine", "make"]

FILE = "file"
"""Reads one file: the target is its id."""
FILES = "files"
"""Reads all files of the namespace; the target is ``""``."""
UPLOAD = "upload"
"""Writes one file: the target is its name."""

DEFAULT_SECONDS = 30 * 86400
LEAST_SECONDS = 60
SECRET_BYTES = 32


class Link(NamedTuple):
    """A link's token and its claims."""

    token: str
    id: str
    expires: datetime
    seconds: int

    def shown(self) -> dict[str, Any]:
        """The server's response, without the URL."""
        return {"expires_at": f"{self.expires:%Y-%m-%dT%H:%M:%SZ}", "expires_in": self.seconds, "token_id": self.id}


def make(store: Store, kind: str, namespace: str, target: str, seconds: int | None) -> Link:
    """A link to a target.

    Args:
        store: the data folder, which has the secret.
        kind: `FILE`, `FILES` or `UPLOAD`; a token is valid for its kind only.
        namespace: the database's slug, or ``bucket:<id>``.
        target: what it gives access to.
        seconds: how long it works, at least 60; default: 30 days. As on the real server, a count that overflows
            64 bits of nanoseconds (292 years) wraps around, and may give a link that has already expired.
    """
    lasts = max(seconds, LEAST_SECONDS) if seconds is not None and seconds > 0 else DEFAULT_SECONDS
    wrapped = (lasts * 1_000_000_000 + 2**63) % 2**64 - 2**63
    expires = datetime.now(UTC) + timedelta(microseconds=wrapped // 1000)
    identifier = new_id()
    content = [identifier, kind, namespace, target, int(expires.timestamp())]
    claims = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
    return Link(f"{claims}.{_sign(store, claims)}", identifier, expires, lasts)


def check(store: Store, token: str, kind: str, namespace: str, target: str) -> None:
    """Raise `RefusedError` (401) unless the token is for this and has not expired."""
    if is_genuine(store, token):
        claims, _, _ = token.partition(".")
        _, *opens, expires = json.loads(base64.urlsafe_b64decode(claims))
        if opens == [kind, namespace, target] and expires > time.time():
            return
    raise RefusedError(401, "Missing or invalid file access token")


def is_genuine(store: Store, token: str) -> bool:
    """Was it signed by this server, regardless of target and expiry?"""
    claims, _, signature = token.partition(".")
    return bool(claims) and hmac.compare_digest(_bytes(signature), _sign(store, claims).encode())


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _sign(store: Store, claims: str) -> str:
    return hmac.new(_secret(store), _bytes(claims), hashlib.sha256).hexdigest()


def _secret(store: Store) -> bytes:
    """The data folder's secret, created on first use.

    Raises:
        RefusedError: 500, the file has the wrong length, so the secret could be guessed.
    """
    path = store.data / "links.secret"
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        with store.catalog.transaction():  # one process creates it
            if not path.exists():
                _write_secret(path)
            secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise RefusedError(
            500,
            f"links.secret in the data folder is damaged: it has {len(secret)} bytes, not {SECRET_BYTES}. Delete it to "
            "get a new one; links made so far will stop working.",
        )
    return secret


def _write_secret(path: Path) -> None:
    # Renamed when complete: a full disk or a crash leaves at most the temporary file.
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # a folder cannot be opened there
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
