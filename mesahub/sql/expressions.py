"""Filters as expressions: ``(col("age") >= 18) & col("role").in_(["admin", "editor"])``.

They are equivalent to the dict form, and compile to the same text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

from mesahub.errors import ArgumentError
from mesahub.sql.filters import Known, Operand, Text, apply, join_terms, stored, where_terms
from mesahub.sql.identifiers import Scope


class Expression:
    """A condition. Combine with ``&`` and ``|``, negate with ``~``."""

    __slots__ = ()

    def condition(self, scope: Scope, bindings: list[Any]) -> str:
        """Return its SQL text, and append its values to ``bindings``; the text can be combined with others."""
        raise NotImplementedError

    def terms(self, scope: Scope, bindings: list[Any]) -> list[str]:
        """Return the same as terms to join with AND."""
        return [self.condition(scope, bindings)]

    def __and__(self, other: Expression | Mapping[str, Any]) -> Expression:
        return all_of(self, other)

    def __or__(self, other: Expression | Mapping[str, Any]) -> Expression:
        return any_of(self, other)

    def __rand__(self, other: Mapping[str, Any]) -> Expression:
        return all_of(other, self)

    def __ror__(self, other: Mapping[str, Any]) -> Expression:
        return any_of(other, self)

    def __invert__(self) -> Expression:
        return not_(self)

    def __bool__(self) -> NoReturn:
        raise ArgumentError(
            "A condition has no truth value in Python: use & for and, | for or, ~ for not, with each side in "
            "parentheses; for a range col('age').between(18, 65)."
        )


class Condition(Expression):
    """One operator on one column."""

    __slots__ = ("_column", "_value", "_word")

    def __init__(self, column: Column, word: str, value: Any) -> None:
        self._column = column
        self._word = word
        self._value = value

    def condition(self, scope: Scope, bindings: list[Any]) -> str:
        column = self._column.operand(scope, bindings)
        value = self._value if self._column.is_path else stored(self._column.name, self._value, scope)
        return apply(self._word, self._column.name, column, value, bindings, scope)


class _Joined(Expression):
    __slots__ = ("_all", "_parts")
    _parts: list[Expression | Mapping[str, Any]]

    def __init__(self, all_: bool, parts: tuple[Any, ...]) -> None:
        self._all = all_
        # Terms joined with the same operator need no parentheses: (a & b) & c is a AND b AND c.
        self._parts = []
        for part in _checked(parts):
            if isinstance(part, _Joined) and part._all == all_:
                self._parts += part._parts
            else:
                self._parts.append(part)

    def condition(self, scope: Scope, bindings: list[Any]) -> str:
        terms = self.terms(scope, bindings) if self._all else self._choices(scope, bindings)
        return _enclosed(join_terms(terms, self._all), len(terms) > 1)

    def terms(self, scope: Scope, bindings: list[Any]) -> list[str]:
        if not self._all:
            return [join_terms(self._choices(scope, bindings), False)]
        return [term for part in self._parts for term in _terms_of(part, scope, bindings)]

    def _choices(self, scope: Scope, bindings: list[Any]) -> list[str]:
        choices = []
        for part in self._parts:
            terms = _terms_of(part, scope, bindings)
            choices.append(_enclosed(join_terms(terms, True), len(terms) > 1))
        return choices


class _Not(Expression):
    __slots__ = ("_part",)

    def __init__(self, part: Any) -> None:
        self._part = _checked((part,))[0]

    def condition(self, scope: Scope, bindings: list[Any]) -> str:
        term = join_terms(where_terms(self._part, scope, bindings), True)
        text = f"NOT ({term})"
        return Known(text, not term.truth) if isinstance(term, Known) else text


def _terms_of(part: Expression | Mapping[str, Any], scope: Scope, bindings: list[Any]) -> list[str]:
    """Return the terms of a part, to join with AND; an OR is put in parentheses."""
    if isinstance(part, _Joined) and not part._all:
        return [part.condition(scope, bindings)]
    return where_terms(part, scope, bindings)


def _enclosed(text: str, needed: bool) -> str:
    if not needed:
        return text
    return Known(f"({text})", text.truth) if isinstance(text, Known) else f"({text})"


class Column(Operand):
    """A column for comparisons, created by `col`. In place of a value, it is the value in the same row."""

    __slots__ = ("_paths", "name")
    __hash__ = None  # type: ignore[assignment]  # == returns a condition

    def __init__(self, name: str, paths: tuple[str, ...] = ()) -> None:
        if not isinstance(name, str) or not name:
            raise ArgumentError(f"The name of a column must be a non-empty string, not {name!r}.")
        self.name = name
        self._paths = paths

    @property
    def is_path(self) -> bool:
        """Whether it is a value within the JSON of the column."""
        return bool(self._paths)

    def json(self, path: str) -> Column:
        """The value at ``path`` of the JSON in this column, as an SQL value.

        Args:
            path: ``$.a.b`` or ``$.list[0]``, as for SQLite's ``->>``.

        Example:
            ``col("data").json("$.address.city") == "Bern"``
        """
        if not isinstance(path, str) or not path.startswith("$"):
            raise ArgumentError(f"A JSON path must be a string that starts with $, such as '$.a.b', not {path!r}.")
        return Column(self.name, (*self._paths, path))

    def operand(self, scope: Scope, bindings: list[Any]) -> str:
        text = scope[self.name]
        if not self._paths:
            return text
        bindings.extend(self._paths)
        return Text(f"({text}{'->>?' * len(self._paths)})", self._paths)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return Condition(self, "eq", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return Condition(self, "ne", other)

    def __gt__(self, other: Any) -> Condition:
        return Condition(self, "gt", other)

    def __ge__(self, other: Any) -> Condition:
        return Condition(self, "gte", other)

    def __lt__(self, other: Any) -> Condition:
        return Condition(self, "lt", other)

    def __le__(self, other: Any) -> Condition:
        return Condition(self, "lte", other)

    def in_(self, values: Iterable[Any]) -> Condition:
        """Equal to one of these; ``None`` means NULL."""
        return Condition(self, "in", _kept(values))

    def not_in(self, values: Iterable[Any]) -> Condition:
        """Equal to none of these, and not NULL."""
        return Condition(self, "not_in", _kept(values))

    def between(self, low: Any, high: Any) -> Condition:
        """Between the two, both included."""
        return Condition(self, "between", (low, high))

    def not_between(self, low: Any, high: Any) -> Condition:
        """Outside the two."""
        return Condition(self, "not_between", (low, high))

    def like(self, pattern: str) -> Condition:
        """SQL's LIKE: ``%`` is any text, ``_`` any character; ASCII letters match case-insensitively."""
        return Condition(self, "like", pattern)

    def not_like(self, pattern: str) -> Condition:
        """Not `like`."""
        return Condition(self, "not_like", pattern)

    def ilike(self, pattern: str) -> Condition:
        """LIKE that ignores the case of ASCII letters, regardless of the database's settings."""
        return Condition(self, "ilike", pattern)

    def not_ilike(self, pattern: str) -> Condition:
        """Not `ilike`."""
        return Condition(self, "not_ilike", pattern)

    def glob(self, pattern: str) -> Condition:
        """SQLite's GLOB: ``*``, ``?`` and ``[a-z]``; case-sensitive."""
        return Condition(self, "glob", pattern)

    def not_glob(self, pattern: str) -> Condition:
        """Not `glob`."""
        return Condition(self, "not_glob", pattern)

    def contains(self, text: str) -> Condition:
        """Contains the text; ``%`` and ``_`` are literal. Case as with `like`."""
        return Condition(self, "contains", text)

    def not_contains(self, text: str) -> Condition:
        """Not `contains`."""
        return Condition(self, "not_contains", text)

    def startswith(self, text: str) -> Condition:
        """Starts with the text. Case as with `like`."""
        return Condition(self, "startswith", text)

    def not_startswith(self, text: str) -> Condition:
        """Not `startswith`."""
        return Condition(self, "not_startswith", text)

    def endswith(self, text: str) -> Condition:
        """Ends with the text. Case as with `like`."""
        return Condition(self, "endswith", text)

    def not_endswith(self, text: str) -> Condition:
        """Not `endswith`."""
        return Condition(self, "not_endswith", text)

    def is_null(self) -> Condition:
        """Is NULL."""
        return Condition(self, "is_null", True)

    def is_not_null(self) -> Condition:
        """Is not NULL."""
        return Condition(self, "is_not_null", True)

    def __bool__(self) -> NoReturn:
        raise ArgumentError(f"Column {self.name!r} has no truth value in Python; compare it with a value.")

    def __repr__(self) -> str:
        return f"col({self.name!r})" + "".join(f".json({path!r})" for path in self._paths)


def _kept(values: Any) -> Any:
    # A generator would be empty when the filter is compiled a second time.
    return list(values) if isinstance(values, Iterator) else values


def col(name: str) -> Column:
    """A column of the queried table, for use in a filter.

    >>> where = (col("age") >= 18) & col("role").in_(["admin", "editor"])
    >>> where = col("updated_at") > col("created_at")
    """
    return Column(name)


def any_of(*conditions: Expression | Mapping[str, Any]) -> Expression:
    """Combine conditions with OR. Without conditions, it matches no row.

    >>> where = any_of({"role": "admin"}, col("age") >= 65)
    """
    return _Joined(False, conditions)


def all_of(*conditions: Expression | Mapping[str, Any]) -> Expression:
    """Combine conditions with AND. Without conditions, it matches every row.

    >>> where = all_of({"role": "editor"}, col("age") < 30)
    """
    return _Joined(True, conditions)


def not_(condition: Expression | Mapping[str, Any]) -> Expression:
    """Negate a condition. As in SQL, NULL is neither true nor false.

    >>> where = not_({"role": "admin", "age": {"gte": 18}})
    """
    return _Not(condition)


def _checked(conditions: tuple[Any, ...]) -> tuple[Any, ...]:
    for condition in conditions:
        if isinstance(condition, Column):
            raise ArgumentError(f"Column {condition.name!r} is not a condition; compare it with a value.")
        if not isinstance(condition, (Expression, Mapping)):
            raise ArgumentError(
                f"any_of, all_of and not_ take dicts and expressions such as col('age') >= 18, "
                f"not {type(condition).__name__}."
            )
    return conditions
