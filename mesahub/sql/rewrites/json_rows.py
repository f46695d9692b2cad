"""Many rows, or a long list, in one binding: a JSON text that SQLite itself expands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mesahub._util import json
from mesahub.errors import RequestTooLargeError
from mesahub.sql.tokenizer import significant

__all__ = ["lower_list", "lower_rows", "lower_value"]

_WIDE = 300
"""Number of columns from which terms are shortened: servers limit the length of a statement."""
_LONGEST = 99_000
"""Maximum characters of such a statement."""
_EXACT = 2**53
_KEPT = 1024
_PLAIN, _TAGGED, _EXTREME = 0, 1, 2
_BITS = 62
"""The highest power of two that fits into SQLite's signed integers."""
_DIVISORS = 18
"""Number of powers of two from 2^0 down to the smallest double, 2^-1074, ..."""
_FACTORS = 16
"""... and from there up to the largest, nearly 2^1024."""


def lower_rows(sql: str, rows: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
    """Return a bulk INSERT in the form for the server: all rows as one JSON text, which SQLite itself expands.

    That is twice as fast as VALUES and needs one request where VALUES would need fifty. JSON has no blobs,
    SQLite's JSON ends a text at a NUL, and its parser of decimal fractions may be off by one bit; so a column with
    one of these has tagged values.

    Args:
        sql: ``INSERT INTO t (a, b) VALUES (?, ?)``, and further clauses.
        rows: one tuple of values per row.
    """
    head, count, tail = _parts_of_insert(sql)
    if count > _WIDE:
        terms, flat = _flattened(rows)
        text = f"{head} SELECT {terms} FROM json_each(?) WHERE true{tail}"
        if len(text) > _LONGEST and len(rows) > 1:
            # Fewer rows have fewer kinds of values per column, and so shorter terms.
            raise RequestTooLargeError(
                f"A statement for {len(rows)} rows of {count} columns is too long; insert fewer at once."
            )
        return text, [json.dumps(flat).decode()]
    columns = list(zip(*rows, strict=True))
    kinds = [_kind(column) for column in columns]
    if any(kinds):
        encoded = [_tag(column) if kind else column for column, kind in zip(columns, kinds, strict=True)]
        rows = list(zip(*encoded, strict=True))
    terms = ", ".join(_term(index, kinds[index]) for index in range(count))
    text = json.dumps(rows).decode()
    # WHERE true: without it, SQLite's parser treats the ON of an ON CONFLICT as that of a join.
    return f"{head} SELECT {terms} FROM json_each(?) WHERE true{tail}", [text]


def lower_list(values: Sequence[Any]) -> tuple[str, str]:
    """Return a SELECT that expands a list of any length into a column, every value exact, and the list as one JSON
    text.

    >>> lower_list([1, "a"])
    ('SELECT +value FROM json_each(?)', '[1,"a"]')
    """
    kind = _kind(tuple(values))
    if not kind:
        # The plus removes the column's affinity, so that the affinity of the other side applies.
        return "SELECT +value FROM json_each(?)", json.dumps(values).decode()
    rows = [(value,) for value in _tag(tuple(values))]
    return f"SELECT {_term(0, kind)} FROM json_each(?)", json.dumps(rows).decode()


def lower_value(value: Any, index: int) -> tuple[str, str]:
    """Return the term that decodes a value from ``value``, a JSON array, and the value as an element of that array.

    >>> lower_value(b"ab", 3)[1]
    '[1,"6162"]'
    """
    kind = _kind((value,))
    return _term(index, kind), json.dumps(_tagged(value) if kind else value).decode()


def _parts_of_insert(sql: str) -> tuple[str, int, str]:
    known = _inserts.get(sql)
    if known is None:
        tokens = significant(sql)
        start = next(i for i, token in enumerate(tokens) if token[0] == "word" and token[1] == "VALUES")
        end = next(i for i in range(start, len(tokens)) if tokens[i][1] == ")")
        count = sum(token[0] == "parameter" for token in tokens[start:end])
        known = sql[: tokens[start][2]].rstrip(), count, sql[tokens[end][2] + 1 :]
        if len(_inserts) >= _KEPT:
            _inserts.clear()
        _inserts[sql] = known
    return known


_inserts: dict[str, tuple[str, int, str]] = {}


def _kind(column: tuple[Any, ...]) -> int:
    types = set(map(type, column))
    kind = _PLAIN
    if bytes in types or (str in types and any("\0" in value for value in column if type(value) is str)):
        kind = _TAGGED
    if float in types:
        for value in column:
            if type(value) is float and not _reads_back(value):
                kind = _TAGGED
                if _is_extreme(value):
                    return _EXTREME
    return kind


def _reads_back(value: float) -> bool:
    # Any arithmetic reads an integer exactly.
    return -_EXACT < value < _EXACT and value.is_integer()


def _is_extreme(value: float) -> bool:
    top, bottom = value.as_integer_ratio()
    return abs(top) > _EXACT or bottom.bit_length() - 1 > 2 * _BITS


def _term(index: int, kind: int) -> str:
    at = f"'$[{index}]"
    if kind == _PLAIN:
        return f"value->>{at}'"
    extreme = ""
    if kind == _EXTREME:
        last = 2 + _DIVISORS + _FACTORS
        steps = [f" / (value->>{at}[{i}]')" for i in range(2, 2 + _DIVISORS)]
        steps += [f" * (value->>{at}[{i}]')" for i in range(2 + _DIVISORS, last)]
        extreme = f"WHEN 4 THEN CAST(value->>{at}[1]' AS REAL){''.join(steps)} "
    return (
        f"CASE value->>{at}[0]' WHEN 0 THEN value->>{at}[1]' WHEN 1 THEN unhex(value->>{at}[1]') "
        f"WHEN 2 THEN CAST(unhex(value->>{at}[1]') AS TEXT) {extreme}"
        f"ELSE CAST(value->>{at}[1]' AS REAL) / (value->>{at}[2]') / (value->>{at}[3]') END"
    )


def _flattened(rows: Sequence[Sequence[Any]]) -> tuple[str, list[tuple[Any, ...]]]:
    """Return the terms for rows of many columns, and the rows with the parts of all values in sequence."""
    terms: list[str] = []
    parts: list[list[Any]] = []
    for column in zip(*rows, strict=True):
        if _kind(column) == _PLAIN:
            terms.append(f"value->>{len(parts)}")
            parts.append(list(column))
        else:
            terms.append(_short_term(column, parts))
    return ",".join(terms), list(zip(*parts, strict=True))


def _short_term(column: tuple[Any, ...], parts: list[list[Any]]) -> str:
    """Return the term for a column, and append its parts, of which all but one are NULL in each row."""
    whole: list[Any] = [None] * len(column)
    blobs, texts = whole[:], whole[:]
    fractions: list[tuple[int, tuple[list[int], list[int]]] | None] = [None] * len(column)
    for place, value in enumerate(column):
        if type(value) is bytes:
            blobs[place] = value.hex()
        elif type(value) is str and "\0" in value:
            texts[place] = value.encode().hex()
        elif type(value) is float:
            fractions[place] = _shortest_steps(value)
        else:
            whole[place] = value
    terms = []
    for values, form in (
        (whole, "value->>{}"),
        (blobs, "unhex(value->>{})"),
        (texts, "CAST(unhex(value->>{})AS TEXT)"),
    ):
        if any(value is not None for value in values):
            terms.append(form.format(len(parts)))
            parts.append(values)
    known = [steps for steps in fractions if steps is not None]
    if known:
        down, up = (max([len(steps[1][side]) for steps in known]) for side in (0, 1))
        text = f"1.0*(value->>{len(parts)})"
        parts.append([None if steps is None else steps[0] for steps in fractions])
        for side, operator, count in ((0, "/", down), (1, "*", up)):
            for step in range(count):
                text += f"{operator}(value->>{len(parts)})"
                parts.append(
                    [steps[1][side][step] if steps and step < len(steps[1][side]) else 1 for steps in fractions]
                )
        terms.append(text)
    return terms[0] if len(terms) == 1 else f"coalesce({','.join(terms)})"


def _shortest_steps(value: float) -> tuple[int, tuple[list[int], list[int]]]:
    """As `_steps`, without steps that change nothing."""
    top, bottom = value.as_integer_ratio()
    up = max(abs(top).bit_length() - 53, 0)
    return top >> up, (_shortest(bottom.bit_length() - 1), _shortest(up))


def _shortest(shift: int) -> list[int]:
    full, rest = divmod(shift, _BITS)
    return [1 << _BITS] * full + ([1 << rest] if rest else [])


def _tag(column: tuple[Any, ...]) -> list[Any]:
    return [_tagged(value) for value in column]


def _tagged(value: Any) -> Any:
    if type(value) is bytes:
        return (1, value.hex())
    if type(value) is str and "\0" in value:
        return (2, value.encode().hex())
    if type(value) is float and not _reads_back(value):
        if _is_extreme(value):
            return (4, *_steps(value))
        top, bottom = value.as_integer_ratio()
        return (3, top, *_powers(bottom.bit_length() - 1, 2))
    return (0, value)


def _steps(value: float) -> tuple[int, ...]:
    """Split a float into an integer, divisors and factors, all but the integer powers of two.

    Each step is exact: the integer has at most 53 bits, and no step but the last can leave the normal doubles.
    """
    top, bottom = value.as_integer_ratio()
    up = max(abs(top).bit_length() - 53, 0)
    return top >> up, *_powers(bottom.bit_length() - 1, _DIVISORS), *_powers(up, _FACTORS)


def _powers(shift: int, count: int) -> list[int]:
    """``count`` powers of two whose product is ``2 ** shift``."""
    full, rest = divmod(shift, _BITS)
    return [1 << _BITS] * full + [1 << rest] + [1] * (count - full - 1)
