"""The table API: reads, writes and bulk loading without SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mesahub.errors import ArgumentError, IntegrityError
from mesahub.results import ExecResult, QueryResult, Row
from mesahub.sql import (
    Scope,
    Statement,
    aggregate_statement,
    count_statement,
    delete_statement,
    exists_statement,
    insert_statement,
    select_statement,
    update_statement,
)

if TYPE_CHECKING:
    from mesahub.database import DatabaseHandle
    from mesahub.sql.change import Returning
    from mesahub.sql.filters import Where
    from mesahub.sql.select import OrderBy

__all__ = ["TableHandle"]


class TableHandle:
    """A table or view of a database; `DatabaseHandle.table` makes it.

    Wherever a ``where`` is taken it is a dict, an expression (`mesahub.col`), or ``None`` for all rows. Every call
    takes ``timeout``: seconds for this call, in place of the client's.
    """

    def __init__(self, table_name: str, db: DatabaseHandle) -> None:
        self._scope = Scope(table_name)
        self._ref = db.name
        self._client = db.client
        self._key: list[tuple[str, str]] | None = None

    @property
    def name(self) -> str:
        """The table's name."""
        return self._scope.name

    def find(
        self,
        where: Where = None,
        select: Sequence[str] | None = None,
        order_by: OrderBy = None,
        limit: int | None = None,
        offset: int | None = None,
        *,
        distinct: bool = False,
        timeout: float | None = None,
    ) -> list[Row]:
        """The rows that match.

        Args:
            where: a filter.
            select: the columns; default: all.
            order_by: ``["name", "-created_at"]`` (``-`` for descending), or dicts with ``column``,
                ``direction`` (``"asc"``, ``"desc"``) and ``nulls`` (``"first"``, ``"last"``).
            limit: most rows.
            offset: rows to skip.
            distinct: each combination of values once.
            timeout: seconds.

        Returns:
            One dict per row.

        Raises:
            ArgumentError: something in the arguments is wrong; nothing was sent.
            NoSuchTableError, NoSuchColumnError: of a name that the database does not know.
            TruncatedResultError: there may be more rows than the 100,000 that the server hands out;
                see `iterate`.

        Example:
            >>> users.find(where={"age": {"gte": 18}}, order_by=["name"], limit=20)  # doctest: +SKIP
        """
        statement = select_statement(self._scope, where, select, order_by, limit, offset, distinct)
        rows: list[Row] = self._client.run_query(self._ref, statement, timeout=timeout)["rows"]
        return rows

    def find_one(
        self,
        where: Where = None,
        select: Sequence[str] | None = None,
        order_by: OrderBy = None,
        *,
        timeout: float | None = None,
    ) -> Row | None:
        """The first row that matches, or ``None``."""
        rows = self.find(where, select, order_by, 1, timeout=timeout)
        return rows[0] if rows else None

    def get(self, key: Any, select: Sequence[str] | None = None, *, timeout: float | None = None) -> Row | None:
        """The row with this primary key, or ``None``.

        Args:
            key: the value; for a key of several columns a tuple in their order, or a dict.
            select: the columns; default: all.
            timeout: seconds.
        """
        columns = [name for name, _ in self.primary_key(timeout=timeout)]
        if isinstance(key, Mapping):
            if set(key) != set(columns):
                raise ArgumentError(
                    f"The primary key of {self.name!r} is ({', '.join(columns)}), not ({', '.join(map(str, key))})."
                )
            where = dict(key)
        else:
            values = list(key) if isinstance(key, (tuple, list)) else [key]
            if len(values) != len(columns):
                raise ArgumentError(
                    f"The primary key of {self.name!r} has {len(columns)} columns ({', '.join(columns)}), and "
                    f"{len(values)} values were given."
                )
            where = dict(zip(columns, values, strict=True))
        if None in where.values():
            return None
        return self.find_one(where, select, timeout=timeout)

    def exists(self, where: Where = None, *, timeout: float | None = None) -> bool:
        """Is there any row that matches?"""
        return bool(self._one_value(exists_statement(self._scope, where), timeout))

    def count(self, where: Where = None, *, timeout: float | None = None) -> int:
        """How many rows match."""
        return int(self._one_value(count_statement(self._scope, where), timeout))

    def aggregate(
        self,
        functions: Mapping[str, str | tuple[str, str]],
        where: Where = None,
        *,
        group_by: str | Sequence[str] | None = None,
        having: Where = None,
        order_by: OrderBy = None,
        limit: int | None = None,
        offset: int | None = None,
        timeout: float | None = None,
    ) -> list[Row]:
        """Counts, sums and their kin, of all rows or by group.

        Args:
            functions: from the name of a result to ``"count"``, or a pair such as ``("sum", "amount")`` of
                ``count``, ``count_distinct``, ``sum``, ``total``, ``avg``, ``min``, ``max`` and a column.
            where: which rows.
            group_by: one row for each combination of these columns; without it there is one row in all.
            having: which groups, by the names of ``group_by`` and ``functions``.
            order_by: by the same names.
            limit: most groups.
            offset: groups to skip.
            timeout: seconds.

        Returns:
            One dict per group: its columns, and the results.

        Example:
            >>> orders.aggregate({"n": "count", "sum": ("sum", "total")}, group_by=["customer"])  # doctest: +SKIP
        """
        statement = aggregate_statement(self._scope, functions, where, group_by, having, order_by, limit, offset)
        rows: list[Row] = self._client.run_query(self._ref, statement, timeout=timeout)["rows"]
        return rows

    def iterate(
        self,
        where: Where = None,
        select: Sequence[str] | None = None,
        order_by: OrderBy = None,
        *,
        batch_size: int = 1000,
        timeout: float | None = None,
    ) -> Iterator[Row]:
        """All rows that match, however many, in pages: memory holds one page at a time.

        Each page begins behind the last row of the one before (by its key, not by a count), so rows that are
        inserted or deleted meanwhile shift nothing: a row that stays is seen exactly once.

        Args:
            where: a filter.
            select: the columns; default: all.
            order_by: the order; rows that are equal in it come by primary key. Default: by primary key.
            batch_size: rows per request, up to 99,999.
            timeout: seconds for each request.

        Raises:
            ArgumentError: it is a view, which has no key to go on by.
        """
        from mesahub._paging import pages

        return pages(self, where, select, order_by, batch_size, timeout)

    def insert(
        self,
        data: Mapping[str, Any],
        *,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> Row:
        """Insert one row.

        Args:
            data: from column to value; the others get their defaults.
            idempotent: the row carries its own primary key (made by the client, such as a UUID), so the call may
                be sent again when its answer was lost: a row with that key which says the same is this one.
            timeout: seconds.

        Returns:
            The row as it is stored, all columns.

        Raises:
            IntegrityError: a constraint failed; with ``idempotent`` also when another row has the key.
            AmbiguousResultError: the answer was lost. See ``idempotent``.
        """
        if idempotent:
            return self._insert_idempotently(data, timeout)
        statement = insert_statement(self._scope, data, returning=True)
        return self._run(statement, timeout, False).rows[0]

    def _insert_idempotently(self, data: Mapping[str, Any], timeout: float | None) -> Row:
        key = [name for name, _ in self.primary_key(timeout=timeout)]
        missing = [name for name in key if not isinstance(data, Mapping) or data.get(name) is None]
        if missing:
            raise ArgumentError(
                f"An idempotent insert needs the row's primary key ({', '.join(key)}), made by the client, such as "
                f"str(uuid.uuid4()); {missing[0]!r} is missing."
            )
        rows = self._run(insert_statement(self._scope, data, key=key, returning=True), timeout, True).rows
        if rows:
            return rows[0]
        # The row is there: from an earlier try of this very call, or somebody else's.
        same = self.find_one(dict(data), timeout=timeout)
        if same is not None:
            return same
        error = IntegrityError.of(
            f"UNIQUE constraint failed: {', '.join(f'{self.name}.{name}' for name in key)}: another row has this key",
            status_code=400,
        )
        error.kind, error.table, error.columns = "unique", self.name, tuple(key)
        raise error

    def insert_many(
        self,
        rows: Iterable[Mapping[str, Any]],
        on_conflict: str | None = None,
        *,
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        returning: Returning = None,
        progress: Callable[[int, int | None], object] | None = None,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> ExecResult:
        """Insert any number of rows, in as few requests as the server's limits allow.

        Each request is one statement, so its rows go in together or not at all.

        Args:
            rows: any iterable of dicts, read as it goes. A column that a row does not name gets its default.
                Rows with different columns are grouped, which may change their order; with ``on_conflict``
                the order is kept.
            on_conflict: ``None`` raises, ``"ignore"`` keeps the row that is there, ``"replace"`` puts the new one
                in its place, ``"update"`` changes it (see `upsert_many`).
            key: for ``"update"``: the columns that tell rows apart; default: the primary key.
            update: for ``"update"``: the columns to change; default: all that are given but the key.
            returning: ``True`` or columns: the stored rows come in ``result.rows``.
            progress: called with (rows done, rows in all or ``None``) after each request.
            idempotent: running it twice does no harm, so it may be sent again when an answer was lost.
            timeout: seconds for each request.

        Returns:
            ``rows_affected`` of all requests together.

        Raises:
            MesahubError: of the request that failed. ``error.details["rows_inserted"]`` says how many rows the
                requests before it have put in.
        """
        from mesahub._bulk import insert_batches

        return insert_batches(
            rows,
            scope=self._scope,
            run=lambda statement: self._run(statement, timeout, idempotent),
            on_conflict=on_conflict,
            key=self._conflict_key(on_conflict, key, timeout),
            update=update,
            returning=returning,
            progress=progress,
        )

    def upsert(
        self,
        data: Mapping[str, Any],
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        *,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> Row | None:
        """Insert a row, or change the one that has its key (ON CONFLICT DO UPDATE).

        Args:
            data: from column to value, the key's included.
            key: the columns of a unique constraint; default: the primary key.
            update: the columns to change; default: all that are given but the key. ``[]`` changes nothing.
            idempotent: it may be sent again when its answer was lost (true unless triggers count).
            timeout: seconds.

        Returns:
            The row as it is stored; ``None`` when it was there and nothing was to be changed.
        """
        statement = insert_statement(
            self._scope,
            data,
            on_conflict="update",
            key=self._conflict_key("update", key, timeout),
            update=update,
            returning=True,
        )
        rows = self._run(statement, timeout, idempotent).rows
        return rows[0] if rows else None

    def upsert_many(
        self,
        rows: Iterable[Mapping[str, Any]],
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        *,
        returning: Returning = None,
        progress: Callable[[int, int | None], object] | None = None,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> ExecResult:
        """`upsert` of any number of rows: `insert_many` with ``on_conflict="update"``."""
        return self.insert_many(
            rows,
            "update",
            key=key,
            update=update,
            returning=returning,
            progress=progress,
            idempotent=idempotent,
            timeout=timeout,
        )

    def update(
        self,
        where: Where,
        set: Mapping[str, Any],
        *,
        all_rows: bool = False,
        returning: Returning = None,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> ExecResult:
        """Change the rows that match.

        Args:
            where: a filter.
            set: from column to new value; ``col("other")`` takes it from another column.
            all_rows: must be said where the filter is empty or always true.
            returning: ``True`` or columns: the changed rows come in ``result.rows``.
            idempotent: running it twice does no harm, so it may be sent again when its answer was lost.
            timeout: seconds.

        Returns:
            ``rows_affected``.
        """
        statement = update_statement(self._scope, where, set, all_rows=all_rows, returning=returning)
        return self._run(statement, timeout, idempotent)

    def delete(
        self,
        where: Where,
        *,
        all_rows: bool = False,
        returning: Returning = None,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> ExecResult:
        """Delete the rows that match. Arguments as for `update`."""
        statement = delete_statement(self._scope, where, all_rows=all_rows, returning=returning)
        return self._run(statement, timeout, idempotent)

    def primary_key(self, *, timeout: float | None = None) -> list[tuple[str, str]]:
        """(name, declared type) of the columns of the primary key; ``[("rowid", "INTEGER")]`` where none is declared.

        Asked once per handle. ``[]`` for a view.

        Raises:
            NoSuchTableError: there is no such table.
        """
        if self._key is None:
            sql = (
                "SELECT m.type AS kind, c.name AS name, c.type AS type, c.pk AS pk FROM sqlite_schema AS m "
                "LEFT JOIN pragma_table_info(m.name) AS c ON c.pk > 0 "
                "WHERE m.name = ? COLLATE NOCASE AND m.type IN ('table', 'view') ORDER BY c.pk"
            )
            result = self._query(Statement(sql, [self.name], "select", False), timeout)
            if not result["rows"]:
                from mesahub.errors import NoSuchTableError

                raise NoSuchTableError.of(f"no such table: {self.name}", status_code=400)
            if result["rows"][0]["kind"] == "view":
                self._key = []
            elif result["rows"][0]["name"] is None:
                self._key = [("rowid", "INTEGER")]
            else:
                self._key = [(row["name"], row["type"]) for row in result["rows"]]
        return self._key

    def _conflict_key(
        self, on_conflict: str | None, key: str | Sequence[str] | None, timeout: float | None
    ) -> Sequence[str]:
        if on_conflict != "update":
            if key is not None:
                raise ArgumentError("key belongs to on_conflict='update'.")
            return ()
        if key is None:
            key = [name for name, _ in self.primary_key(timeout=timeout)]
        columns = [key] if isinstance(key, str) else list(key)
        if not columns or columns == ["rowid"]:
            raise ArgumentError(
                f"{self.name!r} has no primary key: say by which unique columns rows are told apart, key=[...]."
            )
        return columns

    def _query(self, statement: Statement, timeout: float | None) -> QueryResult:
        return self._client.run_query(self._ref, statement, timeout=timeout)

    def _run(self, statement: Statement, timeout: float | None, idempotent: bool) -> ExecResult:
        return self._client.run_exec(self._ref, statement, timeout=timeout, idempotent=idempotent)

    def _one_value(self, statement: Statement, timeout: float | None) -> Any:
        row = self._query(statement, timeout)["rows"][0]
        return next(iter(row.values()))

    def __repr__(self) -> str:
        return f"<TableHandle {self.name!r} of {self._ref!r}>"
