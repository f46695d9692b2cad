"""mesahub for SQLBox: POST /run/<db> {"sql", "args"}; it answers {"cols", "rows", "changes", "last"} or {"error"}."""

import json

from mesahub.dialects.base import Answer, Capabilities
from mesahub.dialects.json_dialect import JsonDialect
from mesahub.errors import AmbiguousResultError, RequestTooLargeError, ServerError
from mesahub.transport import Request
from mesahub.transport.messages import EMPTY
from mesahub.url import encode_segment, parse_hosts


class SqlboxDialect(JsonDialect):
    name = "sqlbox"
    options = frozenset()
    capabilities = Capabilities("SQLBox", databases=True, exact_values=True, max_body=1_000_000, max_bindings=1000)

    def __init__(self, options): ...
    @staticmethod
    def parse_url(url):
        return parse_hosts(url, port=8080, form="sqlbox://key@host[:port]/database")

    def request(self, ref, operation, statement, *, timeout, idempotent=False, hints=EMPTY):
        payload = {"sql": statement.sql, "bindings": statement.bindings}
        if statement.rows is not None:
            payload["rows"] = statement.rows
        safe = idempotent or operation == "query"
        return Request(operation, "POST", f"/run/{encode_segment(ref)}", database=ref, payload=payload, safe=safe,
                       timeout=timeout, encoder=self.encode, hints=hints)  # fmt: skip

    def encode(self, request):
        rows = request.payload.get("rows")
        args = [request.payload["bindings"]] if rows is None else rows
        args = [[{"hex": value.hex()} if isinstance(value, bytes) else value for value in row] for row in args]
        content = json.dumps({"sql": request.payload["sql"], "args": args}).encode()
        if len(content) > self.capabilities.max_body:
            raise RequestTooLargeError(f"SQLBox takes 1,000,000 bytes, and this request has {len(content):,}.")
        return content, "application/json"

    def answer(self, operation, statement, response):
        if response.status >= 300:
            raise self.error(response, operation)
        try:
            payload = response.payload
            rows = [tuple([_value(value) for value in row]) for row in payload["rows"]]
            columns = [str.__str__(name) for name in payload["cols"]] or None
            if any(len(row) != len(columns or ()) for row in rows) or type(payload["changes"]) is not int:
                raise ValueError("shape")
            return Answer(columns, rows, affected=payload["changes"], rowid=payload["last"], exact=True, whole=True)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            wrong = ServerError if operation == "query" else AmbiguousResultError
            raise wrong.of("SQLBox, or a gateway in front of it, returned an unexpected body") from error


def _value(value):
    if isinstance(value, dict):
        return bytes.fromhex(value["hex"]) if "hex" in value else float(value["real"])
    return value
