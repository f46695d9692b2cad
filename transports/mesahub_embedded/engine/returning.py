"""A statement with RETURNING as a SELECT that has the same columns, so that SQLite tells their declared types."""

from __future__ import annotations

from mesahub.sql import tokenize

__all__ = ["as_select"]


def as_select(sql: str) -> str | None:
    """``SELECT columns FROM table`` for ``INSERT ... RETURNING columns``; ``None`` for any other statement."""
    tokens = [token for token in tokenize(sql) if token[0] not in ("space", "comment")]
    while tokens and tokens[-1][0] == "semicolon":
        tokens.pop()
    depth = 0
    target = returning = -1
    for index, (kind, text, _) in enumerate(tokens):
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
        elif kind == "word" and depth == 0:
            word = text.upper()
            if (target < 0 and word in ("INTO", "UPDATE")) or (word == "FROM" and _deletes(tokens, index)):
                target = index + 1
            elif word == "RETURNING":
                returning = index
    if target < 0 or returning < 0:
        return None
    # UPDATE OR IGNORE t
    if tokens[target][1].upper() == "OR":
        target += 2
    end = target + 1
    if end + 1 < len(tokens) and tokens[end][1] == ".":
        end += 2
    if end + 1 < len(tokens) and tokens[end][1].upper() == "AS":
        end += 2
    table = sql[tokens[target][2] : tokens[end - 1][2] + len(tokens[end - 1][1])]
    last = tokens[-1]
    return f"SELECT {sql[tokens[returning][2] + len('RETURNING') : last[2] + len(last[1])]} FROM {table}"


def _deletes(tokens: list[tuple[str, str, int]], index: int) -> bool:
    return index > 0 and tokens[index - 1][1].upper() == "DELETE"
