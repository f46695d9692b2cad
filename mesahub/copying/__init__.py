"""Copy a database: exact, in bounded memory, resumable, verified."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from mesahub.client import connect
from mesahub.copying.rows import STAGING, Digest, Reader, Writer, fingerprint
from mesahub.copying.schema import SchemaObject, Table, is_derived, objects_of, parents_first, quoted, refuse_virtual
from mesahub.copying.values import literal
from mesahub.database import DatabaseHandle
from mesahub.errors import AmbiguousResultError, ArgumentError, MesahubError

__all__ = ["CopyError", "CopyResult", "TableCopy", "copy", "dump_script"]

BATCH = 5_000
Progress = Callable[[str, int, int], object]
"""Called with (table, rows done, rows in all)."""


class CopyError(MesahubError):
    """The databases differ at the end, or the target has other content."""

    default_code = "COPY_ERROR"

    def __init__(self, message: str) -> None:
        super().__init__(self.default_code, 0, message)


class TableCopy(NamedTuple):
    """One table that was copied.

    Attributes:
        name: its name.
        rows: its rows, on both sides.
        checksum: SHA-256 over all values with their storage classes, the same on both sides.
    """

    name: str
    rows: int
    checksum: str


class CopyResult(NamedTuple):
    """What was copied, and verified on both sides.

    Attributes:
        tables: the tables.
        others: the names of the indexes, views and triggers.
    """

    tables: tuple[TableCopy, ...]
    others: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Total number of rows."""
        return sum(table.rows for table in self.tables)


def copy(
    source: DatabaseHandle | str,
    target: DatabaseHandle | str,
    tables: Iterable[str] | None = None,
    *,
    batch_size: int = BATCH,
    progress: Progress | None = None,
    verify_progress: Progress | None = None,
    timeout: float | None = 300.0,
) -> CopyResult:
    """Copy a database: schema, rows, indexes, views, triggers.

    Every value keeps its storage class and every row its rowid. Rows go by primary key or rowid, page by page, so that
    a table of any size takes the memory of one page. Triggers are made when all rows are in, so none fires; foreign
    keys are not checked meanwhile. At the end the rows of every table are counted and hashed on both sides.

    Call it again to resume an interrupted copy: tables resume after the last row already copied.

    Args:
        source: a database handle, or its URL. Do not write to it during the copy.
        target: likewise. It must be empty, or hold the beginning of this very copy.
        tables: copy only these, with their indexes and triggers; no views. The target may then hold other tables.
        batch_size: rows per request, at most; large rows go in smaller numbers.
        progress: called with (table, rows done, rows in all).
        verify_progress: called likewise while the rows of a table are read again and compared.
        timeout: seconds for one request; making an index of a large table is one.

    Returns:
        The tables with their rows and checksums, and the names of all else.

    Raises:
        CopyError: the two differ at the end, or the target holds something else.
        ArgumentError: there is no such table, or one that cannot be copied.

    Example:
        >>> import mesahub
        >>> mesahub.copy("mh://local/shop", "mh://key@host/shop").rows  # doctest: +SKIP
        12000
    """
    if type(batch_size) is not int or not 1 <= batch_size <= 50_000:
        raise ArgumentError(f"batch_size must be an integer from 1 to 50,000, not {batch_size!r}.")
    if isinstance(tables, str):
        raise ArgumentError(f"tables must be a list of names, such as [{tables!r}].")
    with ExitStack() as stack:
        here = stack.enter_context(connect(source)) if isinstance(source, str) else source
        there = stack.enter_context(connect(target)) if isinstance(target, str) else target
        if here.client is there.client and here.name == there.name:
            raise ArgumentError("The source and the target are the same database.")
        return _Copy(here, there, batch_size, progress, verify_progress, timeout).run(
            None if tables is None else list(tables)
        )


class _Copy:
    def __init__(
        self,
        source: DatabaseHandle,
        target: DatabaseHandle,
        batch_size: int,
        progress: Progress | None,
        verify_progress: Progress | None,
        timeout: float | None,
    ) -> None:
        self._source = source
        self._target = target
        self._batch_size = batch_size
        self._progress = progress
        self._verify_progress = verify_progress
        self._timeout = timeout
        self._related = False

    def run(self, wanted: list[str] | None) -> CopyResult:
        chosen, others = _choose(objects_of(self._source), wanted)
        refuse_virtual(chosen)
        for entry in [*chosen, *others]:
            self._target.client.check(self._target.name, entry.sql)
        self._exec(f"DROP TABLE IF EXISTS {STAGING}")
        existing = {(entry.type, entry.name): entry.sql for entry in objects_of(self._target)}
        self._refuse_strangers(existing, [*chosen, *others], all_of_it=wanted is None)
        tables, related = parents_first(
            self._source, [Table(self._source, entry) for entry in chosen if not is_derived(entry)]
        )
        for entry in chosen:
            if ("table", entry.name) not in existing:
                self._make(entry)
        copied = []
        self._related = related
        with self._checked_again():
            for table in tables:
                self._drop_triggers(table, existing)
                copied.append(self._copy(table))
        self._copy_sequences([table.name for table in tables])
        views = [entry for entry in others if entry.type == "view"]
        self._make_missing(views, existing)
        for statement in _rebuilds(chosen):  # it may be of a view's content
            self._exec(statement)
        self._make_missing(sorted(others, key=lambda entry: ("index", "view", "trigger").index(entry.type)), existing)
        if wanted is None:
            self._copy_numbers()
        return CopyResult(tuple(copied), tuple(entry.name for entry in others))

    def _make_missing(self, entries: list[SchemaObject], existing: dict[tuple[str, str], str]) -> None:
        for entry in entries:
            if (entry.type, entry.name) not in existing:
                self._make(entry)
                existing[entry.type, entry.name] = entry.sql

    def _refuse_strangers(
        self, existing: dict[tuple[str, str], str], expected: list[SchemaObject], *, all_of_it: bool
    ) -> None:
        known = {(entry.type, entry.name): entry.sql for entry in expected}
        names = {entry.name for entry in expected}
        for (kind, name), sql in existing.items():
            if known.get((kind, name)) != sql and (all_of_it or name in names):
                raise CopyError(
                    f"The target has a {kind} {name!r} that is not the source's. Copy into an empty database"
                    + ("." if not all_of_it else ", or name the tables to copy (tables=[...]).")
                )

    def _copy(self, table: Table) -> TableCopy:
        reader = Reader(self._source, table, self._batch_size, self._timeout)
        there = Reader(self._target, table, self._batch_size, self._timeout)
        behind = self._continued(table, reader, there)
        done = there.size.rows
        digest = Digest()
        if behind is None or done < reader.size.rows:
            writer = Writer(self._target, table, self._timeout, unchecked=self._related)
            for rows in reader.pages(behind):
                try:
                    writer.write(rows)
                except KeyboardInterrupt as error:
                    error.add_note(f"{done:,} rows of {table.name} are in; the same copy continues after them")
                    raise
                digest.add(rows)
                done += len(rows)
                if self._progress is not None:
                    self._progress(table.name, done, max(done, reader.size.rows))
        # What was read to be written need not be read again, unless others wrote the beginning.
        here = (digest.rows, digest.text) if behind is None else fingerprint(reader)

        def verified(rows: int) -> None:
            if self._verify_progress is not None:
                self._verify_progress(table.name, rows, max(done, rows))

        found = fingerprint(Reader(self._target, table, self._batch_size, self._timeout), verified)
        if here != found:
            raise CopyError(
                f"The table {table.name!r} differs: {here[0]} rows in the source, {found[0]} in the target"
                + (", and their values are not the same." if here[0] == found[0] else ".")
                + " Was one of them changed during the copy? Copy again into an empty database."
            )
        return TableCopy(table.name, *here)

    def _continued(self, table: Table, reader: Reader, there: Reader) -> tuple[object, ...] | None:
        """The key of the last row that is there, if those that are there are the first of the source's."""
        behind = there.last_key()
        if behind is not None and reader.count_until(behind) != there.size.rows:
            raise CopyError(
                f"The target's table {table.name!r} has {there.size.rows} rows that are not the first rows of the "
                "source's. Copy into an empty database."
            )
        return behind

    def _drop_triggers(self, table: Table, existing: dict[tuple[str, str], str]) -> None:
        """Triggers of an earlier copy, which rows that were added since must not fire; they are made again."""
        for entry in objects_of(self._target) if any(kind == "trigger" for kind, _ in existing) else ():
            if entry.type == "trigger" and entry.table.lower() == table.name.lower():
                self._exec(f"DROP TRIGGER IF EXISTS {quoted(entry.name)}")
                existing.pop(("trigger", entry.name), None)

    def _copy_sequences(self, names: list[str]) -> None:
        """The next numbers of AUTOINCREMENT columns."""
        there = "SELECT name FROM sqlite_schema WHERE name = 'sqlite_sequence'"
        if not self._source.query(there).rows or not self._target.query(there).rows:
            return
        for row in self._source.query("SELECT name, +seq AS seq FROM sqlite_sequence").rows:
            if row["name"] in names:
                self._exec("DELETE FROM sqlite_sequence WHERE name = ?", row["name"])
                self._exec(
                    "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2 WHERE NOT EXISTS "
                    "(SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
                    row["name"],
                    row["seq"],
                )

    def _copy_numbers(self) -> None:
        """What applications keep in the file's head."""
        for name in ("user_version", "application_id"):
            here, there = (int(db.query(f"PRAGMA {name}").rows[0][name]) for db in (self._source, self._target))
            if here != there:
                self._exec(f"PRAGMA {name} = {here}")

    @contextmanager
    def _checked_again(self) -> Iterator[None]:
        """Foreign keys are checked at the end, whatever happens: a statement that failed may have left them off."""
        shared = self._target.capabilities.session_pragmas == "shared"
        rows = self._target.exec("PRAGMA foreign_keys", idempotent=True).rows if self._related and shared else []
        try:
            yield
        finally:
            if rows and rows[0]["foreign_keys"]:
                self._exec("PRAGMA foreign_keys = ON")

    def _make(self, entry: SchemaObject) -> None:
        try:
            self._target.exec(entry.sql, timeout=self._timeout)
        except AmbiguousResultError:
            if not any((made.type, made.name) == (entry.type, entry.name) for made in objects_of(self._target)):
                raise

    def _exec(self, sql: str, *bindings: object) -> None:
        self._target.exec(sql, list(bindings), timeout=self._timeout, idempotent=True)


def _choose(objects: list[SchemaObject], wanted: list[str] | None) -> tuple[list[SchemaObject], list[SchemaObject]]:
    """The tables to copy, and all that goes with them."""
    tables = [entry for entry in objects if entry.type == "table"]
    others = [entry for entry in objects if entry.type != "table"]
    if wanted is None:
        return tables, others
    names = [entry.name for entry in tables]
    for name in wanted:
        if name not in names:
            raise ArgumentError(f"The source has no table {name!r}; it has {', '.join(sorted(names)) or 'none'}.")
    return (
        [entry for entry in tables if entry.name in wanted],
        [entry for entry in others if entry.type in ("index", "trigger") and entry.table in wanted],
    )


def dump_script(db: DatabaseHandle, tables: Iterable[str] | None = None, *, batch_size: int = BATCH) -> Iterator[str]:
    """The SQL script that recreates a database, line by line: schema, rows, then indexes, views and triggers.

    Args:
        db: the database.
        tables: only these, with their indexes and triggers.
        batch_size: rows per request.
    """
    chosen, others = _choose(objects_of(db), None if tables is None else list(tables))
    refuse_virtual(chosen)
    encoding = db.query("PRAGMA encoding").rows[0]["encoding"]
    yield "PRAGMA foreign_keys = OFF;"
    if encoding != "UTF-8":
        yield f"PRAGMA encoding = '{encoding}';"
    yield "BEGIN;"
    for entry in chosen:
        yield f"{entry.sql};"
        if is_derived(entry):
            continue
        table = Table(db, entry)
        for rows in Reader(db, table, batch_size, None).pages():
            for row in rows:
                yield f"{table.insert} VALUES ({', '.join([literal(value, encoding) for value in row])});"
    yield from _sequences(db, [entry.name for entry in chosen])
    for entry in others:
        if entry.type == "view":
            yield f"{entry.sql};"
    yield from [f"{statement};" for statement in _rebuilds(chosen)]
    for entry in sorted(others, key=lambda entry: entry.type):
        if entry.type != "view":
            yield f"{entry.sql};"
    if tables is None:
        for name in ("user_version", "application_id"):
            number = int(db.query(f"PRAGMA {name}").rows[0][name])
            if number:
                yield f"PRAGMA {name} = {number};"
    yield "COMMIT;"


def _rebuilds(chosen: list[SchemaObject]) -> list[str]:
    """The statements that build full-text indexes of other tables' content."""
    names = [quoted(entry.name) for entry in chosen if is_derived(entry)]
    return [f"INSERT INTO {name} ({name}) VALUES ('rebuild')" for name in names]


def _sequences(db: DatabaseHandle, names: list[str]) -> Iterator[str]:
    """The statements that set the next numbers of AUTOINCREMENT columns."""
    if not db.has_table("sqlite_sequence"):
        return
    for row in db.query("SELECT name, +seq AS seq FROM sqlite_sequence ORDER BY rowid").rows:
        if row["name"] in names:
            name = literal(row["name"])
            yield f"DELETE FROM sqlite_sequence WHERE name = {name};"
            yield f"INSERT INTO sqlite_sequence (name, seq) VALUES ({name}, {literal(row['seq'])});"
