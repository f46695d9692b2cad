"""Commands that run SQL, and look at the schema."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from mesahub.cli.output import format_options, print_any, print_rows
from mesahub.cli.target import command, connect
from mesahub.sql import analyze

__all__ = ["COMMANDS", "value_of"]


def value_of(text: str) -> Any:
    """A value as written on a command line: a number, null, true, false, 'text', or text."""
    if text[:1] == text[-1:] and text[:1] in ("'", '"') and len(text) > 1:
        return text[1:-1]
    lowered = text.lower()
    if lowered in ("null", "true", "false"):
        return {"null": None, "true": True, "false": False}[lowered]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _text(sql: str | None, file: str | None) -> str:
    if (sql is None) == (file is None):
        if sql is None and not sys.stdin.isatty():
            return sys.stdin.read()
        raise click.UsageError("Give the SQL as an argument, by -f FILE, or on standard input.")
    if file is not None:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    return sys.stdin.read() if sql == "-" else str(sql)


def _bindings(sql: str, parameters: tuple[tuple[str, str], ...]) -> Any:
    if not parameters:
        return None
    values = {name.lstrip(":@$"): value_of(text) for name, text in parameters}
    if analyze(sql).positional:
        # -p 1 x -p 2 y for ?1 and ?2, or for the first and second ?
        try:
            return [value for _, value in sorted((int(name), value) for name, value in values.items())]
        except ValueError:
            raise click.UsageError("The statement has ? parameters: give them as -p 1 VALUE -p 2 VALUE.") from None
    return values


_parameters = click.option(
    "-p", "--param", "parameters", nargs=2, multiple=True, metavar="NAME VALUE", help="A value for :NAME (or ?1)."
)
_file = click.option("-f", "--file", help="Read the SQL from a file; - is standard input.")


@command("query")
@click.argument("sql", required=False)
@_file
@_parameters
@format_options
def query(sql: str | None, file: str | None, parameters: tuple[tuple[str, str], ...], format_: str | None) -> None:
    """Run a statement that reads, and print its rows."""
    text = _text(sql, file)
    with connect() as db:
        result = db.query(text, _bindings(text, parameters))
        print_rows(result.columns, result.rows, format_)


@command("exec")
@click.argument("sql", required=False)
@_file
@_parameters
@format_options
def exec_(sql: str | None, file: str | None, parameters: tuple[tuple[str, str], ...], format_: str | None) -> None:
    """Run a statement that writes, or a script of several."""
    text = _text(sql, file)
    with connect() as db:
        if len(analyze(text).parts) > 1:
            if parameters:
                raise click.UsageError("A script of several statements takes no parameters.")
            results = db.exec_script(text)
            click.echo(
                f"{len(results)} statements, {sum(r.rows_affected or 0 for r in results)} rows affected", err=True
            )
            return
        result = db.exec(text, _bindings(text, parameters))
        if result.columns:
            print_rows(result.columns, result.rows, format_)
        count = "unknown" if result.rows_affected is None else result.rows_affected
        click.echo(f"{count} rows affected", err=True)


@command("tables")
@format_options
def tables(format_: str | None) -> None:
    """List the tables and views, with their rows."""
    with connect() as db:
        found = [entry for entry in db.schema() if entry.type in ("table", "view") and entry.kind != "shadow"]
        found.sort(key=lambda entry: entry.name)
        rows = [{"name": entry.name, "type": entry.type, "rows": db.table(entry.name).count()} for entry in found]
        print_rows(["name", "type", "rows"], rows, format_)


@command("schema")
@click.argument("table", required=False)
def schema(table: str | None) -> None:
    """Print the SQL that makes the database, or one table with its indexes and triggers."""
    with connect() as db:
        entries = db.schema(table)
        if table is not None and not entries:
            db.table(table).columns()  # raises if there is no such table
        for entry in entries:
            if entry.kind != "shadow":
                click.echo(f"{entry.sql};")


_OPERATORS = {
    ">=": "gte", "<=": "lte", "!=": "ne", "<>": "ne", "=": "eq", ">": "gt", "<": "lt", "~": "contains",
    " not like ": "not_like", " like ": "like", " glob ": "glob", " not in ": "not_in", " in ": "in",
}  # fmt: skip


def condition_of(text: str) -> dict[str, Any]:
    """``age>=18``, ``name like A%``, ``role in admin,editor``, ``email is null`` as a filter."""
    stripped = text.strip()
    lowered = stripped.lower()
    for ending, is_null in ((" is not null", False), (" is null", True)):
        if lowered.endswith(ending):
            return {_name(stripped[: -len(ending)]): {"is_null": is_null}}
    places = [(lowered.find(sign), -len(sign), sign) for sign in _OPERATORS if lowered.find(sign) > 0]
    if not places:
        raise click.BadParameter(
            f"{text!r} is no condition. Write column, operator, value: age>=18, name=Ann, 'name like A%', "
            "'role in admin,editor', 'email is null'; ~ finds text within."
        )
    at, _, sign = min(places)
    word, raw = _OPERATORS[sign], stripped[at + len(sign) :].strip()
    value: Any = [value_of(part.strip()) for part in raw.split(",")] if word in ("in", "not_in") else value_of(raw)
    if word in ("contains", "like", "not_like", "glob"):
        value = str(value) if not isinstance(value, str) else value
    return {_name(stripped[:at]): {word: value}}


def _name(text: str) -> str:
    name = text.strip()
    return name[1:-1].replace('""', '"') if name[:1] == '"' == name[-1:] and len(name) > 1 else name


@command("rows")
@click.argument("table")
@click.option("-w", "--where", multiple=True, metavar="CONDITION", help="age>=18; all conditions must hold.")
@click.option("-o", "--order", multiple=True, metavar="COLUMN", help="Order by; -COLUMN for descending.")
@click.option("-s", "--select", multiple=True, metavar="COLUMN", help="Only these columns.")
@click.option("-n", "--limit", type=click.IntRange(min=0), help="At most so many rows.")
@format_options
def rows(
    table: str,
    where: tuple[str, ...],
    order: tuple[str, ...],
    select: tuple[str, ...],
    limit: int | None,
    format_: str | None,
) -> None:
    """Print the rows of a table, however many: they are read page by page."""
    from mesahub import all_of

    filter_ = all_of(*[condition_of(text) for text in where]) if where else None
    with connect() as db:
        handle = db.table(table)
        if limit is not None or not handle.primary_key():
            found: Any = handle.find(filter_, list(select) or None, list(order) or None, limit)
        else:
            found = handle.iterate(filter_, list(select) or None, list(order) or None, batch_size=5000)
        print_any(found, format_)


# "--order -created" would be an option to click, were it not taken as its value.
COMMANDS = [query, exec_, tables, schema, rows]
