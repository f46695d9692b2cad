"""Filters as expressions: ``(col("age") >= 18) & col("role").in_(["admin", "editor"])``.

They say what the dict form says, and compile to the same text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from mesahub.errors import ArgumentError
from mesahub.sql.filters import ALWAYS, NEVER, Operand, Text, apply, compile_part
from mesahub.sql.identifiers import Scope


class Expression:
    """A condition. Join with ``&`` and ``|``, negate with ``~``."""

    __slots__ = ()

    def condition(self, scope: Scope, bindings: list[Any]) -> str:
        """Its SQL text, after its values were added to ``bindings``."""
        raise NotImplementedError

    def alone(self, scope: Scope, bindings: list[Any]) -> str:
        """The same, where nothing stands beside it."""
        return self.condition(scope, bindings)

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
        return apply(self._word, self._column.name, column, self._value, bindings, scope)


class _Joined(Expression):
    __slots__ = ("_all", "_parts")

    def __init__(self, all_: bool, parts: tuple[Expression | Mapping[str, Any], ...]) -> None:
        self._all = all_
        self._parts = parts

    def condition(self, scope: Scope, bindings: list[Any]) -> str:
        terms, sign = self._terms(scope, bindings)
        return f"({sign.join(terms)})" if len(terms) > 1 else terms[0]

    def alone(self, scope: Scope, bindings: list[Any]) -> str:
        terms, sign = self._terms(scope, bindings)
        return sign.join(terms)

    def _terms(self, scope: Scope, bindings: list[Any]) -> tuple[list[str], str]:
        neutral, decided = (ALWAYS, NEVER) if self._all else (NEVER, ALWAYS)
        sign = " AND " if self._all else " OR "
        start = len(bindings)
        terms: list[str] = []
        for part in self._parts:
            # What is joined in the same way needs no parentheses: (a & b) & c is a AND b AND c.
            if isinstance(part, _Joined) and part._all == self._all:
                inner = part._terms(scope, bindings)[0]
            else:
                inner = [_compile(part, scope, bindings)]
            if decided in inner:
                del bindings[start:]
                return [decided], sign
            terms += [term for term in inner if term != neutral]
        return terms or [neutral], sign


class _Not(Expression):
    __slots__ = ("_part",)

    def __init__(self, part: Expression | Mapping[str, Any]) -> None:
        self._part = part

    def condition(self, scope: Scope, bindings: list[Any]) -> str:
        term = _compile(self._part, scope, bindings)
        if term in (ALWAYS, NEVER):
            return NEVER if term == ALWAYS else ALWAYS
        return f"NOT ({term})"


def _compile(part: Any, scope: Scope, bindings: list[Any]) -> str:
    if isinstance(part, Column):
        raise ArgumentError(f"The column {part.name!r} alone is no condition; compare it with something.")
    return compile_part(part, scope, bindings)


class Column(Operand):
    """A column, to be compared: `col` makes it. Where a value belongs, it stands for its own row's value."""

    __slots__ = ("_paths", "name")
    __hash__ = None  # type: ignore[assignment]  # == makes a condition

    def __init__(self, name: str, paths: tuple[str, ...] = ()) -> None:
        if not isinstance(name, str) or not name:
            raise ArgumentError(f"A column is named by a string that is not empty, not by {name!r}.")
        self.name = name
        self._paths = paths

    def json(self, path: str) -> Column:
        """What stands at ``path`` of the JSON in this column, as an SQL value.

        Args:
            path: ``$.a.b`` or ``$.list[0]``, as SQLite's ``->>`` takes it.

        Example:
            ``col("data").json("$.address.city") == "Bern"``
        """
        if not isinstance(path, str) or not path.startswith("$"):
            raise ArgumentError(f"A JSON path is a string that starts with $, such as '$.a.b', not {path!r}.")
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
        """It is one of these; a ``None`` among them stands for NULL."""
        return Condition(self, "in", _kept(values))

    def not_in(self, values: Iterable[Any]) -> Condition:
        """It is none of these, and not NULL."""
        return Condition(self, "not_in", _kept(values))

    def between(self, low: Any, high: Any) -> Condition:
        """It lies between the two, both included."""
        return Condition(self, "between", (low, high))

    def not_between(self, low: Any, high: Any) -> Condition:
        """It lies outside the two."""
        return Condition(self, "not_between", (low, high))

    def like(self, pattern: str) -> Condition:
        """SQL's LIKE: ``%`` is any text, ``_`` any character; the case of ASCII letters does not matter."""
        return Condition(self, "like", pattern)

    def not_like(self, pattern: str) -> Condition:
        """Not `like`."""
        return Condition(self, "not_like", pattern)

    def ilike(self, pattern: str) -> Condition:
        """LIKE without regard to the case of ASCII letters, whatever the database's settings say."""
        return Condition(self, "ilike", pattern)

    def glob(self, pattern: str) -> Condition:
        """SQLite's GLOB: ``*``, ``?`` and ``[a-z]``; case matters."""
        return Condition(self, "glob", pattern)

    def contains(self, text: str) -> Condition:
        """The text stands somewhere in it; ``%`` and ``_`` are themselves."""
        return Condition(self, "contains", text)

    def startswith(self, text: str) -> Condition:
        """It begins with this text."""
        return Condition(self, "startswith", text)

    def endswith(self, text: str) -> Condition:
        """It ends with this text."""
        return Condition(self, "endswith", text)

    def is_null(self) -> Condition:
        """It is NULL."""
        return Condition(self, "is_null", True)

    def is_not_null(self) -> Condition:
        """It is not NULL."""
        return Condition(self, "is_not_null", True)

    def __bool__(self) -> NoReturn:
        raise ArgumentError(f"The column {self.name!r} has no truth value in Python: compare it with something.")

    def __repr__(self) -> str:
        return f"col({self.name!r})" + "".join(f".json({path!r})" for path in self._paths)


def _kept(values: Any) -> Any:
    # A generator would be empty when the filter is compiled a second time.
    return values if isinstance(values, (str, bytes, Mapping, set, frozenset)) else _listed(values)


def _listed(values: Any) -> Any:
    return list(values) if isinstance(values, Iterable) else values


def col(name: str) -> Column:
    """A column of the table that is asked, for use in a filter.

    >>> where = (col("age") >= 18) & col("role").in_(["admin", "editor"])
    >>> where = col("updated_at") > col("created_at")
    """
    return Column(name)


def any_of(*conditions: Expression | Mapping[str, Any]) -> Expression:
    """At least one of these holds. Without any, nothing does.

    >>> where = any_of({"role": "admin"}, col("age") >= 65)
    """
    return _Joined(False, _checked(conditions))


def all_of(*conditions: Expression | Mapping[str, Any]) -> Expression:
    """All of these hold."""
    return _Joined(True, _checked(conditions))


def not_(condition: Expression | Mapping[str, Any]) -> Expression:
    """It does not hold. As in SQL, what is NULL holds neither way."""
    return _Not(_checked((condition,))[0])


def _checked(conditions: tuple[Any, ...]) -> tuple[Any, ...]:
    for condition in conditions:
        if not isinstance(condition, (Expression, Mapping)):
            raise ArgumentError(
                f"any_of, all_of and not_ take dicts and expressions such as col('age') >= 18, "
                f"not {type(condition).__name__}."
            )
    return conditions
