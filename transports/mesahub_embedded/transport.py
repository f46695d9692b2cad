"""The transport ``embedded``: answers in this process, from SQLite files in a folder."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from mesahub.errors import ConfigurationError
from mesahub.transport import Request, Response, TransportOptions
from mesahub.transport.capabilities import Capabilities
from mesahub.transport.messages import STATEMENTS
from mesahub_embedded.engine.engine import Engine, Unchecked
from mesahub_embedded.engine.errors import RefusedError, TimedOutError
from mesahub_embedded.engine.execution import Alive
from mesahub_embedded.engine.native import exec_response, insert_response, query_response
from mesahub_embedded.engine.results import failure
from mesahub_embedded.engine.rows import UnrepresentableError
from mesahub_embedded.storage.data_folder import DEFAULT_DATA, Store
from mesahub_embedded.storage.single import SingleDatabase, creates, mode_of

if TYPE_CHECKING:
    from mesahub_embedded.engine.sessions import SessionTransport

__all__ = ["EmbeddedTransport"]

DATA_FOLDER = Capabilities(
    "embedded",
    files=True,
    admin=True,
    databases=True,
    batch="atomic",
    exact_values=True,
    converts_declared=True,
    max_sql=100_000,  # as a server's, so that what runs here runs there
    max_bindings=5_000,
    transactions="interactive",
    session_pragmas="request",
)
SINGLE_FILE = DATA_FOLDER.replace(engine="a single SQLite file", files=False, admin=False, databases=False)


class EmbeddedTransport:
    """SQLite in this process: one file per database, made when it is first used.

    Options:

    * ``data``: the folder that holds everything (default: ``MESAHUB_DATA``, or ``mesahub-data`` in the working
      directory).
    * ``create``: ``False`` makes no database that is not there.
    * ``file``: the path of one SQLite file, used where it is, instead of a folder; ``":memory:"`` for a database in
      memory.
    * ``mode``: for a ``file``: ``"ro"``, ``"rw"``, ``"rwc"`` (the default) or ``"memory"``.

    >>> import mesahub
    >>> with mesahub.connect("mh://local/shop", data="./data") as db:  # doctest: +SKIP
    ...     db.query("SELECT 1 AS one")["rows"]
    [{'one': 1}]
    """

    needs_url: ClassVar[bool] = False
    needs_key: ClassVar[bool] = False
    capabilities: Capabilities = DATA_FOLDER

    def __init__(self, options: TransportOptions) -> None:
        options.check_options("embedded", "data", "file", "mode", "create")
        if options.base_url:
            raise ConfigurationError(
                "The transport 'embedded' has no server, so it takes no api_url. For a server use another "
                "transport ('urllib'); for a database in this process, mesahub.connect('mh://local/name')."
            )
        self._store: Store | SingleDatabase | None = None
        given = options.options
        self._creates = creates(given.get("create"))
        file = given.get("file")
        if file is not None:
            if not isinstance(file, (str, os.PathLike)) or not os.fspath(file) or "data" in given:
                raise ConfigurationError("file is the path of one SQLite file, instead of data=DIR.")
            path = str(os.fspath(file))
            self._store = SingleDatabase(path, mode_of(given.get("mode"), given.get("create"), path))
            self.capabilities = SINGLE_FILE
            return
        if given.get("mode") is not None:
            raise ConfigurationError("mode belongs to a file, such as sqlite:///shop.db?mode=ro.")
        data = options.options.get("data") or os.environ.get("MESAHUB_DATA") or DEFAULT_DATA
        if not isinstance(data, (str, os.PathLike)):
            raise ConfigurationError(f"data is the path of a folder, not {type(data).__name__}.")
        self._store = Store(os.fspath(data))

    @property
    def store(self) -> Store | SingleDatabase:
        """The data folder, or the one database."""
        if self._store is None:
            raise _closed()
        return self._store

    def open_session(self, ref: str) -> SessionTransport:
        """A transport on a connection of its own, for transactions."""
        from mesahub_embedded.engine.sessions import SessionTransport

        return SessionTransport(self.store.engine(ref), self.capabilities)

    @property
    def is_shared(self) -> bool:
        """Have all statements one connection in common?"""
        return isinstance(self._store, SingleDatabase) and self._store.in_memory

    def send(self, request: Request, alive: Alive = None) -> Response:
        """Answer a request; ``alive`` is asked now and then whether to go on with a statement."""
        store = self._store
        if store is None:
            raise _closed()
        operation = request.operation
        try:
            if operation not in STATEMENTS:
                return _other(store, request, alive)
            payload = request.payload
            name = request.database or ""
            if not self._creates and isinstance(store, Store) and not store.path(name).is_file():
                raise RefusedError(404, "Database not found")
            engine = store.engine(name)
            if operation == "query":
                return query_response(engine, payload, request.timeout, alive)
            if operation == "batch":
                return _batch(engine, request, alive)
            if payload.get("rows") is not None:
                return insert_response(engine, payload, request.timeout, alive)
            runs = Unchecked(engine) if "unchecked" in payload else engine
            return exec_response(runs, payload, request.timeout, alive)
        except sqlite3.Error as error:
            # Of the catalog, or of a file on its way in or out: transactions that fail are taken back.
            return Response(500, payload={"error": "the data folder cannot be read or written", "detail": str(error)})
        except (RefusedError, UnrepresentableError, TimedOutError) as error:
            return failure(error, request.timeout)

    def close(self) -> None:
        """Close all databases. May be called twice."""
        store, self._store = self._store, None
        if store is not None:
            store.close()


def _closed() -> ConfigurationError:
    return ConfigurationError("This client is closed: make a new one.")


def _batch(engine: Engine, request: Request, alive: Alive) -> Response:
    from mesahub_embedded.engine.batches import batch_response

    statements = request.payload["statements"]
    return batch_response(engine, statements, timeout=request.timeout, alive=alive, ticket=request.hints.get("ticket"))


def _other(store: Store | SingleDatabase, request: Request, alive: Alive) -> Response:
    if isinstance(store, SingleDatabase):
        raise ConfigurationError(f"A single SQLite file cannot do {request.operation!r}: that takes a data folder.")
    from mesahub_embedded.operations import OPERATIONS, upload

    if request.operation == "files.upload":
        return upload(store, request, alive)
    handler: Callable[[Store, Request], Response] | None = OPERATIONS.get(request.operation)
    if handler is None:
        from mesahub_embedded import inprocess

        if request.operation.startswith(inprocess.PREFIXES):
            return inprocess.answer(store, request)
        raise ConfigurationError(
            f"The transport 'embedded' cannot do {request.operation!r}: that takes a server (mesahub serve)."
        )
    return handler(store, request)
