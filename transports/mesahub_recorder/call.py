"""A call in the form in which calls are compared and stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from mesahub.sql import analyze, canonical
from mesahub.transport import FileBody, Request
from mesahub_recorder.values import LONG, pack, table_text, unpack

__all__ = ["Call", "call_of", "canonical_sql", "statements_in"]

_READS = frozenset({"query", "files.list", "files.download", "files.meta", "files.head"})
_IGNORED = "<ignored>"

canonical_sql: Callable[[str], str] = lru_cache(maxsize=4096)(canonical)


class Call:
    """A call, with packed values (see `mesahub_recorder.values.pack`): reading a cassette costs little.

    Args:
        operation: its name in the SDK.
        database: the database, or ``None``.
        sql: the statement as it was written, ``None`` for other operations.
        bindings: its values.
        rows: the rows of a bulk insert, in place of bindings.
        request: what identifies other operations: method, path, parameters, payload, the hash of a file.
        ignored: positions of bindings (of rows: columns) that are kept and not compared.
        file: the hash of the rows' text, where they are in a file of their own.
    """

    __slots__ = ("_key", "bindings", "database", "file", "ignored", "operation", "request", "rows", "sql", "writes")

    def __init__(
        self,
        operation: str,
        database: str | None,
        sql: str | None = None,
        bindings: Sequence[Any] = (),
        rows: Sequence[Sequence[Any]] | None = None,
        request: Mapping[str, Any] | None = None,
        ignored: Sequence[int] = (),
        file: str | None = None,
    ) -> None:
        self.operation = operation
        self.database = database
        self.sql = sql
        self.bindings = bindings
        self.rows = rows
        self.request = request
        self.ignored = ignored
        self.file = file
        # May it change what later reads return?
        self.writes = operation not in _READS and not (request is not None and request["method"] in ("GET", "HEAD"))
        self._key: tuple[Any, ...] | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for equal calls, regardless of white space in the SQL. Computed once."""
        if self._key is None:
            self._key = self._made_key()
        return self._key

    def _made_key(self) -> tuple[Any, ...]:
        if self.sql is None:
            return self.operation, self.database, json.dumps(_compared(self.request), sort_keys=True)
        return self.operation, self.database, canonical_sql(self.sql), self._values()

    def _values(self) -> str:
        # repr distinguishes 1, 1.0, True, "1" and b"1", and -0.0 from 0.0.
        if self.rows is None:
            return repr(_masked(self.bindings, self.ignored) if self.ignored else list(self.bindings))
        if self.ignored:
            return hashlib.sha256(table_text([_masked(row, self.ignored) for row in self.rows]).encode()).hexdigest()
        if self.file is not None:
            return self.file
        text = table_text(self.rows)
        return hashlib.sha256(text.encode()).hexdigest() if len(text) > LONG else repr(self.rows)

    def statements(self) -> list[tuple[str, list[Any]]]:
        """(SQL, unpacked bindings) of each statement; a batch has them in its payload."""
        if self.sql is not None:
            return [(self.sql, unpack(list(self.bindings)))]
        payload = unpack((self.request or {}).get("payload"))
        return [(each["sql"], list(each.get("bindings") or ())) for each in statements_in(payload)]

    def only_reads(self) -> bool:
        """Is it certain to change nothing, whatever operation the cassette claims?"""
        found = self.statements()
        if not found:
            return not self.writes
        return self.operation in ("query", "batch") and not any(
            part.writes or part.verb not in ("select", "values", "explain", "pragma")
            for sql, _ in found
            for part in analyze(sql).parts
        )

    def describe(self) -> str:
        """Human-readable description."""
        title = f"{self.operation} on {self.database}"
        if self.sql is None:
            return f"{title}\n" + json.dumps(self.request, indent=1, sort_keys=True, ensure_ascii=False)
        lines = [title, *canonical_sql(self.sql).splitlines()]
        lines += [f"  {value!r} ({type(value).__name__})" for value in unpack(list(self.bindings))]
        lines += [f"  {unpack(list(row))!r}" for row in (self.rows or ())[:20]]
        if self.rows is not None and len(self.rows) > 20:
            lines.append(f"  ... {len(self.rows) - 20} more rows")
        return "\n".join(lines)


def _masked(values: Sequence[Any], ignored: Sequence[int]) -> list[Any]:
    masked = list(values)
    for place in ignored:
        if place < len(masked):
            masked[place] = _IGNORED
    return masked


def _compared(value: Any) -> Any:
    """Normalize a request for comparison: white space in statements removed, ignored bindings masked."""
    if isinstance(value, Mapping):
        compared = {name: _compared(inner) for name, inner in value.items()}
        if isinstance(value.get("sql"), str):
            compared["sql"] = canonical_sql(value["sql"])
            ignored = compared.pop("ignored", ())
            if ignored and isinstance(value.get("bindings"), list):
                compared["bindings"] = _masked(compared["bindings"], ignored)
        return compared
    if isinstance(value, (list, tuple)):
        return [_compared(inner) for inner in value]
    return value


def statements_in(payload: Any) -> list[Mapping[str, Any]]:
    """The statements in a payload of any shape: its objects with a string ``sql``, in order."""
    if isinstance(payload, Mapping):
        if isinstance(payload.get("sql"), str):
            return [payload]
        payload = list(payload.values())
    if isinstance(payload, (list, tuple)):
        return [statement for inner in payload for statement in statements_in(inner)]
    return []


def call_of(request: Request) -> Call:
    """The call that a request makes."""
    payload = request.payload
    if request.operation in ("query", "exec") and isinstance(payload, dict) and isinstance(payload.get("sql"), str):
        rows = payload.get("rows")
        bindings = pack(payload.get("bindings") or ())
        return Call(request.operation, request.database, payload["sql"], bindings, None if rows is None else pack(rows))
    other: dict[str, Any] = {"method": request.method, "path": request.path}
    if request.params:
        other["params"] = dict(request.params)
    if payload is not None:
        other["payload"] = pack(payload)
    if request.body is not None:
        other["sha256"] = _hash_of(request.body)
    if "Range" in request.headers:
        other["range"] = request.headers["Range"]
    return Call(request.operation, request.database, request=other)


def _hash_of(body: bytes | FileBody) -> str:
    digest = hashlib.sha256()
    for piece in [body] if isinstance(body, bytes) else body:
        digest.update(piece)
    return digest.hexdigest()
