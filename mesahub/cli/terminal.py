"""Standard input and output: bytes that are exact elsewhere, and text that is harmless on a terminal."""

from __future__ import annotations

import io
import re
import sys
from typing import BinaryIO

__all__ = ["one_line", "prepare_streams", "printable", "read_stdin", "stdin_bytes", "without_keys", "write"]


def prepare_streams() -> None:
    """Write UTF-8 and plain line feeds to files and pipes, whatever the locale; never fail on a terminal."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if stream is sys.stderr or stream.isatty():
                stream.reconfigure(errors="backslashreplace")
            else:
                stream.reconfigure(encoding="utf-8", errors="strict", newline="\n")


def printable(text: str, *, keep: str = "") -> str:
    """The text with control characters (and others that change how text is displayed) as escapes.

    >>> printable("a\\x1b[2J")
    'a\\\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text])


def write(text: str) -> None:
    """Write to standard output: as it is to a file or pipe; on a terminal without control characters."""
    sys.stdout.write(printable(text, keep="\n\t") if sys.stdout.isatty() else text)


def one_line(error: BaseException) -> str:
    """An error's text in one line, with its class where that says more than the text."""
    text = " ".join([str(error), *(f"({note})" for note in getattr(error, "__notes__", ()))])
    return f"{type(error).__name__}: {printable(' '.join(text.split()))}"


def stdin_bytes() -> BinaryIO:
    """Standard input as bytes."""
    buffer: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    return buffer if buffer is not None else io.BytesIO(sys.stdin.read().encode())


def read_stdin() -> str:
    """All of standard input, which is UTF-8."""
    return stdin_bytes().read().decode("utf-8-sig")


def without_keys(text: str) -> str:
    """An error's text without the keys of URLs in it: click repeats an argument that it does not expect."""
    if "://" not in text:
        return text
    text = re.sub(r"([A-Za-z][A-Za-z0-9+.-]*://).*@", r"\1***@", text, flags=re.DOTALL)
    return re.sub(r"(\w://[^\s?]*)\?[^\s'\"]+", r"\1?***", text)
