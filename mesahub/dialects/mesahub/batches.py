"""Several writes as one statement, which SQLite carries out whole or not at all.

The server has no transaction for one client: it has one connection for all. But a trigger's body is a part of the
statement that fires it. So the writes become the body of a trigger on a temporary view, made and dropped in the same
request; their values come as one JSON text, the row that is inserted into the view (docs/protocol.md, end).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from mesahub._util import json
from mesahub.dialects.base import Answer
from mesahub.dialects.mesahub.answers import read_answer
from mesahub.dialects.mesahub.limits import MAX_BODY, MAX_SQL
from mesahub.dialects.mesahub.routes import Routes
from mesahub.errors import (
    AmbiguousResultError,
    ArgumentError,
    IntegrityError,
    RequestTooLargeError,
    UnrepresentableResultError,
)
from mesahub.sql import Statement
from mesahub.sql.analysis import ParameterNumbers
from mesahub.sql.rewrites.json_rows import lower_rows, lower_value
from mesahub.sql.tokenizer import tokenize
from mesahub.transport import BodyStream, Request, Response

__all__ = ["BatchEncoder", "batch_request", "check_batch", "cleanup_request", "read_batch"]

TICKETS = "mesahub_tickets"
_CHANGES = frozenset({"insert", "replace", "update", "delete"})
_MAKE_TICKETS = f"CREATE TABLE IF NOT EXISTS {TICKETS} (ticket TEXT PRIMARY KEY, made INTEGER NOT NULL) WITHOUT ROWID; "
_NOW = "CAST(strftime('%s', 'now') AS INTEGER)"
_SWEEP = f"DELETE FROM {TICKETS} WHERE made < {_NOW} - 604800"
_SCRIPT = Statement("", [], "", True)


def batch_request(
    routes: Routes,
    ref: str,
    statements: Sequence[Statement],
    *,
    timeout: float | None,
    ticket: str | None,
    hints: Mapping[str, str],
) -> Request:
    """The request that carries out statements, all or none."""
    listed = []
    for statement in statements:
        entry: dict[str, Any] = {"sql": statement.sql}
        if statement.rows is not None:
            entry["rows"] = statement.rows
        else:
            entry["bindings"] = statement.bindings
        listed.append(entry)
    # The ticket and the view's name are new for each call, and so not in the payload, by which a recording is found.
    if ticket is not None:
        hints = {**hints, "ticket": ticket}
    return Request(
        "batch",
        "POST",
        routes.database(ref, "exec"),
        database=ref,
        payload={"statements": listed},
        safe=ticket is not None,
        timeout=timeout,
        encoder=BatchEncoder(statements, ticket),
        hints=hints,
    )


def check_batch(statements: Sequence[Statement]) -> None:
    """Raise `ArgumentError` for what a trigger's body cannot hold."""
    for number, statement in enumerate(statements):
        reason = _refusal(statement)
        if reason:
            error = ArgumentError(
                f"Statement {number} of the batch cannot be a part of it on MesaHub: {reason}. There, a batch is the "
                "body of a trigger."
            )
            error.details["statement"] = number
            raise error


def cleanup_request(request: Request) -> Request | None:
    """What drops the view of a batch that failed; ``None`` for another request."""
    encoder = request.encoder
    if not isinstance(encoder, BatchEncoder):
        return None
    sql = f"DROP VIEW IF EXISTS temp.{encoder.name}"
    return Request(
        "batch.cleanup",
        "POST",
        request.path,
        database=request.database,
        payload={},
        safe=True,
        timeout=request.timeout,
        encoder=lambda _: (json.dumps({"sql": sql, "bindings": []}), "application/json"),
    )


def read_batch(statements: Sequence[Statement], response: Response) -> list[Answer] | None:
    """One answer per statement, or ``None`` where the ticket was there. Raises as `read_answer`."""
    payload = response.payload if response.status == 200 and not response.content else None
    if type(payload) is dict and "stat" in payload:
        # From a transport that works in this process.
        if payload.get("ran"):
            return None
        results = payload.get("results")
        if type(results) is list and len(results) == len(statements):
            return [
                read_answer("exec", statement, Response(200, payload=result))
                for statement, result in zip(statements, results, strict=True)
            ]
    try:
        read_answer("exec", _SCRIPT, response)
    except UnrepresentableResultError as error:
        raise AmbiguousResultError.of(
            "The server, or a gateway in front of it, returned 200 with an empty body. Check whether the batch was "
            "carried out before you repeat it.",
            status_code=200,
        ) from error
    except IntegrityError as error:
        if error.kind == "unique" and error.table == TICKETS:
            return None
        raise
    return [Answer(None, [], affected=None, whole=True) for _ in statements]


class BatchEncoder:
    """Makes the content of a batch's request.

    Args:
        statements: what to run.
        ticket: see `mesahub.dialects.base.Dialect.batch`.

    Attributes:
        name: of the view; no other call's.
    """

    __slots__ = ("_statements", "_ticket", "name")

    def __init__(self, statements: Sequence[Statement], ticket: str | None) -> None:
        self._statements = statements
        self._ticket = ticket
        self.name = f"mesahub_batch_{os.urandom(8).hex()}"

    def __call__(self, _: Request) -> tuple[bytes | BodyStream | None, str | None]:
        """The content, and its type.

        Raises:
            RequestTooLargeError: the batch is too large.
        """
        body: list[str] = []
        values: list[str] = []
        make = ""
        if self._ticket is not None:
            make = _MAKE_TICKETS
            body += [_SWEEP, f"INSERT INTO {TICKETS} VALUES (NEW.p->>'$[0]', {_NOW})"]
            values.append(json.dumps(self._ticket).decode())
        for statement in _merged(self._statements):
            body.append(_lowered(statement, values))
        name = self.name
        sql = (
            f"{make}DROP VIEW IF EXISTS temp.{name}; CREATE TEMP VIEW {name}(p) AS SELECT NULL; "
            f"CREATE TEMP TRIGGER {name}_t INSTEAD OF INSERT ON {name} BEGIN {'; '.join(body)}; END; "
            f"INSERT INTO {name} VALUES (?); DROP VIEW temp.{name}"
        )
        content = json.dumps({"sql": sql, "bindings": [f"[{','.join(values)}]"]})
        size = len(sql.encode())
        if size > MAX_SQL or len(content) > MAX_BODY:
            raise RequestTooLargeError.of(
                f"The batch has {size:,} bytes of SQL in a request of {len(content):,} bytes; the server takes "
                f"{MAX_SQL:,} and {MAX_BODY:,}, and a batch cannot be cut. For many rows use insert_many in the batch.",
                status_code=400,
            )
        return content, "application/json"


def _merged(statements: Sequence[Statement]) -> list[Statement]:
    """Neighbors with one text as one INSERT of many rows: that keeps the text short."""
    found: list[Statement] = []
    for statement in statements:
        last = found[-1] if found else None
        if last is not None and last.sql == statement.sql and _is_plain_insert(statement):
            rows = [*(last.rows or [tuple(last.bindings)]), *(statement.rows or [tuple(statement.bindings)])]
            found[-1] = Statement(last.sql, [], last.verb, True, rows)
        else:
            found.append(statement)
    return found


def _is_plain_insert(statement: Statement) -> bool:
    """``INSERT ... (a, b) VALUES (?, ?)``, and at most ON CONFLICT DO NOTHING after it: one row, and no expression."""
    if statement.verb not in ("insert", "replace") or statement.returns or statement.with_tables:
        return False
    if statement.rows is not None:
        return True
    words = [text for kind, text, _ in tokenize(statement.sql) if kind not in ("space", "comment")]
    upper = [word.upper() for word in words]
    if upper.count("VALUES") != 1 or "SELECT" in upper or not statement.bindings:
        return False
    start = upper.index("VALUES") + 1
    inner = ["(", *["?", ","] * (len(statement.bindings) - 1), "?", ")"]
    return words[start : start + len(inner)] == inner and (len(words) == start + len(inner) or "UPDATE" not in upper)


def _lowered(statement: Statement, values: list[str]) -> str:
    """The statement with its values taken from the JSON text; they are added to ``values``."""
    if statement.rows is not None:
        sql, (text,) = lower_rows(statement.sql, statement.rows)
        values.append(text)
        return sql.replace("FROM json_each(?) WHERE true", f"FROM json_each(NEW.p, '$[{len(values) - 1}]') WHERE true")
    first = len(values)
    terms = []
    for index, value in enumerate(statement.bindings, first):
        term, encoded = lower_value(value, index)
        terms.append(term.replace("value->>", "NEW.p->>"))
        values.append(encoded)
    parts = []
    numbers = ParameterNumbers()
    for kind, text, _ in tokenize(statement.sql):
        if kind == "parameter":
            text = f"({terms[numbers.of(text) - 1]})"
        elif kind == "comment":
            text = " "
        parts.append(text)
    return "".join(parts).strip()


def _refusal(statement: Statement) -> str | None:
    if statement.verb not in _CHANGES:
        return f"it is {statement.verb.upper()}, and only INSERT, REPLACE, UPDATE and DELETE can be"
    if statement.with_tables:
        return "it begins with WITH; write the part in parentheses as a subquery"
    if statement.returns:
        return "it has RETURNING"
    tokens = [(kind, text.upper()) for kind, text, _ in tokenize(statement.sql) if kind not in ("space", "comment")]
    depth = 0
    top: list[str] = []
    for kind, text in tokens:
        depth += (text == "(") - (text == ")")
        if depth == 0 and kind in ("word", "name", "operator"):
            top.append(text if kind != "name" else "name")
    return _refused_words(statement.verb, top)


def _refused_words(verb: str, top: list[str]) -> str | None:
    pairs = set(pairwise(top))
    if ("OR", "FAIL") in pairs or ("OR", "ROLLBACK") in pairs:
        return "OR FAIL and OR ROLLBACK would leave a part of the batch, or end it"
    if ("DEFAULT", "VALUES") in pairs:
        return "it has DEFAULT VALUES; name a column"
    if ("INDEXED", "BY") in pairs or ("NOT", "INDEXED") in pairs:
        return "it has INDEXED"
    if verb in ("update", "delete") and ("LIMIT" in top or ("ORDER", "BY") in pairs):
        return "UPDATE and DELETE cannot have ORDER BY or LIMIT"
    start = {"insert": "INTO", "replace": "INTO", "delete": "FROM", "update": "UPDATE"}[verb]
    target = top.index(start) + 1 if start in top else 0
    if verb == "update" and top[target : target + 1] == ["OR"]:
        target += 2
    if top[target + 1 : target + 2] == ["."]:
        return "its table is qualified by a schema; name the table alone"
    return None
