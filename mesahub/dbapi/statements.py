"""What a cursor needs to know of a statement before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesahub.errors import ArgumentError
from mesahub.sql import analyze
from mesahub.sql.analysis import TRANSACTION
from mesahub.sql.rewrites.inserts import RowInsert, row_insert

__all__ = ["Kind", "kind_of", "many"]

_KEPT = 1024
_KEPT_SIZE = 4096
_TRANSACTIONAL = frozenset({"vacuum", "attach", "detach", "pragma"})


class Kind:
    """A statement's place in a transaction.

    Attributes:
        control: ``"begin"``, ``"commit"``, ``"rollback"``, ``"savepoint"`` (which includes RELEASE and ROLLBACK TO),
            or ``""``.
        mode: of a BEGIN: ``"immediate"`` or ``"deferred"``.
        begins: whether a transaction begins before it.
        sql: the text, without a semicolon.
        names: of its named parameters, with and without their prefixes.
    """

    __slots__ = ("begins", "control", "mode", "names", "sql")

    def __init__(self, sql: str) -> None:
        self.control = self.mode = ""
        self.begins = False
        self.sql = sql
        analysis = analyze(sql)
        self.names = frozenset([*analysis.marked, *analysis.parameters]) if analysis.named else frozenset()
        parts = analysis.parts
        if len(parts) != 1:
            return
        part = parts[0]
        words = [text.lower() for _, text, _ in part.tokens[:4]]
        if part.verb in TRANSACTION:
            self.sql = sql[part.start : part.end]
            self.control = {"end": "commit", "release": "savepoint"}.get(part.verb, part.verb)
            if part.verb == "begin":
                self.mode = "immediate" if words[1:2] and words[1] in ("immediate", "exclusive") else "deferred"
            elif part.verb == "rollback" and "to" in words:
                self.control = "savepoint"
            self.begins = part.verb == "savepoint"
        else:
            self.begins = part.writes and part.verb not in _TRANSACTIONAL

    def values(self, parameters: Any) -> Any:
        """The parameters for `mesahub.sql.prepare`: of a mapping, those that the statement has, as in `sqlite3`."""
        if self.names and isinstance(parameters, Mapping):
            return {name: value for name, value in parameters.items() if name in self.names}
        return parameters or None


_kinds: dict[str, Kind] = {}
_many: dict[str, RowInsert | None] = {}


def kind_of(sql: str) -> Kind:
    """The kind of a statement; texts that were seen before are remembered.

    Raises:
        ArgumentError: it is not a string.
    """
    if not isinstance(sql, str):
        raise ArgumentError(f"operation must be a string, not {type(sql).__name__}.")
    known = _kinds.get(sql)
    if known is None:
        known = Kind(sql)
        if len(_kinds) >= _KEPT:
            _kinds.clear()
        if len(sql) <= _KEPT_SIZE:
            _kinds[sql] = known
    return known


def many(sql: str) -> RowInsert | None:
    """The statement as an INSERT that runs once for many rows; ``None`` if it is none."""
    if sql not in _many:
        if len(_many) >= _KEPT:
            _many.clear()
        if len(sql) > _KEPT_SIZE:
            return row_insert(sql)
        _many[sql] = row_insert(sql)
    return _many[sql]
