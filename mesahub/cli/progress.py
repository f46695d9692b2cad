"""Progress bars on the terminal, and nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Update(Protocol):
    """Moves a bar."""

    def __call__(self, done: int, total: int | None, what: str | None = None, /) -> None:
        """``what``: a new label."""
        ...


@contextmanager
def bar(what: str, *, is_bytes: bool = False) -> Iterator[Update]:
    """A bar on stderr; gives what takes (done, in all)."""
    if not sys.stderr.isatty():
        yield lambda _done, _total, _what=None: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    count: ProgressColumn = DownloadColumn() if is_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), count, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)

        def update(done: int, total: int | None, label: str | None = None, /) -> None:
            progress.update(task, completed=done, total=total, description=label or what)

        yield update
