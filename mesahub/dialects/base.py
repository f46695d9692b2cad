"""The contract between mesahub and the language of an engine: what is said, not who moves it.

A dialect is pure. It makes a `Request` of a statement, and an `Answer` or an error of a `Response`; it opens no
connection, waits for nothing and keeps no clock. Any HTTP transport carries any dialect. It is found by the scheme of
the URL, through the entry-point group ``mesahub.dialects``:

    [project.entry-points."mesahub.dialects"]
    mine = "my_package:MyDialect"          # mesahub.connect("mine://host/db"), or mh+mine://host/db

The entry point names a factory, usually the dialect's class. It is called with a dict of the dialect's own options,
those of the caller's options whose names are in its attribute ``options``; and it has a function ``parse_url``, which
takes the URL and returns a `mesahub.url.ConnectionURL` (`mesahub.url.parse_hosts` does most of it).

What a dialect must do:

* What it cannot send it refuses in `Dialect.request` or in the request's encoder, with an `ArgumentError`
  (`RequestTooLargeError` where less would do) or an `UnsupportedError`: before anything is sent.
* A response is a result only if it has the shape of one. Anything else is a `ServerError` for a read, and an
  `AmbiguousResultError` for a write. No response makes it raise anything but a `MesahubError`.
* `Dialect.outcome` says what became of a request. What is not known is ``MAYBE_RAN``; ``REFUSED`` is only what the
  engine itself said, in a form that it alone uses; never words that an application may have put into a trigger.
* A count or a rowid that the engine does not know for certain is ``None``.
* Keys are in no message and in no ``repr``.

`embedded` and `recorder` answer without HTTP, in the form that `mesahub.dialects.mesahub.answers` reads; they are used
with MesaHub's dialect.

`mesahub.testing.DialectContract` asks a dialect for all of this. The guide "Writing a dialect" has a whole one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mesahub.errors import MesahubError, Outcome, TransportError
from mesahub.sql import Statement
from mesahub.transport import Request, Response
from mesahub.transport.answers import Answer
from mesahub.transport.capabilities import Capabilities
from mesahub.transport.endpoints import Endpoints
from mesahub.transport.messages import EMPTY, STATEMENTS

__all__ = ["Answer", "Capabilities", "Dialect", "DialectFactory", "SessionDialect"]


class Dialect:
    """What is said to an engine: derive from it. See the module's text for what it must do.

    `request`, `answer`, `error` and `authorize` are yours to write (`mesahub.dialects.json_dialect.JsonDialect` has
    the last two); the others have defaults for an engine that answers JSON objects, with the usual HTTP statuses.

    Attributes:
        name: as the registry has it.
        capabilities: what the engine can do, as far as is known now.
        needs_key: a client must have a key; ``False`` for an engine that also runs without.
    """

    name: str
    capabilities: Capabilities
    needs_key: bool = True

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
        """The request that carries a statement.

        Args:
            ref: the database.
            operation: ``"query"`` or ``"exec"``.
            statement: the statement; its bindings are Python values (and ``rows`` for a bulk INSERT), and
                ``statement.names`` holds the names of its parameters. The request's payload is
                ``{"sql", "bindings"}`` (and ``"rows"``), its encoder makes the engine's form of that.
            timeout: seconds.
            idempotent: it may be sent twice.
            hints: what the caller asked for beyond, such as ``{"consistency": "strong"}``; put them into
                ``Request.hints``.
        """
        raise NotImplementedError

    def answer(self, operation: str, statement: Statement, response: Response) -> Answer:
        """What the response says. Raises a `MesahubError` for anything that is not a result."""
        raise NotImplementedError

    def check_batch(self, statements: Sequence[Statement]) -> None:
        """Raise `ArgumentError` for statements that cannot be a part of a batch. (Not called for a transport that works
        in this process, and has transactions.)
        """
        return

    def batch(
        self,
        ref: str,
        statements: Sequence[Statement],
        *,
        timeout: float | None,
        ticket: str | None = None,
        hints: Mapping[str, str] = EMPTY,
    ) -> Request:
        """The request that carries several writes, all or none; its operation is ``"batch"``.

        Only called where ``capabilities.batch`` is ``"atomic"``.

        Args:
            ref, timeout, hints: as in `request`.
            statements: what to run, in order.
            ticket: a text that is this call's own: the batch is run only if none with the same ticket was before.
        """
        raise NotImplementedError

    def batch_answer(self, statements: Sequence[Statement], response: Response) -> list[Answer] | None:
        """One answer per statement; ``None`` where the ticket says that the batch ran before."""
        raise NotImplementedError

    def batch_cleanup(self, request: Request) -> Request | None:
        """What to send after a batch that failed, to remove what it may have left; ``None`` for nothing."""
        return None

    def succeeded(self, request: Request, response: Response) -> bool:
        """Is this a response to hand on? Called once for each, so it is quick."""
        if response.status >= 400:
            return False
        if not request.safe or request.operation not in STATEMENTS:
            return True
        try:
            return type(response.payload) is dict
        except ValueError:
            return False

    def outcome(self, request: Request, response: Response) -> Outcome | None:
        """What became of a request that did not succeed; ``None`` where asking again would give the same."""
        if response.status == 429:
            return Outcome.REFUSED
        final = 400 <= response.status < 500 and response.status not in (408, 425, 460, 499)
        return None if final else Outcome.MAYBE_RAN

    def error(self, response: Response, operation: str = "") -> MesahubError:
        """The error for a response."""
        raise NotImplementedError

    def authorize(self, key: str) -> Mapping[str, str]:
        """The headers that authenticate. Raises `ConfigurationError` for a key that cannot be one."""
        raise NotImplementedError

    def located(self, urls: Sequence[str]) -> None:
        """Learn the addresses of the engine, once, before any request is made. Most dialects need not know them."""
        return

    def endpoints(self, urls: Sequence[str]) -> Endpoints:
        """What chooses among several addresses."""
        return Endpoints(urls)

    def instead(self, request: Request, response: Response) -> Request | None:
        """Another request for the same call, where the engine does not take this form of it; ``None`` for no other.

        Asked for a response that is not a result. The other request is sent at once, and is not counted as another
        attempt: so it must be certain that this one changed nothing, and no request may lead back to one before it.
        """
        return None

    def session(self, ref: str) -> SessionDialect:
        """A stream of requests that share a connection of the engine.

        Only called where ``capabilities.transactions`` is ``"interactive"``, for a transport that moves requests.
        """
        raise NotImplementedError


class SessionDialect(Dialect):
    """What is said in one session. Its requests go out one after the other, and each response comes to `received`.

    Attributes:
        base_url: where the engine wants the next request of this session; ``None`` for where the last one went.
    """

    base_url: str | None = None

    @property
    def in_transaction(self) -> bool:
        """Is a transaction open?"""
        raise NotImplementedError

    def begin(self, mode: str, timeout: float | None) -> Request:
        """The request that begins a transaction; see `mesahub.session.Session.begin`."""
        raise NotImplementedError

    def end(self, *, commit: bool, timeout: float | None) -> Request | None:
        """The request that commits, or rolls back; ``None`` where nothing is open."""
        raise NotImplementedError

    def received(self, request: Request, response: Response) -> None:
        """Take what is to be known for the next request. Raises `TransactionLostError` where the session is gone."""
        raise NotImplementedError

    def failed(self, request: Request, error: TransportError) -> MesahubError:
        """Take that no response came. Returns the error to raise."""
        raise NotImplementedError

    def closing(self) -> Request | None:
        """The request that closes the session; ``None`` where the engine holds nothing for it."""
        raise NotImplementedError


class DialectFactory(Protocol):
    """What an entry point of ``mesahub.dialects`` names: usually the dialect's class.

    Attributes:
        options: the names of the options that it takes.
    """

    options: frozenset[str]

    def __call__(self, options: Mapping[str, Any], /) -> Dialect:
        """Make a dialect."""
        ...
