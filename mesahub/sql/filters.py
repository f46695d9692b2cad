"""Compile ``where`` to SQL: every key becomes SQL or raises.

Both forms use this module: the dict form calls an operator's function for each condition, an expression of
`mesahub.sql.expressions` does so when it is compiled. So both compile to the same text.

NULL is treated as in SQL: a row whose column is NULL matches no operator except ``is_null``, not
even ``ne`` or ``not_in``; ``{"role": None}`` is IS NULL, ``{"role": {"ne": None}}`` is IS NOT NULL. One exception:
with an empty list, ``not_in`` is true and ``in`` is false, even for NULL, as in SQLite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mesahub._util.suggest import near
from mesahub.errors import ArgumentError
from mesahub.sql.identifiers import Scope, fold
from mesahub.sql.rewrites.json_rows import lower_list
from mesahub.sql.values import adapt

if TYPE_CHECKING:
    from typing import Protocol, TypeAlias

    class SupportsTerms(Protocol):
        """An expression such as ``col("age") >= 18`` (`mesahub.sql.expressions`)."""

        def terms(self, scope: Scope, bindings: list[Any], /) -> list[str]:
            """Conditions to join with AND."""
            ...

    Where: TypeAlias = Mapping[str, Any] | SupportsTerms | None


class Known(str):
    """SQL of a condition that is true for every row or for none, such as that of an empty list.

    Attributes:
        truth: whether it is true.
    """

    __slots__ = ("truth",)
    truth: bool

    def __new__(cls, text: str, truth: bool) -> Known:
        self = super().__new__(cls, text)
        self.truth = truth
        return self


# (TRUE and FALSE could be names of columns.)
ALWAYS = Known("1 = 1", True)
NEVER = Known("1 = 0", False)

LISTED = 100
"""Maximum length of a list with one placeholder per value; longer ones are sent as one JSON text."""

Operator = Callable[[str, Any, list[Any], Scope], str]
"""(the column's SQL, the value, the bindings to add to, the table) -> the condition's SQL."""


class Text(str):
    """SQL of a column with its own placeholders, whose values must be bound again if it is repeated."""

    __slots__ = ("values",)
    values: tuple[Any, ...]

    def __new__(cls, text: str, values: tuple[Any, ...]) -> Text:
        self = super().__new__(cls, text)
        self.values = values
        return self


def _again(column: str, bindings: list[Any]) -> str:
    bindings.extend(getattr(column, "values", ()))
    return column


class Operand:
    """SQL used in place of a value: a column (see `mesahub.sql.expressions`)."""

    __slots__ = ()

    def operand(self, scope: Scope, bindings: list[Any]) -> str:
        """Return its SQL text, and append its values to ``bindings``."""
        raise NotImplementedError


def compile_where(where: Where, scope: Scope, bindings: list[Any]) -> str:
    """Return the SQL text of a filter, ``""`` for an empty one.

    Args:
        where: a dict, an expression, or ``None``.
        scope: the table.
        bindings: the values are appended to it, in the order of their placeholders.

    Raises:
        ArgumentError: the filter is invalid; names the column, the operator and the closest valid one.
    """
    terms = _conditions(where, scope, bindings) if type(where) is dict else where_terms(where, scope, bindings)
    return terms[0] if len(terms) == 1 else " AND ".join(terms)


def where_terms(where: Any, scope: Scope, bindings: list[Any]) -> list[str]:
    """Return the terms of a filter, to join with AND."""
    if where is None:
        return []
    if type(where) is dict or isinstance(where, Mapping):
        return _conditions(where, scope, bindings)
    terms = getattr(where, "terms", None)
    if terms is None:
        raise ArgumentError(
            f"where must be a dict such as {{'age': {{'gte': 18}}}}, or an expression such as col('age') >= 18, "
            f"not {type(where).__name__}."
        )
    found: list[str] = terms(scope, bindings)
    return found


def is_always_true(terms: list[str]) -> bool:
    """Whether the terms are true for every row; an empty list is."""
    return all(type(term) is Known and term.truth for term in terms)


def join_terms(terms: list[str], all_: bool) -> str:
    """Join the terms with AND or OR, without outer parentheses. No term is omitted."""
    if not terms:
        return ALWAYS if all_ else NEVER
    if len(terms) == 1:
        return terms[0]
    text = (" AND " if all_ else " OR ").join(terms)
    truths = [term.truth if type(term) is Known else None for term in terms]
    if (not all_) in truths:
        return Known(text, not all_)
    return text if None in truths else Known(text, all_)


def _conditions(where: Mapping[str, Any], scope: Scope, bindings: list[Any]) -> list[str]:
    terms = []
    for name, condition in where.items():
        try:
            column = scope[name]
        except TypeError:  # not hashable
            raise ArgumentError(f"A key of where must be a column name, not {name!r}.") from None
        kind = type(condition)
        if kind in _SIMPLE:
            terms.append(column + " = ?")
            try:
                bindings.append(adapt(condition))
            except ArgumentError as error:
                raise _refused("eq", name, error) from None
        elif kind is dict or isinstance(condition, Mapping):
            if not condition:
                raise ArgumentError(
                    f"The condition on {name!r} is empty. To compare for equality, pass the value itself; "
                    f"the operators are {', '.join(OPERATORS)}."
                )
            for word, value in condition.items():
                if type(value) in _SIMPLE and word in _COMPARISONS:
                    terms.append(column + _COMPARISONS[word])
                    try:
                        bindings.append(adapt(value))
                    except ArgumentError as error:
                        raise _refused(word, name, error) from None
                else:
                    terms.append(apply(word, name, column, stored(name, value, scope), bindings, scope))
        elif condition is None:
            terms.append(column + " IS NULL")
        else:
            if isinstance(condition, (list, tuple, set, frozenset)):
                raise ArgumentError(f"The condition on {name!r} is a list; write {{{name!r}: {{'in': [...]}}}}.")
            terms.append(apply("eq", name, column, stored(name, condition, scope), bindings, scope))
    return terms


def stored(name: str, value: Any, scope: Scope) -> Any:
    """The value, or the list of values, to compare a column with, as the column stores it."""
    if scope.filters is None or (adapter := scope.filters.get(fold(name))) is None:
        return value
    kind, dump = adapter
    try:
        if isinstance(value, (list, tuple, set, frozenset)):
            return [dump(item) if isinstance(item, kind) else item for item in value]
        return dump(value) if isinstance(value, kind) else value
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"The condition on {name!r}: {error}.") from None


def _refused(word: str, name: str, error: ArgumentError) -> ArgumentError:
    return ArgumentError(f"Operator {word!r} on column {name!r}: {error}")


def apply(word: Any, name: str, column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
    """Return the SQL of one operator on one column."""
    operator = OPERATORS.get(word) if isinstance(word, str) else None
    if operator is None:
        said = str(word).lower().lstrip("$_")
        hint = f" Did you mean {_ELSEWHERE[said]!r}?" if said in _ELSEWHERE else near(said, OPERATORS, 0.5)
        raise ArgumentError(
            f"Unknown operator {word!r} on column {name!r}.{hint} The operators are {', '.join(OPERATORS)}."
        )
    try:
        return operator(column, value, bindings, scope)
    except ArgumentError as error:
        raise _refused(word, name, error) from None


def _place(value: Any, bindings: list[Any], scope: Scope) -> str:
    if isinstance(value, Operand):
        return value.operand(scope, bindings)
    if isinstance(value, (list, tuple, set, frozenset)):
        raise ArgumentError("expected a single value, not a list; use 'in' or 'not_in'.")
    bindings.append(adapt(value))
    return "?"


def _is_null(value: Any) -> bool:
    """Whether a value is stored as NULL, such as ``None``, ``pandas.NA`` or an enum's member of ``None``."""
    if value is None or type(value) in _SIMPLE or isinstance(value, (Operand, list, tuple, set, frozenset)):
        return value is None
    return adapt(value) is None


def _comparison(sign: str) -> Operator:
    def compare(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
        if _is_null(value):
            raise ArgumentError("None (NULL) cannot be compared; use 'is_null' or 'is_not_null'.")
        return f"{column} {sign} {_place(value, bindings, scope)}"

    return compare


def _eq(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
    return f"{column} IS NULL" if _is_null(value) else f"{column} = {_place(value, bindings, scope)}"


def _ne(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
    return f"{column} IS NOT NULL" if _is_null(value) else f"{column} != {_place(value, bindings, scope)}"


def _null(if_true: str, if_false: str) -> Operator:
    def test(column: str, value: Any, _bindings: list[Any], _scope: Scope) -> str:
        # Also 1 and 0: mesahub 1.x accepted any value.
        if not isinstance(value, (bool, int)) or value not in (0, 1):
            raise ArgumentError(f"the value must be True or False, not {value!r}.")
        return f"{column} {if_true if value else if_false}"

    return test


def _members(value: Any) -> list[Any]:
    if isinstance(value, (str, bytes, bytearray, Mapping)) or not isinstance(value, (list, tuple, Iterable)):
        raise ArgumentError(f"the value must be a list of values, not {type(value).__name__}.")
    members = [member if isinstance(member, Operand) else adapt(member) for member in value]
    # The same call must return the same text and values, and sets are unordered.
    return sorted(members, key=repr) if isinstance(value, (set, frozenset)) else members


def _in(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
    if type(value) is list and 0 < len(value) <= LISTED and _SIMPLE.issuperset(map(type, value)):
        # The most common case; the text is the same as below.
        bindings.extend(map(adapt, value))
        return f"{column} IN ({', '.join('?' * len(value))})"
    members = _members(value)
    if not members:
        # Not only 1 = 0: a misspelled column must be an error here too.
        return Known(f"({column} IS NULL AND 1 = 0)", False)
    known = [member for member in members if member is not None]
    if not known:
        return f"{column} IS NULL"
    choices = _listed(column, known, "IN", " OR ", bindings, scope)
    return choices if len(known) == len(members) else f"({choices} OR {_again(column, bindings)} IS NULL)"


def _not_in(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
    members = _members(value)
    if not members:
        return Known(f"({column} IS NULL OR 1 = 1)", True)
    known = [member for member in members if member is not None]
    if not known:
        return f"{column} IS NOT NULL"
    # NOT IN already excludes NULL, so a None in the list adds nothing.
    return _listed(column, known, "NOT IN", " AND ", bindings, scope)


def _listed(column: str, members: list[Any], sign: str, join: str, bindings: list[Any], scope: Scope) -> str:
    if len(members) <= LISTED:
        return f"{column} {sign} ({_places(members, bindings, scope)})"
    values = [member for member in members if not isinstance(member, Operand)]
    others = [member for member in members if isinstance(member, Operand)]
    terms = []
    if values:
        terms.append(_in_json(column, values, sign, bindings))
    if others:
        again = _again(column, bindings) if values else column
        terms.append(f"{again} {sign} ({_places(others, bindings, scope)})")
    return terms[0] if len(terms) == 1 else f"({join.join(terms)})"


def _in_json(column: str, values: list[Any], sign: str, bindings: list[Any]) -> str:
    """Return a long list as one JSON text, equivalent to a short list for a column of any type.

    SQLite applies the column's affinity to the values of a subquery, and REAL would round integers beyond 2^53
    (to a list in parentheses it applies NUMERIC: ``sqlite3CodeRhsOfIN``). So a real is compared with those again,
    without affinity, which is exact.
    """
    rounded = [value for value in values if _is_rounded(value)]
    if not rounded:
        inner, text = lower_list(values)
        bindings.append(text)
        return f"{column} {sign} ({inner})"
    others = [value for value in values if not _is_rounded(value)]
    terms = []
    if others:
        inner, text = lower_list(others)
        bindings.append(text)
        terms.append(f"{column} IN ({inner})")
    inner, text = lower_list(rounded)
    again = _again(column, bindings) if others else column
    bindings.append(text)
    kind = _again(column, bindings)
    plain = _again(column, bindings)
    bindings.append(lower_list([int(value) for value in rounded])[1])
    terms.append(f"({again} IN ({inner}) AND (typeof({kind}) <> 'real' OR +{plain} IN ({inner})))")
    condition = terms[0] if len(terms) == 1 else f"({' OR '.join(terms)})"
    return condition if sign == "IN" else f"NOT {condition}"


def _is_rounded(value: Any) -> bool:
    """Whether a number, or a numeric text, loses digits as a double."""
    if type(value) is str:
        digits = value.strip(" \t\n\v\f\r")
        if len(digits) < 16 or not digits.isascii() or not digits.lstrip("+-").isdecimal() or len(digits) > 21:
            return False
        value = int(digits)
    if type(value) is not int or -(2**53) <= value <= 2**53 or not -(2**63) <= value < 2**63:
        return False
    return int(float(value)) != value


def _places(members: list[Any], bindings: list[Any], scope: Scope) -> str:
    places = []
    for member in members:
        if isinstance(member, Operand):
            places.append(member.operand(scope, bindings))
        else:
            bindings.append(member)
            places.append("?")
    return ", ".join(places)


def _between(sign: str) -> Operator:
    def test(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
        if not isinstance(value, (list, tuple)) or len(value) != 2 or any(map(_is_null, value)):
            raise ArgumentError(f"the value must be two values, [low, high], not {value!r}.")
        low = _place(value[0], bindings, scope)
        return f"{column} {sign} {low} AND {_place(value[1], bindings, scope)}"

    return test


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ArgumentError(f"the {what} must be a string, not {type(value).__name__}.")
    text: str = adapt(value)
    if "\0" in text:
        raise ArgumentError(f"the {what} contains a NUL character, where SQLite would stop reading.")
    return text


def _pattern(sign: str) -> Operator:
    def test(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
        return f"{column} {sign} {_pattern_place(value, bindings, scope)}"

    return test


def _pattern_lowered(sign: str) -> Operator:
    def test(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
        # LIKE ignores the case of ASCII letters unless a PRAGMA changes that; lower() on both sides always does.
        return f"lower({column}) {sign} lower({_pattern_place(value, bindings, scope)})"

    return test


def _pattern_place(value: Any, bindings: list[Any], scope: Scope) -> str:
    if isinstance(value, Operand):
        return value.operand(scope, bindings)
    bindings.append(_text(value, "pattern"))
    return "?"


def _part(before: str, after: str, sign: str = "LIKE") -> Operator:
    def test(column: str, value: Any, bindings: list[Any], _scope: Scope) -> str:
        escaped = _text(value, "value").replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        bindings.append(before + escaped + after)
        return f"{column} {sign} ? ESCAPE '\\'"

    return test


OPERATORS: dict[str, Operator] = {
    "eq": _eq,
    "ne": _ne,
    "gt": _comparison(">"),
    "gte": _comparison(">="),
    "lt": _comparison("<"),
    "lte": _comparison("<="),
    "in": _in,
    "not_in": _not_in,
    "between": _between("BETWEEN"),
    "not_between": _between("NOT BETWEEN"),
    "is_null": _null("IS NULL", "IS NOT NULL"),
    "is_not_null": _null("IS NOT NULL", "IS NULL"),
    "like": _pattern("LIKE"),
    "not_like": _pattern("NOT LIKE"),
    "ilike": _pattern_lowered("LIKE"),
    "not_ilike": _pattern_lowered("NOT LIKE"),
    "glob": _pattern("GLOB"),
    "not_glob": _pattern("NOT GLOB"),
    "contains": _part("%", "%"),
    "not_contains": _part("%", "%", "NOT LIKE"),
    "startswith": _part("", "%"),
    "not_startswith": _part("", "%", "NOT LIKE"),
    "endswith": _part("%", ""),
    "not_endswith": _part("%", "", "NOT LIKE"),
}
"""The operators of the dict form. Several on one column are combined with AND."""

_ELSEWHERE = {
    "=": "eq", "==": "eq", "is": "eq", "equals": "eq", "!=": "ne", "<>": "ne", "neq": "ne", "not": "ne", "is_not": "ne",
    ">": "gt", ">=": "gte", "ge": "gte", "<": "lt", "<=": "lte", "le": "lte", "nin": "not_in", "notin": "not_in",
    "one_of": "in", "any": "in", "null": "is_null", "isnull": "is_null", "exists": "is_not_null",
    "notnull": "is_not_null", "has": "contains", "icontains": "contains", "prefix": "startswith",
    "suffix": "endswith", "range": "between",
}  # fmt: skip
"""Names of the operators in other languages, for the error message."""

_COMPARISONS = {
    "eq": " = ?",
    "ne": " != ?",
    "gt": " > ?",
    "gte": " >= ?",
    "lt": " < ?",
    "lte": " <= ?",
}
# Exact types of values that need no checks; the text is the same as that of the operator's function.
_SIMPLE = frozenset({str, int, float, bool, bytes})
