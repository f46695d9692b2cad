"""The cassette format: JSON with a fixed layout, validated completely when it is read.

SQL in lines, one row of a result per line, and every interaction ending in the same way (a ``null`` closes the list),
so that two branches which add interactions merge. ``docs/reference/cassette.schema.json`` describes the format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

from mesahub_recorder.call import Call
from mesahub_recorder.storage import NAME, BodyFile, read
from mesahub_recorder.values import LONG, compact, pack, table_text, unpack

__all__ = ["call_from", "checked_answer", "entry_lines", "parse", "unpacked_answer"]

_BOUND = 2**63
_STATEMENT = frozenset({"call", "database", "sql", "bindings", "values", "ignored", "part", "answer"})
_USUAL = frozenset({"call", "database", "sql", "bindings", "answer"})
_RUNS = ("query", "exec")
_OTHER = frozenset({"call", "database", "request", "part", "answer"})
_ROWS = frozenset({"columns", "rows"})
_REQUEST = frozenset({"method", "path", "params", "payload", "sha256", "range"})


def parse(content: bytes) -> dict[str, Any]:
    """Parse a document. Raises `ValueError` if it is not JSON, or has a duplicate name or a number out of range."""
    try:
        document = json.loads(content, object_pairs_hook=_unique, parse_constant=_refused_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("it is not an object")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has a name twice")
    return made


def _refused_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError("a number is out of range")
    return value


# --- reading -----------------------------------------------------------------------------------------------


def call_from(entry: Any, folder: Path) -> Call:
    """Return the call of an entry. Raises `ValueError` if it has another shape."""
    _need(isinstance(entry, dict), "an interaction is not an object")
    operation, database = entry.get("call"), entry.get("database")
    sql = entry.get("sql")
    if entry.keys() == _USUAL and operation in _RUNS and type(sql) is str and type(database) is str:
        bindings = entry["bindings"]
        _check_row(bindings)
        return Call(operation, database, sql, bindings)
    _need(isinstance(operation, str), "call is not a text")
    _need(database is None or isinstance(database, str), "database is not a text")
    _need(isinstance(entry.get("part", ""), str), "part is not a text")
    if "sql" not in entry:
        _need(entry.keys() <= _OTHER, "an interaction has unknown members")
        return Call(operation, database, request=_request(entry.get("request")))
    _need(entry.keys() <= _STATEMENT and operation in _RUNS, "a statement has unknown members")
    if isinstance(sql, list) and all(isinstance(line, str) for line in sql):
        sql = "\n".join(sql)
    if not isinstance(sql, str):
        raise ValueError("sql is not a text")
    bindings, values, ignored = entry.get("bindings", []), entry.get("values"), entry.get("ignored", [])
    _check_row(bindings)
    if ignored or type(ignored) is not list:
        _check_positions(ignored)
    if values is None:
        return Call(operation, database, sql, bindings, None, None, ignored)
    name = None
    if isinstance(values, dict):
        _need(values.keys() == {"beside"}, "values are neither rows nor the name of a file")
        name = _name(values["beside"])
        values = _table(folder, name)
    _check_rows(values)
    return Call(operation, database, sql, (), values, None, ignored, name)


def _request(request: Any) -> dict[str, Any]:
    _need(isinstance(request, dict) and request.keys() <= _REQUEST, "request is not an object of its members")
    _need(all(isinstance(request.get(name), str) for name in ("method", "path")), "a request has no method or path")
    params = request.get("params", {})
    _need(isinstance(params, dict) and all(isinstance(v, str) for v in params.values()), "params are not texts")
    _need(isinstance(request.get("range", ""), str), "range is not a text")
    if "sha256" in request:
        _name(request["sha256"])
    unpack(request.get("payload"))
    made: dict[str, Any] = request
    return made


def checked_answer(raw: Any, folder: Path) -> dict[str, Any]:
    """Check the shape of an answer, and that its files exist. Raises `ValueError`."""
    if not isinstance(raw, dict):
        raise ValueError("an answer is not an object")
    if raw.keys() == _ROWS:  # as most are
        _check_columns(raw)
        return raw
    status = raw.get("status", 200)
    _need(type(status) is int and 200 <= status <= 599, "status is not an HTTP status")
    for name in ("affected", "rowid"):
        value = raw.get(name)
        _need(value is None or (type(value) is int and -_BOUND <= value < _BOUND), f"{name} is not a number")
    for name in ("whole", "exact"):
        _need(isinstance(raw.get(name, True), bool), f"{name} is not a boolean")
    headers = raw.get("headers", {})
    _need(isinstance(headers, dict) and all(isinstance(v, str) for v in headers.values()), "headers are not texts")
    _need(not any(set("\r\n\0") & set(f"{name}{value}") for name, value in headers.items()), "a header has line ends")
    if "raised" in raw:
        _need(raw["raised"] in ("not_sent", "lost", "timeout"), "raised is unknown")
        _need(raw.get("outcome") in ("NOT_SENT", "MAYBE_RAN", "REFUSED"), "outcome is unknown")
        _need(isinstance(raw.get("message"), str), "message is not a text")
    _check_positions(raw.get("ignored", []))
    answer = _with_file(raw, folder)
    if "columns" in answer or "rows" in answer:
        _check_columns(answer)
    elif not {"raised", "json", "body", "affected", "rowid"} & answer.keys() and "status" not in answer:
        raise ValueError("an answer is empty")
    body = answer.get("body")
    _need(body is None or isinstance(body, BodyFile) or _is_bytes(body), "body is not bytes")
    unpack(answer.get("json"))
    return answer


def _with_file(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    if "beside" not in raw:
        return raw
    name, what = _name(raw["beside"]), raw.get("of", "body")
    answer = {key: value for key, value in raw.items() if key not in ("beside", "of")}
    if what == "rows":
        return {**answer, "rows": _table(folder, name)}
    _need(what == "body", "of is neither rows nor body")
    file = folder / name
    body = BodyFile(file, name, 0)
    with body.open() as opened:
        body.size = opened.seek(0, 2)
    body.verify()
    return {**answer, "body": body}


def _table(folder: Path, name: str) -> Any:
    content = read(folder / name)
    if hashlib.sha256(content).hexdigest() != name:
        raise ValueError(f"the file {name} was changed")
    try:
        return json.loads(content, parse_constant=_refused_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _check_columns(answer: Mapping[str, Any]) -> None:
    columns, rows = answer.get("columns"), answer.get("rows")
    if columns not in _known_columns:
        if type(columns) is not list:
            raise ValueError("columns are not a list")
        if not (
            _LIST.issuperset(map(type, columns))
            and _TWO.issuperset(map(len, columns))
            and _STR.issuperset(map(type, chain.from_iterable(columns)))
        ):
            raise ValueError("a column is not a name and a type")
        _known_columns[:] = [[list(column) for column in columns]]
    _check_rows(rows, len(columns))


_known_columns: list[list[list[str]]] = []
"""The columns that were found right last: most results have the columns of the one before."""


def _check_rows(rows: Any, width: int | None = None) -> None:
    if type(rows) is not list:
        raise ValueError("rows are not a list")
    for row in rows:
        _check_row(row)
        if width is not None and len(row) != width:
            raise ValueError(f"a row has {len(row)} values, and there are {width} columns")


_LIST = frozenset({list})
_TWO = frozenset({2})
_STR = frozenset({str})
_PLAIN = frozenset({bool, type(None), float})


def _is_whole_real(value: int) -> bool:
    """Is it how the server writes a whole REAL: below 1e21, with the fewest digits and then zeros?"""
    from decimal import Decimal

    return abs(value) < 10**21 and int(Decimal(repr(float(value)))) == value


def _check_row(row: Any) -> None:
    if type(row) is not list:
        raise ValueError("a row is not a list")
    for value in row:
        kind = type(value)
        if kind is int:
            if not -_BOUND <= value < _BOUND and not _is_whole_real(value):
                raise ValueError("an integer has more than 64 bits")
        elif kind is str or kind in _PLAIN:
            continue
        elif kind is dict:
            _need(value.keys() == {"float"} or _is_bytes(value), "a value is neither bytes nor a number")
            unpack(value)
        else:
            raise ValueError("a value is a list")


def _check_positions(given: Any) -> None:
    _need(isinstance(given, list) and all(type(p) is int and 0 <= p < 100_000 for p in given), "ignored is not a list")


def _is_bytes(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"bytes"}
        and isinstance(value["bytes"], str)
        and bool(unpack(value) or not value["bytes"])
    )


def _name(name: Any) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError("the name of a file is not 64 hexadecimal digits")
    return name


def _need(condition: object, problem: str) -> None:
    if not condition:
        raise ValueError(problem)


def unpacked_answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Unpack the values of a checked answer."""
    return {name: value if isinstance(value, BodyFile) else unpack(value) for name, value in answer.items()}


# --- writing -----------------------------------------------------------------------------------------------


def entry_lines(
    call: Call, answer: Mapping[str, Any], part: str | None, files: dict[str, bytes | BodyFile]
) -> Iterator[str]:
    """Serialize an interaction. Long content goes into ``files``, by name."""
    yield f'{{"call": {compact(call.operation)}, "database": {compact(call.database)},\n'
    if part is not None:
        yield f' "part": {compact(part)},\n'
    if call.sql is None:
        yield f' "request": {compact(call.request)},\n'
    else:
        lines = call.sql.split("\n")
        yield f' "sql": {compact(lines[0])},\n' if len(lines) == 1 else f' "sql": {table_text(lines)},\n'
        if call.rows is not None:
            yield f' "values": {_text_or_name(call.rows, files)},\n'
        elif call.bindings:
            yield f' "bindings": {compact(call.bindings)},\n'
        if call.ignored:
            yield f' "ignored": {compact(list(call.ignored))},\n'
    yield from _answer_lines(answer, files)


def _answer_lines(answer: Mapping[str, Any], files: dict[str, bytes | BodyFile]) -> Iterator[str]:
    body = answer.get("body")
    rest = {name: value for name, value in answer.items() if name not in ("rows", "body")}
    if isinstance(body, BodyFile):
        files[body.name] = body
        rest["beside"] = body.name
    elif isinstance(body, bytes) and len(body) > LONG:
        rest["beside"] = _keep(body, files)
    elif body is not None:
        rest["body"] = body
    packed = {name: pack(value) for name, value in rest.items()}
    rows = answer.get("rows")
    if rows is None:
        yield f' "answer": {compact(packed)}}},\n'
        return
    text = table_text(pack(rows))
    if len(text) > LONG:
        stored = {**packed, "of": "rows", "beside": _keep(text.encode(), files)}
        yield f' "answer": {compact(stored)}}},\n'
    elif rows:
        yield f' "answer": {compact(packed)[:-1]}{", " if packed else ""}"rows": {text}}}}},\n'
    else:
        yield f' "answer": {compact({**packed, "rows": []})}}},\n'


def _text_or_name(values: Sequence[Any], files: dict[str, bytes | BodyFile]) -> str:
    text = table_text(values)
    return compact({"beside": _keep(text.encode(), files)}) if len(text) > LONG else text


def _keep(content: bytes, files: dict[str, bytes | BodyFile]) -> str:
    name = hashlib.sha256(content).hexdigest()
    files[name] = content
    return name
