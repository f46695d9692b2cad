"""One call and its answer, as a cassette holds them."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from mesahub.errors import ConfigurationError
from mesahub.sql import canonical, tokenize
from mesahub.transport import FileBody, Headers, Request, Response

IGNORED = "<ignored>"
_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_READS = frozenset({"query", "files.list", "files.download", "files.meta", "files.head"})

canonical_sql = lru_cache(maxsize=4096)(canonical)


class Call:
    """What is asked, in the form in which calls are compared.

    Attributes:
        operation: the SDK's word for it.
        database: the database, or ``None``.
        sql: the statement as it was written, ``None`` for other operations.
        bindings: its values; for a bulk insert, its rows.
        other: what tells other operations apart: method, path, parameters, payload, the file's hash.
    """

    __slots__ = ("bindings", "database", "operation", "other", "rows", "sql")

    def __init__(
        self,
        operation: str,
        database: str | None,
        sql: str | None = None,
        bindings: Sequence[Any] = (),
        rows: Sequence[Sequence[Any]] | None = None,
        other: Mapping[str, Any] | None = None,
    ) -> None:
        self.operation = operation
        self.database = database
        self.sql = sql
        self.bindings = bindings
        self.rows = rows
        self.other = other

    @property
    def writes(self) -> bool:
        """May it change what later reads answer?"""
        if self.operation in _READS:
            return False
        return not (self.other is not None and self.other.get("method") in ("GET", "HEAD"))

    def key(self) -> tuple[Any, ...]:
        """Equal for calls that are the same: blanks in the SQL aside, types and all."""
        if self.sql is None:
            return self.operation, self.database, json.dumps(pack(self.other), sort_keys=True)
        return self.operation, self.database, canonical_sql(self.sql), self._values()

    def _values(self) -> str:
        # repr tells 1, 1.0, True, "1" and b"1" apart, and -0.0 from 0.0.
        if self.rows is None:
            return repr(pack(self.bindings))
        packed = pack(self.rows)
        text = table_text(packed)
        return hashlib.sha256(text.encode()).hexdigest() if len(text) > BESIDE else repr(packed)

    def describe(self) -> str:
        """For people."""
        if self.sql is None:
            return f"{self.operation} on {self.database}\n" + json.dumps(pack(self.other), indent=1, sort_keys=True)
        lines = [f"{self.operation} on {self.database}", *canonical_sql(self.sql).splitlines()]
        lines += [f"  {value!r} ({type(value).__name__})" for value in self.bindings]
        lines += [f"  {row!r}" for row in (self.rows or ())[:20]]
        return "\n".join(lines)


def key_of_entry(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """`Call.key` of a cassette's entry, without making anything else of it: a cassette has thousands."""
    sql = entry.get("sql")
    if sql is None:
        return entry["call"], entry["database"], json.dumps(entry["request"], sort_keys=True)
    values = entry.get("values")
    if values is None:
        text = repr(entry.get("bindings", []))
    else:
        text = values["beside"] if isinstance(values, dict) else repr(values)
    return entry["call"], entry["database"], canonical_sql(sql if isinstance(sql, str) else "\n".join(sql)), text


def entry_writes(entry: Mapping[str, Any]) -> bool:
    """`Call.writes` of a cassette's entry."""
    return entry["call"] not in _READS and entry.get("request", _NO_REQUEST).get("method") not in ("GET", "HEAD")


_NO_REQUEST: Mapping[str, Any] = {}


def call_of(request: Request) -> Call:
    """The call that a request is."""
    payload = request.payload
    if request.operation in ("query", "exec") and isinstance(payload, dict):
        return Call(request.operation, request.database, payload["sql"], payload["bindings"], payload.get("rows"))
    other: dict[str, Any] = {"method": request.method, "path": request.path}
    if request.params:
        other["params"] = dict(request.params)
    if payload is not None:
        other["payload"] = payload
    if request.body is not None:
        other["sha256"] = _hash_of(request.body)
    if "Range" in request.headers:
        other["range"] = request.headers["Range"]
    return Call(request.operation, request.database, other=other)


def _hash_of(body: bytes | FileBody) -> str:
    digest = hashlib.sha256()
    for piece in [body] if isinstance(body, bytes) else body:
        digest.update(piece)
    return digest.hexdigest()


# --- answers -----------------------------------------------------------------------------------------------

_KEPT_HEADERS = (
    "content-type",
    "content-disposition",
    "content-range",
    "accept-ranges",
    "retry-after",
    "last-modified",
)


def answer_of(call: Call, response: Response) -> dict[str, Any]:
    """What the cassette holds of an answer: rows as a table, no durations, no ids of requests."""
    answer: dict[str, Any] = {} if response.status == 200 else {"status": response.status}
    if call.sql is not None and response.status == 200:
        table = _table_of(response)
        if table is not None:
            return table
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    kind = headers.get("content-type", "")
    if response.stream is None and (kind.startswith("application/json") or not response.content):
        try:
            answer["json"] = response.payload
        except ValueError:
            answer["body"] = response.content
    else:
        answer["body"] = response.read()
    if "body" in answer or response.status in (206, 429, 503):
        answer["headers"] = headers
    return answer


def _table_of(response: Response) -> dict[str, Any] | None:
    """The result of a statement, ``None`` for a response that has another shape."""
    try:
        payload = response.payload
        answer: dict[str, Any] = {}
        if "headers" in payload:
            names = [header["name"] for header in payload["headers"]]
            answer["columns"] = [[header["name"], header.get("originalType", "")] for header in payload["headers"]]
            answer["rows"] = [[row.get(name) for name in names] for row in payload.get("rows") or ()]
        for ours, theirs in (("affected", "rowsAffected"), ("rowid", "lastInsertRowid")):
            if theirs in payload:
                answer[ours] = payload[theirs]
        if not answer:
            return None
        for flag in _FLAGS:
            if payload.get(flag):
                answer[flag] = True
        return answer
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


_FLAGS = ("whole", "exact")


def response_of(answer: Mapping[str, Any], *, stream: bool) -> Response:
    """The answer as a transport gives it."""
    status = answer.get("status", 200)
    if "columns" in answer:
        names = [name for name, _ in answer["columns"]]
        payload: dict[str, Any] = {
            "headers": [{"name": name, "originalType": declared} for name, declared in answer["columns"]],
            "rows": [dict(zip(names, row, strict=True)) for row in answer["rows"]],
        }
        _counts(payload, answer)
        return Response(status, payload=payload)
    if "affected" in answer or "rowid" in answer:
        payload = {}
        _counts(payload, answer)
        return Response(status, payload=payload)
    headers = Headers(answer.get("headers", {}))
    body = answer.get("body")
    if body is None:
        return Response(status, headers, payload=answer.get("json"))
    if stream and 200 <= status < 300:
        import io

        length = {"content-length": str(len(body))}
        return Response(status, Headers({**headers, **length}), stream=io.BytesIO(body))
    return Response(status, headers, body)


def _counts(payload: dict[str, Any], answer: Mapping[str, Any]) -> None:
    if "affected" in answer:
        payload["rowsAffected"] = answer["affected"]
    if "rowid" in answer:
        payload["lastInsertRowid"] = answer["rowid"]
    for flag in _FLAGS:
        if answer.get(flag):
            payload[flag] = True


# --- values as JSON ----------------------------------------------------------------------------------------


BESIDE = 64 * 1024
"""Characters from which on a table of values, or a body, lies beside the cassette, in a file named by its hash."""

_compact = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(", ", ": ")).encode


def compact(value: Any) -> str:
    """JSON in one line."""
    return _compact(value)


def table_text(rows: Sequence[Any]) -> str:
    """Rows as JSON, one per line."""
    return "[\n" + ",\n".join([f"  {_compact(row)}" for row in rows]) + "]"


def pack(value: Any) -> Any:
    """A value as JSON can hold it: bytes as ``{"bytes": base64}``; an object of that form is wrapped once more."""
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        packed = {name: pack(inner) for name, inner in value.items()}
        return {"object": packed} if set(packed) in ({"bytes"}, {"object"}) else packed
    if isinstance(value, (list, tuple)):
        return [pack(inner) for inner in value]
    return value


def unpack(value: Any) -> Any:
    """What `pack` was given."""
    if isinstance(value, dict):
        if value.keys() == {"bytes"}:
            return base64.b64decode(value["bytes"], validate=True)
        if value.keys() == {"object"}:
            value = value["object"]
        return {name: unpack(inner) for name, inner in value.items()}
    if isinstance(value, list):
        # Most rows hold nothing that needs it, and are left as they are.
        return [unpack(inner) for inner in value] if any(type(x) in (dict, list) for x in value) else value
    return value


# --- what must not be compared, or not be written ----------------------------------------------------------


@lru_cache(maxsize=1024)
def binding_names(sql: str) -> tuple[str, ...]:
    """For each parameter the name by which people know it: its own, or that of the column it stands beside."""
    tokens = [token for token in tokenize(sql) if token[0] not in ("space", "comment")]
    columns = _inserted(tokens)
    names: list[str] = []
    seen: dict[str, int] = {}
    place = 0
    for index, (kind, text, _) in enumerate(tokens):
        if kind != "parameter":
            continue
        if text[0] != "?":
            if text not in seen:
                seen[text] = len(names)
                names.append(text[1:])
            continue
        if columns:
            name = columns[place % len(columns)]
            place += 1
            if place > len(columns) and not any(t[1].upper() == "VALUES" for t in tokens):
                name = _beside(tokens, index)
        else:
            name = _beside(tokens, index)
        names.append(name)
    return tuple(names)


def _inserted(tokens: list[Any]) -> list[str]:
    words = [text.upper() for kind, text, _ in tokens]
    if not words or words[0] not in ("INSERT", "REPLACE") or "(" not in words or "VALUES" not in words:
        return []
    start = words.index("(")
    if start > words.index("VALUES"):
        return []
    end = words.index(")", start)
    return [_bare(text) for kind, text, _ in tokens[start + 1 : end] if kind in ("name", "word")]


def _beside(tokens: list[Any], index: int) -> str:
    for kind, text, _ in reversed(tokens[max(index - 12, 0) : index]):
        if kind == "name" or (kind == "word" and text.upper() not in _WORDS):
            return _bare(text)
    return ""


_WORDS = frozenset({"LIKE", "GLOB", "IN", "IS", "NOT", "BETWEEN", "AND", "OR", "WHERE", "SELECT", "VALUES", "LIMIT"})


def _bare(text: str) -> str:
    return text[1:-1].replace('""', '"') if text[:1] in '"`[' else text


class Filter:
    """Which values are left out of comparisons, and which are never written.

    Args:
        ignore: names (patterns as in a shell) or positions of bindings that change from run to run; ``"uuid"`` and
            ``"now"`` with angle brackets, ``"<uuid>"``, ``"<now>"``, mean all values that look like one.
        redact: names (patterns) of bindings and result columns that are secret, or functions of (name, value).
        salt: the cassette's; the same secret gives the same placeholder, so that what was equal stays equal.
    """

    def __init__(
        self, ignore: Iterable[str | int] = (), redact: Iterable[str | Callable[[str, Any], bool]] = (), salt: str = ""
    ) -> None:
        self._ignore = _patterns("ignore_bindings", ignore)
        self._redact = _patterns("redact", redact)
        self.salt = salt

    @property
    def acts(self) -> bool:
        """Is there anything to ignore or redact?"""
        return bool(self._redact or self._ignore)

    def call(self, call: Call) -> Call:
        """The call without what must not be written or compared."""
        if call.sql is None or not (self._ignore or self._redact):
            return call
        names = binding_names(call.sql)
        bindings = self._row(names, call.bindings)
        rows = None if call.rows is None else [self._row(names, row) for row in call.rows]
        return Call(call.operation, call.database, call.sql, bindings, rows)

    def answer(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer with its secret columns redacted."""
        if not self._redact or "columns" not in answer:
            return answer
        names = [name for name, _ in answer["columns"]]
        secret = [self._is_secret(name, None) for name in names]
        if any(secret) or any(callable(one) for one in self._redact):
            answer["rows"] = [
                [self._hidden(name, value) for name, value in zip(names, row, strict=True)] for row in answer["rows"]
            ]
        return answer

    def _row(self, names: Sequence[str], values: Sequence[Any]) -> list[Any]:
        padded = [*names, *[""] * (len(values) - len(names))]
        return [
            IGNORED if self._is_ignored(index, name, value) else self._hidden(name, value)
            for index, (name, value) in enumerate(zip(padded, values, strict=False))
        ]

    def _is_ignored(self, index: int, name: str, value: Any) -> bool:
        for one in self._ignore:
            if one == "<uuid>":
                if isinstance(value, str) and _UUID.fullmatch(value):
                    return True
            elif one == "<now>":
                if isinstance(value, str) and _TIME.fullmatch(value):
                    return True
            elif one == index or (isinstance(one, str) and name and fnmatch.fnmatchcase(name, one)):
                return True
        return False

    def _is_secret(self, name: str, value: Any) -> bool:
        return any(
            one(name, value) if callable(one) else bool(name) and fnmatch.fnmatchcase(name, str(one))
            for one in self._redact
        )

    def _hidden(self, name: str, value: Any) -> Any:
        if value is None or not self._redact or not self._is_secret(name, value):
            return value
        if isinstance(value, str) and value.startswith("<redacted "):
            return value  # of a call that comes from the cassette
        text = value if isinstance(value, bytes) else str(value).encode()
        return f"<redacted {hashlib.sha256(self.salt.encode() + text).hexdigest()[:12]}>"


def _patterns(option: str, given: Any) -> list[Any]:
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise ConfigurationError(f"{option} must be a list, such as [{given!r}], not {type(given).__name__}.")
    return list(given)
