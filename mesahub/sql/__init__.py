"""The compiler: from the user's arguments to SQL and bindings. Pure functions, usable on their own.

>>> from mesahub.sql import Scope, col, select_statement
>>> found = select_statement(Scope("users"), col("age") >= 18, limit=20)
>>> found.sql, found.bindings
('SELECT * FROM "users" WHERE "users"."age" >= ? LIMIT ?', [18, 20])
"""

from __future__ import annotations

from mesahub.sql.analysis import Analysis, analyze, split_script
from mesahub.sql.expressions import Column, Expression, all_of, any_of, col, not_
from mesahub.sql.filters import OPERATORS, compile_where
from mesahub.sql.identifiers import Scope, quote_name
from mesahub.sql.rewrites.json_rows import lower_list, lower_rows
from mesahub.sql.select import (
    aggregate_statement,
    count_statement,
    exists_statement,
    select_statement,
)
from mesahub.sql.statement import Bindings, Statement, prepare
from mesahub.sql.tokenizer import canonical, tokenize
from mesahub.sql.values import adapt, register_adapter
from mesahub.sql.write import delete_statement, insert_statement, insert_text, update_statement

__all__ = [
    # filters
    "col",
    "any_of",
    "all_of",
    "not_",
    "Column",
    "Expression",
    "OPERATORS",
    "compile_where",
    # statements
    "Scope",
    "Statement",
    "select_statement",
    "count_statement",
    "exists_statement",
    "aggregate_statement",
    "insert_statement",
    "insert_text",
    "update_statement",
    "delete_statement",
    # raw SQL
    "Bindings",
    "prepare",
    "split_script",
    "tokenize",
    "analyze",
    "Analysis",
    "canonical",
    "quote_name",
    # values, and how they are sent
    "adapt",
    "register_adapter",
    "lower_list",
    "lower_rows",
]
