"""The client: wires a URL to a stack of middleware and a transport."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, Unpack

from mesahub._calls.arguments import transport_arguments
from mesahub._calls.deadline import Deadline, checked_timeout
from mesahub._calls.pipeline import Stack
from mesahub._calls.plans.results import exec_result, truncated
from mesahub._calls.unpicklable import Unpicklable
from mesahub._util.secret import Secret, SecretDict
from mesahub.database import DatabaseHandle, check_database
from mesahub.dialects.base import Answer, Capabilities, Dialect
from mesahub.dialects.mesahub.dialect import MesahubDialect
from mesahub.dialects.mesahub.routes import Routes
from mesahub.dialects.registry import parse_any_url
from mesahub.dialects.unsupported import check_consistency, unsupported
from mesahub.errors import ArgumentError, ConfigurationError, MesahubError, Outcome, SQLError
from mesahub.results import ExecResult, QueryResult
from mesahub.sql import Bindings, Statement, prepare
from mesahub.transport import Request, Response
from mesahub.transport.messages import EMPTY
from mesahub.url import parse_mesahub_url, split_api_url

if TYPE_CHECKING:
    from mesahub._calls.client_options import ClientOptions, ConnectOptions
    from mesahub._calls.plans.exact_rows import KnownColumns
    from mesahub.admin import Admin
    from mesahub.buckets import Bucket, Buckets
    from mesahub.dialects.base import DialectFactory
    from mesahub.rows import Rows

__all__ = ["MesahubClient", "connect", "parse_mesahub_url"]

_OWN_OPTIONS: dict[str, Callable[[str], Any]] = {
    "timeout": float,
    "connect_timeout": float,
    "pool_size": int,
    "max_response_bytes": int,
    "allow_insecure": lambda text: text.lower() in ("1", "true", "yes"),
}
"""What a URL's query string may set of the client's own arguments; the rest goes to the transport."""


class MesahubClient(Unpicklable):
    """A client of one MesaHub server, or of databases in this process.

    Safe to share between threads. Close it, or use it as a context manager.

    Args:
        api_key: the key, or a function that gives the current one. Needed where the transport needs it.
        api_url: the server's URL; may end in ``/v1`` or ``/api``. Required if the transport needs it. A list
            of URLs if an engine has several addresses.
        route_prefix: ``"v1"`` for the server's front end, ``"api"`` on the core itself.
        timeout: seconds for a whole call, all its attempts and waits included; ``None`` for no limit.
            For file bodies, the idle timeout instead.
        dialect: the protocol of the server: a name (``"mh"``, or one of an installed package), a factory, or a
            `mesahub.dialects.base.Dialect`.
        consistency: the level of all reads, if the engine has levels.
        **options: `mesahub.ClientOptions`:

            * ``transport``: a name from the registry (`mesahub.installed_transports`), a factory, or an instance
              (which is then yours to close). Default: ``MESAHUB_TRANSPORT``, or ``"urllib"``.
            * ``middleware``: your own, outermost first: functions ``(request, next) -> response``.
            * ``retry``: when to retry; `RetryPolicy.none()` never retries.
            * ``allow_insecure``: send the key over plain HTTP to a host outside private networks.
            * ``connect_timeout``: seconds to make a connection; default 10.
            * ``tls``: a custom CA or a client certificate.
            * ``proxies``: ``{"http": url, "https": url}``; by default from the environment.
            * ``pool_size``: connections kept open; default 10.
            * ``max_response_bytes``: the longest accepted response, except for files; default 256 MiB.
            * options of the transport, such as ``session`` of ``requests``, or ``data`` of ``embedded``.
            * ``transport_options``: the same as a dict, for transports that a type checker does not know.

    Raises:
        ConfigurationError: an argument is missing or invalid.
    """

    def __init__(
        self,
        api_key: str | Callable[[], str] | None = None,
        api_url: str | Sequence[str] | None = None,
        route_prefix: str = "v1",
        timeout: float | None = 30.0,
        *,
        dialect: str | Dialect | DialectFactory = "mh",
        consistency: str | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        given = transport_arguments(options)
        options = {}  # a traceback may show this function's variables
        if isinstance(api_key, str):
            api_key = Secret(api_key)  # before anything may fail: a traceback may show this function's variables
        if dialect == "mh":
            self._dialect: Dialect = MesahubDialect({"route_prefix": route_prefix})
        else:
            from mesahub.dialects.registry import dialect_of

            self._dialect = dialect_of(dialect, given)
        urls: list[Any] = list(api_url) if isinstance(api_url, (list, tuple)) else [api_url]
        urls = [Secret(url) if isinstance(url, str) else url for url in urls]
        api_url = None  # it may hold a key by mistake
        self._stack = Stack(
            api_key,
            [split_api_url(url) for url in urls if url],
            timeout,
            dialect=self._dialect,
            options=given,
        )
        self.timeout = self._stack.timeout
        self._routes = Routes(route_prefix)
        self._send = self._stack.send
        self._hints: Mapping[str, str] = EMPTY
        self._columns: dict[tuple[str, str], KnownColumns] = {}
        transport = self._stack.transport
        # Not in this process, where nothing is gained; not in a session, which belongs to a thread; and not where calls
        # are compared in their order.
        self.reads_ahead = getattr(transport, "capabilities", None) is None and not getattr(transport, "ordered", False)
        if consistency is not None:
            self._hints = self._with_consistency(consistency)

    def query(
        self,
        ref: str,
        sql: str,
        bindings: Bindings = None,
        *,
        timeout: float | None = None,
        consistency: str | None = None,
    ) -> QueryResult:
        """Run one statement that reads, on the database ``ref``. See `DatabaseHandle.query`."""
        return self.run_query(ref, self.prepare(sql, bindings, "query"), timeout=timeout, consistency=consistency)

    def exec(
        self,
        ref: str,
        sql: str,
        bindings: Bindings = None,
        *,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> ExecResult:
        """Run one statement that writes, on the database ``ref``. See `DatabaseHandle.exec`."""
        return self.run_exec(ref, self.prepare(sql, bindings, "exec"), timeout=timeout, idempotent=idempotent)

    def prepare(self, sql: str, bindings: Bindings, operation: str) -> Statement:
        """Check raw SQL and its values (`mesahub.sql.prepare`), by the limits of the engine."""
        able = self._dialect.capabilities
        return prepare(sql, bindings, operation=operation, max_sql=able.max_sql, max_bindings=able.max_bindings)

    def check(self, ref: str, sql: str) -> None:
        """Raise what `exec` would raise of this SQL before anything is sent. Nothing is sent."""
        self._dialect.request(ref, "exec", self.prepare(sql, None, "exec"), timeout=None)

    def run_query(
        self,
        ref: str,
        statement: Statement,
        *,
        timeout: float | None = None,
        limit: int | None = None,
        consistency: str | None = None,
    ) -> QueryResult:
        """Send a compiled statement (`mesahub.sql`) to the query route. ``limit``: most rows that it can give."""
        timeout = self.timeout if timeout is None else checked_timeout(timeout)
        hints = self._hints if consistency is None else self._with_consistency(consistency)
        dialect = self._dialect
        request = dialect.request(ref, "query", statement, timeout=timeout, hints=hints)
        # For middleware; set here and not by the dialects, so that it is the same for all of them.
        request.verb, request.collection, request.statements = statement.verb, statement.table, 1
        response = self._send(request)
        answer = dialect.answer("query", statement, response)
        rows = answer.rows if answer.named else answer.dicts()
        if not answer.whole and len(rows) == dialect.capabilities.max_rows and limit != len(rows):
            raise truncated(len(rows), write=False)
        return QueryResult(rows=rows, columns=answer.columns, row_count=len(rows), query_duration_ms=answer.duration)

    def run_rows(
        self, ref: str, statement: Statement, *, timeout: float | None = None, consistency: str | None = None
    ) -> Rows:
        """Send a compiled SELECT, and give its rows as they are stored. See `DatabaseHandle.rows`."""
        from mesahub._calls.plans.exact_rows import ExactRows

        hints = self._hints if consistency is None else self._with_consistency(consistency)
        plan = ExactRows(ref, statement, self.capabilities, self._columns)
        deadline = Deadline(timeout, self.timeout)
        while True:
            step = plan.statement()
            request = self._dialect.request(ref, "query", step, timeout=deadline.left(), hints={**hints, **plan.hints})
            request.verb, request.collection, request.statements = step.verb, step.table, 1
            try:
                answer = self._dialect.answer("query", step, self._send(request))
            except SQLError:
                if not plan.reject():
                    raise
                continue
            if not answer.whole and len(answer.rows) == self._dialect.capabilities.max_rows:
                raise truncated(len(answer.rows), write=False)
            rows = plan.accept(answer)
            if rows is not None:
                return rows

    def run_exec(
        self, ref: str, statement: Statement, *, timeout: float | None = None, idempotent: bool = False
    ) -> ExecResult:
        """Send a compiled statement (`mesahub.sql`) to the exec route."""
        response = self.send_statement(ref, "exec", statement, timeout=timeout, idempotent=idempotent)
        answer = self._dialect.answer("exec", statement, response)
        if answer.columns is not None and not answer.whole and len(answer.rows) == self._dialect.capabilities.max_rows:
            raise truncated(len(answer.rows), write=statement.writes)
        return exec_result(answer)

    def run_returning(self, ref: str, statement: Statement, *, timeout: float | None = None) -> tuple[Rows, int | None]:
        """Send a compiled write whose rows are wanted as they are stored, and give them and the number of changed rows.

        From a server that loses storage classes, the RETURNING clause is rewritten. Where it cannot be (``*``,
        parameters in it), its values are those of `run_exec`.
        """
        from mesahub._calls.plans.exact_rows import stored_rows
        from mesahub.rows import Rows
        from mesahub.sql.rewrites.returning import exact_returning

        timeout = self.timeout if timeout is None else checked_timeout(timeout)
        native = self.capabilities.exact_values
        rewritten = None if native else exact_returning(statement)
        step, names = (statement, None) if rewritten is None else rewritten
        hints = {**self._hints, "values": "stored"} if native else self._hints
        request = self._dialect.request(ref, "exec", step, timeout=timeout, hints=hints)
        request.verb, request.collection, request.statements = step.verb, step.table, 1
        answer = self._dialect.answer("exec", step, self._send(request))
        if not answer.whole and len(answer.rows) == self._dialect.capabilities.max_rows:
            raise truncated(len(answer.rows), write=statement.writes)
        if names is None:
            return Rows(answer.columns or (), answer.tuples()), answer.affected
        return stored_rows(names, answer.dicts(), write=True), answer.affected

    def run_batch(
        self,
        ref: str,
        statements: Sequence[Statement],
        *,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> list[ExecResult]:
        """Run compiled writes, all or none, in one request. See `DatabaseHandle.batch`."""
        self.require("batch")
        if not statements:
            return []
        timeout = self.timeout if timeout is None else checked_timeout(timeout)
        ticket = os.urandom(16).hex() if idempotent else None
        dialect = self._dialect
        in_process = getattr(self._stack.transport, "capabilities", None) is not None
        if not in_process:
            dialect.check_batch(statements)
        request = dialect.batch(ref, statements, timeout=timeout, ticket=ticket, hints=self._hints)
        verbs, tables = {each.verb for each in statements}, {each.table for each in statements}
        request.verb = verbs.pop() if len(verbs) == 1 else ""
        request.collection = tables.pop() if len(tables) == 1 else None
        request.statements = len(statements)
        try:
            answers = dialect.batch_answer(statements, self._send(request))
        except MesahubError as error:
            sent = not isinstance(error, ArgumentError) and getattr(error, "outcome", None) is not Outcome.NOT_SENT
            if sent and not in_process:
                self._clean_up(request)
            raise
        if answers is None:
            # It ran, and its answer was lost: what it counted is not known.
            if not in_process:
                self._clean_up(request)
            answers = [Answer(None, [], whole=True) for _ in statements]
        return [exec_result(answer) for answer in answers]

    def _clean_up(self, request: Request) -> None:
        cleanup = self._dialect.batch_cleanup(request)
        if cleanup is not None:
            # What is left does no harm but take memory: the error of the batch is what counts.
            with suppress(MesahubError):
                self._send(cleanup)

    def send_statement(
        self,
        ref: str,
        operation: str,
        statement: Statement,
        *,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> Response:
        """Send a compiled statement and give the answer as it came, whatever its status."""
        timeout = self.timeout if timeout is None else checked_timeout(timeout)
        request = self._dialect.request(
            ref, operation, statement, timeout=timeout, idempotent=idempotent, hints=self._hints
        )
        request.verb, request.collection, request.statements = statement.verb, statement.table, 1
        return self._send(request)

    def send(self, request: Request) -> Response:
        """Send any request through the middleware."""
        return self._send(request)

    def _with_consistency(self, level: str) -> Mapping[str, str]:
        check_consistency(self.capabilities, level)
        return {"consistency": level}

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do. (It may be known better after the first request.)"""
        own: Capabilities | None = getattr(self._stack.transport, "capabilities", None)
        return self._dialect.capabilities if own is None else own

    @property
    def dialect(self) -> Dialect:
        """What is said to the engine."""
        return self._dialect

    def require(self, capability: str) -> None:
        """Raise `UnsupportedError` where the engine lacks ``"files"``, ``"admin"``, ``"databases"``, ``"batch"`` or
        ``"transactions"``.
        """
        able = self.capabilities
        if not isinstance(capability, str) or not hasattr(able, capability):
            raise ArgumentError(f"There is no capability {capability!r:.100}.")
        if getattr(able, capability) in (False, "none"):
            raise unsupported(able, capability)

    @property
    def routes(self) -> Routes:
        """The server's paths."""
        return self._routes

    @property
    def admin(self) -> Admin:
        """Administration of a self-hosted server; requires its admin token."""
        self.require("admin")
        from mesahub.admin import Admin

        return Admin(self)

    @property
    def buckets(self) -> Buckets:
        """Buckets: files outside databases."""
        self.require("files")
        from mesahub.buckets import Buckets

        return Buckets(self)

    def db(self, ref: str) -> DatabaseHandle:
        """The database of this slug (or id)."""
        self.require("databases")
        return DatabaseHandle(ref, self)

    def bucket(self, ref: str) -> Bucket:
        """The bucket of this id or name."""
        self.require("files")
        from mesahub.buckets import Bucket

        return Bucket(ref, self)

    def session(self, ref: str) -> DatabaseHandle:
        """Open a separate connection to the database ``ref``. See `DatabaseHandle.session`."""
        from mesahub.middleware.retry_policy import RetryPolicy
        from mesahub.session import Limit, Session

        self.require("transactions")
        transport: Any = self._stack.transport
        dialect = self._dialect
        if hasattr(transport, "open_session"):
            opened = transport.open_session(ref)
        else:
            dialect = dialect.session(ref)
            opened = self._stack.session(dialect)
        limit = Limit()
        client = MesahubClient(
            transport=opened,
            timeout=self.timeout,
            middleware=[*self._stack.middleware, limit.middleware],
            retry=RetryPolicy.none(),
            dialect=dialect,
        )
        client.reads_ahead = False
        return Session(ref, client, opened, limit)

    def close(self) -> None:
        """End waits between attempts, and close the transport unless it was handed in as an instance."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(url: str | os.PathLike[str] | None = None, **options: Unpack[ConnectOptions]) -> DatabaseHandle:
    """Open the database that a connection string names.

    Args:
        url: ``mh://apikey@host[:port]/database`` or ``mh://local/database``; default: ``MESAHUB_URL``. Another scheme
            is that of an installed dialect. A SQLite file is opened where it is by its path (`pathlib.Path`) or by
            ``sqlite:///relative.db`` and ``sqlite:////absolute.db``; ``sqlite://`` is a database in memory.
            Its query string may carry options, such as ``?transport=requests`` or ``?data=DIR``.
        **options: as `MesahubClient` takes them; they override the URL's.

    Returns:
        A handle that owns its client: close it, or use it as a context manager.

    Raises:
        ConfigurationError: no URL, or a wrong one.
    """
    if url is None:
        url = os.environ.get("MESAHUB_URL")
        if not url:
            raise ConfigurationError(
                "No database to connect to: pass a URL (mh://apikey@host/database or mh://local/database) "
                "or set MESAHUB_URL."
            )
    if isinstance(url, str):
        url = Secret(url)
    given = SecretDict(options)
    options = {}  # a traceback may show this function's variables
    target, factory = parse_any_url(url)
    arguments = SecretDict(api_key=target.api_key, api_url=target.endpoints or target.api_url or None)
    if factory is MesahubDialect:
        arguments["route_prefix"] = target.route_prefix
    else:
        arguments["dialect"] = factory
    if target.transport is not None:
        arguments["transport"] = target.transport
    for name, text in target.options.items():
        try:
            arguments[name] = _OWN_OPTIONS.get(name, str)(text)
        except ValueError:
            raise ConfigurationError(f"The URL's option {name} must be a number.") from None
    check_database(target.database)  # before there is anything to close
    return DatabaseHandle(target.database, MesahubClient(**(arguments | given)), owns_client=True)
