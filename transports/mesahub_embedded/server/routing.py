"""Which handler answers which path, and who may call it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from mesahub_embedded.server.reply import Reply
from mesahub_embedded.server.request import Request

__all__ = ["ADMIN", "OPEN", "READ", "WRITE", "Handler", "Route", "Router"]

OPEN = "open"
"""Anyone may call it."""
ADMIN = "admin"
"""The admin token alone."""
READ = "read"
"""A key that may read the database named ``slug`` in the path; or the admin token."""
WRITE = "write"
"""A key that may write to it; or the admin token."""

Handler = Callable[[Request], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """One route. It alone decides who may call it: never the text of a path, which holds names that callers choose.

    Args:
        method: the HTTP method.
        pattern: the path, with ``{name}`` for a segment that is an argument.
        handler: answers.
        access: `OPEN`, `ADMIN`, `READ` or `WRITE`.
        file_token: may a token for the database's files call it as well?
        missing: the error where there is no such database.
    """

    method: str
    pattern: str
    handler: Handler
    access: str = ADMIN
    file_token: bool = False
    missing: str = "Database not found"

    @property
    def of_database(self) -> bool:
        """Does it belong to the database named ``slug`` in its path?"""
        return self.access in (READ, WRITE)

    def compiled(self) -> re.Pattern[str]:
        """The pattern as a regular expression."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.pattern))


class Router:
    """All routes, by path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._plain: dict[str, dict[str, Route]] = {}
        self._patterns: dict[str, tuple[re.Pattern[str], dict[str, Route]]] = {}
        for item in routes:
            if "{" in item.pattern:
                entry = self._patterns.setdefault(item.pattern, (item.compiled(), {}))
                entry[1][item.method] = item
            else:
                self._plain.setdefault(item.pattern, {})[item.method] = item

    def find(self, path: str) -> tuple[dict[str, Route], dict[str, str]] | None:
        """The routes of a path by method, and its arguments; ``None`` for an unknown path."""
        plain = self._plain.get(path)
        if plain is not None:
            return plain, {}
        for pattern, routes in self._patterns.values():
            match = pattern.fullmatch(path)
            if match:
                return routes, {name: unquote(value) for name, value in match.groupdict().items()}
        return None
