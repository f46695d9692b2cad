"""A request of somebody who is signed in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from mesahub_embedded.engine.engine import Engine
from mesahub_embedded.engine.errors import RefusedError
from mesahub_embedded.server.request import Request

__all__ = ["PageMode", "Visit"]

PageMode = Literal["off", "read", "write"]
"""``off``: no page; ``read``: its query box only reads; ``write``: it may also write."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who is signed in.

    Attributes:
        request: the request.
        form_token: what this session's forms hold.
        mode: what the query box may do.
        form: the fields of the form that was sent.
    """

    request: Request
    form_token: str
    mode: PageMode
    form: dict[str, str] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """The database that the query string names. Raises `RefusedError` (404)."""
        slug = self.request.query.get("db", "")
        database = self.request.store.catalog.database(slug) if slug else None
        if database is None or database["deleted_at"] is not None:
            raise RefusedError(404, f"No database {slug!r}.")
        return slug

    @property
    def engine(self) -> Engine:
        """That database."""
        return self.request.store.engine(self.slug)

    @property
    def number(self) -> int:
        """The page that the query string asks for, from 0."""
        text = self.request.query.get("page", "")
        return int(text) if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) else 0
