"""Routes of the server: dashboard."""

from __future__ import annotations

from mesahub_embedded.web import Route

__all__ = ["ROUTES"]

ROUTES: list[Route] = []
