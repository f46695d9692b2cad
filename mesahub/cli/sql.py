"""Commands that run SQL, and look at the schema."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any

import click

from mesahub import DatabaseHandle
from mesahub.cli.output import SHOWN_ROWS, format_options, is_shown, print_any, print_rows
from mesahub.cli.target import command, connect, connect_existing
from mesahub.cli.terminal import read_stdin, write
from mesahub.errors import MesahubError
from mesahub.sql import analyze, prepare, split_script

__all__ = ["COMMANDS", "value_of"]


_CANONICAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def value_of(text: str) -> Any:
    """A value as written on a command line: a number, null, true, false, 'text', or text.

    Only what JSON writes as a number is one: 007, 1_000 and +5 are text.
    """
    if text[:1] == text[-1:] and text[:1] in ("'", '"') and len(text) > 1:
        return text[1:-1]
    lowered = text.lower()
    if lowered in ("null", "true", "false"):
        return {"null": None, "true": True, "false": False}[lowered]
    if _CANONICAL.fullmatch(text):
        return int(text) if text.lstrip("-").isdigit() else float(text)
    return text


_TYPES: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "text": str, "json": json.loads}


def _parameter(name: str, text: str) -> tuple[str, Any]:
    """``NAME`` or ``NAME:TYPE``, and the value."""
    bare, colon, type_ = name.lstrip(":@$").rpartition(":")
    if not colon or type_ not in _TYPES:
        return name.lstrip(":@$"), value_of(text)
    try:
        if type_ in ("int", "float") and not re.fullmatch(r"[-+0-9.eE]+", text):
            raise ValueError(text)
        value = _TYPES[type_](text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a valid {type_} for {bare!r}.") from None
    return bare, json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value


def _text(sql: str | None, file: str | None) -> str:
    if (sql is None) == (file is None):
        if sql is None and not sys.stdin.isatty():
            return read_stdin()
        raise click.UsageError("Pass the SQL as an argument, with -f FILE, or on standard input.")
    if file is not None:
        if file == "-":
            return read_stdin()
        with open(file, encoding="utf-8-sig") as opened:  # noqa: PTH123  (pathlib takes longer to import than to read)
            return opened.read()
    return read_stdin() if sql == "-" else str(sql)


def _bindings(sql: str, parameters: tuple[tuple[str, str], ...]) -> Any:
    if not parameters:
        return None
    values = dict(_parameter(name, text) for name, text in parameters)
    if analyze(sql).positional:
        # -p 1 x -p 2 y for ?1 and ?2, or for the first and second ?
        try:
            return [value for _, value in sorted((int(name), value) for name, value in values.items())]
        except ValueError:
            raise click.UsageError("The statement has ? parameters; pass them as -p 1 VALUE -p 2 VALUE.") from None
    return values


_parameters = click.option(
    "-p",
    "--param",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A value for :NAME (or ?1); NAME:text, :int, :float or :json says its type.",
)
_all = click.option("--all", "all_", is_flag=True, help=f"All rows; a terminal shows {SHOWN_ROWS:,} by default.")
_file = click.option("-f", "--file", help="Read the SQL from a file; - is standard input.")


@command("query")
@click.argument("sql", required=False)
@_file
@_parameters
@_all
@format_options
def query(
    sql: str | None, file: str | None, parameters: tuple[tuple[str, str], ...], all_: bool, format_: str | None
) -> None:
    """Run a statement that reads, and print its rows."""
    text = _text(sql, file)
    with connect_existing() as db:
        result = db.query(text, _bindings(text, parameters))
        print_rows(result.columns, result.rows, format_, limit=SHOWN_ROWS if is_shown(format_) and not all_ else None)


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
            run_script(db, text, format_)
            return
        result = db.exec(text, _bindings(text, parameters))
        if result.columns:
            print_rows(result.columns, result.rows, format_)
        count = "unknown" if result.rows_affected is None else result.rows_affected
        click.echo(f"{count} rows affected", err=True)


def run_script(db: DatabaseHandle, text: str, format_: str | None) -> None:
    """Run the statements of a script and print the rows of each.

    Raises:
        MesahubError: of the statement that failed; its note names the statement, and says what stays.
    """
    texts = split_script(text)
    for number, statement in enumerate(texts, 1):
        try:
            prepare(statement, None, operation="exec")
        except MesahubError as error:
            error.add_note(f"{_place(number, texts)}; nothing of the script was run")
            raise
    affected = done = 0
    try:
        for statement in texts:
            result = db.exec(statement)
            if result.columns:
                print_rows(result.columns, result.rows, format_)
            affected += result.rows_affected or 0
            done += 1
    except (MesahubError, KeyboardInterrupt) as error:
        before = f"the {done} before it {'is' if done == 1 else 'are'} carried out and stay{'s' if done == 1 else ''}"
        error.add_note(f"{_place(done + 1, texts)}; {before if done else 'nothing was changed before it'}")
        if isinstance(error, KeyboardInterrupt):
            click.echo(error.__notes__[-1], err=True)
        raise
    click.echo(f"{done} statements, {affected} rows affected", err=True)


def _place(number: int, texts: list[str]) -> str:
    first = " ".join(texts[number - 1].split())
    return f"statement {number} of {len(texts)}: {first[:60]}{'…' if len(first) > 60 else ''}"


@command("tables")
@format_options
def tables(format_: str | None) -> None:
    """List the tables and views, with their rows."""
    with connect_existing() as db:
        found = [entry for entry in db.schema() if entry.type in ("table", "view") and entry.kind != "shadow"]
        found.sort(key=lambda entry: entry.name)
        rows = [{"name": entry.name, "type": entry.type, "rows": db.table(entry.name).count()} for entry in found]
        print_rows(["name", "type", "rows"], rows, format_)


@command("schema")
@click.argument("table", required=False)
def schema(table: str | None) -> None:
    """Print the SQL that creates the database, or one table with its indexes and triggers."""
    with connect_existing() as db:
        entries = db.schema(table)
        if table is not None and not entries:
            db.table(table).columns()  # raises if there is no such table
        for entry in entries:
            if entry.kind != "shadow":
                write(f"{entry.sql};\n")


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
            f"{text!r} is not a condition. Write column, operator, value: age>=18, name=Ann, 'name like A%', "
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
@click.option("-w", "--where", multiple=True, metavar="CONDITION", help="age>=18; several are combined with AND.")
@click.option("-o", "--order", multiple=True, metavar="COLUMN", help="Order by; -COLUMN for descending.")
@click.option("-s", "--select", multiple=True, metavar="COLUMN", help="Only these columns.")
@click.option("-n", "--limit", type=click.IntRange(min=0), help="Maximum number of rows.")
@_all
@format_options
def rows(
    table: str,
    where: tuple[str, ...],
    order: tuple[str, ...],
    select: tuple[str, ...],
    limit: int | None,
    all_: bool,
    format_: str | None,
) -> None:
    """Print the rows of a table of any size, page by page."""
    from mesahub import all_of

    filter_ = all_of(*[condition_of(text) for text in where]) if where else None
    with connect_existing() as db:
        handle = db.table(table)
        if limit is not None or not handle.primary_key():
            found: Any = handle.find(filter_, list(select) or None, list(order) or None, limit)
        else:
            found = handle.iterate(filter_, list(select) or None, list(order) or None, batch_size=5000)
        shown = SHOWN_ROWS if limit is None and is_shown(format_) and not all_ else None
        print_any(found, format_, limit=shown)


# "--order -created" would be an option to click, were it not taken as its value.
COMMANDS = [query, exec_, tables, schema, rows]
