"""Sessions and transactions: statements on a connection of one caller's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from mesahub._calls.deadline import checked_timeout
from mesahub.database import DatabaseHandle
from mesahub.errors import ArgumentError, MesahubError, Outcome, RequestTimeoutError, TransactionLostError
from mesahub.results import ExecResult
from mesahub.sql import Statement, analyze
from mesahub.sql.analysis import TRANSACTION
from mesahub.transport import Request, Response

if TYPE_CHECKING:
    from mesahub.database import Client

__all__ = ["Limit", "Mode", "Session", "SessionTransport"]

Mode = Literal["immediate", "deferred", "read"]
"""How a transaction begins: with the right to write, with its first statement's needs, or for reading alone."""


class SessionTransport(Protocol):
    """What a transport's ``open_session(ref)`` gives: a transport on one connection.

    Attributes:
        in_transaction: is a transaction open?
    """

    @property
    def in_transaction(self) -> bool: ...

    def begin(self, mode: str, timeout: float | None) -> None:
        """Begin a transaction."""
        ...

    def end(self, *, commit: bool) -> None:
        """Commit, or roll back."""
        ...

    def send(self, request: Request, /) -> Response:
        """Send one request."""
        ...

    def close(self) -> None:
        """Roll back what is open, and close the connection."""
        ...


class Session(DatabaseHandle):
    """A database on a connection of its own. `DatabaseHandle.session` and `DatabaseHandle.transaction` make it.

    Outside of a transaction each statement is one by itself. TEMP tables and PRAGMAs last as long as the session. Use
    it in one thread at a time, and close it.
    """

    def __init__(self, ref: str, client: Client, transport: SessionTransport, limit: Limit) -> None:
        super().__init__(ref, client, owns_client=True)
        self._transport = transport
        self._limit = limit
        self._depth = 0

    @property
    def in_transaction(self) -> bool:
        """Is a transaction open?"""
        return self._transport.in_transaction

    def begin(self, mode: Mode = "immediate", *, timeout: float | None = None) -> None:
        """Begin a transaction.

        Args:
            mode: ``"immediate"`` waits for the right to write; ``"read"`` sees the state of now, and writes nothing;
                ``"deferred"`` takes what its statements need.
            timeout: seconds to wait; default: the client's.

        Raises:
            ArgumentError: one is open, or another mode.
            RequestTimeoutError, DatabaseBusyError: others wrote all the time.
        """
        if mode not in ("immediate", "deferred", "read"):
            raise ArgumentError(f"mode must be 'immediate', 'deferred' or 'read', not {mode!r:.40}.")
        if self.in_transaction:
            raise ArgumentError("A transaction is open; within it, use session.transaction() (a savepoint).")
        self._call(lambda: self._transport.begin(mode, self._limit.left(timeout, self._client.timeout)))

    def commit(self) -> None:
        """Commit the open transaction; nothing where none is open.

        Raises:
            IntegrityError: a deferred constraint fails; the transaction stays open.
        """
        self._call(lambda: self._transport.end(commit=True))

    def rollback(self) -> None:
        """Take the open transaction back; nothing where none is open."""
        self._call(lambda: self._transport.end(commit=False))

    @contextmanager
    def transaction(self, mode: Mode = "immediate", *, timeout: float | None = None) -> Iterator[Self]:
        """All of the block or nothing; within a transaction, a savepoint. See `DatabaseHandle.transaction`."""
        if not self.in_transaction:
            with self._limit.within(timeout):
                self.begin(mode)
                with self._all_or_nothing(self.commit, self.rollback):
                    yield self
            return
        self._depth += 1
        name = f"mesahub_{self._depth}"
        self._statement(f"SAVEPOINT {name}")

        def undo() -> None:
            if self.in_transaction:
                self._statement(f"ROLLBACK TO {name}")
                self._statement(f"RELEASE {name}")

        try:
            with self._limit.within(timeout):  # noqa: SIM117  (of the twin for asyncio, one alone is asynchronous)
                with self._all_or_nothing(lambda: self._statement(f"RELEASE {name}"), undo):
                    yield self
        finally:
            self._depth -= 1

    @contextmanager
    def _all_or_nothing(self, finish: Callable[[], object], undo: Callable[[], object]) -> Iterator[None]:
        try:
            yield
            self._limit.left(None, None)
            if not self.in_transaction:
                raise TransactionLostError("The database took the transaction back; nothing of it is stored.")
            finish()
        except BaseException:
            self._limit.lift()
            undo()
            raise

    def _statement(self, sql: str) -> None:
        self._client.run_exec(self._ref, Statement(sql, [], sql.partition(" ")[0].lower(), True))

    def _call(self, run: Callable[[], object]) -> None:
        try:
            run()
        except MesahubError:
            raise
        except Exception as error:
            # SQLite's own exception, of a transport in this process.
            from mesahub.dialects.mesahub.errors import error_from

            busy = "locked" in str(error)
            raise error_from(Response(503 if busy else 400, payload={"error": str(error)}), "exec") from error

    def exec_script(self, sql: str, *, timeout: float | None = None) -> list[ExecResult]:
        """Run a script, statement by statement; it may BEGIN, COMMIT and ROLLBACK. See `DatabaseHandle.exec_script`.

        Raises:
            ArgumentError: the script left a transaction open; it was taken back.
        """
        results: list[ExecResult] = []
        within = self.in_transaction
        statements: list[Statement] = []
        prepared = False
        try:
            # All are looked at before the first is sent.
            for part in analyze(sql).parts:
                text = sql[part.start : part.end]
                own = part.verb in TRANSACTION
                statements.append(
                    Statement(text, [], part.verb, True) if own else self._client.prepare(text, None, "exec")
                )
            prepared = True
            for statement in statements:
                results.append(self._client.run_exec(self._ref, statement, timeout=timeout))
        except MesahubError as error:
            error.details["statement"] = len(results if prepared else statements)
            raise
        finally:
            open_ = self.in_transaction and not within
            if open_:
                self.rollback()
        if open_:
            raise ArgumentError("The script left a transaction open, and it was taken back: end it with COMMIT.")
        return results

    def close(self) -> None:
        """Roll back what is open, and close the connection. May be called twice."""
        self._call(self._transport.close)
        super().close()

    def __repr__(self) -> str:
        return f"<Session of {self._ref!r}>"


class Limit:
    """The deadline of a transaction: no statement within it takes longer."""

    def __init__(self) -> None:
        self._end: float | None = None

    @contextmanager
    def within(self, timeout: float | None) -> Iterator[None]:
        """Set a deadline for a block; an earlier one stays."""
        before = self._end
        if timeout is not None:
            end = monotonic() + checked_timeout(timeout)
            self._end = end if before is None else min(before, end)
        try:
            yield
        finally:
            self._end = before

    def lift(self) -> None:
        """Let what must be undone be undone."""
        self._end = None

    def left(self, timeout: float | None, default: float | None) -> float | None:
        """Seconds for a statement. Raises `RequestTimeoutError` when the time is over."""
        wanted = default if timeout is None else checked_timeout(timeout)
        if self._end is None:
            return wanted
        left = self._end - monotonic()
        if left <= 0:
            raise RequestTimeoutError(
                "The time of the transaction is over; it is taken back.", outcome=Outcome.NOT_SENT
            )
        return left if wanted is None else min(left, wanted)

    def middleware(self, request: Request, forward: Any) -> Response:
        """Keep the deadline for each request."""
        left = self.left(request.timeout, None)
        response: Response = forward(request if left == request.timeout else request.replace(timeout=left))
        return response
