"""Checks of arguments that end in a request: a wrong one is an `ArgumentError` before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mesahub.errors import ArgumentError

__all__ = ["checked_names", "checked_progress", "checked_text", "given_texts"]


def checked_text(name: str, value: Any, *, empty: bool = False) -> str:
    """A text that UTF-8 can encode, as a plain `str`: a subclass may format itself in another way.

    Args:
        name: of the argument, for the message.
        value: what the caller gave.
        empty: may it be empty?
    """
    if not isinstance(value, str) or not (empty or value.strip()):
        raise ArgumentError(f"{name} must be a {'' if empty else 'non-empty '}string, not {_shown(value)}.")
    text = value if type(value) is str else str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ArgumentError(f"{name} must not have a lone surrogate: {_shown(text)}.") from None
    return text


def given_texts(**values: Any) -> dict[str, str]:
    """The texts that are not ``None``, by name."""
    return {name: checked_text(name, value, empty=True) for name, value in values.items() if value is not None}


def checked_names(name: str, values: Any) -> list[str]:
    """A list of texts, each of them once."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise ArgumentError(f"{name} must be a list of strings, not {_shown(values)}.")
    return list(dict.fromkeys([checked_text(f"Each of {name}", value) for value in values]))


def checked_progress(progress: Any) -> Any:
    """A function, or ``None``."""
    if progress is not None and not callable(progress):
        raise ArgumentError(f"progress must be a function of two numbers, not {_shown(progress)}.")
    return progress


def _shown(value: Any) -> str:
    return f"{value!r:.100}" if isinstance(value, (str, bytes, int, float)) or value is None else type(value).__name__
