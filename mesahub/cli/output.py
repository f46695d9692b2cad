"""Rows on their way out: a table on a terminal, text for programs elsewhere."""

from __future__ import annotations

import base64
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, TypeVar

import click

FORMATS = ("table", "json", "jsonl", "csv", "tsv", "markdown")
PAGE = 1000
"""Rows whose widths are looked at together; a longer table repeats its head."""

Row = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])


def format_options(function: F) -> F:
    """``--json``, ``--csv`` and their kin."""
    for name in reversed(FORMATS):
        help_ = f"Print {name.upper() if name != 'table' else 'a table'}."
        function = click.option(f"--{name}", "format_", flag_value=name, help=help_)(function)
    return function


def chosen(format_: str | None) -> str:
    """The format: as asked, else a table on a terminal and JSON lines elsewhere."""
    return format_ or ("table" if sys.stdout.isatty() else "jsonl")


def print_rows(columns: Sequence[str], rows: Iterable[Row], format_: str | None) -> None:
    """Print rows as they come; nothing but a page of them stands in memory."""
    _PRINTERS[chosen(format_)](list(columns), iter(rows))
    sys.stdout.flush()


def print_any(rows: Iterable[Row], format_: str | None) -> None:
    """The same, with the columns of the first row."""
    source = iter(rows)
    first = next(source, None)
    if first is None:
        if chosen(format_) == "json":
            print("[]")
        elif chosen(format_) == "table":
            print("(no rows)", file=sys.stderr)
        return
    print_rows(list(first), chain([first], source), format_)


def _json_value(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else str(value)


def _jsonl(_columns: list[str], rows: Iterator[Row]) -> None:
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=False, default=_json_value) + "\n")


def _json(_columns: list[str], rows: Iterator[Row]) -> None:
    lead = "["
    for row in rows:
        sys.stdout.write(f"{lead}\n  {json.dumps(row, ensure_ascii=False, default=_json_value)}")
        lead = ","
    sys.stdout.write("\n]\n" if lead == "," else "[]\n")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _csv(columns: list[str], rows: Iterator[Row]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])


def _tsv(columns: list[str], rows: Iterator[Row]) -> None:
    def line(cells: Iterable[str]) -> str:
        # As PostgreSQL's COPY: a tab or break in a value must not end it.
        return "\t".join(
            c.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r") for c in cells
        )

    sys.stdout.write(line(columns) + "\n")
    for row in rows:
        cells = ["\\N" if row.get(column) is None else None for column in columns]
        texts = [_cell(row.get(column)) for column in columns]
        sys.stdout.write("\t".join(null or line([text]) for null, text in zip(cells, texts, strict=True)) + "\n")


def _markdown(columns: list[str], rows: Iterator[Row]) -> None:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(c.replace("|", "\\|").replace("\n", "<br>") for c in cells) + " |\n"

    sys.stdout.write(line(columns) + "|" + "---|" * len(columns) + "\n")
    for row in rows:
        sys.stdout.write(line(_cell(row.get(column)) for column in columns))


def _table(columns: list[str], rows: Iterator[Row]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    count = 0
    while page := list(islice(rows, PAGE)):
        count += len(page)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            numeric = all(isinstance(row.get(column), (int, float, type(None))) for row in page)
            booleans = any(isinstance(row.get(column), bool) for row in page)
            justify: Any = "right" if numeric and not booleans else "left"
            # What does not fit is cut with an ellipsis, or a row would take a screen.
            table.add_column(Text(column), justify=justify, overflow="ellipsis", no_wrap=True)
        for row in page:
            table.add_row(*[_shown(row.get(column)) for column in columns])
        console.print(table)
    if not count:
        console.print(Text("  ".join(columns), style="bold"))
    note = f"{count:,} row{'' if count == 1 else 's'}"
    Console(stderr=True).print(Text(note, style="dim"))


def _shown(value: Any) -> Any:
    from rich.text import Text

    if value is None:
        return Text("NULL", style="dim")
    if isinstance(value, bytes):
        return Text(f"x'{value[:16].hex()}{'…' if len(value) > 16 else ''}'", style="dim")
    text = str(value)
    return Text("".join(c if c.isprintable() or c == " " else repr(c)[1:-1] for c in text))


_PRINTERS: dict[str, Callable[[list[str], Iterator[Row]], None]] = {
    "table": _table,
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
    "tsv": _tsv,
    "markdown": _markdown,
}
