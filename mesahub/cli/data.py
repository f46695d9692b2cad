"""Commands that move data: insert, dump, copy."""

from __future__ import annotations

import base64
import csv
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

import mesahub
from mesahub.cli.progress import bar
from mesahub.cli.target import command, connect, resolve
from mesahub.errors import ArgumentError

__all__ = ["COMMANDS"]


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _boolean(text: str) -> bool | int:
    known = {"true": True, "t": True, "yes": True, "false": False, "f": False, "no": False}
    return known[text.lower()] if text.lower() in known else int(text)


def converter(declared: str) -> Callable[[str], Any]:
    """What makes a value of a CSV's text, by the column's declared type (SQLite's rules of affinity, section 3.1)."""
    kind = declared.upper()
    if kind == "BOOLEAN":
        return _boolean
    if "INT" in kind:
        return int
    if any(word in kind for word in ("CHAR", "CLOB", "TEXT", "DATE", "TIME")):
        return str
    if "BLOB" in kind:
        return lambda text: base64.b64decode(text, validate=True)
    if any(word in kind for word in ("REAL", "FLOA", "DOUB")):
        return float
    return _number if kind else str


def _csv_rows(path: Path, types: dict[str, str], delimiter: str) -> Iterator[dict[str, Any]]:
    with _opened(path) as file:
        reader = csv.reader(file, delimiter=delimiter)
        names = next(reader, [])
        unknown = [name for name in names if name not in types]
        if unknown:
            raise ArgumentError(f"The table has no column {unknown[0]!r}; it has {', '.join(types)}.")
        converters = [converter(types[name]) for name in names]
        for number, cells in enumerate(reader, 2):
            if len(cells) != len(names):
                raise ArgumentError(f"{path}, line {number}: {len(cells)} values for {len(names)} columns.")
            row = {}
            for name, convert, text in zip(names, converters, cells, strict=True):
                try:
                    # An empty cell is NULL; text columns keep the empty text apart only when quoting told, which
                    # csv does not.
                    row[name] = None if text == "" else convert(text)
                except ValueError:
                    declared = types[name]
                    raise ArgumentError(f"{path}, line {number}: {text!r} is no {declared} for {name!r}.") from None
            yield row


def _opened(path: Path) -> Any:
    return sys.stdin if str(path) == "-" else path.open(encoding="utf-8-sig", newline="")


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    with _opened(path) as file:
        found = json.load(file)
    if not isinstance(found, list):
        raise ArgumentError(f"{path} must hold a list of objects.")
    yield from map(_decoded, found)


def _jsonl_rows(path: Path) -> Iterator[dict[str, Any]]:
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield _decoded(json.loads(line))
                except ValueError as error:
                    raise ArgumentError(f"{path}, line {number}: {error}.") from None


def _decoded(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise ArgumentError(f"A row must be an object, not {row!r:.60}.")
    return {
        name: base64.b64decode(value["base64"]) if isinstance(value, dict) and value.keys() == {"base64"} else value
        for name, value in row.items()
    }


@command("insert")
@click.argument("table")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(["csv", "tsv", "json", "jsonl"]), help="Default: by the name.")
@click.option("--on-conflict", type=click.Choice(["ignore", "replace", "update"]), help="Where a key is there already.")
def insert(table: str, file: Path, kind: str | None, on_conflict: str | None) -> None:
    """Insert the rows of a CSV, TSV, JSON or JSON lines file; - is standard input.

    Values of a CSV become what the table's declared types say; an empty one becomes NULL.
    """
    kind = kind or file.suffix.lstrip(".").lower()
    if kind not in ("csv", "tsv", "json", "jsonl"):
        raise click.UsageError(f"The name {file} does not tell the format; say --format csv (or tsv, json, jsonl).")
    with connect() as db, bar(f"into {table}") as update:
        columns = db.query("SELECT name, type FROM pragma_table_info(?)", [table]).rows
        types = {row["name"]: row["type"] for row in columns}
        if not types:
            db.table(table).primary_key()  # says that there is no such table
        if kind in ("csv", "tsv"):
            rows = _csv_rows(file, types, "," if kind == "csv" else "\t")
        else:
            rows = _json_rows(file) if kind == "json" else _jsonl_rows(file)
        done = db.table(table).insert_many(rows, on_conflict, progress=lambda n, total: update(n, total))
    click.echo(f"{done.rows_affected:,} rows inserted into {table}", err=True)


@command("dump")
@click.argument("tables", nargs=-1)
def dump(tables: tuple[str, ...]) -> None:
    """Print the SQL script that makes the database anew: schema and rows, streamed.

    It is for SQLite's own shell: sqlite3 shop.db < shop.sql. From one MesaHub database to another, `mesahub copy` is
    faster, and verified.
    """
    from mesahub.copying import dump_script

    with connect() as db:
        for line in dump_script(db, list(tables) or None):
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


@click.command("copy")
@click.argument("source")
@click.argument("target")
@click.option("-t", "--table", "tables", multiple=True, help="Copy only these tables.")
def copy(source: str, target: str, tables: tuple[str, ...]) -> None:
    """Copy a database to another one (mh://... or @profile), and verify it."""
    with bar("copy") as update:
        result = mesahub.copy(
            resolve(source) or source,
            resolve(target) or target,
            list(tables) or None,
            progress=lambda _table, done, total: update(done, total),
        )
    for table in result.tables:
        click.echo(f"{table.name}: {table.rows:,} rows, sha256 {table.checksum[:12]}", err=True)
    click.echo(f"{result.rows:,} rows in {len(result.tables)} tables copied and verified", err=True)


COMMANDS = [insert, dump, copy]
