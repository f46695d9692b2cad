# Made by scripts/asyncify.py of scripts/asyncify_words.py: change that, and run `make aio`.
"""What the handles for asyncio share."""

from __future__ import annotations
