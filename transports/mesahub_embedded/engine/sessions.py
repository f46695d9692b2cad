"""A connection of one caller's own: transactions that last over several statements."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mesahub.errors import ConfigurationError, Outcome, RequestTimeoutError
from mesahub.transport import Request, Response
from mesahub.transport.capabilities import Capabilities
from mesahub_embedded.engine.errors import RefusedError, TimedOutError
from mesahub_embedded.engine.native import exec_response, insert_response, query_response
from mesahub_embedded.engine.results import failure
from mesahub_embedded.engine.rows import UnrepresentableError

if TYPE_CHECKING:
    from mesahub_embedded.engine.connections import Connection
    from mesahub_embedded.engine.engine import Engine
    from mesahub_embedded.engine.execution import Alive
    from mesahub_embedded.engine.execution import Outcome as StatementResult
    from mesahub_embedded.engine.rows import Plan

__all__ = ["SessionTransport"]


class SessionTransport:
    """A transport whose requests all run on one connection. Not for several threads at once: they take turns.

    Args:
        engine: the database.
        capabilities: those of its transport.

    Attributes:
        in_transaction: is a transaction open?
    """

    def __init__(self, engine: Engine, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self._engine = engine
        self._connection: Connection | None = engine.connect_session()
        self._turn = threading.RLock()
        self._writes = False
        self._reads_only = False

    @property
    def in_transaction(self) -> bool:
        return self._connection is not None and self._connection.sqlite.in_transaction

    def begin(self, mode: str, timeout: float | None, alive: Alive = None) -> None:
        """Begin a transaction.

        Args:
            mode: ``"immediate"`` holds the right to write from now on; ``"read"`` keeps the state of now, and writes
                nothing; ``"deferred"`` does either when its first statement needs it.
            timeout: seconds to wait for others that write.
            alive: see `Connection.begin`.

        Raises:
            RequestTimeoutError: they wrote all the time.
        """
        connection = self._open
        with self._turn:
            if mode == "immediate":
                self._take_turn(timeout)
            try:
                connection.begin(timeout, alive)
                connection.sqlite.execute("BEGIN IMMEDIATE" if mode == "immediate" else "BEGIN")
                if mode == "read":
                    self._reads_only = True
                    connection.own("PRAGMA query_only = ON")
                    connection.sqlite.execute("SELECT 1 FROM main.sqlite_schema LIMIT 1").fetchone()
            except BaseException:
                self.end(commit=False)
                raise
            finally:
                connection.end()

    def _take_turn(self, timeout: float | None) -> None:
        try:
            self._engine.reserve(timeout)
        except TimedOutError as error:
            raise RequestTimeoutError(f"No transaction could begin: {error}.", outcome=Outcome.NOT_SENT) from None
        self._writes = True

    def end(self, *, commit: bool) -> None:
        """Commit, or roll back. Raises what SQLite says of a commit, and keeps the transaction open then."""
        connection = self._open
        with self._turn:
            try:
                if connection.sqlite.in_transaction:
                    connection.sqlite.execute("COMMIT" if commit else "ROLLBACK")
            finally:
                self._settle(connection)

    def _settle(self, connection: Connection) -> None:
        """Let others write once no transaction is open: SQLite may have rolled it back itself."""
        if (self._writes or self._reads_only) and not connection.sqlite.in_transaction:
            if self._writes:
                self._writes = False
                self._engine.unreserve()
            if self._reads_only:
                self._reads_only = False
                connection.own("PRAGMA query_only = OFF")

    def send(self, request: Request, alive: Alive = None, /) -> Response:
        """Answer a statement; ``alive`` is asked now and then whether to go on."""
        if request.operation not in ("query", "exec"):
            raise ConfigurationError(f"A session cannot do {request.operation!r}; use the database itself.")
        payload, timeout = request.payload, request.timeout
        with self._turn:
            try:
                if payload.get("rows") is not None:
                    return insert_response(self, payload, timeout, alive)
                if request.operation == "query":
                    return query_response(self, payload, timeout, alive)
                return exec_response(self, payload, timeout, alive)
            except (RefusedError, UnrepresentableError, TimedOutError) as error:
                return failure(error, timeout)
            finally:
                if self._connection is not None:
                    self._settle(self._connection)

    def read(
        self, sql: str, bindings: Sequence[Any] = (), *, timeout: float | None = None, alive: Alive = None
    ) -> tuple[Plan | None, list[tuple[Any, ...]]]:
        """Run one statement that reads. See `Engine.read`."""
        outcome = self.execute(sql, bindings, timeout=timeout, alive=alive)
        return outcome.plan, outcome.rows

    def execute(
        self, sql: str, bindings: Sequence[Any] = (), *, timeout: float | None = None, alive: Alive = None
    ) -> StatementResult:
        """Run one statement. See `Engine.execute`."""
        return self._engine.run_on(self._open, sql, bindings, timeout=timeout, alive=alive)

    def insert_rows(
        self,
        sql: str,
        rows: Sequence[Sequence[Any]],
        *,
        timeout: float | None = None,
        alive: Alive = None,
        unchecked: bool = False,  # noqa: ARG002
    ) -> StatementResult:
        """Insert rows, all or none. See `Engine.insert_rows`; a session checks foreign keys always."""
        return self._engine.insert_on(self._open, sql, rows, timeout=timeout, alive=alive)

    @property
    def _open(self) -> Connection:
        if self._connection is None:
            raise ConfigurationError("The session is closed.")
        return self._connection

    def close(self) -> None:
        """Roll back what is open, and close the connection. May be called twice."""
        with self._turn:
            if self._connection is not None:
                try:
                    self.end(commit=False)
                finally:
                    connection, self._connection = self._connection, None
                    self._engine.close_session(connection)
