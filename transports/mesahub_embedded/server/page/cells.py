"""How a value of a database is shown: short, and so that its type can be seen."""

from __future__ import annotations

from typing import Any

from mesahub_embedded.server.page.markup import Markup, element

__all__ = ["COLUMNS", "TEXT", "cell", "grid", "short", "size"]

TEXT = 300
"""Characters of a text that are shown."""
BYTES = 24
"""Bytes of a blob that are shown."""
COLUMNS = 100
"""Columns that are shown."""
NAME = 200
"""Characters of a name that are shown."""
_NUMBER = '<td class="number">'


def cell(value: Any, length: int | None = None) -> Markup:
    """A value as a cell of a table.

    Args:
        value: what SQLite gave, or the beginning of it.
        length: bytes of the whole text or blob; default: the value is whole.
    """
    if value is None:
        return element("td", element("i", "NULL"), class_="null")
    if isinstance(value, bytes):
        whole = len(value) if length is None else length
        mark = "…" if whole > BYTES else ""
        return element("td", element("code", value[:BYTES].hex(" ") + mark), _mark(f"blob, {size(whole)}"))
    if isinstance(value, str):
        shown = value[:TEXT]
        whole = _bytes(value) if length is None else length
        cut = whole > _bytes(shown)
        return element("td", shown, "…" if cut else None, _mark(f"cut: {size(whole)} in all") if cut else None)
    return element("td", repr(value), class_="number")


def grid(names: list[str], rows: list[list[Markup]]) -> Markup:
    """A table of cells with names of columns."""
    numeric = [bool(rows) and all(row[index].startswith(_NUMBER) for row in rows) for index in range(len(names))]
    heads = zip(names, numeric, strict=True)
    head = element(
        "tr", [element("th", short(name), scope="col", class_="number" if number else None) for name, number in heads]
    )
    body = [element("tr", cells) for cells in rows]
    return element("div", element("table", element("thead", head), element("tbody", body)), class_="grid", tabindex="0")


def short(name: str) -> str:
    """A name, cut with a mark if it is very long: of an expression without AS, the name is its whole text."""
    return name if len(name) <= NAME else f"{name[:NAME]}… ({len(name):,} characters)"


def size(count: int) -> str:
    """A number of bytes for people."""
    if count < 1024:
        return f"{count} byte" if count == 1 else f"{count} bytes"
    shown = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        shown /= 1024
        if shown < 1024 or unit == "GiB":
            break
    return f"{shown:,.1f} {unit}"


def _mark(text: str) -> Markup:
    return element("small", f" ({text})")


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
