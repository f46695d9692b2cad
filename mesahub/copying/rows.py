"""Rows with every value as it is stored: read in pages, and written again.

A column that is declared DATETIME or BOOLEAN is converted by the server on its way out, a blob comes as base64, and a
whole real without its point. An expression is not converted, and `typeof` says what a value is; so each row comes as
the storage classes of its values and the values of expressions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from itertools import groupby
from typing import Any, NamedTuple

from mesahub._calls.ahead import Ahead
from mesahub.copying.schema import Table, joined
from mesahub.copying.values import BrokenText, Infinity, Row, value_term
from mesahub.database import DatabaseHandle
from mesahub.errors import AmbiguousResultError, ArgumentError, IntegrityError, UnrepresentableResultError
from mesahub.sql import Statement
from mesahub.sql.rewrites.exact import KINDS

__all__ = ["STAGING", "Reader", "Writer", "fingerprint"]

PAGE_BYTES = 2_000_000
"""Bytes of a page, as nearly as rows allow: a copy holds one page (over a network two), whatever a table
holds."""
PIECE = 3_000_000
"""Bytes of a value that go in one request, when the value is larger than a request may be."""
COLUMNS = 250
"""Columns that one statement reads: a server bounds its length."""

STAGING = "mesahub_copy_pieces"
"""A table of the target, there while a value is put together that is larger than a request."""
TRIES = 3
BATCH_STATEMENTS = 100
"""Statements that go in one request, for rows with values that a page cannot carry."""


class Size(NamedTuple):
    """What is known of a table before its rows are read."""

    rows: int
    bytes: int
    largest: int
    """Bytes of the largest row."""


class Reader:
    """Reads a table of a database in pages, in the order of its key.

    Args:
        db: the database.
        table: the table.
        most_rows: rows of a page.
        timeout: seconds for a request.
    """

    def __init__(self, db: DatabaseHandle, table: Table, most_rows: int, timeout: float | None) -> None:
        self._db = db
        self._table = table
        self._most_rows = most_rows
        self._timeout = timeout
        self._native = db.capabilities.exact_values

    def pages(self, behind: Row | None = None) -> Iterator[list[Row]]:
        """Pages of rows, starting after this key. Over a network, the next one comes while the caller works on one."""
        following: Ahead[tuple[int, list[Row]]] | None = None
        try:
            while True:
                limit, rows = self._limited_page(behind) if following is None else following.result()
                following = None
                if not rows:
                    return
                behind = self._table.key_of(rows[-1])
                is_last = len(rows) < limit
                if not is_last and self._db.client.reads_ahead:
                    following = Ahead(partial(self._limited_page, behind))
                yield rows
                if is_last:
                    return
        finally:
            if following is not None:
                following.discard()

    def _limited_page(self, behind: Row | None) -> tuple[int, list[Row]]:
        limit = self._page_rows(behind)
        return limit, self._page(behind, limit)

    def last_key(self) -> Row | None:
        """The key of the last row, ``None`` for an empty table."""
        rows = self._select(None, 1, descending=True)
        return self._table.key_of(rows[0]) if rows else None

    def count_until(self, key: Row) -> int:
        """Rows up to this key, its own included."""
        condition, bindings = self._table.compare("<=", key)
        sql = f"SELECT count(*) AS n FROM {self._table.quoted} WHERE {condition}"
        return int(self._query(sql, bindings)[0]["n"])

    @cached_property
    def size(self) -> Size:
        """What the table has, when it is first asked for."""
        found = [
            self._query(
                f"SELECT count(*) AS n, total(s) AS b, coalesce(max(s), 0) AS m FROM "
                f"(SELECT {self._table.size_term(places)} AS s FROM {self._table.quoted})"
            )[0]
            for places in _groups(self._table)
        ]
        # Of a table with many columns the largest row is at most the sum of the largest parts.
        return Size(int(found[0]["n"]), int(sum(row["b"] for row in found)), int(sum(row["m"] for row in found)))

    def _page_rows(self, behind: Row | None) -> int:
        """The number of rows that fit into a page."""
        if self.size.largest * self._most_rows <= 2 * PAGE_BYTES:
            return self._most_rows
        # Large rows among small ones: their sizes are looked at before they are read.
        condition, bindings = self._table.compare(">", behind) if behind is not None else ("true", [])
        order = self._table.order()
        parts = []
        for places in _groups(self._table):
            sql = (
                f"SELECT {self._table.size_term(places)} AS s FROM {self._table.quoted} WHERE {condition} "
                f"ORDER BY {order} LIMIT {self._most_rows}"
            )
            parts.append([row["s"] for row in self._query(sql, bindings)])
        held = count = 0
        for size in map(sum, zip(*parts, strict=True)):
            held += size
            if held > PAGE_BYTES and count:
                break
            count += 1
        return max(count, 1)

    @cached_property
    def encoding(self) -> str:
        """How the database keeps text: ``"UTF-8"``, ``"UTF-16le"`` or ``"UTF-16be"``."""
        return str(self._query("PRAGMA encoding")[0]["encoding"])

    def _page(self, behind: Row | None, limit: int) -> list[Row]:
        try:
            rows = self._select(behind, limit)
        except UnrepresentableResultError:
            # An engine that sends no bytes that are not UTF-8.
            return self._select(behind, limit, as_bytes=True)
        if any("\ufffd" in value for row in rows for value in row if type(value) is str):
            # The server puts U+FFFD for bytes that are not UTF-8; only the bytes show whether it did.
            rows = self._select(behind, limit, as_bytes=True)
        return rows

    def _select(self, behind: Row | None, limit: int, *, as_bytes: bool = False, descending: bool = False) -> list[Row]:
        parts = [self._part(places, behind, limit, as_bytes, descending) for places in _groups(self._table)]
        if len(parts) == 1:
            return parts[0]
        return [tuple([value for part in row for value in part]) for row in zip(*parts, strict=True)]

    def _part(self, places: range, behind: Row | None, limit: int, as_bytes: bool, descending: bool) -> list[Row]:
        """Some columns of a page: the text of a statement, and the columns of a result, are bounded."""
        table = self._table
        condition, bindings = table.compare(">", behind) if behind is not None else ("true", [])
        keys = "".join([f"{table.quoted}.{part.column} AS k{i}, " for i, part in enumerate(table.key)])
        inner = keys + ", ".join(f"{table.quoted}.{table.columns[i]} AS c{i}" for i in places)
        kinds = joined([f"substr(typeof(c{i}), 1, 1)" for i in places], " || ")
        values = ", ".join(f"{_value_term(f'c{i}', as_bytes, self._native)} AS v{i}" for i in places)
        down = " DESC" if descending else ""
        outer_order = ", ".join(f"k{i}{part.collate}{down}" for i, part in enumerate(table.key))
        sql = (
            f"SELECT {kinds} AS {KINDS}, {values} FROM (SELECT {inner} FROM {table.quoted} WHERE {condition} "
            f"ORDER BY {table.order(descending=descending)} LIMIT {limit}) ORDER BY {outer_order}"
        )
        names = [f"v{i}" for i in places]
        encoding = self.encoding if as_bytes else ""
        return [
            tuple([_stored(kind, row[name], encoding) for kind, name in zip(row[KINDS], names, strict=True)])
            for row in self._values(sql, bindings)
        ]

    def _values(self, sql: str, bindings: list[Any]) -> Iterable[dict[str, Any]]:
        if self._native:
            return self._db.rows(sql, bindings, timeout=self._timeout)
        return self._query(sql, bindings)

    def _query(self, sql: str, bindings: list[Any] | None = None) -> list[dict[str, Any]]:
        return self._db.query(sql, bindings, timeout=self._timeout).rows


def _groups(table: Table) -> list[range]:
    """The places of the columns that one statement reads."""
    count = len(table.columns)
    return [range(at, min(at + COLUMNS, count)) for at in range(0, count, COLUMNS)]


def _value_term(name: str, as_bytes: bool, native: bool) -> str:
    # The plus makes an expression of a column. As hex bytes come whole also from an engine that is not exact; elsewhere
    # that would only double their size.
    blob = "+{}" if native else "hex({})"
    plain = (
        f"CASE typeof({name}) WHEN 'blob' THEN {blob.format(name)} WHEN 'real' THEN "
        f"iif(+{name} IN (9e999, -9e999), +{name} || '', +{name}) ELSE +{name} END"
    )
    if not as_bytes:
        return plain
    return f"iif(typeof({name}) = 'text', {blob.format(f'CAST({name} AS BLOB)')}, {plain})"


def _stored(kind: str, value: Any, encoding: str) -> Any:
    """The value as it is stored, of its storage class's first letter and of what came.

    ``encoding``: text came as its bytes, in this encoding of the database; ``""``: it came as text.
    """
    if kind == "r":
        return Infinity("-inf" if value[0] == "-" else "inf") if type(value) is str else float(value)
    if kind == "b":
        return value if type(value) is bytes else bytes.fromhex(value)
    if kind == "t" and encoding:
        content = value if type(value) is bytes else bytes.fromhex(value)
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            if encoding != "UTF-8":
                raise ArgumentError(
                    f"A text of this {encoding} database is not valid {encoding} ({content[:20]!r}); repair it first."
                ) from None
            return BrokenText(content)
    return value


def fingerprint(reader: Reader, progress: Callable[[int], object] | None = None) -> tuple[int, str]:
    """Rows, and a hash of all values with their storage classes, in the order of the key."""
    digest = Digest()
    for rows in reader.pages():
        digest.add(rows)
        if progress is not None:
            progress(digest.rows)
    return digest.rows, digest.text


class Digest:
    """A hash of rows as they come."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.rows = 0

    def add(self, rows: list[Row]) -> None:
        """The next rows."""
        self.rows += len(rows)
        # repr() distinguishes 1 from 1.0, and text from bytes; one line per row, independent of pages.
        self._hash.update("".join([f"{row!r}\n" for row in rows]).encode("utf-8", "surrogatepass"))

    @property
    def text(self) -> str:
        """The hash so far."""
        return self._hash.hexdigest()


class Writer:
    """Writes rows into a table of the target, each page as one statement: all of it or nothing.

    Args:
        db: the database.
        table: the table.
        timeout: seconds for a request.
        unchecked: check no foreign keys: rows come in an order of their own, and some refer to one another.
    """

    def __init__(self, db: DatabaseHandle, table: Table, timeout: float | None, *, unchecked: bool) -> None:
        self._db = db
        self._table = table
        self._timeout = timeout
        self._unchecked = unchecked
        self._reader = Reader(db, table, 1, timeout)
        places = ", ".join("?" * len(table.columns))
        self._bulk = f"{table.insert} VALUES ({places})"

    def write(self, rows: list[Row]) -> None:
        """Write rows, which are in the order of the key."""
        groups = [(odd, list(members)) for odd, members in groupby(rows, key=_is_odd)]
        if len(groups) == 1 and not groups[0][0]:
            self._write(rows)
            return
        parts = [part for odd, members in groups for part in ([[row] for row in members] if odd else [members])]
        if self._db.capabilities.batch == "atomic" and not self._unchecked:
            for at in range(0, len(parts), BATCH_STATEMENTS):
                self._write_together(parts[at : at + BATCH_STATEMENTS])
        else:
            self._write_each(parts)

    def _write_together(self, parts: list[list[Row]]) -> None:
        """Several statements in one request."""
        statements = [self._statement(part) for part in parts]
        try:
            self._attempt(
                lambda: self._db.client.run_batch(self._db.name, statements, timeout=self._timeout), parts[-1][-1]
            )
        except (ArgumentError, IntegrityError) as error:
            if isinstance(error, IntegrityError) and error.kind != "foreign_key":
                raise
            # Too much for one batch, or a reference to a row that comes later: nothing of it was stored.
            self._write_each(parts)

    def _write_each(self, parts: list[list[Row]]) -> None:
        for part in parts:
            if _is_odd(part[0]):
                self._run(self._single(part[0]), part[0])
            else:
                self._write(part)

    def _statement(self, part: list[Row]) -> Statement:
        if _is_odd(part[0]):
            return self._single(part[0])
        return Statement(self._bulk, [], "insert", True, part)

    def _write(self, rows: list[Row]) -> None:
        try:
            self._run(Statement(self._bulk, [], "insert", True, rows), rows[-1])
        except ArgumentError as error:
            if error.code != "BODY_TOO_LARGE":
                raise
            if len(rows) == 1:
                self._in_pieces(rows[0])
                return
            half = len(rows) // 2
            self._write(rows[:half])
            self._write(rows[half:])

    def _run(self, statement: Statement, last: Row) -> None:
        def attempt() -> None:
            statement.unchecked = self._unchecked
            self._db.client.run_exec(self._db.name, statement, timeout=self._timeout)

        for left in reversed(range(TRIES)):
            try:
                self._attempt(attempt, last)
                return
            except IntegrityError as error:
                if error.kind != "foreign_key" or not left:
                    raise
                self._unchecked = True

    def _attempt(self, send: Callable[[], object], last: Row) -> None:
        """Send rows, whose last one is given, again where no answer came."""
        for left in reversed(range(TRIES)):
            try:
                send()
                return
            except AmbiguousResultError:
                # Rows come in the order of the key, so the last key shows whether these were inserted.
                if self._reader.last_key() == self._table.key_of(last):
                    return
                if not left:
                    raise

    def _single(self, row: Row) -> Statement:
        """A row with values that no page can carry."""
        terms, bindings = [], []
        for value in row:
            term, bound = value_term(value)
            terms.append(term)
            bindings += bound
        return Statement(f"{self._table.insert} VALUES ({', '.join(terms)})", bindings, "insert", True)

    def _in_pieces(self, row: Row) -> None:
        """A row that is larger than a request: its large values are sent in pieces and reassembled."""
        most, largest = self._db.capabilities.max_value, max([_bytes_of(value) for value in row])
        if most is not None and largest > most:
            raise ArgumentError(
                f"A value of the table {self._table.name!r} has {largest:,} bytes, and "
                f"{self._db.capabilities.engine} takes {most:,} in one value."
            )
        self._exec(f"CREATE TABLE IF NOT EXISTS {STAGING} (number INTEGER PRIMARY KEY, piece BLOB)")
        self._exec(f"DELETE FROM {STAGING}")
        terms, bindings, number = [], [], 0
        for value in row:
            content = value.encode() if type(value) is str else value
            if not isinstance(content, bytes) or len(content) < PIECE // 10:
                term, bound = value_term(value)
                terms.append(term)
                bindings += bound
                continue
            parts = []
            for start in range(0, len(content), PIECE):
                insert = f"INSERT OR REPLACE INTO {STAGING} VALUES (?, ?)"
                self._exec(insert, [number, content[start : start + PIECE]])
                parts.append(f"(SELECT piece FROM {STAGING} WHERE number = {number})")
                number += 1
            kind = "BLOB" if type(value) is bytes else "TEXT"
            terms.append(f"CAST({joined(parts, ' || ')} AS {kind})")
        insert = f"{self._table.insert} VALUES ({', '.join(terms)})"
        self._run(Statement(insert, bindings, "insert", True), row)
        self._exec(f"DROP TABLE IF EXISTS {STAGING}")

    def _exec(self, sql: str, bindings: list[Any] | None = None) -> None:
        self._db.exec(sql, bindings, timeout=self._timeout, idempotent=True)


def _bytes_of(value: Any) -> int:
    return len(value.encode()) if type(value) is str else len(value) if isinstance(value, bytes) else 0


def _is_odd(row: Row) -> bool:
    return any(type(value) in (BrokenText, Infinity) for value in row)
