"""rqlite's HTTP API as a dialect."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from mesahub._util.secret import Secret
from mesahub.dialects.base import Answer, Capabilities, Dialect
from mesahub.dialects.rqlite.answers import read_answer, read_batch
from mesahub.dialects.rqlite.endpoints import RqliteEndpoints
from mesahub.dialects.rqlite.errors import error_of, outcome_of, results_of
from mesahub.dialects.rqlite.refusals import check_write
from mesahub.dialects.rqlite.statements import BatchPlan, plan_of
from mesahub.errors import ConfigurationError, MesahubError, Outcome
from mesahub.sql import Statement
from mesahub.transport import Request, Response
from mesahub.transport.endpoints import Endpoints
from mesahub.transport.messages import EMPTY
from mesahub.url import ConnectionURL, parse_hosts

__all__ = ["CAPABILITIES", "RqliteDialect"]

CAPABILITIES = Capabilities(
    "rqlite",
    batch="atomic",
    consistency=("weak", "strong", "none", "linearizable"),
    converts_declared=True,
    max_bindings=32_766,
    session_pragmas="none",
    deterministic_writes=False,
    failover=5.0,
)
_FORM = "rqlite://user:password@host:4001[,host:4001...]/"
_BLOBS = (("blob_array", "true"),)
"""Bytes come as a list of numbers then, and text in a BLOB column as text."""
_FORWARDED = 30.0
"""Seconds for which a node waits for the leader, unless it is asked to wait longer."""


class RqliteDialect(Dialect):
    """What rqlite 8 understands.

    Args:
        options: ``freshness``: seconds that a node may have been without word from the leader to answer a read with
            ``consistency="none"``, 5.0 by default. ``nondeterministic``: ``"refuse"`` (default) or ``"allow"`` writes
            that store another value on each node.
    """

    name = "rqlite"
    needs_key = False
    options: ClassVar[frozenset[str]] = frozenset({"freshness", "nondeterministic"})

    def __init__(self, options: Mapping[str, Any] = EMPTY) -> None:
        self.capabilities = CAPABILITIES
        try:
            freshness = float(options.get("freshness", 5.0))
        except (TypeError, ValueError):
            freshness = 0.0
        if not 0 < freshness < 1e6:
            raise ConfigurationError("freshness must be a number of seconds above 0, such as 1.5.")
        writes = options.get("nondeterministic", "refuse")
        if writes not in ("refuse", "allow"):
            raise ConfigurationError(f"nondeterministic must be 'refuse' or 'allow', not {writes!r:.40}.")
        self._deterministic = writes == "refuse"
        self._freshness = f"{freshness:f}s"
        self._reads: dict[tuple[str, float | None], tuple[tuple[str, str], ...]] = {}

    @staticmethod
    def parse_url(url: str) -> ConnectionURL:
        """The parts of ``rqlite://user:password@host:4001,host:4001/``. The one database there may have a name."""
        return parse_hosts(url, port=4001, form=_FORM, user="password", database="main")

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
        plan = plan_of(statement)
        if statement.writes:
            check_write(statement, deterministic=self._deterministic)
            # (/db/execute gives bytes as base64, which looks like text.)
            path = "/db/request" if plan.returns else "/db/execute"
            params = (*_BLOBS, *_patience(timeout)) if plan.returns else _patience(timeout)
        else:
            path, params = "/db/query", self._reading(hints.get("consistency", "weak"), timeout)
        payload: dict[str, Any] = {"sql": statement.sql, "bindings": statement.bindings}
        if statement.rows is not None:
            payload["rows"] = statement.rows
        return Request(
            operation,
            "POST",
            path,
            database=ref,
            params=params,
            payload=payload,
            safe=idempotent or operation == "query",
            timeout=timeout,
            encoder=plan.encode,
            hints=hints,
        )

    def answer(self, operation: str, statement: Statement, response: Response) -> Answer:
        """See `mesahub.dialects.base.Dialect.answer`."""
        return read_answer(operation, statement, response)

    def batch(
        self,
        ref: str,
        statements: Sequence[Statement],
        *,
        timeout: float | None,
        ticket: str | None = None,
        hints: Mapping[str, str] = EMPTY,
    ) -> Request:
        """See `mesahub.dialects.base.Dialect.batch`."""
        for statement in statements:
            if statement.writes:
                check_write(statement, deterministic=self._deterministic)
        payload: list[dict[str, Any]] = []
        for statement in statements:
            payload.append({"sql": statement.sql, "bindings": statement.bindings})
            if statement.rows is not None:
                payload[-1]["rows"] = statement.rows
        return Request(
            "batch",
            "POST",
            "/db/request",
            database=ref,
            params=(("transaction", "true"), *_BLOBS, *_patience(timeout)),
            payload={"statements": payload},
            safe=ticket is not None,
            timeout=timeout,
            encoder=BatchPlan(statements, ticket).encode,
            hints=hints,
        )

    def batch_answer(self, statements: Sequence[Statement], response: Response) -> list[Answer] | None:
        """See `mesahub.dialects.base.Dialect.batch_answer`."""
        return read_batch(statements, response)

    def succeeded(self, request: Request, response: Response) -> bool:  # noqa: ARG002
        """See `mesahub.dialects.base.Dialect.succeeded`."""
        if response.status != 200:
            return False
        try:
            payload = response.payload
        except ValueError:
            return False
        results = results_of(payload)
        if not results or "error" in payload:
            return False
        return not any("error" in result for result in results)

    def outcome(self, request: Request, response: Response) -> Outcome | None:
        """See `mesahub.dialects.base.Dialect.outcome`."""
        return outcome_of(request, response)

    def error(self, response: Response, operation: str = "") -> MesahubError:
        """See `mesahub.dialects.base.Dialect.error`."""
        return error_of(response, operation)

    def authorize(self, key: str) -> Mapping[str, str]:
        """The header of ``user:password``. See `mesahub.dialects.base.Dialect.authorize`."""
        key = Secret(key) if isinstance(key, str) else key  # a traceback may show this function's variables
        if not isinstance(key, str) or ":" not in key or not key.isprintable():
            raise ConfigurationError("rqlite takes a user and a password: api_key='user:password', or in the URL.")
        return MappingProxyType({"Authorization": Secret(f"Basic {base64.b64encode(key.encode()).decode()}")})

    def endpoints(self, urls: Sequence[str]) -> Endpoints:
        """See `mesahub.dialects.base.Dialect.endpoints`."""
        return RqliteEndpoints(urls)

    def _reading(self, level: str, timeout: float | None) -> tuple[tuple[str, str], ...]:
        """The query string of a read. The node ends a statement for which nothing waits any more."""
        params = self._reads.get((level, timeout))
        if params is None:
            # 8.26 takes any other word for "weak", and does not say which it knows.
            sent = "strong" if level == "linearizable" else level
            params = (("level", sent), *_BLOBS, *_patience(timeout))
            if level == "none":
                params += (("freshness", self._freshness),)
            if timeout is not None:
                params += (("db_timeout", f"{timeout:f}s"),)
            if len(self._reads) < 256:
                self._reads[level, timeout] = params
        return params


def _patience(timeout: float | None) -> tuple[tuple[str, str], ...]:
    """How long a node waits for the leader's answer, where that is longer than it would."""
    if timeout is None:
        return (("timeout", "24h"),)
    return (("timeout", f"{timeout:f}s"),) if timeout > _FORWARDED else ()
