"""Hrana over HTTP, as libSQL servers speak it, as a dialect."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mesahub._util.secret import Secret
from mesahub.dialects.base import Answer, Capabilities, Dialect, SessionDialect
from mesahub.dialects.libsql.answers import read_answer, read_batch
from mesahub.dialects.libsql.endpoints import PATIENCE, LibsqlEndpoints
from mesahub.dialects.libsql.errors import (
    TOO_LARGE,
    error_of,
    failures_in,
    is_without_database,
    is_without_path,
    is_without_streams,
    outcome_of,
)
from mesahub.dialects.libsql.responses import inner_of, payload_of, results_of
from mesahub.dialects.libsql.statements import BatchEncoder, Encoder, StatementEncoder, plan_of
from mesahub.dialects.libsql.values import MAX_VALUE
from mesahub.dialects.mesahub.authorization import bearer
from mesahub.errors import ArgumentError, ConfigurationError, MesahubError, Outcome, UnsupportedError
from mesahub.sql import Statement
from mesahub.sql.tokenizer import significant
from mesahub.transport import Request, Response
from mesahub.transport.endpoints import Endpoints
from mesahub.transport.messages import EMPTY
from mesahub.transport.network import origin
from mesahub.url import ConnectionURL, parse_hosts

__all__ = ["CAPABILITIES", "LibsqlDialect"]

CAPABILITIES = Capabilities(
    "libSQL",
    databases=True,
    batch="atomic",
    transactions="interactive",
    consistency=("primary", "replica"),
    exact_values=True,
    converts_declared=True,
    max_value=MAX_VALUE,
    max_bindings=32_766,
    session_pragmas="request",
    failover=5.0,
)
DEFAULT = "default"
"""The name of the database where the URL has none: the server's own, or that of its host name."""
_FORM = "libsql://token@primary:8080,replica:8080/database"
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_STORED_PRAGMAS = frozenset({"user_version", "application_id", "incremental_vacuum", "optimize", "wal_checkpoint"})


class LibsqlDialect(Dialect):
    """What a libSQL server understands.

    Args:
        options: ``replica_patience``: seconds for a replica to answer a read before the primary is asked, 1.0 by
            default. ``hrana``: ``"3"`` or ``"2"``, the version of the protocol; by default 3, and 2 where the server
            does not know that.
    """

    name = "libsql"
    needs_key = False
    options: ClassVar[frozenset[str]] = frozenset({"hrana", "replica_patience"})

    def __init__(self, options: Mapping[str, Any] = EMPTY) -> None:
        self.capabilities = CAPABILITIES
        version = str(options.get("hrana", "3"))
        if version not in ("2", "3"):
            raise ConfigurationError(f"hrana must be '3' or '2', not {version!r:.40}.")
        try:
            self._patience = float(options.get("replica_patience", PATIENCE))
        except (TypeError, ValueError):
            self._patience = 0.0
        if not 0 < self._patience < 1e6:
            raise ConfigurationError("replica_patience must be a number of seconds above 0, such as 1.5.")
        self._path = "/v3/pipeline"
        self._closes = True
        self._host = ""
        self._urls: Sequence[str] = ()
        self._primary = ""
        self._replicas: LibsqlEndpoints | None = None
        self._lock = threading.Lock()
        self._indexes: dict[str, int] = {}
        """By database: the state that this client has seen or made, which a replica must have reached."""
        self._known: frozenset[str] = frozenset()
        """Databases that have answered."""
        if version == "2":
            self._note_version(closes=True)

    @staticmethod
    def parse_url(url: str) -> ConnectionURL:
        """The parts of ``libsql://token@primary:8080,replica:8080/database``; ``?authToken=`` is the token, too."""
        url = Secret(url)  # a traceback may show this function's variables
        target = parse_hosts(url, port=8080, tls_port=443, form=_FORM, database=DEFAULT)
        token = target.options.pop("authToken", None)  # type: ignore[attr-defined]
        if token is None:
            return target
        token = Secret(token)
        if target.api_key is not None:
            raise ConfigurationError(f"The URL has two tokens, before the '@' and as authToken. The form: {_FORM}.")
        return target._replace(api_key=token)

    def located(self, urls: Sequence[str]) -> None:
        """See `mesahub.dialects.base.Dialect.located`."""
        if urls:
            self._urls, self._primary = tuple(urls), urls[0]
            place = origin(urls[0])
            host = f"[{place.host}]" if ":" in place.host else place.host
            self._host = f"{host}:{place.port}" if place.port else host

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
        reads = operation == "query" and not statement.writes
        index, seen = None, self._indexes.get(ref, 0)
        if self._replicas is not None and reads:
            if "consistency" not in hints:
                hints = {**hints, "consistency": "replica"}
            if hints["consistency"] == "replica":
                index = seen
        if statement.verb == "pragma" and statement.writes:
            check_pragma(statement.sql)
        payload: dict[str, Any] = {"sql": statement.sql, "bindings": statement.bindings}
        if statement.rows is not None:
            payload["rows"] = statement.rows
        return Request(
            operation,
            "POST",
            self._path,
            database=ref,
            payload=payload,
            safe=idempotent or operation == "query",
            timeout=timeout,
            encoder=StatementEncoder(plan_of(statement), statement.names, index, seen=seen, closes=self._closes),
            hints=hints,
            authority=None if ref == DEFAULT else self.authority(ref),
        )

    def authority(self, ref: str) -> str:
        """The Host header that names a database. Raises `ArgumentError` where its name cannot stand there."""
        if not _NAME.fullmatch(ref):
            raise ArgumentError(
                f"The name of a libSQL database is a label of its host name: letters, digits, '-' and '_', at most 63, "
                f"not {ref!r:.80}."
            )
        return f"{ref}.{self._host}" if self._host else ref

    def answer(self, operation: str, statement: Statement, response: Response) -> Answer:
        """See `mesahub.dialects.base.Dialect.answer`."""
        return self._counted(statement, read_answer(operation, statement, response))

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
        payload: list[dict[str, Any]] = []
        for statement in statements:
            if statement.verb == "pragma" and statement.writes:
                check_pragma(statement.sql)
            payload.append({"sql": statement.sql, "bindings": statement.bindings})
            if statement.rows is not None:
                payload[-1]["rows"] = statement.rows
        return Request(
            "batch",
            "POST",
            self._path,
            database=ref,
            payload={"statements": payload},
            safe=ticket is not None,
            timeout=timeout,
            encoder=BatchEncoder(statements, ticket, seen=self._indexes.get(ref, 0), closes=self._closes),
            hints=hints,
            authority=None if ref == DEFAULT else self.authority(ref),
        )

    def batch_answer(self, statements: Sequence[Statement], response: Response) -> list[Answer] | None:
        """See `mesahub.dialects.base.Dialect.batch_answer`."""
        answers = read_batch(statements, response)
        if answers is None or self._closes:
            return answers
        return [self._counted(each, answer) for each, answer in zip(statements, answers, strict=True)]

    def _counted(self, statement: Statement, answer: Answer) -> Answer:
        if not self._closes and statement.writes and answer.columns is None:
            answer.affected = answer.rowid = None  # (it says 0 of each write)
        return answer

    def succeeded(self, request: Request, response: Response) -> bool:
        """See `mesahub.dialects.base.Dialect.succeeded`."""
        failures = failures_in(response)
        encoder = request.encoder
        if failures is not None and request.path == "/v2/pipeline" and isinstance(encoder, Encoder):
            self._note_version(closes=encoder.closes)
        if failures != []:
            return False
        ref = request.database or ""
        if ref not in self._known:
            self._known |= {ref}
        if self._replicas is not None:
            self.note_index(ref, encoder, response)
        return True

    def outcome(self, request: Request, response: Response) -> Outcome | None:
        """See `mesahub.dialects.base.Dialect.outcome`."""
        if response.status == 404 and request.database in self._known and is_without_database(response):
            return Outcome.REFUSED  # it was there before: the server is ending, or has just begun
        return outcome_of(response)

    def error(self, response: Response, operation: str = "") -> MesahubError:
        """See `mesahub.dialects.base.Dialect.error`."""
        return error_of(response, operation)

    def authorize(self, key: str) -> Mapping[str, str]:
        """The header of a token. See `mesahub.dialects.base.Dialect.authorize`."""
        return bearer(key)

    def endpoints(self, urls: Sequence[str]) -> Endpoints:
        """See `mesahub.dialects.base.Dialect.endpoints`."""
        self._replicas = LibsqlEndpoints(urls, self._patience)
        return self._replicas

    def instead(self, request: Request, response: Response) -> Request | None:
        """See `mesahub.dialects.base.Dialect.instead`."""
        encoder = request.encoder
        if not isinstance(encoder, Encoder):
            return None
        if request.path == "/v3/pipeline" and is_without_path(response):
            return request.in_other_form("/v2/pipeline", encoder if self._closes else encoder.for_no_stream())
        if request.path == "/v2/pipeline" and encoder.closes and is_without_streams(response):
            return request.in_other_form("/v2/pipeline", encoder.for_no_stream())
        if request.path != "/v3/pipeline":
            return None
        failures = failures_in(response)
        if not failures or failures[0].code != TOO_LARGE:
            return None
        hints = {**request.hints, "consistency": "primary"}
        return request.replace(hints=hints).in_other_form("/v3/cursor", encoder.for_cursor())

    def session(self, ref: str) -> SessionDialect:
        """See `mesahub.dialects.base.Dialect.session`."""
        from mesahub.dialects.libsql.session import LibsqlSession

        authority = None if ref == DEFAULT else self.authority(ref)
        return LibsqlSession(self, ref, authority, self._urls, self.note_index)

    def _note_version(self, *, closes: bool) -> None:
        """Remember that the server speaks Hrana 2; one without streams is that of tursodb, which counts nothing."""
        if self._path != "/v2/pipeline" or self._closes is not closes:
            self._path, self._closes = "/v2/pipeline", closes
            self.capabilities = CAPABILITIES.replace(engine="libSQL with Hrana 2", transactions="none", counts=closes)

    def note_index(self, ref: str, encoder: Any, response: Response) -> None:
        """Remember the state of the database that an answer shows."""
        if self._replicas is None:
            return
        seen = encoder.seen if isinstance(encoder, Encoder) else 0
        indexes = [0]
        for result in results_of(payload_of(response)) or ():
            index = inner_of(result).get("replication_index")
            if type(index) is str and index.isascii() and index.isdigit():
                index = int(index)
            if type(index) is int and index < 2**63:
                indexes.append(index)
        index = max(indexes)
        if not index:
            return
        with self._lock:
            known = self._indexes.get(ref, 0)
            if index > known:
                self._indexes[ref] = index
            elif index < seen and response.server in ("", self._primary):
                # Less than what was known when the request was made: the primary counts from the start again.
                self._indexes[ref] = index
                self._replicas.distrust()


def check_pragma(sql: str) -> None:
    """Raise `UnsupportedError` for a PRAGMA whose effect ends with its request."""
    words = [text.lower().strip("\"'`[]") for _, text, _ in significant(sql)[1:4]]
    name = words[2] if words[1:2] == ["."] else words[0]
    if name not in _STORED_PRAGMAS:
        raise UnsupportedError(
            f"PRAGMA {name:.60} would be set for its own request only, because each request to a libSQL server has a "
            "connection of its own. Use a session: with db.session() as session: session.exec(...)."
        )
