"""Sessions of a libSQL server: requests that share a stream, which its batons continue.

Within a transaction each statement is sent with the condition that the transaction is still open: the server takes it
back when another client has waited for 5 seconds, and would carry the next statement out by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mesahub.dialects.base import Answer, Dialect, SessionDialect
from mesahub.dialects.libsql.answers import SENDER, SHAPE, checked_results, read_result
from mesahub.dialects.libsql.endpoints import same_site
from mesahub.dialects.libsql.errors import (
    TOO_LARGE,
    error_of,
    failures_in,
    is_not_utf8,
    is_stream_gone,
    is_without_path,
    outcome_of,
)
from mesahub.dialects.libsql.responses import payload_of, results_of
from mesahub.dialects.libsql.statements import plan_of
from mesahub.dialects.libsql.streams import Stream, StreamEncoder, target_of
from mesahub.dialects.libsql.values import read_value
from mesahub.dialects.unexpected import raise_unexpected
from mesahub.errors import (
    AmbiguousResultError,
    ArgumentError,
    MesahubError,
    Outcome,
    SQLError,
    TransactionLostError,
    TransportError,
    UnsupportedError,
)
from mesahub.sql import Statement
from mesahub.sql.analysis import TRANSACTION
from mesahub.transport import Request, Response
from mesahub.transport.messages import EMPTY

__all__ = ["LibsqlSession"]

_BEGIN = {"immediate": "BEGIN IMMEDIATE", "deferred": "BEGIN", "read": "BEGIN READONLY"}
_READ = {"condition": {"type": "ok", "step": 0}, "stmt": {"sql": "SELECT 1 FROM sqlite_schema LIMIT 1"}}
"""Makes the state of now that of the transaction."""
_INSERTS = frozenset({"insert", "replace"})
_ENDS = frozenset({"commit", "end", "rollback"})
_COMMITTING = "The answer to COMMIT was lost: the transaction is stored, or nothing of it. Look before you repeat it."
_LOST = (
    "The libSQL server took the transaction back, because another client waited for 5 seconds to write, or because "
    "nothing was sent for 10 seconds; nothing of it is stored."
)


class LibsqlSession(SessionDialect):
    """One stream, opened when it is first needed. Outside of transactions there is none, until a PRAGMA is set.

    Args:
        dialect: says what is not peculiar to sessions.
        ref: the database.
        authority: the Host header that names it.
        urls: the addresses of the server.
        note: remembers the state of a database that an answer shows.
    """

    name = "libsql"
    needs_key = False

    def __init__(
        self,
        dialect: Dialect,
        ref: str,
        authority: str | None,
        urls: Sequence[str],
        note: Callable[[str, Any, Response], None],
    ) -> None:
        self.capabilities = dialect.capabilities
        self._dialect = dialect
        self._ref = ref
        self._authority = authority
        self._urls = urls
        self._note = note
        self._stream = Stream()
        self._pinned = False
        """The stream has settings that another one would not have."""
        self._reads_only = False
        self._alone = True
        """The last request was one by itself."""
        self._lost = False
        """A transaction was lost, and its end has not been asked for yet."""
        self._rowid: int | None = None
        """The rowid that the stream's last INSERT gave: an INSERT that makes none gives the same."""
        self._tables: dict[str, bool] = {}
        """Whether a table, or what has its name, gives each inserted row a rowid."""

    @property
    def in_transaction(self) -> bool:
        """See `mesahub.dialects.base.SessionDialect`."""
        return self._stream.in_transaction

    def request(
        self,
        ref: str,
        operation: str,
        statement: Statement,
        *,
        timeout: float | None,
        idempotent: bool = False,
        hints: Mapping[str, str] = EMPTY,
    ) -> Request:
        """See `mesahub.dialects.base.Dialect.request`."""
        sets = statement.verb == "pragma" and statement.writes
        if self._lost and statement.verb != "rollback":
            raise TransactionLostError(_LOST)
        self._alone = not (self._stream.in_transaction or self._pinned or sets or statement.verb in TRANSACTION)
        if self._alone:
            hints = {**hints, "consistency": "primary"}
            return self._dialect.request(ref, operation, statement, timeout=timeout, idempotent=idempotent, hints=hints)
        if self.capabilities.transactions == "none":
            raise _old_server()
        if sets:
            self._pinned = True
        payload: dict[str, Any] = {"sql": statement.sql, "bindings": statement.bindings}
        if statement.rows is not None:
            payload["rows"] = statement.rows
        # What returns rows has been carried out when they turn out to be too many for the other endpoint.
        cursor = plan_of(statement).guarded
        table = ""
        if statement.verb in _INSERTS and self._rowid is not None and not cursor:
            table = target_of(statement.sql)
        encoder = StreamEncoder(self._stream, statement.verb, statement.names, cursor=cursor, table=table)
        return self._request(operation, payload, encoder, timeout)

    def _request(
        self, operation: str, payload: Any, encoder: StreamEncoder, timeout: float | None, *, safe: bool = False
    ) -> Request:
        return Request(
            operation,
            "POST",
            "/v3/cursor" if encoder.cursor else "/v3/pipeline",
            database=self._ref,
            payload=payload,
            safe=safe or operation == "query",
            timeout=timeout,
            encoder=encoder,
            authority=self._host,
        )

    @property
    def _host(self) -> str | None:
        """The Host header of the next request; ``None`` where the server has said to which address it goes."""
        return self._authority if self.base_url is None else None

    def answer(self, operation: str, statement: Statement, response: Response) -> Answer:
        """See `mesahub.dialects.base.Dialect.answer`."""
        if self._alone:
            return self._dialect.answer(operation, statement, response)
        if failures_in(response):
            raise self.error(response, operation)
        results = checked_results(response, operation)
        try:
            inner = results[0]["response"]
            if inner["type"] != "batch":
                raise ValueError("no batch")
            answer = read_result(statement, inner["result"]["step_results"][0])
        except SHAPE:
            raise_unexpected(response, operation, SENDER)
        if statement.verb in _INSERTS and answer.rowid is not None:
            before, self._rowid = self._rowid, answer.rowid
            if answer.rowid == before and not self._makes_rowid(statement):
                answer.rowid = None
        return answer

    def _makes_rowid(self, statement: Statement) -> bool:
        """Is the rowid that the server gives the statement's own, and not that of an INSERT before it?"""
        return "ON CONFLICT" not in statement.sql.upper() and self._tables.get(target_of(statement.sql), False)

    def batch(
        self,
        ref: str,
        statements: Sequence[Statement],
        *,
        timeout: float | None,
        ticket: str | None = None,
        hints: Mapping[str, str] = EMPTY,
    ) -> Request:
        """Sessions have transactions instead."""
        raise ArgumentError("A session sends no batches: use session.transaction(), or the database itself.")

    def succeeded(self, request: Request, response: Response) -> bool:
        """See `mesahub.dialects.base.Dialect.succeeded`."""
        if not isinstance(request.encoder, StreamEncoder):
            return self._dialect.succeeded(request, response)
        return failures_in(response) == []

    def outcome(self, request: Request, response: Response) -> Outcome | None:
        """See `mesahub.dialects.base.Dialect.outcome`."""
        if not isinstance(request.encoder, StreamEncoder):
            return self._dialect.outcome(request, response)
        return outcome_of(response)

    def error(self, response: Response, operation: str = "") -> MesahubError:
        """See `mesahub.dialects.base.Dialect.error`."""
        failures = failures_in(response)
        if failures and failures[0].code == "SQLITE_BUSY" and self.in_transaction and self._reads_only:
            # The server says that the database is locked, and would say so forever.
            return SQLError.of("attempt to write in a transaction that only reads", status_code=400)
        return error_of(response, operation)

    def instead(self, request: Request, response: Response) -> Request | None:
        """See `mesahub.dialects.base.Dialect.instead`."""
        encoder = request.encoder
        if not isinstance(encoder, StreamEncoder):
            return self._dialect.instead(request, response)
        failures = failures_in(response)
        if encoder.cursor or not failures or failures[0].code != TOO_LARGE:
            return None
        encoder = StreamEncoder(self._stream, encoder.verb, encoder.names, cursor=True)
        return request.replace(authority=self._host).in_other_form("/v3/cursor", encoder)

    def begin(self, mode: str, timeout: float | None) -> Request:
        """See `mesahub.dialects.base.SessionDialect.begin`."""
        if self.capabilities.transactions == "none":
            raise _old_server()
        self._lost = False
        self._reads_only = mode == "read"
        encoder = StreamEncoder(self._stream, "begin", (), also=[_READ] if mode == "read" else [])
        return self._request("exec", {"sql": _BEGIN[mode], "bindings": []}, encoder, timeout, safe=True)

    def end(self, *, commit: bool, timeout: float | None) -> Request | None:
        """See `mesahub.dialects.base.SessionDialect.end`. Raises `TransactionLostError` where one is to be committed
        that was lost.
        """
        lost, self._lost = self._lost, False
        if lost and commit:
            raise TransactionLostError(_LOST)
        if not self._stream.in_transaction:
            return None
        verb = "commit" if commit else "rollback"
        encoder = StreamEncoder(self._stream, verb, (), close=not commit and not self._pinned)
        return self._request("exec", {"sql": verb.upper(), "bindings": []}, encoder, timeout)

    def received(self, request: Request, response: Response) -> None:
        """See `mesahub.dialects.base.SessionDialect.received`."""
        encoder = request.encoder
        if not isinstance(encoder, StreamEncoder):
            return
        response.read()
        payload = payload_of(response)
        results = results_of(payload) if response.status == 200 else None
        if results is None:
            self._drop(encoder)
            self._raise_gone(encoder, response)
            return
        before, self._stream.in_transaction = self._stream.in_transaction, False
        try:
            self._stream.baton = _text_or_none(payload["baton"])
            base_url = _text_or_none(payload["base_url"])
            ran = self._take(encoder, results)
        except SHAPE:
            self._drop(encoder)
            self._lost = before
            return  # the answer's reader says what is wrong
        if base_url is not None:
            self._follow(encoder, base_url)
        self._note(self._ref, encoder, response)
        if before and not self._stream.in_transaction and (encoder.verb not in _ENDS or not ran):
            self._lost = encoder.verb not in _ENDS
            if not ran:
                raise TransactionLostError(_LOST)

    def _follow(self, encoder: StreamEncoder, base_url: str) -> None:
        try:
            url = same_site(base_url, self._urls)
        except MesahubError:
            self._drop(encoder)
            raise
        if self.base_url is not None or url != self._urls[0]:
            self.base_url = url

    def _take(self, encoder: StreamEncoder, results: list[Any]) -> bool:
        """Take the state after a statement; was the statement carried out, well or not?"""
        inner = results[0].get("response", EMPTY)
        steps = inner["result"]["step_results"] if inner else []
        errors = inner["result"]["step_errors"] if inner else []
        if encoder.cursor:
            self._stream.in_transaction = len(steps) == encoder.count and steps[-1] is not None
        else:
            state = results[1]["response"]["is_autocommit"]
            if type(state) is not bool:
                raise TypeError("a state")
            self._stream.in_transaction = not state
        if encoder.table and len(steps) > 1 and steps[1] is not None:
            rows = [[read_value(value) for value in row] for row in steps[1]["rows"]]
            self._tables[encoder.table] = rows == [["table", 0]]
        if not inner:
            return True
        error = errors[0] if errors else None
        if error is not None:
            return bool(error.get("code") != "TRANSACTION_TIMEOUT")
        return bool(steps) and steps[0] is not None

    def _raise_gone(self, encoder: StreamEncoder, response: Response) -> None:
        if is_without_path(response):
            raise _old_server()
        if is_stream_gone(response) or response.status >= 500 or response.status == 200:
            if encoder.verb == "commit" and not is_stream_gone(response):
                raise AmbiguousResultError.of(_COMMITTING, status_code=response.status)
            if self._lost and not is_not_utf8(response):
                raise TransactionLostError(_LOST)

    def failed(self, request: Request, error: TransportError) -> MesahubError:
        """See `mesahub.dialects.base.SessionDialect.failed`."""
        encoder = request.encoder
        if error.outcome is Outcome.NOT_SENT or not isinstance(encoder, StreamEncoder):
            return error
        self._drop(encoder)
        if encoder.verb == "commit":
            return AmbiguousResultError.of(f"{_COMMITTING} ({error})")
        if self._lost:
            return TransactionLostError(
                f"An answer was lost, and with it the transaction; nothing of it is stored: {error}"
            )
        return error

    def _drop(self, encoder: StreamEncoder) -> None:
        """Forget the stream: where it is now is not known."""
        self._lost = (self._stream.in_transaction or self._pinned) and encoder.verb not in _ENDS
        self._stream.in_transaction = self._pinned = False
        self._stream.baton = None
        self._rowid = None

    def closing(self) -> Request | None:
        """See `mesahub.dialects.base.SessionDialect.closing`."""
        if self._stream.baton is None:
            return None
        encoder = StreamEncoder(self._stream, "close", (), alone=True)
        return self._request("exec", {"sql": "", "bindings": []}, encoder, None)


def _text_or_none(value: Any) -> str | None:
    if value is not None and type(value) is not str:
        raise TypeError("a text")
    return value


def _old_server() -> UnsupportedError:
    return UnsupportedError(
        "The libSQL server speaks Hrana 2 only, without interactive transactions: those take Hrana 3 (sqld 0.22). Send "
        "what belongs together as one batch: db.batch([...])."
    )
