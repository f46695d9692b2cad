"""Rows on their way out: a table on a terminal, text for programs elsewhere."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, TypeVar

import click

from mesahub.cli.terminal import write
from mesahub.errors import ArgumentError

FORMATS = ("table", "json", "jsonl", "csv", "tsv", "markdown")
SHOWN_ROWS = 1000
"""Rows of a table on a terminal, unless --all or --limit says otherwise."""
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

Row = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])


def format_options(function: F) -> F:
    """``--json``, ``--csv`` and the other formats."""
    for name in reversed(FORMATS):
        help_ = f"Print {name.upper() if name != 'table' else 'a table'}."
        function = click.option(f"--{name}", "format_", flag_value=name, help=help_)(function)
    return function


def _base64(value: bytes) -> str:
    from binascii import b2a_base64  # base64 takes longer to import than to print most results

    return b2a_base64(value, newline=False).decode()


def chosen(format_: str | None) -> str:
    """The format: the one asked for, else a table on a terminal and JSON lines elsewhere."""
    return format_ or ("table" if sys.stdout.isatty() else "jsonl")


def is_shown(format_: str | None) -> bool:
    """``True`` if someone looks at a table on a terminal, who may not want all rows of it."""
    return chosen(format_) == "table" and sys.stdout.isatty()


def print_rows(columns: Sequence[str], rows: Iterable[Row], format_: str | None, *, limit: int | None = None) -> None:
    """Print rows as a stream, with at most one page in memory.

    Args:
        limit: print at most this many, and say so if there are more.

    Raises:
        ArgumentError: two columns have one name, so a row has only one of their values.
    """
    names = list(columns)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ArgumentError(f"Two columns are named {twice[0]!r}; give each its own name: SELECT ... AS name.")
    source = iter(rows)
    _PRINTERS[chosen(format_)](names, source if limit is None else islice(source, limit))
    if limit is not None and next(source, None) is not None:
        print(f"only the first {limit:,} rows are shown; --all shows all", file=sys.stderr)
    sys.stdout.flush()


def print_any(rows: Iterable[Row], format_: str | None, *, limit: int | None = None) -> None:
    """The same, with the columns of the first row."""
    source = iter(rows)
    first = next(source, None)
    if first is None:
        if chosen(format_) == "json":
            print("[]")
        elif chosen(format_) == "table":
            print("(no rows)", file=sys.stderr)
        return
    print_rows(list(first), chain([first], source), format_, limit=limit)


def _json_value(value: Any) -> Any:
    return {"base64": _base64(value)} if isinstance(value, bytes) else str(value)


def json_text(row: Row) -> str:
    """A row as one line of JSON. What a terminal would act on is escaped, which changes no value."""
    text = json.dumps(row, ensure_ascii=False, default=_json_value)
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else json.dumps(c)[1:-1] for c in text])


def _jsonl(_columns: list[str], rows: Iterator[Row]) -> None:
    for row in rows:
        sys.stdout.write(json_text(row) + "\n")


def _json(_columns: list[str], rows: Iterator[Row]) -> None:
    lead = "["
    for row in rows:
        sys.stdout.write(f"{lead}\n  {json_text(row)}")
        lead = ","
    sys.stdout.write("\n]\n" if lead == "," else "[]\n")


def _cell(value: Any) -> str:
    if isinstance(value, bytes):
        return _base64(value)
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    text = _cell(value)
    # Quotes distinguish empty text from NULL, and text that looks like a number from numbers.
    if isinstance(value, str) and (not text or NUMBER.fullmatch(text)):
        return f'"{text}"'
    return _quoted(text)


def _quoted(text: str) -> str:
    if any(c in text for c in ',"\r\n') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


def _csv(columns: list[str], rows: Iterator[Row]) -> None:
    write(",".join(map(_quoted, columns)) + "\n")
    for row in rows:
        write(",".join([_csv_cell(row.get(column)) for column in columns]) + "\n")


_TSV_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _tsv(columns: list[str], rows: Iterator[Row]) -> None:
    # As PostgreSQL's COPY: a tab or line break in a value must not end it, and NULL is \N.
    write("\t".join([column.translate(_TSV_ESCAPES) for column in columns]) + "\n")
    for row in rows:
        values = [row.get(column) for column in columns]
        cells = ["\\N" if value is None else _cell(value).translate(_TSV_ESCAPES) for value in values]
        write("\t".join(cells) + "\n")


def _markdown(columns: list[str], rows: Iterator[Row]) -> None:
    def line(cells: Iterable[str]) -> str:
        escaped = [re.sub(r"\r\n|\r|\n", "<br>", c.replace("\\", "\\\\").replace("|", "\\|")) for c in cells]
        return "| " + " | ".join(escaped) + " |\n"

    write(line(columns) + "|" + "---|" * len(columns) + "\n")
    for row in rows:
        values = [row.get(column) for column in columns]
        write(line(["" if value is None else _cell(value) for value in values]))


def _table(columns: list[str], rows: Iterator[Row]) -> None:
    from mesahub.cli.table_format import print_table

    count = print_table(columns, rows)
    print(f"{count:,} row{'' if count == 1 else 's'}", file=sys.stderr)


_PRINTERS: dict[str, Callable[[list[str], Iterator[Row]], None]] = {
    "table": _table,
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
    "tsv": _tsv,
    "markdown": _markdown,
}
