"""HTML: every text is escaped when it becomes part of an element."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

__all__ = ["Child", "Markup", "element", "exact", "join", "visible"]


class Markup(str):
    """Text that is HTML already. Only this module makes it."""

    __slots__ = ()


Child = str | int | None | Iterable["Child"]
"""What an element may hold: text, which is escaped, HTML (`Markup`), several of them, or nothing."""

_VOID = frozenset({"input", "link", "meta"})
# Joiners within words and emoji stay.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)


def visible(text: str) -> str:
    """A text with its control characters, marks of direction and lone surrogates written out, such as ``\\u202e``.

    Line feeds and tabs stay.
    """
    return _INVISIBLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def element(tag: str, *children: Child, **attributes: str | int | bool | None) -> Markup:
    """An element.

    Args:
        tag: its name.
        children: its content.
        attributes: a trailing underscore of a name is dropped (``class_``), others become hyphens; ``True`` writes the
            name alone, ``False`` and ``None`` nothing.
    """
    written = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{join(children)}</{tag}>")


def exact(text: str) -> Markup:
    """A text that a form sends back: escaped, and nothing in it is written out."""
    return Markup(html.escape(text))


def join(children: Iterable[Child]) -> Markup:
    """Several pieces as one."""
    return Markup("".join(map(_written, children)))


def _written(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return html.escape(visible(child))
    if isinstance(child, int):
        return str(child)
    return join(child)


def _attribute(name: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    # A lone surrogate cannot be sent; other characters keep their value, which a form sends back.
    text = str(value).encode("utf-8", "replace").decode()
    return f' {name}="{html.escape(text)}"'
