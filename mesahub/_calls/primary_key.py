"""The key of a table: read from the database, once per table handle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from mesahub.errors import AmbiguousResultError, ArgumentError, IntegrityError, MesahubError, SQLError
from mesahub.sql.identifiers import fold

if TYPE_CHECKING:
    from mesahub._calls.deadline import Deadline
    from mesahub._calls.executor import Executor
    from mesahub.sql.filters import Where
    from mesahub.sql.schema import KeyColumns

T = TypeVar("T")


class Keys:
    """The key of one table, remembered.

    Args:
        table: its name.
        ref: the database.
        client: runs statements.
    """

    def __init__(self, table: str, ref: str, client: Executor) -> None:
        self._table = table
        self._ref = ref
        self._client = client
        self._known: KeyColumns | None = None

    def columns(self, timeout: float | None) -> KeyColumns:
        """The key, asked for if it is not known."""
        if self._known is None:
            from mesahub.sql.schema import keys_statement, read_keys

            result = self._client.run_query(self._ref, keys_statement(self._table), timeout=timeout)
            self._known = read_keys(self._table, result.rows)
        return self._known

    def using(self, run: Callable[[KeyColumns], T], deadline: Deadline) -> T:
        """Run what needs the key; once more where the key that was remembered is no longer that of the table."""
        remembered = self._known
        try:
            return run(self.columns(deadline.left()))
        except IntegrityError:
            raise
        except (SQLError, ArgumentError):
            # Such an error comes before anything is done, so nothing is done twice.
            if remembered is None:
                raise
            self._known = None
            if self.columns(deadline.left()).primary == remembered.primary:
                raise
            return run(self.columns(deadline.left()))

    def where(self, columns: list[str], key: Any) -> dict[str, Any] | None:
        """The filter for the row with this primary key; ``None`` where it cannot be there."""
        if not columns:
            raise ArgumentError(f"{self._table!r} is a view, which has no primary key. Use find_one(where=...).")
        if isinstance(key, Mapping):
            given = {fold(name) if isinstance(name, str) else name: value for name, value in key.items()}
            if given.keys() != set(map(fold, columns)) or len(given) != len(key):
                raise ArgumentError(
                    f"The primary key of {self._table!r} is ({', '.join(columns)}), not ({', '.join(map(str, key))})."
                )
            found = {name: given[fold(name)] for name in columns}
        else:
            values = list(key) if isinstance(key, (tuple, list)) else [key]
            if len(values) != len(columns):
                raise ArgumentError(
                    f"The primary key of {self._table!r} has {len(columns)} columns ({', '.join(columns)}), and "
                    f"{len(values)} values were given."
                )
            found = dict(zip(columns, values, strict=True))
        # NULL identifies no row: there could be several. A dict or a list is not a value but would be an operator.
        if any(value is None for value in found.values()):
            return None
        return {name: {"eq": value} for name, value in found.items()}

    def for_conflict(self, key: Any, timeout: float | None, where: Where = None) -> list[str]:
        """The columns for ON CONFLICT: those that were given, or else the primary key's."""
        given = given_key(key, where)
        return self.primary(self.columns(timeout)) if given is None else given

    def primary(self, keys: KeyColumns) -> list[str]:
        """The primary key's columns, where one is declared."""
        if not keys.declared:
            raise ArgumentError(
                f"{self._table!r} has no primary key; pass key=[...] with columns that are unique together."
            )
        return [name for name, _ in keys.primary]

    def made_by_client(self, keys: KeyColumns, data: Any) -> list[str]:
        """The primary key's columns, where ``data`` has a value for each of them."""
        if not keys.declared:
            raise ArgumentError(f"An idempotent insert needs a primary key, and {self._table!r} declares none.")
        key = [name for name, _ in keys.primary]
        given = {fold(name) for name, value in data.items() if value is not None} if isinstance(data, Mapping) else ()
        missing = [name for name in key if fold(name) not in given]
        if missing:
            raise ArgumentError(
                f"An idempotent insert needs the row's primary key ({', '.join(key)}), made by the client, such as "
                f"str(uuid.uuid4()); {missing[0]!r} is missing."
            )
        return key

    def taken(self, key: list[str]) -> IntegrityError:
        """The message if another row has the key."""
        columns = ", ".join(f"{self._table}.{name}" for name in key)
        error = IntegrityError.of(f"UNIQUE constraint failed: {columns}: another row has this key", status_code=400)
        error.kind, error.table, error.columns = "unique", self._table, tuple(key)
        return error

    def unsettled(self, cause: MesahubError) -> AmbiguousResultError:
        """What is unknown where the key is taken, and the row that has it could not be read."""
        error = AmbiguousResultError.of(
            f"A row of {self._table!r} has this key, and it is unknown whether it is the one to insert (the call was "
            f"idempotent, so it may be sent again): {cause}",
            status_code=cause.status_code,
            details=cause.details,
        )
        error.attempts = cause.attempts
        return error


def given_key(key: Any, where: Where = None) -> list[str] | None:
    """The columns for ON CONFLICT, where they are given."""
    if key is None and where is not None:
        raise ArgumentError("where belongs to key=: it is the condition of the partial unique index on that key.")
    return None if key is None else listed(key)


def listed(key: Any) -> list[str]:
    """The columns of a ``key``, as the caller gave it."""
    columns = [key] if isinstance(key, str) else list(key) if isinstance(key, (list, tuple)) else []
    if not columns or not all(isinstance(name, str) for name in columns):
        raise ArgumentError(f"key must be a column or a list of columns, not {key!r:.100}.")
    return columns
