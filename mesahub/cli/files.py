"""Commands for the files beside a database, or in a bucket."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from mesahub.cli.output import format_options, print_any
from mesahub.cli.progress import bar
from mesahub.cli.target import Command, connect

__all__ = ["COMMANDS", "file_commands"]

COLUMNS = ("id", "filename", "folder_path", "size_bytes", "content_type", "uploaded_at")


def file_commands(group: click.Group, files_of: Any) -> None:
    """Add ls, put, get and rm to a group. ``files_of(db, *arguments)`` gives the files."""

    @group.command("ls", cls=Command)
    @click.option("--folder", help="Only folders that begin so.")
    @format_options
    def ls(folder: str | None, format_: str | None) -> None:
        """List the files."""
        with connect() as db:
            records = files_of(db).iterate(folder)
            print_any(({name: record.get(name) for name in COLUMNS} for record in records), format_)

    @group.command("put", cls=Command)
    @click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--name", help="Its name there; default: its own.")
    @click.option("--folder", help="Its folder there.")
    @click.option("--type", "content_type", help="Its media type; default: by its name.")
    def put(path: Path, name: str | None, folder: str | None, content_type: str | None) -> None:
        """Upload a file, and print its id."""
        with connect() as db, bar(path.name, is_bytes=True) as update:
            record = files_of(db).upload(path, name, content_type, folder=folder, progress=update)
        click.echo(record["id"])

    @group.command("get", cls=Command)
    @click.argument("file_id")
    @click.argument("target", type=click.Path(path_type=Path), required=False)
    def get(file_id: str, target: Path | None) -> None:
        """Download a file to TARGET (default: its own name, here; - for standard output)."""
        with connect() as db:
            files = files_of(db)
            if str(target) == "-":
                with files.stream(file_id) as pieces:
                    for piece in pieces:
                        sys.stdout.buffer.write(piece)
                return
            place = target or Path(Path(files.meta(file_id)["filename"]).name)
            with bar(place.name, is_bytes=True) as update:
                size = files.download_to(file_id, place, progress=update)
        click.echo(f"{place}: {size:,} bytes", err=True)

    @group.command("rm", cls=Command)
    @click.argument("file_ids", nargs=-1, required=True)
    def rm(file_ids: tuple[str, ...]) -> None:
        """Delete files."""
        with connect() as db:
            for file_id in file_ids:
                files_of(db).delete(file_id)


@click.group("files")
def files() -> None:
    """The files beside a database: ls, put, get, rm."""


file_commands(files, lambda db: db.files)
COMMANDS = [files]
