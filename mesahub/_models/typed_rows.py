"""The rows of one table as instances of one class."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

from mesahub._models.classes import Field, Shape, shape_of
from mesahub._models.codecs import NAMES
from mesahub._models.columns import Selection, WrongStorage, selection_of
from mesahub._models.direct import parser_of
from mesahub._models.dumping import LEFT_OUT, RowDumper
from mesahub.errors import ArgumentError, NoSuchColumnError, ResultError
from mesahub.rows import Rows
from mesahub.sql.identifiers import Scope, fold
from mesahub.sql.select import checked_columns

__all__ = ["TypedRows", "typed_query", "typed_rows"]

R = TypeVar("R")
_remembered = lru_cache(maxsize=512)(shape_of)
_parser_of = lru_cache(maxsize=512)(parser_of)


def typed_rows(model: Any, scope: Scope) -> TypedRows[Any]:
    """The rows of a table as instances of ``model``.

    Args:
        model: the class.
        scope: the table; filters get the adapters that they need from it.

    Raises:
        ArgumentError: it is not a class of rows, or a field cannot be stored.
    """
    # What is not hashable is not a class, and the error says so.
    shape = _remembered(model) if isinstance(model, Hashable) else shape_of(model)
    return TypedRows(shape, scope)


def typed_query(model: Any) -> TypedRows[Any]:
    """The rows of any query as instances of ``model``. Raises as `typed_rows`."""
    typed = typed_rows(model, Scope("query"))
    typed.place, typed.marked = "of the query", False
    return typed


class TypedRows(RowDumper, Generic[R]):
    """Makes instances of rows, and rows of instances. It does no I/O.

    Args:
        shape: the class.
        scope: the table.

    Attributes:
        place: where the columns are, for messages.
        marked: 0 is in place of a value of the wrong kind, where the field has text or bytes.
    """

    def __init__(self, shape: Shape, scope: Scope) -> None:
        super().__init__(shape, scope)
        self.place = f"of table {scope.name!r}"
        self.marked = True
        self._all: Selection | None = None
        filters = {
            fold(field.column): field.codec.filters
            for field in shape.fields
            if field.codec is not None and field.codec.filters is not None
        }
        scope.filters = filters or None

    def select(self, columns: Any, *, distinct: bool = False) -> Selection:
        """The columns to read.

        Args:
            columns: their names; ``None`` or ``True`` for all of the class.
            distinct: for SELECT DISTINCT.

        Raises:
            ArgumentError: the class has no such column, or cannot be made without another one.
        """
        if columns is None or columns is True or columns == "*":
            if distinct:
                return selection_of(self._shape.fields, self._scope, distinct=True)
            if self._all is None:
                self._all = self._selection(self._shape.fields)
            return self._all
        chosen = [self._field(name) for name in checked_columns(columns)]
        missing = [field for field in self._shape.fields if field.required and field not in chosen]
        if missing:
            raise ArgumentError(
                f"{self._shape.name} cannot be made without {missing[0].name!r}: select its column, "
                f"{missing[0].column!r}, give the field a default, or use a table without a class."
            )
        fields = tuple(dict.fromkeys(chosen))
        return selection_of(fields, self._scope, distinct=True) if distinct else self._selection(fields)

    def _selection(self, fields: tuple[Field, ...]) -> Selection:
        selection = selection_of(fields, self._scope)
        selection.parse = _parser_of(self._shape, fields)
        return selection

    def returning(self, columns: Any) -> Any:
        """The columns of a RETURNING clause; nothing where nothing is asked for."""
        return columns if columns is None or columns is False else self.select(columns)

    def load(self, rows: list[dict[str, Any]], selection: Selection, *, written: bool = False) -> list[R]:
        """Instances of rows that were read by ``selection``.

        Args:
            rows: as the engine gave them.
            selection: what was asked for.
            written: they are of a RETURNING clause.

        Raises:
            ResultError: a value is not one of its field; the message names the field and the column.
        """
        if not rows:
            return []
        if type(rows[0]) is self._shape.cls and selection.parse is not None:
            made: Any = rows
            return list(made)
        columns: list[list[Any]] = []
        same = self._shape.maker == "dict"
        for field, read in zip(selection.fields, selection.readers, strict=True):
            try:
                values = read(rows)
            except (KeyError, TypeError, ValueError):
                raise ResultError(
                    f"The server, or a gateway in front of it, returned other columns than those of {self._shape.name}."
                ) from None
            loaded = self._loaded(field, values, written)
            columns.append(loaded)
            same = same and loaded is values and field.name == field.column
        if same and len(rows[0]) == len(columns):
            found: Any = rows
            return list(found)
        return self._made(selection.fields, columns, written)

    def made(self, rows: Rows) -> Rows[R]:
        """Rows of a query, which have their stored values already, as instances.

        Raises:
            ResultError: the query has no column for a field, or a value that is not one of the field.
        """
        names = [fold(name) for name in rows.columns]
        fields, columns = [], []
        tuples = rows.tuples()
        for field in self._shape.fields:
            count = names.count(fold(field.column))
            if count > 1 or (count == 0 and field.required):
                what = "several columns" if count else "no column"
                raise ResultError(
                    f"{self._shape.name}.{field.name} needs column {field.column!r}, and the query has {what} of that "
                    f"name; its columns are {', '.join(rows.columns)}."
                )
            if count:
                index = names.index(fold(field.column))
                fields.append(field)
                columns.append(self._loaded(field, [row[index] for row in tuples], False))
        return Rows(rows.columns, tuples, self._made(tuple(fields), columns, False) if tuples else [])

    def _loaded(self, field: Field, values: list[Any], written: bool) -> list[Any]:
        codec = field.codec
        if codec is None or codec.exact.issuperset(map(type, values)):
            return values
        loaded = []
        for number, value in enumerate(values):
            if type(value) in codec.exact:
                loaded.append(value)
            elif value is None and field.left_out:
                loaded.append(LEFT_OUT)
            else:
                try:
                    loaded.append(codec.load(value) if value is not None else _refuse_null())
                except Exception as error:
                    if value is not None and self._converts(codec):
                        loaded.append(value)
                        continue
                    raise ResultError(self._mismatch(field, value, number, error, written)) from error
        return loaded

    def _mismatch(self, field: Field, value: Any, row: int, error: Exception, written: bool) -> str:
        assert field.codec is not None
        if value is None:
            what = "NULL, and its type has no None"
        elif type(value) is WrongStorage:
            what = f"{value}, not {field.codec.expected}"
        else:
            wrong = (
                self.marked
                and type(value) is int
                and field.codec.storage <= {str, bytes}
                and len(field.codec.storage) == 1
            )
            name = "a value of another type" if wrong else NAMES.get(type(value).__name__, type(value).__name__)
            reason = f" ({error})" if type(error) is ValueError and not wrong and len(str(error)) < 40 else ""
            what = f"{name}{reason}, not {field.codec.expected}"
        done = "The rows were written. " if written else ""
        return (
            f"{done}{self._shape.name}.{field.name}: column {field.column!r} {self.place} holds "
            f"{what} (row {row} of the result)."
        )

    def _made(self, fields: tuple[Field, ...], columns: list[list[Any]], written: bool) -> list[R]:
        shape = self._shape
        later = [(field.name, column) for field, column in zip(fields, columns, strict=True) if field.argument is None]
        given = [
            (field.argument, column)
            for field, column in zip(fields, columns, strict=True)
            if field.argument is not None
        ]
        names = [name for name, _ in given]
        values = [column for _, column in given]
        skips = any(field.left_out for field in fields)
        try:
            if shape.positional and names == list(shape.positional) and not skips:
                made = list(map(shape.cls, *values))
            else:
                made = self._by_name(names, values, skips, len(columns[0]))
        except ResultError:
            raise
        except Exception as error:
            raise self._not_made(names, values, skips, error, written) from error
        for name, column in later:
            for row, value in zip(made, column, strict=True):
                object.__setattr__(row, name, value)
        return made

    def _by_name(self, names: Sequence[str], values: Sequence[list[Any]], skips: bool, count: int) -> list[R]:
        make = self._shape.make
        rows: Iterable[tuple[Any, ...]] = zip(*values, strict=True) if values else [()] * count
        if skips:
            return [
                make({name: value for name, value in zip(names, row, strict=True) if value is not LEFT_OUT})
                for row in rows
            ]
        return [make(dict(zip(names, row, strict=True))) for row in rows]

    def _not_made(
        self, names: Sequence[str], values: Sequence[list[Any]], skips: bool, error: Exception, written: bool
    ) -> ResultError:
        """The error where the class itself refuses a row."""
        number = 0
        for number in range(len(values[0]) if values else 0):
            try:
                self._by_name(names, [[column[number]] for column in values], skips, 1)
            except Exception:  # noqa: BLE001
                break
        done = "The rows were written. " if written else ""
        return ResultError(
            f"{done}{self._shape.name} refuses row {number} of the result {self.place}: {_reason(error)}"
        )

    def explained(self, error: NoSuchColumnError) -> NoSuchColumnError:
        """The error for a column that the table does not have, with the field that needs it."""
        message = str(error)
        match = re.search(r"no such column: (.*)|has no column named (.*)", message, re.DOTALL)
        missing = fold((match[1] or match[2]) if match else "").removeprefix(f"{fold(self._scope.name)}.")
        named = {fold(field.name): field for field in self._shape.fields}
        field = self._by_column.get(missing) or named.get(missing)
        if field is None:
            return error
        if fold(field.column) == missing:
            note = f"{self._shape.name}.{field.name} needs column {field.column!r} of table {self._scope.name!r}"
        else:
            note = f"{self._shape.name}.{field.name} is in column {field.column!r} of table {self._scope.name!r}"
        explained = type(error).of(f"{message} ({note})", status_code=error.status_code, details=error.details)
        explained.attempts = error.attempts
        return explained


def _refuse_null() -> Any:
    raise TypeError("NULL")


def _reason(error: Exception) -> str:
    """What an exception says, without the values that pydantic repeats."""
    if hasattr(error, "error_count"):
        problems: Any = error
        found = [
            f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in problems.errors(include_input=False)
        ]
        return "; ".join(found[:3]) + "."
    return f"{type(error).__name__}: {error}"
