"""Find secrets in the content of a cassette, in any encoding."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes

__all__ = ["Secrets", "forms_of"]

SHORTEST = 4
"""Minimum length of a value (digits of a number) to search for. Shorter ones would match by chance."""
_ENCODED = 8
"""Minimum length in bytes of a value to search for in base64 and hexadecimal at any offset."""
_LONG = 64 * 1024
_DEPTH = 4

_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f"}
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{6,}(?:[\r\n]+[A-Za-z0-9+/_-]+)*")
_HEX = re.compile(rb"[0-9a-fA-F]{2}(?:[ :-]?[0-9a-fA-F]{2}){3,}")
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def forms_of(key: str) -> set[str]:
    """Return texts of which none may be in a cassette: the secret plain, in JSON, in URLs, in base64 and hexadecimal.

    In base64 a text looks different depending on where in the encoded bytes it begins, so there are three forms of
    it, each without the characters that its neighbors influence.
    """
    forms = {
        key,
        json.dumps(key)[1:-1],
        json.dumps(key, ensure_ascii=False)[1:-1],
        quote(key, safe=""),
        quote_plus(key),
    }
    raw = key.encode(errors="surrogatepass")
    if len(raw) >= _ENCODED:  # a short one would match by chance
        forms |= {raw.hex(), raw.hex().upper()}
        for shift in range(3):
            padded = b"\0" * shift + raw
            whole = padded[: len(padded) // 3 * 3]
            text = base64.b64encode(whole).decode()[4 if shift else 0 :]
            forms |= {text, text.replace("+", "-").replace("/", "_")}
    return forms - {""}


class Secrets:
    """Values that must not be in a cassette. They are kept in memory only, and appear in no message."""

    def __init__(self) -> None:
        self._texts: dict[bytes, str] = {}
        self._numbers: dict[bytes, str] = {}
        self._forms: dict[bytes, str] = {}

    def __bool__(self) -> bool:
        return bool(self._texts or self._numbers)

    def __repr__(self) -> str:
        return f"<Secrets: {len(self._texts) + len(self._numbers)}>"

    def add_key(self, key: str) -> None:
        """Search for a key of any length."""
        if key:
            self._add_text(key, "the API key")

    def add(self, value: Any, name: str) -> None:
        """Search for a redacted value, for its parts (JSON), and for it without wildcards and white space."""
        if value is None or isinstance(value, bool):
            return
        if isinstance(value, (int, float)):
            text = repr(value)
            if len(re.sub(r"\D", "", text)) >= SHORTEST:
                self._numbers[text.encode()] = name
            return
        if isinstance(value, bytes):
            if len(value) >= SHORTEST:
                self._texts[value.lower()] = name
                self._forms.update((form.lower(), name) for form in _encoded(value))
            return
        if isinstance(value, (list, tuple)):
            for inner in value:
                self.add(inner, name)
        elif isinstance(value, dict):
            self.add(list(value.values()), name)
        elif isinstance(value, str):
            self._add_parts(value, name)

    def _add_parts(self, text: str, name: str) -> None:
        for part in {text, text.strip(), text.strip("%_* \t\r\n"), re.sub(r"\\(.)", r"\1", text.strip("%"))}:
            if len(part) >= SHORTEST:
                self._add_text(part, name)
        if text[:1] in "[{" and text:
            try:
                inner = json.loads(text)
            except (ValueError, RecursionError):
                return
            self.add(inner, name)

    def _add_text(self, text: str, name: str) -> None:
        # bytes.lower() changes ASCII alone, so the other letters are there in both cases.
        for cased in {text, text.lower(), text.upper()}:
            for encoding in ("utf-8", "utf-16-le"):
                self._texts[cased.encode(encoding, errors="surrogatepass").lower()] = name
        self._forms.update((form.encode(errors="surrogatepass"), name) for form in forms_of(text))

    def found_in(self, texts: Iterable[str | bytes]) -> str | None:
        """Return the name of a secret that one of the texts contains, or ``None``."""
        if not self:
            return None
        whole = b"\0\n".join(t if isinstance(t, bytes) else t.encode(errors="surrogatepass") for t in texts)
        for form, name in self._forms.items():
            if form in whole:
                return name
        for view in _views(whole):
            lowered = view.lower()
            for text, name in self._texts.items():
                if text in lowered:
                    return name
            for number, name in self._numbers.items():
                if number in view and re.search(rb"(?<![\d.])" + re.escape(number) + rb"(?!\d)", view):
                    return name
        return None

    def found_in_file(self, pieces: Iterable[bytes]) -> str | None:
        """Search a long body in pieces, for secrets in plain text or encoded once."""
        kept = b""
        overlap = max([len(form) for form in (*self._texts, *self._forms)], default=0) + 8
        for piece in pieces:
            whole = kept + piece
            lowered = whole.lower()
            for found, where in ((self._forms, whole), (self._texts, lowered), (self._numbers, whole)):
                for form, name in found.items():
                    if form in where:
                        return name
            kept = whole[-overlap:]
        return None


def _encoded(raw: bytes) -> set[bytes]:
    return {raw.hex().encode(), base64.b64encode(raw).rstrip(b"=")} if len(raw) >= SHORTEST else set()


def _views(content: bytes) -> Iterator[bytes]:
    """The content, and its decoded forms, including nested encodings."""
    seen = {content}
    level = [content]
    for depth in range(_DEPTH):
        yield from level
        following = []
        for text in level:
            if depth and len(text) > _LONG * 8:
                continue
            for decoded in _decodings(text):
                if decoded and decoded not in seen:
                    seen.add(decoded)
                    following.append(decoded)
        level = following[:64]
    yield from level


def _decodings(text: bytes) -> Iterator[bytes]:
    if b"%" in text:
        yield unquote_to_bytes(text)
        yield unquote_to_bytes(text.replace(b"+", b" "))
    if b"\\" in text:
        yield _unescaped(text)
    if b"&" in text:
        yield html.unescape(text.decode(errors="replace")).encode(errors="replace")
    if b"''" in text or b'""' in text:
        yield text.replace(b"''", b"'").replace(b'""', b'"')
    yield from _runs(_BASE64, text, _from_base64, (0, 1, 2, 3))
    yield from _runs(_HEX, text, _from_hex, (0, 1))


def _runs(pattern: re.Pattern[bytes], text: bytes, decode: Any, shifts: tuple[int, ...]) -> Iterator[bytes]:
    runs = pattern.findall(text)
    if not runs:
        return
    for shift in shifts:
        yield b"\0".join(filter(None, (decode(run, shift) for run in runs)))


def _unescaped(text: bytes) -> bytes:
    def character(match: re.Match[bytes]) -> bytes:
        if match[1]:
            return chr(int(match[1], 16)).encode(errors="surrogatepass")
        if match[2]:
            return bytes([int(match[2], 16)])
        return _ESCAPED.get(match[3], match[3])

    plain = _ESCAPE.sub(character, text)
    if b"\xed" in plain:  # halves of a character beyond the first 65,536
        loose = plain.decode(errors="surrogateescape" if not _is_loose(plain) else "surrogatepass")
        joined = _SURROGATES.sub(lambda m: m[0].encode("utf-16", "surrogatepass").decode("utf-16"), loose)
        return joined.encode(errors="surrogatepass")
    return plain


def _is_loose(text: bytes) -> bool:
    try:
        text.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _from_base64(run: bytes, shift: int) -> bytes:
    run = run.replace(b"\r", b"").replace(b"\n", b"").replace(b"-", b"+").replace(b"_", b"/")[shift:]
    try:
        decoded = binascii.a2b_base64(run[: len(run) // 4 * 4] + _padded(run[len(run) // 4 * 4 :]))
    except binascii.Error:
        return b""
    return decoded if _is_text(decoded) else b""


def _padded(rest: bytes) -> bytes:
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""


def _from_hex(run: bytes, shift: int) -> bytes:
    digits = re.sub(rb"[ :-]", b"", run)[shift:]
    decoded = bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
    return decoded if _is_text(decoded) else b""


def _is_text(decoded: bytes) -> bool:
    """Does it look like encoded data, rather than a word that happens to be valid base64?"""
    text = decoded.replace(b"\0", b"")
    try:
        characters = text.decode()
    except UnicodeDecodeError:
        return False
    plain = sum(character.isprintable() or character in "\t\r\n" for character in characters)
    return len(text) >= SHORTEST and plain >= len(characters) * 0.9
