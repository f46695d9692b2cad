"""The table API: reads, writes and bulk loading without SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from mesahub._calls.deadline import Deadline
from mesahub._calls.table_reader import TableReader
from mesahub.errors import (
    ArgumentError,
    MesahubError,
    NoSuchColumnError,
    RateLimitError,
    ServerError,
    SQLError,
    TransportError,
)
from mesahub.results import ExecResult, R, Row
from mesahub.sql.write import delete_statement, insert_statement, update_statement

if TYPE_CHECKING:
    from mesahub._calls.bulk_insert import BulkInsert
    from mesahub.sql.filters import Where
    from mesahub.sql.schema import KeyColumns
    from mesahub.sql.statement import Statement
    from mesahub.sql.write import Returning

__all__ = ["TableHandle"]


class TableHandle(TableReader[R]):
    """A table or view of a database. Created by `DatabaseHandle.table`.

    Rows are dicts, or instances of the class that `DatabaseHandle.table` was given: then ``TableHandle[User]`` takes
    and returns instances of ``User``, and its reads ask for the columns of ``User`` alone.

    A ``where`` is a dict, an expression (`mesahub.col`), or ``None`` for all rows. Every call
    takes ``timeout``: seconds for this call, in place of the client's.
    """

    @overload
    def insert(
        self: TableHandle[Row],
        data: Mapping[str, Any],
        *,
        returning: Returning = True,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> Row: ...
    @overload
    def insert(
        self, data: R, *, returning: Returning = True, idempotent: bool = False, timeout: float | None = None
    ) -> R: ...
    def insert(
        self, data: Any, *, returning: Returning = True, idempotent: bool = False, timeout: float | None = None
    ) -> Any:
        """Insert one row.

        Args:
            data: from column to value, or an instance of the table's class; the other columns get their defaults.
            returning: the columns to return; default: all.
            idempotent: the row carries its own primary key (made by the client, such as a UUID), so the call may
                be sent again when its answer was lost: it is an INSERT ... ON CONFLICT DO NOTHING, and a row with
                that key whose columns hold what ``data`` says is this one.
            timeout: seconds.

        Returns:
            The stored row.

        Raises:
            IntegrityError: a constraint failed; with ``idempotent`` also when another row has the key.
            AmbiguousResultError: the response was lost. See ``idempotent``.

        Example:
            >>> users.insert({"name": "Bob", "email": "bob@example.com"})["id"]  # doctest: +SKIP
            >>> payments.insert({"id": str(uuid.uuid4()), "cents": 500}, idempotent=True)  # doctest: +SKIP
        """
        returning = _at_least_one(returning)
        if self._typed is not None:
            data, returning = self._typed.dump(data), self._typed.returning(returning)
        if idempotent:
            return self._insert_idempotently(data, returning, timeout)
        result = self._run(insert_statement(self._scope, data, returning=returning), timeout, False)
        rows = result.rows if self._typed is None else self._loaded(result, returning).rows
        if not rows:
            raise SQLError.of(f"The row was not inserted: a trigger of {self.name!r} ignored it.", status_code=400)
        return rows[0]

    def _insert_idempotently(self, data: Mapping[str, Any], returning: Returning, timeout: float | None) -> R:
        deadline = Deadline(timeout, self._client.timeout)

        def insert(keys: KeyColumns) -> tuple[list[str], list[R]]:
            key = self._keys.made_by_client(keys, data)
            statement = insert_statement(self._scope, data, key=key, returning=returning)
            result = self._run(statement, deadline.left(), True)
            return key, (result if self._typed is None else self._loaded(result, returning)).rows

        key, rows = self._keys.using(insert, deadline)
        if rows:
            return rows[0]
        # The row is there: from an earlier try of this very call, or somebody else's.
        select = None if isinstance(returning, bool) or returning == "*" else returning
        where = {name: {"eq": value} for name, value in data.items()}
        try:
            same = self.find_one(where, select, timeout=deadline.left())
        except (TransportError, ServerError, RateLimitError) as error:
            raise self._keys.unsettled(error) from error
        if same is None:
            raise self._keys.taken(key)
        return same

    @overload
    def insert_many(
        self: TableHandle[Row],
        rows: Iterable[Mapping[str, Any]],
        on_conflict: str | None = None,
        *,
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        where: Where = None,
        create: bool = False,
        alter: bool = False,
        returning: Returning = None,
        progress: Callable[[int, int | None], object] | None = None,
        idempotent: bool = False,
        in_flight: int = 1,
        timeout: float | None = None,
    ) -> ExecResult: ...
    @overload
    def insert_many(
        self,
        rows: Iterable[R],
        on_conflict: str | None = None,
        *,
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        where: Where = None,
        create: bool = False,
        alter: bool = False,
        returning: Returning = None,
        progress: Callable[[int, int | None], object] | None = None,
        idempotent: bool = False,
        in_flight: int = 1,
        timeout: float | None = None,
    ) -> ExecResult[R]: ...
    def insert_many(
        self,
        rows: Iterable[Any],
        on_conflict: str | None = None,
        *,
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        where: Where = None,
        create: bool = False,
        alter: bool = False,
        returning: Returning = None,
        progress: Callable[[int, int | None], object] | None = None,
        idempotent: bool = False,
        in_flight: int = 1,
        timeout: float | None = None,
    ) -> ExecResult[Any]:
        """Insert any number of rows, in as few requests as the server's limits allow.

        Each request is one statement, so its rows go in together or not at all.

        Args:
            rows: any iterable of dicts, or of instances of the table's class, read as it goes; a data frame of pandas
                or polars; a table of pyarrow. A column that a row does not name gets its default.
                Rows with different columns are grouped; only ``on_conflict`` keeps the order.
            on_conflict: ``None`` raises, ``"ignore"`` keeps, ``"replace"`` replaces, ``"update"`` updates the old row.
            key: for ``"update"``: the columns that are unique together; default: the primary key.
            update: for ``"update"``: the columns to change; default: all that are given but the key.
            where: for ``"update"``: as for `upsert`.
            create: create the table if it does not exist: columns and types of the first 1,000 rows (a column with
                values of several types gets none), ``key`` as primary key.
            alter: add columns that rows name and the table does not have. Both are done as the rows go, so rows and
                columns before a wrong row may be in.
            returning: ``True`` or columns: the stored rows come in ``result.rows``.
            progress: called with (rows done, rows in all or ``None``) after each request.
            idempotent: running it twice does no harm, so it may be retried if a response is lost. It needs an
                ``on_conflict`` (and rows with a unique key); ``rows_affected`` is what the last sending did.
            in_flight: 2 sends the next request, in a thread, before the answer to one has come: for rows whose order
                does not matter, without ``on_conflict`` and ``alter``. It has no effect in process and in sessions.
                When a request fails, the one after it may have run.
            timeout: seconds for each request.

        Returns:
            ``rows_affected`` of all requests together; with ``returning`` also ``rows``.

        Raises:
            ArgumentError: names the row (from 0) and the column. Rows are looked at as they are read, so requests
                before it may have been sent.
            MesahubError: of the request that failed. ``error.details["rows_inserted"]`` says how many rows are in
                for certain, and for an `AmbiguousResultError` ``details["rows_in_doubt"]`` how many may be.

        Example:
            >>> logs.insert_many([{"msg": "started"}, {"msg": "done"}], on_conflict="ignore")  # doctest: +SKIP
        """
        from mesahub._calls.bulk_insert import BulkInsert

        if in_flight != 1 or type(in_flight) is not int:
            from mesahub._calls.in_flight import checked_in_flight

            in_flight = checked_in_flight(in_flight, in_order=on_conflict is not None, alter=alter)
            in_flight = in_flight if self._client.reads_ahead else 1
        if self._typed is not None:
            rows, returning = self._typed.dump_many(rows), self._typed.returning(returning)
        if create:
            rows = self._create_for(rows, key, timeout)
        if on_conflict == "update":
            columns: Sequence[str] = self._keys.for_conflict(key, timeout, where)
        elif update is None and where is None and (key is None or create):
            columns = ()
        else:
            raise ArgumentError("key, update and where belong to on_conflict='update'.")
        if idempotent and on_conflict is None:
            raise ArgumentError("Rows that are sent twice are stored twice or fail: idempotent needs an on_conflict.")
        plan = BulkInsert(
            rows,
            scope=self._scope,
            on_conflict=on_conflict,
            key=columns,
            update=update,
            where=where,
            returning=returning,
            progress=progress,
            capabilities=self._client.capabilities,
            in_flight=in_flight,
        )
        if in_flight > 1:
            from mesahub._calls.in_flight import run_in_flight

            run_in_flight(plan, lambda statement: self._run(statement, timeout, idempotent), in_flight)
            return self._loaded(plan.result(), returning)
        known: set[str] | None = None
        while True:
            try:
                statement = plan.statement()
                if statement is None:
                    return self._loaded(plan.result(), returning)
                if alter:
                    known = self._add_missing(plan, known, timeout)
                plan.accept(self._run(statement, timeout, idempotent))
            except BaseException as error:
                if not plan.reject(error):
                    raise

    def _create_for(
        self, rows: Iterable[Mapping[str, Any]], key: str | Sequence[str] | None, timeout: float | None
    ) -> Iterable[Mapping[str, Any]]:
        """Create the table for these rows, if it does not exist; gives all rows."""
        from mesahub._calls.table_shape import create_statement, first_rows

        sample, rows = first_rows(rows)
        if sample:
            self._run(create_statement(self.name, sample, key), timeout, True)
        return rows

    def _add_missing(self, plan: BulkInsert, known: set[str] | None, timeout: float | None) -> set[str]:
        """Add the columns of the next statement that the table does not have; gives all columns, folded."""
        from mesahub._calls.table_shape import folded, missing_columns

        known = folded(self.columns(timeout=timeout)) if known is None else known
        for name, statement in missing_columns(self.name, plan.columns, plan.values, known):
            try:
                self._run(statement, timeout, False)
            except MesahubError:
                # Its answer was lost, or someone else was faster: the column may be there.
                if name not in folded(self.columns(timeout=timeout)):
                    raise
            known.add(name)
        return known

    @overload
    def upsert(
        self: TableHandle[Row],
        data: Mapping[str, Any],
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        *,
        where: Where = None,
        returning: Returning = True,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> Row | None: ...
    @overload
    def upsert(
        self,
        data: R,
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        *,
        where: Where = None,
        returning: Returning = True,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> R | None: ...
    def upsert(
        self,
        data: Any,
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        *,
        where: Where = None,
        returning: Returning = True,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Insert a row, or update the one with its key (ON CONFLICT DO UPDATE).

        Args:
            data: from column to value, or an instance of the table's class. It has the key's columns, and each column
                that is NOT NULL without a default: SQLite looks at those first, also where it will change a row.
            key: the columns of a unique constraint; default: the primary key.
            update: the columns to change; default: all that are given but the key. ``[]`` changes nothing.
            where: the condition of a partial unique index on ``key``, with the same terms in the same order as in its
                CREATE INDEX, such as ``{"deleted": 0}``.
            returning: the columns to return; default: all.
            idempotent: it may be sent again when its answer was lost (true unless triggers count).
            timeout: seconds.

        Returns:
            The row as it is stored; ``None`` when it was there and nothing was to be changed.

        Raises:
            ArgumentError: the table has no primary key, or the row does not name the whole key.

        Example:
            >>> users.upsert({"email": "bob@example.com", "name": "Bob"}, key="email")  # doctest: +SKIP
        """

        returning = _at_least_one(returning)
        if self._typed is not None:
            data, returning = self._typed.dump(data), self._typed.returning(returning)
        deadline = Deadline(timeout, self._client.timeout)

        def insert(columns: Sequence[str]) -> list[R]:
            statement = insert_statement(
                self._scope, data, on_conflict="update", key=columns, update=update, where=where, returning=returning
            )
            result = self._run(statement, deadline.left(), idempotent)
            return (result if self._typed is None else self._loaded(result, returning)).rows

        if key is None and where is None:
            rows = self._keys.using(lambda keys: insert(self._keys.primary(keys)), deadline)
        else:
            rows = insert(self._keys.for_conflict(key, timeout, where))
        return rows[0] if rows else None

    @overload
    def upsert_many(
        self: TableHandle[Row],
        rows: Iterable[Mapping[str, Any]],
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        *,
        where: Where = None,
        create: bool = False,
        alter: bool = False,
        returning: Returning = None,
        progress: Callable[[int, int | None], object] | None = None,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> ExecResult: ...
    @overload
    def upsert_many(
        self,
        rows: Iterable[R],
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        *,
        where: Where = None,
        create: bool = False,
        alter: bool = False,
        returning: Returning = None,
        progress: Callable[[int, int | None], object] | None = None,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> ExecResult[R]: ...
    def upsert_many(
        self,
        rows: Iterable[Any],
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        *,
        where: Where = None,
        create: bool = False,
        alter: bool = False,
        returning: Returning = None,
        progress: Callable[[int, int | None], object] | None = None,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> ExecResult[Any]:
        """`upsert` of any number of rows: `insert_many` with ``on_conflict="update"``.

        Example:
            >>> stock.upsert_many(({"sku": sku, "left": n} for sku, n in counted), key="sku")  # doctest: +SKIP
        """
        return self.insert_many(
            rows,
            "update",
            key=key,
            update=update,
            where=where,
            create=create,
            alter=alter,
            returning=returning,
            progress=progress,
            idempotent=idempotent,
            timeout=timeout,
        )

    def update(
        self,
        where: Where,
        set: R | Mapping[str, Any],
        *,
        all_rows: bool = False,
        returning: Returning = None,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> ExecResult[R]:
        """Update the matching rows.

        Args:
            where: a filter.
            set: from column to new value; ``col("other")`` takes it from another column. Or an instance of the table's
                class: all of its columns.
            all_rows: required if the filter is empty or always true.
            returning: ``True`` or columns: the changed rows come in ``result.rows``.
            idempotent: running it twice does no harm, so it may be retried if its response is lost.
            timeout: seconds.

        Returns:
            ``rows_affected``.

        Raises:
            ArgumentError: the filter is empty or always true, and ``all_rows=True`` was not passed.

        Example:
            >>> users.update(where={"id": 5}, set={"name": "Robert"})  # doctest: +SKIP
        """
        changes: Any = set
        if self._typed is not None:
            changes, returning = self._typed.dump(set, changes=True), self._typed.returning(returning)
        statement = update_statement(self._scope, where, changes, all_rows=all_rows, returning=returning)
        result = self._run(statement, timeout, idempotent)
        return result if self._typed is None else self._loaded(result, returning)

    def delete(
        self,
        where: Where,
        *,
        all_rows: bool = False,
        returning: Returning = None,
        idempotent: bool = False,
        timeout: float | None = None,
    ) -> ExecResult[R]:
        """Delete the matching rows. Arguments as for `update`.

        Example:
            >>> sessions.delete(where={"expires_at": {"lt": "2026-01-01"}}).rows_affected  # doctest: +SKIP
        """
        if self._typed is not None:
            returning = self._typed.returning(returning)
        statement = delete_statement(self._scope, where, all_rows=all_rows, returning=returning)
        result = self._run(statement, timeout, idempotent)
        return result if self._typed is None else self._loaded(result, returning)

    def _run(self, statement: Statement, timeout: float | None, idempotent: bool) -> ExecResult[Any]:
        try:
            return self._client.run_exec(self._ref, statement, timeout=timeout, idempotent=idempotent)
        except NoSuchColumnError as error:
            raise self._explained(error) from error.__cause__

    def _loaded(self, result: ExecResult[Any], returning: Any) -> ExecResult[R]:
        """The result of a write, with the rows of its RETURNING clause as those of the table's class."""
        if self._typed is not None and returning and result.rows:
            result["rows"] = self._typed.load(result.rows, returning, written=True)
        return result

    def __repr__(self) -> str:
        return f"<TableHandle {self.name!r} of {self._ref!r}>"


def _at_least_one(returning: Returning) -> Returning:
    if returning is None or returning is False:
        raise ArgumentError("The answer is the row: returning must be True or a list of columns, such as ['id'].")
    return returning
