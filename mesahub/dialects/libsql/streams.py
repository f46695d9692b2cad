"""Requests of a stream: its statements, linked by batons, and the table that an INSERT among them names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mesahub.dialects.libsql.statements import CLOSE, NOT_AUTOCOMMIT, Content, dumped, stmt_of
from mesahub.dialects.libsql.values import typed
from mesahub.sql.identifiers import unquote_name
from mesahub.sql.tokenizer import significant
from mesahub.transport import Request

__all__ = ["Stream", "StreamEncoder", "target_of"]

_STILL_OPEN = {"condition": NOT_AUTOCOMMIT, "stmt": {"sql": "SELECT 1"}}
"""A step of a cursor, which cannot ask for the state: it has a result where a transaction is open."""
_TABLE = "SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE"


class Stream:
    """The state of a stream.

    Attributes:
        baton: what continues it, once; ``None`` to open one.
        in_transaction: is a transaction open?
    """

    __slots__ = ("baton", "in_transaction")

    def __init__(self) -> None:
        self.baton: str | None = None
        self.in_transaction = False


class StreamEncoder:
    """The encoder of a request of a stream: the state of that when it is sent counts.

    Attributes:
        verb: of the statement.
        names: of its parameters.
        cursor: it goes to the cursor endpoint.
        table: a table of which it is asked, too, whether its rows have rowids.
        count: how many steps it has.
    """

    __slots__ = ("_alone", "_also", "_close", "_stream", "count", "cursor", "names", "table", "verb")

    def __init__(
        self,
        stream: Stream,
        verb: str,
        names: Sequence[str | None],
        *,
        cursor: bool = False,
        table: str = "",
        also: Sequence[Any] = (),
        close: bool = False,
        alone: bool = False,
    ) -> None:
        self._stream = stream
        self.verb = verb
        self.names = names
        self.cursor = cursor
        self.table = table
        self.count = 1 + len(also) + bool(table) + cursor
        self._also = also
        self._close = close
        self._alone = alone

    def __call__(self, request: Request) -> Content:
        stream = self._stream
        body: dict[str, Any] = {} if stream.baton is None else {"baton": stream.baton}
        if self._alone:
            return dumped({**body, "requests": [CLOSE]})
        step: dict[str, Any] = {"stmt": stmt_of(request.payload, self.names)}
        if stream.in_transaction:
            step["condition"] = NOT_AUTOCOMMIT
        steps = [step, *self._also]
        if self.table:
            steps.append({"stmt": {"sql": _TABLE, "args": [typed(self.table)]}})
        if self.cursor:
            return dumped({**body, "batch": {"steps": [*steps, _STILL_OPEN]}})
        requests: list[Any] = [{"type": "batch", "batch": {"steps": steps}}, {"type": "get_autocommit"}]
        return dumped({**body, "requests": [*requests, CLOSE] if self._close else requests})


def target_of(sql: str) -> str:
    """The table that an INSERT names, without its schema; ``""`` for an unusual form."""
    known = _targets.get(sql)
    if known is None:
        tokens = significant(sql)
        place = next((at for at, token in enumerate(tokens) if token[1].upper() == "INTO"), len(tokens))
        names = [text for _, text, _ in tokens[place + 1 : place + 4]]
        known = unquote_name(names[2] if names[1:2] == ["."] and len(names) > 2 else names[0] if names else "")
        if len(_targets) >= 1024:
            _targets.clear()
        if len(sql) <= 4096:
            _targets[sql] = known
    return known


_targets: dict[str, str] = {}
