"""What `scripts/asyncify.py` has to be given: the seam to the transport, and words that differ."""

from __future__ import annotations

FOLDERS = ("mesahub", "mesahub/_calls", "mesahub/middleware")
"""Where modules are that may have to be copied."""

WAITS: dict[str, set[str]] = {
    "Sender": {"send"},
    "SessionTransport": {"begin", "end", "send", "close"},
    "Transport": {"close", "open_session"},
    "Response": {"read", "close"},
    "DownloadStream": {"read", "close"},
    "Ahead": {"result", "discard"},
}
"""The seam: what waits by itself, by the name of its class. All else is found from here."""

PROTOCOLS = dict.fromkeys(("Executor", "BatchExecutor", "SqlExecutor", "Client"), "MesahubClient")
"""Protocols whose methods wait where those of a class do."""

CALLBACKS = {"forward", "run", "finish", "undo", "send", "sleep", "_send", "_pause"}
"""Names of functions that are handed over, and wait."""

CONTEXTS = {"opened"}
"""Names of functions that give an asynchronous context manager."""

SETTLED = {"ask", "before", "after", "listener"}
"""Names of functions of the user's, which may wait: what they return is awaited if it is awaitable."""

THREADED = {"os.fsync"}
"""Functions of the system that may block for long: they run in a thread."""

COPIED = {("mesahub._calls.pipeline", "DEFAULT_TRANSPORT"), ("mesahub._calls.pipeline", "_require")}
"""What is copied though it does not wait, for its words."""

PLAIN = {("DatabaseHandle", "batch")}
"""Methods that hand on what is to be awaited."""

ITERATORS = {"iterate"}
"""Methods that return an asynchronous iterator without being a generator."""

TYPES = {
    **dict.fromkeys(("_client", "client", "management"), "MesahubClient"),
    **dict.fromkeys(("db", "_source", "_target"), "DatabaseHandle"),
    **dict.fromkeys(("session", "tx"), "Session"),
    **dict.fromkeys(("users", "logs", "orders", "stock", "payments", "lines", "sessions"), "TableHandle"),
    **dict.fromkeys(("api", "_api"), "Api"),
    **dict.fromkeys(("response", "result", "_response"), "Response"),
    **dict.fromkeys(("batch", "b", "_batch"), "Batch"),
    "_keys": "Keys",
    "keys": "Keys",
    "_limit": "Limit",
    "_sender": "Sender",
    "_stack": "Stack",
    "_transport": "SessionTransport",
    "databases": "Databases",
    "download": "Download",
    "entry": "_Keyed",
    "files": "Files",
    "following": "Ahead",
    "limit": "Limit",
    "opened": "SessionTransport",
    "photos": "Bucket",
    "stream": "DownloadStream",
    "transport": "Transport",
}
"""From the names of variables and attributes to the names of their classes."""

RENAMED = {
    ("Response", "read"): "aread",
    ("Response", "close"): "aclose",
    ("Response", "stream"): "async_stream",
    ("", "__enter__"): "__aenter__",
    ("", "__exit__"): "__aexit__",
    ("", "__iter__"): "__aiter__",
}
"""Attributes that have another name."""

_LAYERS = "mesahub._aio.layers"
MOVED = {
    ("mesahub._calls.ahead", "Ahead"): ("mesahub._aio.ahead", "Ahead"),
    ("mesahub._calls.uploads", "opened"): ("mesahub._aio.uploads", "opened"),
    ("mesahub.middleware.base", "Handler"): (_LAYERS, "Handler"),
    ("mesahub.middleware.base", "Middleware"): (_LAYERS, "Middleware"),
    ("mesahub.middleware.base", "checked"): (_LAYERS, "checked"),
    ("mesahub.middleware.base", "compose"): (_LAYERS, "compose"),
    ("mesahub.transport", "Transport"): ("mesahub.transport.base", "AsyncTransport"),
    ("mesahub.transport", "TransportFactory"): ("mesahub.transport.factories", "AsyncTransportFactory"),
    ("mesahub.transport", "Response"): ("mesahub.transport", "AsyncResponse"),
    ("mesahub.transport.registry", "find_factory"): ("mesahub.transport.asynchronous.registry", "find_async_factory"),
    ("mesahub.transport.registry", "open_transport"): (
        "mesahub.transport.asynchronous.registry",
        "open_async_transport",
    ),
}
"""From (module, name) to (module, name)."""

WORDS: dict[str, list[tuple[str, str]]] = {
    "": [  # where they occur
        ("Callable[[Request], Response]", "Callable[[Request], Coroutine[Any, Any, Response]]"),
        ("Callable[[KeyColumns], T]", "Callable[[KeyColumns], Awaitable[T]]"),
        ("Callable[[], object]", "Callable[[], Awaitable[object]]"),
        ("Callable[[float], object]", "Callable[[float], Awaitable[object]]"),
        ("Callable[[], str]", "Callable[[], str | Awaitable[str]]"),
        ("threading.Event", "Closing"),
        ("or a function that gives the current one", "or a function, ``async`` or not, that gives the current one"),
        ("a context manager", "an asynchronous context manager"),
        ("a ``with``", "an ``async with``"),
        ("all threads of a client", "all tasks of a client"),
        ("Another thread", "Another task"),
    ],
    "mesahub._calls.client_options": [  # a blocking transport runs on threads
        (
            "transport: str | Transport | TransportFactory | None",
            "transport: str | Transport | TransportFactory | Blocking | BlockingFactory | None",
        ),
    ],
    "mesahub._calls.downloads": [("iterate over it", "iterate over it (``async for``)")],
    "mesahub._calls.pipeline": [
        ('DEFAULT_TRANSPORT = "urllib"', 'DEFAULT_TRANSPORT = "asyncio"'),
        ("open=open_transport,", "open=cast(Any, open_transport),"),
    ],
    "mesahub._calls.in_flight": [
        ("Callable[[Statement], ExecResult[Any]]", "Callable[[Statement], Coroutine[Any, Any, ExecResult[Any]]]"),
        ("It is called in threads.", "It is called in tasks."),
    ],
    "mesahub._calls.table_loader": [
        ("2 sends the next request, in a thread,", "2 sends the next request, in a task,"),
        ("rows: any iterable of dicts", "rows: any iterable, asynchronous or not, of dicts"),
        ("rows: Iterable[R],", "rows: Iterable[R] | AsyncIterable[R],"),
        ("rows: Iterable[Any],", "rows: Any,"),
        (
            "        rows: Iterable[Mapping[str, Any]],\n",
            "        rows: Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]],\n",
        ),
        (
            "        if self._typed is not None:\n            rows, returning = self._typed.dump_many",
            "        if isinstance(rows, AsyncIterable):\n"
            "            return await insert_in_parts(\n"
            "                self.insert_many, rows, on_conflict, key=key, update=update, where=where, create=create,\n"
            "                alter=alter, returning=returning, progress=progress, idempotent=idempotent,\n"
            "                in_flight=in_flight, timeout=timeout,\n"
            "            )  # fmt: skip\n"
            "        if self._typed is not None:\n            rows, returning = self._typed.dump_many",
        ),
    ],
    "mesahub._calls.table_reader": [
        ("asks for the next page, in a thread,", "asks for the next page, in a task,"),
    ],
    "mesahub._calls.stream_session": [
        ("threading.RLock()", "LoopLock()"),
        ("with self._turn:", "async with self._turn:"),
        ("Not for several threads at once: they take turns.", "Tasks take turns."),
    ],
    "mesahub.client": [
        (
            "Safe to share between threads. Close it, or use it as a context manager.",
            "For one event loop at a time; all of its tasks may use it. Close it, or use it in ``async with``.",
        ),
        ("functions ``(request, next) -> response``", "functions ``async (request, next) -> response``"),
        ('``MESAHUB_TRANSPORT``, or ``"urllib"``', '``MESAHUB_TRANSPORT``, or ``"asyncio"``'),
    ],
    "mesahub.database": [
        (
            "timeout: float | None = None\n    ) -> list[ExecResult]: ...",
            "timeout: float | None = None\n    ) -> Coroutine[Any, Any, list[ExecResult]]: ...",
        ),
        ("-> Batch | list[ExecResult]:", "-> Batch | Coroutine[Any, Any, list[ExecResult]]:"),
    ],
    "mesahub.management": [('Api(self._stack, "management")', 'Api(cast(Any, self._stack), "management")')],
    "mesahub.middleware.auth": [("threading.Lock()", "LoopLock()"), ("with lock:", "async with lock:")],
    "mesahub.middleware.call_hooks": [
        ("A middleware that calls your functions.", "A middleware that calls your functions, ``async`` or not."),
    ],
    "mesahub.middleware.rate_limiter": [("= time.sleep", "= asyncio.sleep")],
    "mesahub.session": [
        ("  # noqa: SIM117  (of the twin for asyncio, one alone is asynchronous)", ""),
        ("Use\n    it in one thread at a time", "Use\n    it in one task at a time"),
    ],
}
"""What is replaced before all else, by module. Each must be found."""

IMPORTS = """\
import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast
from mesahub._aio.opening import opening, settled
from mesahub._aio.rows import insert_in_parts
from mesahub._aio.waiting import Closing, LoopLock
from mesahub.transport.base import Transport as Blocking
from mesahub.transport.factories import TransportFactory as BlockingFactory
"""
"""What a module may need besides; unused ones are taken away."""

PACKAGES = {
    "mesahub.aio": (
        "Databases for asyncio: `mesahub.connect`, `mesahub.MesahubClient` and their API, awaited.",
        {
            "mesahub.aio": ["middleware"],
            "mesahub.aio.client": ["AsyncMesahubClient", "connect"],
            "mesahub.aio.management": ["AsyncMesahubManagementClient"],
            "mesahub.aio.database": ["AsyncDatabaseHandle"],
            "mesahub.aio.table": ["AsyncTableHandle"],
            "mesahub.aio.batch": ["AsyncBatch"],
            "mesahub.aio.session": ["AsyncSession"],
            "mesahub.copying.asynchronous": ["copy"],
        },
    ),
    "mesahub.aio._calls": ("What the handles for asyncio share.", {}),
    "mesahub.aio.middleware": (
        "Layers between a client for asyncio and its transport: those of `mesahub.middleware`, awaited.",
        {
            _LAYERS: ["Handler", "Middleware"],
            "mesahub.middleware.attempts": ["Attempt"],
            "mesahub.middleware.base": ["Target", "inside_retry"],
            "mesahub.middleware.call_hooks": ["Details"],
            "mesahub.middleware.retry_policy": ["RetryPolicy"],
            "mesahub.aio.middleware.call_hooks": ["hooks"],
            "mesahub.aio.middleware.call_logging": ["logging"],
            "mesahub.aio.middleware.rate_limiter": ["rate_limit"],
            "mesahub.aio.middleware.telemetry": ["opentelemetry"],
        },
    ),
}
"""The packages: docstring, and what they export from where."""
