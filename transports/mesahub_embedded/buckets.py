"""Routes of the server: buckets."""

from __future__ import annotations

from mesahub_embedded.web import Route

__all__ = ["ROUTES"]

ROUTES: list[Route] = []
