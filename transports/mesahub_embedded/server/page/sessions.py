"""Who is signed in.

Sessions are kept in the catalog: all processes of a server know them, and a restart keeps them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

from mesahub_embedded.storage.data_folder import Store

__all__ = ["Sessions"]

SECONDS = 12 * 3600
"""How long a session lasts."""

_TABLE = "CREATE TABLE IF NOT EXISTS page_sessions (digest TEXT PRIMARY KEY, ends REAL NOT NULL)"


class Sessions:
    """The sessions of the page.

    A browser holds a random name. The catalog holds an HMAC of it with the admin token as the key: another token ends
    all sessions, and whoever reads the catalog gets none.

    Args:
        store: the data folder.
        admin_token: the token for administration.
        clock: seconds since 1970.
    """

    def __init__(self, store: Store, admin_token: str, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._key = admin_token.encode()
        self._clock = clock
        folder = hashlib.sha256(str(store.data.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:12]
        # Browsers send cookies to all ports of a host: servers on one machine must not share a name.
        self.cookie = f"mesahub_{folder}"
        self._ready = False

    def begin(self) -> str:
        """Start a session; the name that the browser keeps."""
        name = secrets.token_urlsafe(32)
        moment = self._clock()
        self._create_table()
        with self._store.catalog.transaction() as sqlite:
            sqlite.execute("DELETE FROM page_sessions WHERE ends <= ?", (moment,))
            sqlite.execute("INSERT INTO page_sessions VALUES (?, ?)", (self._digest(name), moment + SECONDS))
        return name

    def holds(self, name: str) -> bool:
        """Is this the name of a session that has not ended?"""
        if not name:
            return False
        self._create_table()
        query = "SELECT 1 FROM page_sessions WHERE digest = ? AND ends > ?"
        with self._store.catalog.reading() as sqlite:
            return sqlite.execute(query, (self._digest(name), self._clock())).fetchone() is not None

    def end(self, name: str) -> None:
        """End a session."""
        self._create_table()
        with self._store.catalog.transaction() as sqlite:
            sqlite.execute("DELETE FROM page_sessions WHERE digest = ?", (self._digest(name),))

    def form_token(self, name: str) -> str:
        """What the forms of a session hold: another site cannot know it."""
        return self._sign("form", name)

    def is_form_token(self, name: str, token: str) -> bool:
        """Was this form made for this session?"""
        return hmac.compare_digest(self.form_token(name).encode(), token.encode("utf-8", "replace"))

    def _digest(self, name: str) -> str:
        return self._sign("session", name)

    def _sign(self, purpose: str, name: str) -> str:
        return hmac.new(self._key, f"{purpose} {name}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    def _create_table(self) -> None:
        if not self._ready:
            with self._store.catalog.transaction() as sqlite:
                sqlite.execute(_TABLE)
            self._ready = True
