"""Tables for a terminal: every column stays readable, or each row becomes a block of lines."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

from mesahub.cli.terminal import printable

__all__ = ["print_table"]

PAGE = 1000
"""Rows whose widths are looked at together; a longer table repeats its head."""
READABLE = 12
"""Cells that a column keeps, however narrow the terminal."""
BLOCK_LINES = 5
"""Lines that a value takes in a block."""

_IDENTIFIER = re.compile(r"(?:^|[_\W])(?:id|uuid|guid|key|slug|rowid|oid)$|[a-z](?:Id|ID|Uuid|UUID)$", re.IGNORECASE)
_CAMEL = re.compile(r"[a-z](?:Id|ID|Uuid|UUID)$")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)

Row = dict[str, Any]


def print_table(columns: list[str], rows: Iterator[Row]) -> int:
    """Print rows as a table, page by page; gives how many there were."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    count = 0
    blocks = False
    while page := list(islice(rows, PAGE)):
        cells = [[_cell(row.get(column)) for column in columns] for row in page]
        widths = _widths(columns, page, cells, console.width)
        if widths is None or blocks:
            if not blocks:
                note = f"{len(columns)} columns do not fit into {console.width} characters: one block per row"
                Console(stderr=True).print(Text(note, style="dim"))
            blocks = True
            _print_blocks(console, columns, page, cells, count)
        else:
            _print_page(console, columns, page, cells, widths)
        count += len(page)
    if not count:
        console.print(Text("  ".join(map(printable, columns)), style="bold"), soft_wrap=True)
    sys.stdout.flush()
    return count


def _widths(columns: list[str], page: list[Row], cells: list[list[str]], width: int) -> list[int] | None:
    """The width of each column; ``None`` if not all can be readable."""
    from rich.cells import cell_len

    heads = [cell_len(printable(column)) for column in columns]
    bodies = [max(cell_len(line[place]) for line in cells) for place in range(len(columns))]
    natural = [max(pair) for pair in zip(heads, bodies, strict=True)]
    room = width - 2 * (len(columns) - 1)
    if sum(natural) <= room:
        return natural
    least = [
        max(body, min(head, READABLE)) if _is_whole(column, page) else min(need, READABLE)
        for column, head, body, need in zip(columns, heads, bodies, natural, strict=True)
    ]
    if sum(least) > room:
        return None
    # What is left goes to the columns that need it, in equal shares.
    widths = least[:]
    left = room - sum(widths)
    while left > 0 and (hungry := [i for i in range(len(widths)) if widths[i] < natural[i]]):
        share = max(left // len(hungry), 1)
        for place in hungry:
            given = min(share, natural[place] - widths[place], left)
            widths[place] += given
            left -= given
    return widths


def _is_whole(column: str, page: list[Row]) -> bool:
    """Identifiers and numbers are never cut: a part of one looks like another one."""
    if _IDENTIFIER.search(column) if not _CAMEL.search(column) else True:
        return True
    values = [row.get(column) for row in page]
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(value, (int, float)) or (isinstance(value, str) and _UUID.fullmatch(value)) for value in known
    )


def _print_page(console: Any, columns: list[str], page: list[Row], cells: list[list[str]], widths: list[int]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    for column, width in zip(columns, widths, strict=True):
        values = [row.get(column) for row in page]
        numeric = all(type(value) in (int, float, type(None)) for value in values)
        table.add_column(
            Text(printable(column)), justify="right" if numeric else "left", width=width, overflow="ellipsis",
            no_wrap=True,
        )  # fmt: skip
    for row, line in zip(page, cells, strict=True):
        table.add_row(*[Text(cell, style=_style(row.get(column))) for column, cell in zip(columns, line, strict=True)])
    console.print(table)


def _print_blocks(console: Any, columns: list[str], page: list[Row], cells: list[list[str]], done: int) -> None:
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    names = [printable(column) for column in columns]
    widest = min(max(map(cell_len, names)), max(console.width // 2 - 3, 8))
    room = max(console.width - widest - 3, 8)
    for number, (row, line) in enumerate(zip(page, cells, strict=True), done + 1):
        console.print(Text(f"-- row {number:,} ".ljust(min(console.width, 60), "-"), style="dim"), soft_wrap=True)
        for name, column, cell in zip(names, columns, line, strict=True):
            label = name if cell_len(name) <= widest else set_cell_size(name, widest - 1) + "…"
            parts = _folded(cell, room)
            if len(parts) > BLOCK_LINES and not _is_whole(column, [row]):
                parts = parts[:BLOCK_LINES]
                parts[-1] = set_cell_size(parts[-1], room - 1).rstrip() + "…"
            for place, part in enumerate(parts):
                text = Text(set_cell_size(label if not place else "", widest), style="bold")
                text.append(" | ", style="dim")
                text.append(part, style=_style(row.get(column)) or "not bold")
                console.print(text, soft_wrap=True)


def _folded(text: str, width: int) -> list[str]:
    from rich.cells import chop_cells

    return chop_cells(text, width) or [""]


def _style(value: Any) -> str:
    return "dim" if value is None or isinstance(value, bytes) else ""


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value[:16].hex()}{'…' if len(value) > 16 else ''}'"
    return printable(str(value))
