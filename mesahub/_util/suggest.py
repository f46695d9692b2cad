"""The nearest right word, for an error message."""

from __future__ import annotations

from collections.abc import Iterable


def near(word: object, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`` Did you mean 'x'?`` for the nearest known word, or nothing."""
    # Imported for an error message only.
    import difflib

    found = difflib.get_close_matches(str(word), list(known), 1, cutoff)
    return f" Did you mean {found[0]!r}?" if found else ""
