"""Links that work without a key: a signed token says what for and until when."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.storage.catalog import new_id

if TYPE_CHECKING:
    from mesahub_embedded.storage.data_folder import Store

__all__ = ["Link", "check", "make"]

DEFAULT = 30 * 86400
"""Seconds a link works where nothing else is asked for."""


class Link(NamedTuple):
    """A link's token and what it says."""

    token: str
    id: str
    expires: int
    seconds: int

    def shown(self) -> dict[str, Any]:
        """As the server answers it, without the URL."""
        moment = datetime.fromtimestamp(self.expires, UTC)
        return {"expires_at": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "expires_in": self.seconds, "token_id": self.id}


def make(store: Store, place: str, target: str, seconds: int | None) -> Link:
    """A link to ``target`` of ``place``."""
    lasts = seconds if isinstance(seconds, int) and seconds > 0 else DEFAULT
    expires = int(time.time()) + lasts
    identifier = new_id()
    claims = base64.urlsafe_b64encode(json.dumps([identifier, place, target, expires]).encode()).decode()
    return Link(f"{claims}.{_sign(store, claims)}", identifier, expires, lasts)


def check(store: Store, token: str, place: str, target: str) -> None:
    """Raise `RefusedError` (401) unless the token is for this and still works."""
    claims, _, signature = token.partition(".")
    if claims and hmac.compare_digest(signature.encode(), _sign(store, claims).encode()):
        _, its_place, its_target, expires = json.loads(base64.urlsafe_b64decode(claims))
        if (its_place, its_target) == (place, target) and expires > time.time():
            return
    raise RefusedError(401, "Missing or invalid file access token")


def _sign(store: Store, claims: str) -> str:
    return hmac.new(_secret(store), claims.encode(), hashlib.sha256).hexdigest()


def _secret(store: Store) -> bytes:
    """The data folder's own secret, made when it is first needed."""
    path = store.data / "links.secret"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        with store.catalog.transaction():  # one process makes it
            if not path.exists():
                path.touch(0o600)
                path.write_bytes(secrets.token_bytes(32))
            return path.read_bytes()
