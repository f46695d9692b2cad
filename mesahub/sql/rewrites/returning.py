"""Rewrite a RETURNING clause so that its values are exact, for an engine whose results lose storage classes."""

from __future__ import annotations

from mesahub.sql.analysis import returning_place
from mesahub.sql.identifiers import unquote_name
from mesahub.sql.rewrites.exact import KINDS, kinds_text, value_text
from mesahub.sql.statement import Statement
from mesahub.sql.tokenizer import Token, comma_items, significant

__all__ = ["exact_returning"]

_NO_ALIAS = frozenset(
    {
        "and", "between", "case", "collate", "end", "escape", "exists", "false", "glob", "in", "is", "isnull", "like",
        "match", "not", "notnull", "null", "or", "regexp", "true", "current_date", "current_time", "current_timestamp",
        "distinct", "from", "then", "else", "when",
    }
)  # fmt: skip
"""Words that can end, or come before the end of, an expression without being a name."""


def exact_returning(statement: Statement) -> tuple[Statement, list[str]] | None:
    """The rewritten statement, and the names of its columns.

    Returns:
        ``None`` where it cannot be rewritten: a ``*``, parameters, or an expression whose value or name cannot be
        repeated. Its rows are then as the engine gives them.
    """
    tokens = significant(statement.sql)
    while tokens and tokens[-1][0] == "semicolon":
        tokens.pop()
    at = returning_place(tokens)
    if at is None:
        return None
    texts: list[str] = []
    names: list[str] = []
    for item in comma_items(tokens, at + 1)[0]:
        split = _expression_and_name(item, statement.sql)
        if split is None:
            return None
        texts.append(f"({split[0]})")
        names.append(split[1])
    values = [f"{value_text(text)} AS c{index}" for index, text in enumerate(texts)]
    end = tokens[at][2] + len(tokens[at][1])
    sql = f"{statement.sql[:end]} {', '.join(values)}, {kinds_text(texts)} AS {KINDS}"
    return (
        Statement(
            sql,
            statement.bindings,
            statement.verb,
            True,
            returns=True,
            with_tables=statement.with_tables,
            names=statement.names,
            table=statement.table,
        ),
        names,
    )


def _expression_and_name(item: list[Token], sql: str) -> tuple[str, str] | None:
    if not item or any(kind in ("parameter", "illegal") for kind, _, _ in item):
        return None
    if any(text == "*" and (index == 0 or item[index - 1][1] == ".") for index, (_, text, _) in enumerate(item)):
        return None
    calls = any(
        text == "("
        and index
        and item[index - 1][0] == "word"
        and item[index - 1][1].lower() in ("random", "randomblob")
        for index, (_, text, _) in enumerate(item)
    )
    if calls:
        return None  # its value would be another one each time
    last = item[-1]
    if len(item) >= 3 and item[-2][1].lower() == "as" and item[-2][0] == "word":
        return _text(item[:-2], sql), unquote_name(last[1])
    if len(item) == 1 or (len(item) in (3, 5) and all(token[1] == "." for token in item[1::2])):
        return _text(item, sql), unquote_name(last[1]) if last[0] in ("word", "name") else last[1]
    if last[0] in ("word", "name") and last[1].lower() not in _NO_ALIAS:
        before = item[-2]
        if before[0] == "operator" and before[1] != ")":
            return _text(item, sql), _text(item, sql)
        if before[1] == ")" or (
            before[0] in ("word", "name", "string", "number") and before[1].lower() not in _NO_ALIAS
        ):
            return _text(item[:-1], sql), unquote_name(last[1])
        return None
    return _text(item, sql), _text(item, sql)


def _text(item: list[Token], sql: str) -> str:
    return sql[item[0][2] : item[-1][2] + len(item[-1][1])]
