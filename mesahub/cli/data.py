"""Commands that move data: insert, dump, copy."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import click

import mesahub
from mesahub import DatabaseHandle
from mesahub._calls.plans.bulk_insert import requests_needed
from mesahub.cli.progress import bar
from mesahub.cli.row_files import FORMATS, RowFile
from mesahub.cli.target import command, connect, connect_existing, resolve
from mesahub.cli.terminal import printable, stdin_bytes, write
from mesahub.errors import ArgumentError, NoSuchTableError, UnsupportedError
from mesahub.sql.schema import add_column_text, create_table_text, declared_types

__all__ = ["COMMANDS"]


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """A file that can be read twice; standard input is kept in a temporary one."""
    if str(file) != "-":
        with file.open("rb") as stream:
            yield stream
        return
    with tempfile.SpooledTemporaryFile(max_size=8_000_000) as kept:
        shutil.copyfileobj(stdin_bytes(), kept)
        kept.seek(0)
        yield cast("BinaryIO", kept)


def _one_character(_context: click.Context, _option: click.Parameter, value: str) -> str:
    text = {"\\t": "\t", "tab": "\t"}.get(value, value)
    if len(text) != 1:
        raise click.BadParameter(f"{value!r} must be one character, or tab.")
    return text


@command("insert")
@click.argument("table")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format", "kind", type=click.Choice(["csv", "tsv", "json", "jsonl", "ndjson"]), help="Default: by name."
)
@click.option("--on-conflict", type=click.Choice(["ignore", "replace", "update"]), help="If a row has the same key.")
@click.option("--create", is_flag=True, help="Create the table if it does not exist.")
@click.option("--alter", is_flag=True, help="Add missing columns.")
@click.option("--pk", multiple=True, metavar="COLUMN", help="Primary key for --create; key for --on-conflict update.")
@click.option("--encoding", help="Default: by the byte order mark, or else UTF-8.")
@click.option("--delimiter", default=",", callback=_one_character, help="Between the cells of a CSV.")
@click.option("--quote", default='"', callback=_one_character, help="Around the cells of a CSV.")
@click.option("--batch", is_flag=True, help="Insert request by request; an error says how many rows are stored.")
def insert(
    table: str,
    file: Path,
    kind: str | None,
    on_conflict: str | None,
    create: bool,
    alter: bool,
    pk: tuple[str, ...],
    encoding: str | None,
    delimiter: str,
    quote: str,
    batch: bool,
) -> None:
    """Insert the rows of a CSV, TSV, JSON or JSON lines file; - is standard input.

    All rows or none: the whole file is checked before the first row is inserted, and an error names the line. A file
    that its engine cannot insert in one transaction needs --batch. Cells of a CSV are converted to what the table's
    declared types say; an empty cell is NULL, and "" is empty text.
    """
    kind = FORMATS.get(kind or file.suffix.lstrip(".").lower())
    if kind is None:
        raise click.UsageError(f"Cannot infer the format of {file}; pass --format csv (or tsv, json, jsonl).")
    if pk and not create and on_conflict != "update":
        raise click.UsageError("--pk belongs to --create or --on-conflict update.")
    key = list(pk) if pk and on_conflict == "update" else None
    with connect() as db, _opened(file) as stream, bar(f"into {table}") as update:
        handle = db.table(table)
        source = RowFile(stream, str(file), kind, encoding, delimiter, quote)
        exists = db.has_table(table)
        if not exists and not create:
            raise NoSuchTableError.of(f"no such table: {table} (--create creates it)", status_code=400)
        types = {column.name: column.type for column in handle.columns() if not column.generated} if exists else {}
        new = _new_columns(source, kind, types) if create or alter else {}
        if exists and new and not alter:
            raise ArgumentError(f"The table has no column {next(iter(new))!r}; --alter adds it.")
        types.update(new)
        requests, total = requests_needed(_checked(source, types, kind), on_conflict, db.capabilities)

        def run(target: DatabaseHandle) -> int | None:
            _change_table(target, table, new, pk, exists=exists)
            rows = source.rows(types)
            if target is db and requests > 1 and not batch:
                _insert_as_batch(target, table, rows, on_conflict, key, requests)
                return None
            progress = lambda count, _: update(count, total)  # noqa: E731
            return target.table(table).insert_many(rows, on_conflict, key=key, progress=progress).rows_affected

        if not batch and (requests > 1 or new) and db.capabilities.transactions == "interactive":
            with db.transaction() as transaction:
                inserted = run(transaction)
        else:
            inserted = run(db)
    if inserted is None and on_conflict:  # it is not known how many
        click.echo(f"{total:,} rows processed for {table}, on conflict: {on_conflict}", err=True)
    else:
        click.echo(f"{total if inserted is None else inserted:,} rows inserted into {table}", err=True)


def _insert_as_batch(
    db: DatabaseHandle,
    table: str,
    rows: Iterator[dict[str, Any]],
    on_conflict: str | None,
    key: list[str] | None,
    requests: int,
) -> None:
    """Insert rows that need several statements in one request. The engine's limits decide whether they fit."""
    advice = "--batch inserts it request by request; an error then says how many rows are stored"
    try:
        with db.batch() as together:
            together.table(table).insert_many(rows, on_conflict, key=key)
    except (ArgumentError, UnsupportedError) as error:
        raise ArgumentError(
            f"The file needs {requests} requests, and cannot be inserted in one batch ({error}): {advice}."
        ) from error


def _new_columns(source: RowFile, kind: str, types: dict[str, str]) -> dict[str, str]:
    """The columns of the file that the table does not have."""
    found = source.detected_types() if kind in ("csv", "tsv") else declared_types(source.rows(None))
    known = {name.lower() for name in types}
    return {name: type_ for name, type_ in found.items() if name.lower() not in known}


def _checked(source: RowFile, types: dict[str, str], kind: str) -> Iterator[dict[str, Any]]:
    """The rows, after a check of their columns: a wrong line must be found before anything is inserted."""
    known = {name.lower() for name in types}
    for count, row in enumerate(source.rows(types), 1):
        if kind in ("json", "jsonl"):
            for name in row:
                if name.lower() not in known:
                    raise ArgumentError(f"The table has no column {name!r} (row {count}); --alter adds it.")
        yield row


def _change_table(db: DatabaseHandle, table: str, new: dict[str, str], pk: tuple[str, ...], *, exists: bool) -> None:
    if not exists and new:
        db.exec(create_table_text(table, new, pk), idempotent=True)
    elif exists:
        for name, type_ in new.items():
            db.exec(add_column_text(table, name, type_))


@command("dump")
@click.argument("tables", nargs=-1)
def dump(tables: tuple[str, ...]) -> None:
    """Print the SQL script that recreates the database: schema and rows, streamed.

    It is for SQLite's own shell: sqlite3 shop.db < shop.sql. From one MesaHub database to another, `mesahub copy` is
    faster, and verified.
    """
    from mesahub.copying import dump_script

    with connect_existing() as db:
        for line in dump_script(db, list(tables) or None):
            write(f"{line}\n")
        sys.stdout.flush()


@click.command("copy")
@click.argument("source")
@click.argument("target")
@click.option("-t", "--table", "tables", multiple=True, help="Copy only these tables.")
def copy(source: str, target: str, tables: tuple[str, ...]) -> None:
    """Copy a database to another one (mh://... or @profile), and verify it."""
    done_by_table: dict[str, int] = {}

    def copied(table: str, done: int, total: int) -> None:
        done_by_table[table] = done
        update(done, total)

    with bar("copy") as update:
        try:
            result = mesahub.copy(
                resolve(source) or source,
                resolve(target) or target,
                list(tables) or None,
                progress=copied,
                verify_progress=lambda _table, done, total: update(done, total, "verify"),
            )
        except KeyboardInterrupt:
            counts = ", ".join(f"{printable(name)}: {rows:,} rows" for name, rows in done_by_table.items())
            click.echo(f"copied so far: {counts or 'nothing'}; the same command resumes there", err=True)
            raise
    for table in result.tables:
        click.echo(f"{table.name}: {table.rows:,} rows, sha256 {table.checksum[:12]}", err=True)
    click.echo(f"{result.rows:,} rows in {len(result.tables)} tables copied and verified", err=True)


COMMANDS = [insert, dump, copy]
