"""Commands of the administration: databases, API keys, buckets. They need the admin token."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import click

from mesahub.buckets import Bucket
from mesahub.cli.files import file_commands
from mesahub.cli.output import format_options, print_any
from mesahub.cli.progress import bar
from mesahub.cli.target import Command, Group, connect

__all__ = ["COMMANDS"]

_DATABASE = ("slug", "name", "status", "size_bytes", "created_at")
_KEY = ("id", "name", "scopes", "created_at", "last_used_at")


def _picked(records: Any, names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{n: json.dumps(r[n]) if isinstance(r.get(n), list) else r.get(n) for n in names if n in r} for r in records]


@click.group("db", cls=Group)
def db_() -> None:
    """Databases: ls, create, rm, restore, purge, status, reset, export, import."""


@db_.command("ls", cls=Command)
@click.option("--deleted", is_flag=True, help="List soft-deleted databases.")
@format_options
def db_ls(deleted: bool, format_: str | None) -> None:
    """List the databases."""
    with connect() as db:
        databases = db.client.admin.databases
        print_any(_picked(databases.list_deleted() if deleted else databases.list(), _DATABASE), format_)


@db_.command("create", cls=Command)
@click.argument("name")
@click.option("--description")
def db_create(name: str, description: str | None) -> None:
    """Create a database."""
    with connect() as db:
        click.echo(db.client.admin.databases.create(name, description=description)["slug"])


def _on_slug(name: str, method: str, what: str) -> None:
    @db_.command(name, cls=Command, help=what)
    @click.argument("slug")
    def command(slug: str) -> None:
        with connect() as db:
            getattr(db.client.admin.databases, method)(slug)


_on_slug("rm", "delete", "Soft-delete a database; `restore` restores it.")
_on_slug("restore", "restore", "Restore a deleted database, by the slug from `ls --deleted`.")


@db_.command("purge", cls=Command)
@click.argument("slug")
@click.confirmation_option(prompt="All its data will be lost. Remove it permanently?")
def db_purge(slug: str) -> None:
    """Remove a deleted database permanently."""
    with connect() as db:
        db.client.admin.databases.hard_delete(slug)


@db_.command("reset", cls=Command)
@click.argument("slug")
@click.confirmation_option(prompt="All its data will be lost. Empty it?")
def db_reset(slug: str) -> None:
    """Empty a database."""
    with connect() as db:
        db.client.admin.databases.reset(slug)


@db_.command("status", cls=Command)
@click.argument("slug")
@click.argument("status", type=click.Choice(["active", "inactive"]))
def db_status(slug: str, status: Any) -> None:
    """Activate or deactivate a database."""
    with connect() as db:
        db.client.admin.databases.set_status(slug, status)


@db_.command("export", cls=Command)
@click.argument("slug")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("tables", nargs=-1, required=True)
def db_export(slug: str, file: Path, tables: tuple[str, ...]) -> None:
    """Write tables to a SQLite file."""
    with connect() as db, bar(file.name, is_bytes=True) as update:
        size = db.client.admin.databases.export(slug, file, list(tables), progress=update)
    click.echo(f"{file}: {size:,} bytes", err=True)


@db_.command("import", cls=Command)
@click.argument("slug")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.argument("tables", nargs=-1)
def db_import(slug: str, file: Path, tables: tuple[str, ...]) -> None:
    """Import tables of a SQLite file into a database; without TABLES, list its content."""
    with connect() as db, bar(file.name, is_bytes=True) as update:
        databases = db.client.admin.databases
        if not tables:
            print_any(_picked(databases.inspect(slug, file), ("name", "rowCount")), None)
            return
        count = databases.import_tables(slug, file, list(tables), progress=update)
    click.echo(f"{count:,} rows imported", err=True)


@click.group("keys", cls=Group)
def keys() -> None:
    """API keys: ls, create, revoke."""


@keys.command("ls", cls=Command)
@format_options
def keys_ls(format_: str | None) -> None:
    """List the keys, without their text."""
    with connect() as db:
        print_any(_picked(db.client.admin.api_keys.list(), _KEY), format_)


@keys.command("create", cls=Command)
@click.argument("name")
@click.option(
    "-s", "--scope", "scopes", multiple=True, required=True, help="all:r, all:w, db:NAME:r, db:NAME:w, management"
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the key to this file, with mode 0600.")
def keys_create(name: str, scopes: tuple[str, ...], output: Path | None) -> None:
    """Create a key. It is shown only once."""
    # The file is opened first: a key that cannot be written would be lost.
    with ExitStack() as stack:
        out = None if output is None else stack.enter_context(_private(output))
        db = stack.enter_context(connect())
        record = db.client.admin.api_keys.create(name, list(scopes))
        if out is None:
            click.echo(str(record["key"]))
            return
        out.seek(0)
        out.truncate()
        out.write(f"{record['key']!s}\n")
    click.echo(record["id"])


def _private(path: Path) -> TextIO:
    """A file that only its owner may read, also if it exists; its content is kept."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if os.name == "posix":
        os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "r+", encoding="utf-8")


@keys.command("revoke", cls=Command)
@click.argument("key_id")
def keys_revoke(key_id: str) -> None:
    """Revoke a key. (The real server may accept it for a few more minutes.)"""
    with connect() as db:
        db.client.admin.api_keys.revoke(key_id)


@click.group("buckets", cls=Group)
def buckets() -> None:
    """Buckets of files: ls, create, rm, files."""


@buckets.command("ls", cls=Command)
@format_options
def buckets_ls(format_: str | None) -> None:
    """List the buckets."""
    with connect() as db:
        print_any(_picked(db.client.buckets.list(), ("id", "name", "description", "created_at")), format_)


@buckets.command("create", cls=Command)
@click.argument("name")
@click.option("--description")
def buckets_create(name: str, description: str | None) -> None:
    """Create a bucket, and print its id."""
    with connect() as db:
        click.echo(db.client.buckets.create(name, description)["id"])


@buckets.command("rm", cls=Command)
@click.argument("bucket")
@click.confirmation_option(prompt="Its files will be lost. Remove it?")
def buckets_rm(bucket: str) -> None:
    """Remove a bucket with its files."""
    with connect() as db:
        db.client.buckets.delete(bucket)


@buckets.group("files", cls=Group)
def buckets_files() -> None:
    """The files of a bucket: ls, put, get, rm."""


file_commands(buckets_files, lambda db, bucket: Bucket(bucket, db.client).files, "bucket")
COMMANDS = [db_, keys, buckets]
