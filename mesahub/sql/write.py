"""Statements that change a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mesahub.errors import ArgumentError
from mesahub.sql.filters import Operand, is_always_true, where_terms
from mesahub.sql.identifiers import Scope, fold, quote_name
from mesahub.sql.literals import condition_text
from mesahub.sql.select import columns_text
from mesahub.sql.statement import Statement
from mesahub.sql.values import adapt

if TYPE_CHECKING:
    from mesahub.sql.filters import Where

Returning = bool | Sequence[str] | None

_ON_CONFLICT = {None: "", "ignore": " OR IGNORE", "replace": " OR REPLACE", "update": ""}


def insert_text(
    scope: Scope,
    columns: Sequence[str],
    *,
    on_conflict: str | None = None,
    key: Sequence[str] = (),
    update: Sequence[str] | None = None,
    where: Where = None,
    returning: Returning = None,
) -> str:
    """``INSERT INTO table (columns) VALUES (?, ...)`` with a conflict clause.

    Args:
        scope: the table.
        columns: the columns to set; if empty, insert one row of defaults.
        on_conflict: ``None`` raises, ``"ignore"`` keeps the existing row, ``"replace"`` deletes it
            first, ``"update"`` updates it.
        key: for ``"update"``, the columns of the unique key; with ``None`` as ``on_conflict`` and
            a key, an existing row is kept.
        update: for ``"update"``, the columns to change; default: all columns except the key.
        where: the condition of the partial unique index on ``key``.
        returning: ``True`` for all columns, or their names.
    """
    if not (on_conflict is None or (isinstance(on_conflict, str) and on_conflict in _ON_CONFLICT)):
        raise ArgumentError(f"on_conflict must be None, 'ignore', 'replace' or 'update', not {on_conflict!r}.")
    text = f"INSERT{_ON_CONFLICT[on_conflict]} INTO {scope.table} "
    if columns:
        names = ", ".join([quote_name(column) for column in columns])
        text += f"({names}) VALUES ({', '.join('?' * len(columns))})"
    else:
        text += "DEFAULT VALUES"
    if key:
        text += f" ON CONFLICT ({', '.join([quote_name(column) for column in key])})"
        if where is not None and (condition := condition_text(where, scope)):
            text += f" WHERE {condition}"
        text += " DO "
        changed = _changed(columns, key, update) if on_conflict == "update" else []
        text += f"UPDATE SET {', '.join(changed)}" if changed else "NOTHING"
    return text + returning_text(scope, returning)


def _changed(columns: Sequence[str], key: Sequence[str], update: Sequence[str] | None) -> list[str]:
    given, keys = set(map(fold, columns)), set(map(fold, key))
    missing = [name for name in key if fold(name) not in given]
    if missing:
        raise ArgumentError(f"Key column {missing[0]!r} is missing from the values ({', '.join(columns)}).")
    if update is None:
        update = [column for column in columns if fold(column) not in keys]
    elif isinstance(update, (str, bytes, Mapping)) or not isinstance(update, Iterable):
        raise ArgumentError(f"update must be a list of columns, such as ['name'], not {update!r}.")
    update = list(update)
    strange = [name for name in update if not isinstance(name, str) or fold(name) not in given]
    if strange:
        raise ArgumentError(f"Column {strange[0]!r} in update is missing from the values.")
    return [f"{quote_name(column)} = excluded.{quote_name(column)}" for column in update]


def insert_statement(scope: Scope, data: Any, *, returning: Returning = None, **options: Any) -> Statement:
    """Compile an INSERT of one row. ``options`` as for `insert_text`."""
    if type(data) is not dict and not isinstance(data, Mapping):
        raise ArgumentError(f"A row must be a dict of column names to values, not {data!r:.60}.")
    if options or (returning is not True and returning is not None):
        sql = insert_text(scope, list(data), returning=returning, **options)
    else:
        shape = ("insert", returning, *data)
        known = scope.texts.get(shape)
        if known is None:
            known = insert_text(scope, list(data), returning=returning)
            scope.keep(shape, known)
        sql = known
    try:
        bindings = [adapt(value) for value in data.values()]
    except ArgumentError:
        bindings = [_adapted(name, value) for name, value in data.items()]  # raises it with the name
    return Statement(sql, bindings, "insert", True, table=scope.name)


def _adapted(name: str, value: Any) -> Any:
    try:
        return adapt(value)
    except ArgumentError as error:
        raise ArgumentError(f"The value of {name!r}: {error}") from None


def update_statement(
    scope: Scope, where: Where, changes: Any, *, all_rows: bool = False, returning: Returning = None
) -> Statement:
    """``UPDATE table SET ... WHERE ...``."""
    if not isinstance(changes, Mapping) or not changes:
        raise ArgumentError(f"set must be a non-empty dict of column names to values, not {changes!r}.")
    bindings: list[Any] = []
    terms = []
    for name, value in changes.items():
        if isinstance(value, Operand):
            place = value.operand(scope, bindings)
        else:
            bindings.append(_adapted(name, value))
            place = "?"
        terms.append(f"{quote_name(name)} = {place}")
    condition = _guarded("update", where, scope, bindings, all_rows)
    sql = f"UPDATE {scope.table} SET {', '.join(terms)}{condition}{returning_text(scope, returning)}"
    return Statement(sql, bindings, "update", True, table=scope.name)


def delete_statement(scope: Scope, where: Where, *, all_rows: bool = False, returning: Returning = None) -> Statement:
    """``DELETE FROM table WHERE ...``."""
    bindings: list[Any] = []
    condition = _guarded("delete", where, scope, bindings, all_rows)
    sql = f"DELETE FROM {scope.table}{condition}{returning_text(scope, returning)}"
    return Statement(sql, bindings, "delete", True, table=scope.name)


def _guarded(verb: str, where: Where, scope: Scope, bindings: list[Any], all_rows: bool) -> str:
    terms = where_terms(where, scope, bindings)
    if all_rows is not True and is_always_true(terms):
        raise ArgumentError(
            f"{verb}() would affect every row of {scope.name!r}: its filter is empty or always true. "
            "If that is intended, pass all_rows=True."
        )
    return f" WHERE {' AND '.join(terms)}" if terms else ""


def returning_text(scope: Scope, returning: Any) -> str:
    """`` RETURNING ...``, or nothing."""
    if returning is None or returning is False:
        return ""
    if returning is True or returning == "*":
        return " RETURNING *"
    if not returning or isinstance(returning, (str, bytes, Mapping)) or not isinstance(returning, Iterable):
        raise ArgumentError(f"returning must be True or a list of columns, such as ['id'], not {returning!r}.")
    return f" RETURNING {columns_text(scope, returning)}"
