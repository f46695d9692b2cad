"""A string that must not be shown."""

from __future__ import annotations

from typing import Any


class Secret(str):
    """A ``str`` whose ``repr`` hides it.

    Keys travel as a `Secret` from the moment they are received, so that a traceback which prints
    local variables, a log of ``%r`` or a dataclass ``repr`` shows ``'***'``. The value itself is an
    ordinary string: HTTP libraries take it as it is.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class SecretBytes(bytes):
    """The same for ``bytes``, such as a request's headers."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "b'***'"


class SecretDict(dict[str, Any]):
    """A dict whose ``repr`` shows its names only, such as a client's options: a value may be a token."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: ***' for name in self)}}}"
