"""Database names to file names and back: safe on every file system.

Lower-case letters, digits, ``-`` and ``_`` stand for themselves, every other byte of the name's UTF-8 is ``=``
and two hex digits. So names that differ only in case have files that differ on Windows and macOS too, no name
leaves its folder, and the name can be read back from the file.
"""

from __future__ import annotations

import re

from mesahub.errors import ConfigurationError

SUFFIX = ".db"
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ENCODED = re.compile(r"(?:[a-z0-9_-]|=[0-9a-f]{2})+")
# Names of devices, which Windows takes for the device whatever the suffix is.
_DEVICES = re.compile(r"con|prn|aux|nul|com\d|lpt\d")
_LONGEST = 180
"""Characters of an encoded name that stay readable; file systems take 255, and SQLite adds ``-journal``."""


def check_name(name: str) -> str:
    """Return a database's name, or raise `ConfigurationError` when it cannot be one."""
    problem = None
    if not isinstance(name, str) or not name.strip():
        problem = "it is empty"
    elif "/" in name or "\\" in name:
        problem = "it contains a slash (pass a path as data=DIR, separately from the name)"
    elif name.startswith("."):
        problem = "it begins with a dot"
    elif _CONTROL.search(name):
        problem = "it has a control character or a lone surrogate in it"
    elif len(name.encode()) > 255:
        problem = "it has more than 255 bytes"
    if problem is not None:
        raise ConfigurationError(
            f"{name!r} cannot be the name of a database: {problem}. Use letters, digits, '-' and '_'."
        )
    return name


def file_name(name: str) -> str:
    """The file of a database.

    >>> file_name("shop-1"), file_name("Shop")
    ('shop-1.db', '=53hop.db')
    """
    data = name.encode()
    encoded = "".join(chr(byte) if byte in _PLAIN else f"={byte:02x}" for byte in data)
    if _DEVICES.fullmatch(encoded):
        encoded = f"={data[0]:02x}{encoded[1:]}"
    if len(encoded) > _LONGEST:
        # Too long to be read back: the registry knows the name, and the hash keeps it apart from others.
        import hashlib  # of no use to anybody else in the process, and slow to load

        readable = re.sub(r"=[0-9a-f]?$", "", encoded[:100])
        encoded = f"{readable}~{hashlib.sha256(data).hexdigest()[:32]}"
    return encoded + SUFFIX


def name_of(file: str) -> str | None:
    """The database of a file name; ``None`` for a file of another kind, or one whose name was cut."""
    stem = file.removesuffix(SUFFIX)
    if stem == file or not _ENCODED.fullmatch(stem):
        return None
    data = re.sub(rb"=([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), stem.encode())
    try:
        name = data.decode()
    except UnicodeDecodeError:
        return None
    return name if file_name(name) == file else None
