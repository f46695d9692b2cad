"""``shell``: an interactive SQL shell, with history and completion."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, InMemoryHistory

from mesahub import DatabaseHandle
from mesahub.cli.output import FORMATS, print_rows
from mesahub.cli.sql import run_script
from mesahub.cli.target import command, connect
from mesahub.cli.terminal import one_line, write
from mesahub.errors import MesahubError
from mesahub.sql import analyze

__all__ = ["COMMANDS", "Shell"]

KEYWORDS = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "HAVING",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "INSERT",
    "INTO",
    "VALUES",
    "UPDATE",
    "SET",
    "DELETE",
    "CREATE",
    "TABLE",
    "INDEX",
    "VIEW",
    "TRIGGER",
    "DROP",
    "ALTER",
    "ADD",
    "COLUMN",
    "PRIMARY",
    "KEY",
    "NOT",
    "NULL",
    "UNIQUE",
    "DEFAULT",
    "REFERENCES",
    "JOIN",
    "LEFT",
    "INNER",
    "ON",
    "AS",
    "AND",
    "OR",
    "IN",
    "IS",
    "LIKE",
    "BETWEEN",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "DISTINCT",
    "UNION",
    "ALL",
    "EXISTS",
    "WITH",
    "RETURNING",
    "ASC",
    "DESC",
    "count",
    "sum",
    "avg",
    "min",
    "max",
]
META = {
    ".tables": "the tables and views",
    ".schema": "the SQL that made them: .schema, or .schema TABLE",
    ".mode": f"how rows are printed: {', '.join(FORMATS)}",
    ".help": "this",
    ".quit": "leave (as Ctrl-D does)",
}


class Names(Completer):
    """Completes keywords, tables, columns and the shell's own commands."""

    def __init__(self, db: DatabaseHandle) -> None:
        self._db = db
        self._names: list[str] = []
        self.stale = True

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002
        """What the word before the cursor may become."""
        text = document.text_before_cursor.lstrip()
        if text.startswith("."):
            words: Iterable[str] = META if " " not in text else self.names()
        else:
            words = [*self.names(), *KEYWORDS]
        word = document.get_word_before_cursor(WORD=text.startswith("."))
        for candidate in words:
            if word and candidate.lower().startswith(word.lower()) and candidate != word:
                yield Completion(candidate, start_position=-len(word))

    def names(self) -> list[str]:
        """Tables and columns, asked again after the schema may have changed."""
        if self.stale:
            self.stale = False
            try:
                rows = self._db.query(
                    "SELECT m.name AS t, c.name AS c FROM sqlite_schema AS m LEFT JOIN pragma_table_info(m.name) AS c "
                    "WHERE m.type IN ('table', 'view')"
                ).rows
            except MesahubError:
                return self._names
            self._names = sorted({row["t"] for row in rows} | {row["c"] for row in rows if row["c"]})
        return self._names


class Shell:
    """Reads statements and runs them.

    Args:
        db: the database.
        session: what reads lines; default: the terminal.
    """

    def __init__(self, db: DatabaseHandle, session: PromptSession[str] | None = None) -> None:
        self._db = db
        self._names = Names(db)
        self._format: str | None = None
        self._session = session or PromptSession(history=_history(), completer=self._names, complete_while_typing=False)

    def run(self) -> None:
        """Until Ctrl-D or ``.quit``."""
        print(f"{self._db.name}: SQL ends with ';', .help for more.")
        while True:
            try:
                text = self._read()
            except KeyboardInterrupt:
                continue  # a statement begun is thrown away
            except EOFError:
                return
            if text.strip() in (".quit", ".exit"):
                return
            try:
                self.execute(text)
            except MesahubError as error:
                print(one_line(error), file=sys.stderr)
            except KeyboardInterrupt:
                print("Aborted", file=sys.stderr)

    def _read(self) -> str:
        import sqlite3  # --help must work without it

        lines = [self._session.prompt(f"{self._db.name}> ")]
        while not lines[0].startswith(".") and lines[0].strip() and not sqlite3.complete_statement("\n".join(lines)):
            lines.append(self._session.prompt(f"{' ' * len(self._db.name)}| "))
        return "\n".join(lines)

    def execute(self, text: str) -> None:
        """Run one command or statement."""
        if not text.strip():
            return
        if text.lstrip().startswith("."):
            self._meta(text.split())
            return
        started = time.perf_counter()
        parts = analyze(text).parts
        if len(parts) > 1:
            try:
                run_script(self._db, text, self._format)
            finally:
                self._names.stale = True
            return
        elif parts and not parts[0].writes:
            found = self._db.query(text)
            print_rows(found.columns, found.rows, self._format, limit=None)
        else:
            done = self._db.exec(text)
            if done.columns:
                print_rows(done.columns, done.rows, self._format)
            print(f"{done.rows_affected} rows affected, {(time.perf_counter() - started) * 1e3:.0f} ms")
        self._names.stale = self._names.stale or any(part.writes for part in parts)

    def _meta(self, words: list[str]) -> None:
        if words[0] == ".tables":
            print_rows(["name"], ({"name": name} for name in self._db.tables(views=True)), self._format)
        elif words[0] == ".schema":
            for entry in self._db.schema(words[1] if len(words) > 1 else None):
                if entry.kind != "shadow":
                    write(f"{entry.sql};\n")
        elif words[0] == ".mode" and words[1:2] and words[1] in FORMATS:
            self._format = words[1]
        elif words[0] == ".help":
            for name, what in META.items():
                print(f"{name:9} {what}")
        else:
            print(f"There is no {' '.join(words)}; see .help", file=sys.stderr)


def _history() -> Any:
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    path = Path(base) / "mesahub" / "history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))


@command("shell")
def shell() -> None:
    """SQL by hand: history, completion of names, several lines, .tables and .schema."""
    with connect() as db:
        if not sys.stdin.isatty():
            raise click.UsageError("The shell needs a terminal; for a script, use `mesahub exec -f FILE`.")
        Shell(db).run()


COMMANDS = [shell]
