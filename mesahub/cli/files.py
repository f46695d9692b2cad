"""Commands for the files of a database or a bucket."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mesahub import DatabaseHandle
from mesahub.cli.output import format_options, print_any
from mesahub.cli.progress import bar
from mesahub.cli.target import Command, Group, connect
from mesahub.cli.terminal import printable

__all__ = ["COMMANDS", "file_commands", "safe_name"]

COLUMNS = ("id", "filename", "folder_path", "size_bytes", "content_type", "uploaded_at")


def file_commands(group: click.Group, files_of: Any, owner: str | None = None) -> None:
    """Add ls, put, get and rm to a group.

    Args:
        group: the group.
        files_of: called with the database (and the owner's name) gives the files.
        owner: the name of the argument that says whose files, such as ``"bucket"``; ``None`` for the database's.
    """

    def command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
        def made(function: Callable[..., Any]) -> click.Command:
            if owner:
                function = click.argument("owner", metavar=owner.upper())(function)
            return group.command(name, cls=Command)(function)

        return made

    def files(db: DatabaseHandle, names: dict[str, str]) -> Any:
        return files_of(db, *names.values())

    @command("ls")
    @click.option("--folder", help="Only folders with this prefix.")
    @format_options
    def ls(folder: str | None, format_: str | None, **names: str) -> None:
        """List the files."""
        with connect() as db:
            records = files(db, names).iterate(folder)
            print_any(({name: record.get(name) for name in COLUMNS} for record in records), format_)

    @command("put")
    @click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--name", help="Stored name; default: the file's name.")
    @click.option("--folder", help="Target folder.")
    @click.option("--type", "content_type", help="Media type; default: guessed from the name.")
    def put(path: Path, name: str | None, folder: str | None, content_type: str | None, **names: str) -> None:
        """Upload a file, and print its id."""
        with connect() as db, bar(path.name, is_bytes=True) as update:
            record = files(db, names).upload(path, name, content_type, folder=folder, progress=update)
        click.echo(record["id"])

    @command("get")
    @click.argument("file_id")
    @click.argument("target", type=click.Path(path_type=Path), required=False)
    @click.option("--force", is_flag=True, help="Overwrite a file.")
    def get(file_id: str, target: Path | None, force: bool, **names: str) -> None:
        """Download a file to TARGET, a file or folder (default: its own name, here; - for standard output)."""
        with connect() as db:
            source = files(db, names)
            if str(target) == "-":
                with source.stream(file_id) as pieces:
                    for piece in pieces:
                        sys.stdout.buffer.write(piece)
                return
            if target is None or target.is_dir():
                place = (target or Path()) / safe_name(source.meta(file_id)["filename"])
            else:
                place = target
            if not force and (place.exists() or place.is_symlink()):
                raise click.UsageError(f"{printable(str(place))} exists; pass --force, or another TARGET.")
            with bar(printable(place.name), is_bytes=True) as update:
                size = source.download_to(file_id, place, progress=update)
        click.echo(f"{printable(str(place))}: {size:,} bytes", err=True)

    @command("rm")
    @click.argument("file_ids", nargs=-1, required=True)
    def rm(file_ids: tuple[str, ...], **names: str) -> None:
        """Delete files."""
        with connect() as db:
            for file_id in file_ids:
                files(db, names).delete(file_id)


_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def safe_name(filename: str) -> str:
    """The name under which a stored file may be written here.

    Raises:
        UsageError: it would be hidden, an option, a device or a path, or has characters that are not printed.
    """
    harmless = (
        filename.isprintable()
        and filename.strip(" .") == filename != ""
        and not filename.startswith("-")
        and not any(c in filename for c in '/\\:*?"<>|')
        and not _DEVICES.fullmatch(filename)
    )
    if not harmless:
        raise click.UsageError(f"The file is named {filename!r}, which is not safe to write; name a TARGET.")
    return filename


@click.group("files", cls=Group)
def files() -> None:
    """The files of a database: ls, put, get, rm."""


file_commands(files, lambda db: db.files)
COMMANDS = [files]
