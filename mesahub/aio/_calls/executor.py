# Made by scripts/asyncify.py of mesahub/_calls/executor.py: change that, and run `make aio`.
"""What the handles need of a client: protocols, so that no handle imports the client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesahub.dialects.base import Capabilities
    from mesahub.dialects.mesahub.routes import Routes
    from mesahub.results import ExecResult, QueryResult
    from mesahub.rows import Rows
    from mesahub.sql.statement import Bindings, Statement
    from mesahub.transport import AsyncResponse, Request

__all__ = ["AsyncBatchExecutor", "AsyncDatabase", "AsyncExecutor", "AsyncSender", "AsyncSqlExecutor", "ExecutorT_co"]


class AsyncExecutor(Protocol):
    """Runs compiled statements.

    Attributes:
        timeout: seconds for a call that has none of its own.
        reads_ahead: may a read be sent from another thread, to save the time that a network takes?
    """

    timeout: float | None
    reads_ahead: bool

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do, and its limits."""
        ...

    async def run_query(
        self, ref: str, statement: Statement, *, timeout: float | None = None, limit: int | None = None
    ) -> QueryResult:
        """Run a statement that reads, on the database ``ref``. ``limit``: most rows that it can give."""
        ...

    async def run_exec(
        self, ref: str, statement: Statement, *, timeout: float | None = None, idempotent: bool = False
    ) -> ExecResult:
        """Run a statement that writes, on the database ``ref``."""
        ...

    async def send_statement(
        self,
        ref: str,
        operation: str,
        statement: Statement,
        *,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> AsyncResponse:
        """Send a statement and return the response as it came, whatever its status."""
        ...


ExecutorT_co = TypeVar("ExecutorT_co", bound=AsyncExecutor, covariant=True)


class AsyncBatchExecutor(AsyncExecutor, Protocol):
    """Runs several compiled writes, all or none."""

    def prepare(self, sql: str, bindings: Bindings, operation: str) -> Statement:
        """Check raw SQL and its values."""
        ...

    async def run_batch(
        self,
        ref: str,
        statements: Sequence[Statement],
        *,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> list[ExecResult]:
        """Run statements on the database ``ref``."""
        ...


class AsyncSqlExecutor(AsyncBatchExecutor, Protocol):
    """Runs raw SQL too, and gives rows as they are stored."""

    def require(self, capability: str) -> None:
        """Raise `mesahub.UnsupportedError` where the engine lacks it."""
        ...

    def check(self, ref: str, sql: str) -> None:
        """Raise what the engine's dialect refuses before anything is sent. Nothing is sent."""
        ...

    async def run_rows(
        self, ref: str, statement: Statement, *, timeout: float | None = None, consistency: str | None = None
    ) -> Rows:
        """Run a statement that reads; its rows as they are stored."""
        ...

    async def run_returning(
        self, ref: str, statement: Statement, *, timeout: float | None = None
    ) -> tuple[Rows, int | None]:
        """Run a compiled write, and give its rows as they are stored, and the number of changed rows."""
        ...

    async def query(
        self,
        ref: str,
        sql: str,
        bindings: Bindings = None,
        *,
        timeout: float | None = None,
        consistency: str | None = None,
    ) -> QueryResult:
        """See `mesahub.aio.AsyncDatabaseHandle.query`."""
        ...

    async def exec(
        self,
        ref: str,
        sql: str,
        bindings: Bindings = None,
        *,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> ExecResult:
        """See `mesahub.aio.AsyncDatabaseHandle.exec`."""
        ...


class AsyncDatabase(Protocol[ExecutorT_co]):
    """What a table or a batch needs of its database."""

    @property
    def name(self) -> str:
        """The slug."""
        ...

    @property
    def client(self) -> ExecutorT_co:
        """Runs the statements."""
        ...


class AsyncSender(Protocol):
    """Sends requests.

    Attributes:
        timeout: seconds for a call that has none of its own.
    """

    timeout: float | None

    @property
    def routes(self) -> Routes:
        """The server's paths."""
        ...

    async def send(self, request: Request, /) -> AsyncResponse:
        """Send a request through the middleware."""
        ...
