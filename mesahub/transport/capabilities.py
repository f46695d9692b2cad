"""What an engine can do, and how much of it: what `mesahub.DatabaseHandle.capabilities` shows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from mesahub._util.frozen import Frozen

__all__ = ["Capabilities"]


class Capabilities(Frozen):
    """What an engine can do. A dialect may know more after its first exchange, so ask for them when you need them.

    The defaults are those of an engine that is SQLite and nothing else, without limits.

    Args:
        engine: the engine's name, for messages.
        files: it stores files (``db.files``, ``client.buckets``).
        admin: it makes databases and API keys (``client.admin``).
        databases: there is more than one database at a URL (``client.db(name)``).
        batch: ``"atomic"``: several writes in one request, all or none (``db.batch``).
        transactions: ``"interactive"``: reads that decide writes (``db.transaction``).
        consistency: the levels that ``consistency=`` takes; empty where all reads see every write.
        exact_values: results have the storage classes as they are stored, so nothing has to be asked for twice.
        converts_declared: BOOLEAN and date columns come converted (see the guide on values).
        returning: ``"all"`` RETURNING clauses give their rows, or only those of ``"simple"`` statements.
        counts: it says how many rows a statement changed.
        max_rows: rows at which it cuts a result without saying so; ``None`` for no limit, as in all of these.
        max_value: bytes of one value.
        max_body: bytes of a request.
        max_sql: bytes of a statement.
        max_bindings: values of a statement.
        session_pragmas: the scope of a PRAGMA such as foreign_keys: for all clients (``"shared"``), for the
            statements of one ``"request"``, or for ``"none"``.
        deterministic_writes: ``False`` where replicas run each statement again, so that ``random()`` may differ.
        failover: seconds that the cluster needs to choose another leader; 0.0 where there is no cluster.
    """

    __slots__ = (
        "admin",
        "batch",
        "consistency",
        "converts_declared",
        "counts",
        "databases",
        "deterministic_writes",
        "engine",
        "exact_values",
        "failover",
        "files",
        "max_bindings",
        "max_body",
        "max_rows",
        "max_sql",
        "max_value",
        "returning",
        "session_pragmas",
        "transactions",
    )

    engine: str
    files: bool
    admin: bool
    databases: bool
    batch: Literal["none", "atomic"]
    transactions: Literal["none", "interactive"]
    consistency: frozenset[str]
    exact_values: bool
    converts_declared: bool
    returning: Literal["all", "simple"]
    counts: bool
    max_rows: int | None
    max_value: int | None
    max_body: int | None
    max_sql: int | None
    max_bindings: int | None
    session_pragmas: Literal["shared", "request", "none"]
    deterministic_writes: bool
    failover: float

    def __init__(
        self,
        engine: str,
        *,
        files: bool = False,
        admin: bool = False,
        databases: bool = False,
        batch: Literal["none", "atomic"] = "none",
        transactions: Literal["none", "interactive"] = "none",
        consistency: Collection[str] = (),
        exact_values: bool = False,
        converts_declared: bool = False,
        returning: Literal["all", "simple"] = "all",
        counts: bool = True,
        max_rows: int | None = None,
        max_value: int | None = None,
        max_body: int | None = None,
        max_sql: int | None = None,
        max_bindings: int | None = None,
        session_pragmas: Literal["shared", "request", "none"] = "none",
        deterministic_writes: bool = True,
        failover: float = 0.0,
    ) -> None:
        self._set(
            engine=engine,
            files=files,
            admin=admin,
            databases=databases,
            batch=batch,
            transactions=transactions,
            consistency=frozenset(consistency),
            exact_values=exact_values,
            converts_declared=converts_declared,
            returning=returning,
            counts=counts,
            max_rows=max_rows,
            max_value=max_value,
            max_body=max_body,
            max_sql=max_sql,
            max_bindings=max_bindings,
            session_pragmas=session_pragmas,
            deterministic_writes=deterministic_writes,
            failover=failover,
        )
