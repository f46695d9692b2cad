# Made by scripts/asyncify.py of scripts/asyncify_words.py: change that, and run `make aio`.
"""Layers between a client for asyncio and its transport: those of `mesahub.middleware`, awaited."""

from __future__ import annotations

from mesahub._aio.layers import Handler, Middleware
from mesahub.aio.middleware.call_hooks import hooks
from mesahub.aio.middleware.call_logging import logging
from mesahub.aio.middleware.rate_limiter import rate_limit
from mesahub.aio.middleware.telemetry import opentelemetry
from mesahub.middleware.attempts import Attempt
from mesahub.middleware.base import Target, inside_retry
from mesahub.middleware.call_hooks import Details
from mesahub.middleware.retry_policy import RetryPolicy

__all__ = [
    "Handler",
    "Middleware",
    "Attempt",
    "Target",
    "inside_retry",
    "Details",
    "RetryPolicy",
    "hooks",
    "logging",
    "rate_limit",
    "opentelemetry",
]
