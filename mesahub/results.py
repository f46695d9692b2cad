"""What a call gives back.

Each result is a ``dict``, as in mesahub 1.x, so ``result["rows"]``, ``json.dumps(result)`` and
``**result`` work; the same fields are attributes too (``result.rows``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, NotRequired, TypedDict, overload

Row = dict[str, Any]
"""One row: column name to value. Where two columns have one name, the last one is kept."""

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # type checkers know it, also where it is not installed

    R = TypeVar("R", default=Row)
else:
    from typing import TypeVar

    R = TypeVar("R")


class QueryResult(dict[str, Any]):
    """The rows of a query.

    Attributes:
        rows: one dict per row.
        columns: the column names in SELECT order, duplicates included.
        row_count: ``len(rows)``.
        query_duration_ms: milliseconds as the server measured them, ``None`` when it does not say.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, key: Literal["rows"], /) -> list[Row]: ...
        @overload
        def __getitem__(self, key: Literal["columns"], /) -> list[str]: ...
        @overload
        def __getitem__(self, key: Literal["row_count"], /) -> int: ...
        @overload
        def __getitem__(self, key: Literal["query_duration_ms"], /) -> float | None: ...
        @overload
        def __getitem__(self, key: str, /) -> Any: ...
        def __getitem__(self, key: str, /) -> Any: ...

    @property
    def rows(self) -> list[Row]:
        return self["rows"]

    @property
    def columns(self) -> list[str]:
        return self["columns"]

    @property
    def row_count(self) -> int:
        return self["row_count"]

    @property
    def query_duration_ms(self) -> float | None:
        return self["query_duration_ms"]


class ExecResult(dict[str, Any], Generic[R]):
    """What a write did.

    Attributes:
        rows_affected: rows inserted, updated or deleted; 0 for DDL and PRAGMA, ``None`` when the server does not say.
        last_insert_rowid: rowid of the last inserted row; ``None`` when no row with a rowid was inserted, or when the
            server does not say.
        query_duration_ms: milliseconds as the server measured them, ``None`` when it does not say.
        rows: the rows of a RETURNING clause, ``[]`` without one: dicts, or instances of the table's class.
        columns: their names.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, key: Literal["rows_affected"], /) -> int | None: ...
        @overload
        def __getitem__(self, key: Literal["last_insert_rowid"], /) -> int | None: ...
        @overload
        def __getitem__(self, key: Literal["query_duration_ms"], /) -> float | None: ...
        @overload
        def __getitem__(self, key: Literal["rows"], /) -> list[R]: ...
        @overload
        def __getitem__(self, key: Literal["columns"], /) -> list[str]: ...
        @overload
        def __getitem__(self, key: str, /) -> Any: ...
        def __getitem__(self, key: str, /) -> Any: ...

    @property
    def rows_affected(self) -> int | None:
        return self["rows_affected"]

    @property
    def last_insert_rowid(self) -> int | None:
        return self["last_insert_rowid"]

    @property
    def query_duration_ms(self) -> float | None:
        return self["query_duration_ms"]

    @property
    def rows(self) -> list[R]:
        rows: list[R] = self.get("rows", [])
        return rows

    @property
    def columns(self) -> list[str]:
        columns: list[str] = self.get("columns", [])
        return columns


class FileRecord(TypedDict):
    """One stored file. Times are RFC 3339 text; ``metadata`` is the text it was uploaded with."""

    id: str
    filename: str
    folder_path: str | None
    size_bytes: int
    content_type: str | None
    url: str
    uploaded_at: str
    expires_at: str | None
    metadata: str | None
    content_hash: NotRequired[str]


class FileList(TypedDict):
    """One page of files; ``total`` counts all that match."""

    files: list[FileRecord]
    total: int
    limit: int
    offset: int
