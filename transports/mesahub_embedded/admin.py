"""Routes of the server: admin."""

from __future__ import annotations

from mesahub_embedded.web import Route

__all__ = ["ROUTES"]

ROUTES: list[Route] = []
