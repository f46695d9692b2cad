"""What a ``where`` says, as SQL: every key lands in the text or raises.

Both forms end here: the dict form calls an operator's function for each condition, an expression of
`mesahub.sql.expressions` does so when it is compiled.

NULL is treated as SQL does: a row whose column is NULL meets neither ``ne`` nor ``not_in`` nor any other
operator but ``is_null``; ``{"role": None}`` is IS NULL, ``{"role": {"ne": None}}`` is IS NOT NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mesahub import _json
from mesahub._near import near
from mesahub.errors import ArgumentError
from mesahub.sql.identifiers import Scope
from mesahub.sql.values import adapt

if TYPE_CHECKING:
    from typing import TypeAlias

    from mesahub.sql.expressions import Expression

    Where: TypeAlias = Mapping[str, Any] | Expression | None

ALWAYS = "1 = 1"
NEVER = "1 = 0"
"""What an empty list of choices comes to. (TRUE and FALSE could be names of columns.)"""

LISTED = 100
"""Values up to which a list is written with a placeholder for each; longer ones go as one JSON text."""

Operator = Callable[[str, Any, list[Any], Scope], str]
"""(the column's SQL, the value, the bindings to add to, the table) -> the condition's SQL."""


class Text(str):
    """SQL of a column that has placeholders of its own, whose values must be bound again where it is repeated."""

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
    """Something of SQL that stands in the place of a value: a column (see `mesahub.sql.expressions`)."""

    __slots__ = ()

    def operand(self, scope: Scope, bindings: list[Any]) -> str:
        """Its SQL text, after its values were added to ``bindings``."""
        raise NotImplementedError


def compile_where(where: Where, scope: Scope, bindings: list[Any]) -> str:
    """The SQL text of a filter, ``""`` for one that is empty.

    Args:
        where: a dict, an expression, or ``None``.
        scope: the table.
        bindings: the values are added to it, in the order of their placeholders.

    Raises:
        ArgumentError: names the column, the operator and the nearest right one.
    """
    if where is None:
        return ""
    if type(where) is dict or isinstance(where, Mapping):
        return " AND ".join(_conditions(where, scope, bindings))
    compiler = getattr(where, "alone", None)
    if compiler is None:
        raise ArgumentError(
            f"where must be a dict such as {{'age': {{'gte': 18}}}}, or an expression such as col('age') >= 18, "
            f"not {type(where).__name__}."
        )
    text: str = compiler(scope, bindings)
    return "" if text == ALWAYS else text


def compile_part(part: Any, scope: Scope, bindings: list[Any]) -> str:
    """The SQL text of a filter that stands beside others, in parentheses where it needs them."""
    if isinstance(part, Mapping):
        terms = _conditions(part, scope, bindings)
        return f"({' AND '.join(terms)})" if len(terms) > 1 else terms[0] if terms else ALWAYS
    text: str = part.condition(scope, bindings)
    return text


def _conditions(where: Mapping[str, Any], scope: Scope, bindings: list[Any]) -> list[str]:
    terms = []
    for name, condition in where.items():
        try:
            column = scope[name]
        except TypeError:  # not even hashable
            raise ArgumentError(f"A key of where must be a column's name, not {name!r}.") from None
        kind = type(condition)
        if kind in _SIMPLE:
            terms.append(column + " = ?")
            bindings.append(adapt(condition))
        elif kind is dict or isinstance(condition, Mapping):
            if not condition:
                raise ArgumentError(
                    f"The condition on {name!r} is empty. For a plain comparison give the value itself; "
                    f"operators are {', '.join(OPERATORS)}."
                )
            for word, value in condition.items():
                simple = _COMPARISONS.get(word)
                if simple is not None and type(value) in _SIMPLE:
                    terms.append(column + simple)
                    bindings.append(adapt(value))
                else:
                    terms.append(apply(word, name, column, value, bindings, scope))
        elif condition is None:
            terms.append(f"{column} IS NULL")
        else:
            if isinstance(condition, (list, tuple, set, frozenset)):
                raise ArgumentError(f"The condition on {name!r} is a list: write {{{name!r}: {{'in': [...]}}}}.")
            terms.append(apply("eq", name, column, condition, bindings, scope))
    # A condition that is always true adds nothing, unless it is all there is.
    return [term for term in terms if term != ALWAYS]


def apply(word: Any, name: str, column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
    """The SQL of one operator on one column."""
    operator = OPERATORS.get(word) if isinstance(word, str) else None
    if operator is None:
        raise ArgumentError(
            f"{word!r}, on the column {name!r}, is no operator.{near(word, OPERATORS, 0.5)} "
            f"The operators are {', '.join(OPERATORS)}."
        )
    try:
        return operator(column, value, bindings, scope)
    except ArgumentError as error:
        raise ArgumentError(f"The condition {word!r} on the column {name!r}: {error}") from None


def _place(value: Any, bindings: list[Any], scope: Scope) -> str:
    if isinstance(value, Operand):
        return value.operand(scope, bindings)
    if isinstance(value, (list, tuple, set, frozenset)):
        raise ArgumentError("a list was given where one value belongs; use 'in' or 'not_in'.")
    bindings.append(adapt(value))
    return "?"


def _comparison(sign: str) -> Operator:
    def compare(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
        if value is None:
            raise ArgumentError("nothing is greater or less than None (NULL); use 'is_null' or 'is_not_null'.")
        return f"{column} {sign} {_place(value, bindings, scope)}"

    return compare


def _eq(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
    return f"{column} IS NULL" if value is None else f"{column} = {_place(value, bindings, scope)}"


def _ne(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
    return f"{column} IS NOT NULL" if value is None else f"{column} != {_place(value, bindings, scope)}"


def _null(if_true: str, if_false: str) -> Operator:
    def test(column: str, value: Any, _bindings: list[Any], _scope: Scope) -> str:
        # 1 and 0 too: so it was in mesahub 1.x, where the value did not matter.
        if not isinstance(value, (bool, int)) or value not in (0, 1):
            raise ArgumentError(f"the value must be True or False, not {value!r}.")
        return f"{column} {if_true if value else if_false}"

    return test


def _members(value: Any) -> list[Any]:
    if type(value) is list:
        return value
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise ArgumentError(f"the value must be a list of values, not {type(value).__name__}.")
    members = list(value)
    # The same call must give the same text and values, and a set has no order of its own.
    return sorted(members, key=repr) if isinstance(value, (set, frozenset)) else members


def _in(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
    members = _members(value)
    known = [member for member in members if member is not None] if None in members else members
    choices = _listed(column, known, "IN", " OR ", bindings, scope) if known else NEVER
    if len(known) == len(members):
        return choices
    return f"({choices} OR {_again(column, bindings)} IS NULL)" if known else f"{column} IS NULL"


def _not_in(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
    members = _members(value)
    known = [member for member in members if member is not None]
    if not known:
        return f"{column} IS NOT NULL" if members else ALWAYS
    # NOT IN leaves NULL out by itself; a None in the list says no more than that.
    return _listed(column, known, "NOT IN", " AND ", bindings, scope)


def _listed(column: str, members: list[Any], sign: str, join: str, bindings: list[Any], scope: Scope) -> str:
    if len(members) <= LISTED:
        # Plain values, as nearly always, without a call for each placeholder.
        if _SIMPLE.issuperset(map(type, members)):
            bindings.extend(map(adapt, members))
            return f"{column} {sign} ({', '.join('?' * len(members))})"
        places = ", ".join([_place(member, bindings, scope) for member in members])
        return f"{column} {sign} ({places})"
    plain: list[Any] = []
    single: list[Any] = []
    for member in members:
        value = member if isinstance(member, Operand) else adapt(member)
        (plain if _fits_json(value) else single).append(value)
    terms = []
    if plain:
        bindings.append(_json.dumps(plain).decode())
        terms.append(f"{column} {sign} (SELECT value FROM json_each(?))")
    if single:
        again = _again(column, bindings) if plain else column
        places = ", ".join([_place(value, bindings, scope) for value in single])
        terms.append(f"{again} {sign} ({places})")
    return terms[0] if len(terms) == 1 else f"({join.join(terms)})"


def _fits_json(value: Any) -> bool:
    # JSON has no bytes, SQLite's JSON ends a text at NUL, and its reader of fractions may be off by one bit.
    if type(value) is float:
        return value.is_integer() and abs(value) < 2**53
    return type(value) in (int, bool) or (type(value) is str and "\0" not in value)


def _between(sign: str) -> Operator:
    def test(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
        if not isinstance(value, (list, tuple)) or len(value) != 2 or None in value:
            raise ArgumentError(f"the value must be two values, [low, high], not {value!r}.")
        low = _place(value[0], bindings, scope)
        return f"{column} {sign} {low} AND {_place(value[1], bindings, scope)}"

    return test


def _pattern(sign: str) -> Operator:
    def test(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
        if not isinstance(value, (str, Operand)):
            raise ArgumentError(f"the pattern must be a string, not {type(value).__name__}.")
        return f"{column} {sign} {_place(value, bindings, scope)}"

    return test


def _ilike(column: str, value: Any, bindings: list[Any], scope: Scope) -> str:
    if not isinstance(value, (str, Operand)):
        raise ArgumentError(f"the pattern must be a string, not {type(value).__name__}.")
    # LIKE ignores the case of ASCII letters unless a PRAGMA says otherwise; lower() on both sides always does.
    return f"lower({column}) LIKE lower({_place(value, bindings, scope)})"


def _part(before: str, after: str, sign: str = "LIKE") -> Operator:
    def test(column: str, value: Any, bindings: list[Any], _scope: Scope) -> str:
        if not isinstance(value, str):
            raise ArgumentError(f"the value must be a string, not {type(value).__name__}.")
        escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        bindings.append(adapt(before + escaped + after))
        return f"{column} {sign} ? ESCAPE '\\'"

    return test


OPERATORS: dict[str, Operator] = {
    "eq": _eq,
    "ne": _ne,
    "gt": _comparison(">"),
    "gte": _comparison(">="),
    "lt": _comparison("<"),
    "lte": _comparison("<="),
    "like": _pattern("LIKE"),
    "not_like": _pattern("NOT LIKE"),
    "ilike": _ilike,
    "glob": _pattern("GLOB"),
    "contains": _part("%", "%"),
    "startswith": _part("", "%"),
    "endswith": _part("%", ""),
    "in": _in,
    "not_in": _not_in,
    "between": _between("BETWEEN"),
    "not_between": _between("NOT BETWEEN"),
    "is_null": _null("IS NULL", "IS NOT NULL"),
    "is_not_null": _null("IS NOT NULL", "IS NULL"),
}
"""Each operator of the dict form. One column may have several; all of them must hold."""

_COMPARISONS = {
    "eq": " = ?",
    "ne": " != ?",
    "gt": " > ?",
    "gte": " >= ?",
    "lt": " < ?",
    "lte": " <= ?",
}
# Exact types of values that need no second look; the text is the same as that of the operator's function.
_SIMPLE = frozenset({str, int, float, bool, bytes})
