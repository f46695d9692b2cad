"""Rows as they are stored, in one request where the engine has them so, else by a rewritten SELECT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from mesahub.dialects.base import Answer, Capabilities
from mesahub.errors import AmbiguousResultError, ArgumentError, ServerError
from mesahub.rows import Rows
from mesahub.sql import Statement
from mesahub.sql.rewrites.exact import (
    SCHEMA,
    columns_of,
    columns_statement,
    exact_statement,
    exact_values,
    is_rewritable,
)

__all__ = ["ExactRows", "KnownColumns", "stored_rows"]

_KEPT = 1024
_KEPT_SIZE = 4096
_OTHER_ROWS = "The server, or a gateway in front of it, returned rows of another query."


class KnownColumns(NamedTuple):
    """The columns that a SELECT had when it was last asked.

    Attributes:
        names: their names.
        schema: the version of the schema then.
    """

    names: list[str]
    schema: int


class ExactRows:
    """The plan of `mesahub.DatabaseHandle.rows`: which statements to send. It does no I/O.

    Args:
        ref: the database.
        statement: a SELECT.
        capabilities: those of the engine.
        known: the columns of texts that were asked for before; shared by the calls of a client.

    Attributes:
        hints: for the requests.
    """

    def __init__(
        self,
        ref: str,
        statement: Statement,
        capabilities: Capabilities,
        known: dict[tuple[str, str], KnownColumns],
    ) -> None:
        self._original = statement
        self._able = capabilities
        self._known = known
        self._key = (ref, statement.sql)
        self._columns = known.get(self._key)
        self._remembered = self._columns is not None
        self._native = capabilities.exact_values
        self.hints = {"values": "stored"} if self._native else {}
        self._rewrites = not self._native and is_rewritable(statement)

    def statement(self) -> Statement:
        """The statement to send next.

        Raises:
            ArgumentError: rewritten, it would be too long.
        """
        if not self._rewrites:
            return self._original
        if self._columns is None:
            return columns_statement(self._original)
        found = exact_statement(self._original, len(self._columns.names))
        most = self._able.max_sql
        if most is not None and len(found.sql) > most - 20 * len(found.bindings) - 1000:
            raise ArgumentError(
                f"To give {len(self._columns.names)} columns exactly, the statement would become longer than the "
                f"{most} bytes that the engine takes. Select fewer columns, or use query()."
            )
        return found

    def accept(self, answer: Answer) -> Rows | None:
        """Take the answer to a statement; the rows, or ``None`` where another statement is needed."""
        if not self._rewrites:
            if not answer.lossy or not is_rewritable(self._original):
                return Rows(answer.columns or (), answer.tuples())
            self._rewrites = True
            return None
        if self._columns is None:
            self._note_columns(answer)
            return None
        names = self._columns.names
        rows = answer.dicts()
        try:
            changed = rows[0][SCHEMA] != self._columns.schema if rows else self._remembered
            if changed:
                # The schema is another one than when the columns were asked for: they may have other names.
                self._forget()
                return None
        except (KeyError, TypeError) as error:
            raise ServerError.of(_OTHER_ROWS) from error
        return stored_rows(names, rows)

    def reject(self) -> bool:
        """Take an SQL error. ``True``: the columns were no longer those that were known; ask again."""
        if not self._remembered:
            return False
        self._forget()
        return True

    def _forget(self) -> None:
        self._known.pop(self._key, None)
        self._columns = None
        self._remembered = False

    def _note_columns(self, answer: Answer) -> None:
        rows = answer.dicts()
        version = rows[0].get(SCHEMA) if len(rows) == 1 else None
        if not answer.columns or not isinstance(version, int):
            raise ServerError.of("The server, or a gateway in front of it, returned columns of another query.")
        self._columns = KnownColumns(columns_of(answer.columns), version)
        if len(self._original.sql) <= _KEPT_SIZE:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[self._key] = self._columns


def stored_rows(names: Sequence[str], rows: Sequence[dict[str, Any]], *, write: bool = False) -> Rows:
    """The rows of a rewritten statement, as they are stored.

    Args:
        names: its columns, as they were before.
        rows: what the engine returned.
        write: it changed something.

    Raises:
        ServerError, AmbiguousResultError: the rows are not those of the statement, of a read or of a write.
    """
    try:
        return Rows(names, exact_values(len(names), rows))
    except (KeyError, TypeError, ValueError) as error:
        if write:
            text = f"{_OTHER_ROWS} Check whether the call was carried out before you repeat it."
            raise AmbiguousResultError.of(text) from error
        raise ServerError.of(_OTHER_ROWS) from error
