"""MesaHub's wire protocol as a dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from mesahub.dialects.base import Answer, Capabilities, Dialect
from mesahub.dialects.mesahub.answers import is_result, read_answer
from mesahub.dialects.mesahub.authorization import bearer
from mesahub.dialects.mesahub.limits import MAX_BINDINGS, MAX_BODY, MAX_SQL, ROW_LIMIT
from mesahub.dialects.mesahub.routes import Routes
from mesahub.dialects.mesahub.statements import statement_request
from mesahub.errors import ConfigurationError, MesahubError, Outcome
from mesahub.sql import Statement
from mesahub.transport import Request, Response
from mesahub.transport.messages import EMPTY
from mesahub.url import ConnectionURL, parse_url

__all__ = ["CAPABILITIES", "MesahubDialect"]

CAPABILITIES = Capabilities(
    "MesaHub",
    files=True,
    admin=True,
    databases=True,
    batch="atomic",
    converts_declared=True,
    max_rows=ROW_LIMIT,
    max_body=MAX_BODY,
    max_sql=MAX_SQL,
    max_bindings=MAX_BINDINGS,
    session_pragmas="shared",
)


class MesahubDialect(Dialect):
    """What a MesaHub server understands.

    Args:
        options: ``route_prefix``: ``"v1"`` for the server's front end, ``"api"`` on the core itself.
    """

    name = "mh"
    options: ClassVar[frozenset[str]] = frozenset({"route_prefix"})

    def __init__(self, options: Mapping[str, Any] = EMPTY) -> None:
        prefix = options.get("route_prefix", "v1")
        if prefix not in ("v1", "api"):
            raise ConfigurationError(f"route_prefix must be 'v1' or 'api', not {prefix!r}.")
        self.routes = Routes(prefix)
        self.capabilities = CAPABILITIES
        # Not methods: each call of the client would pay for two functions more.
        self.answer = read_answer  # type: ignore[method-assign]
        self.request = partial(statement_request, self.routes)  # type: ignore[method-assign]

    @staticmethod
    def parse_url(url: str) -> ConnectionURL:
        """The parts of ``mh://key@host/database``."""
        return parse_url(url)

    def check_batch(self, statements: Sequence[Statement]) -> None:
        """See `mesahub.dialects.base.Dialect.check_batch`."""
        from mesahub.dialects.mesahub.batches import check_batch

        check_batch(statements)

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
        from mesahub.dialects.mesahub.batches import batch_request

        return batch_request(self.routes, ref, statements, timeout=timeout, ticket=ticket, hints=hints)

    def batch_answer(self, statements: Sequence[Statement], response: Response) -> list[Answer] | None:
        """See `mesahub.dialects.base.Dialect.batch_answer`."""
        from mesahub.dialects.mesahub.batches import read_batch

        return read_batch(statements, response)

    def batch_cleanup(self, request: Request) -> Request | None:
        """See `mesahub.dialects.base.Dialect.batch_cleanup`."""
        from mesahub.dialects.mesahub.batches import cleanup_request

        return cleanup_request(request)

    def succeeded(self, request: Request, response: Response) -> bool:
        """See `mesahub.dialects.base.Dialect.succeeded`."""
        return is_result(request, response)

    def outcome(self, request: Request, response: Response) -> Outcome | None:
        """See `mesahub.dialects.base.Dialect.outcome`."""
        from mesahub.dialects.mesahub.errors import outcome_of

        return outcome_of(response, request.operation, safe=request.safe)

    def error(self, response: Response, operation: str = "") -> MesahubError:
        """See `mesahub.dialects.base.Dialect.error`."""
        from mesahub.dialects.mesahub.errors import error_from

        return error_from(response, operation)

    def authorize(self, key: str) -> Mapping[str, str]:
        """See `mesahub.dialects.base.Dialect.authorize`."""
        return bearer(key)
