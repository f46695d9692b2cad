"""How many examples a property test tries."""

from __future__ import annotations

from hypothesis import settings


def examples(count: int) -> settings:
    """``count`` examples in `make test`; a twentieth of them in `make check` (the profile ``quick``)."""
    return settings(max_examples=max(count * settings().max_examples // 100, 1))
