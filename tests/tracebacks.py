"""What an error shows where tracebacks come with the variables of their frames: rich, ``--showlocals``, trackers."""

from __future__ import annotations

import traceback
from pathlib import Path

TESTS = str(Path(__file__).resolve().parent)


def with_locals(error: BaseException) -> str:
    """Texts, arguments and notes of an error, its causes and contexts, and the variables of all frames but a test's."""
    shown: list[str] = []
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        shown += [str(each), repr(each), repr(each.args), *getattr(each, "__notes__", [])]
        for frame, _ in traceback.walk_tb(each.__traceback__):
            if not frame.f_code.co_filename.startswith(TESTS):
                shown += [f"{frame.f_code.co_qualname}: {name}={value!r}" for name, value in frame.f_locals.items()]
        waiting += [each.__cause__, each.__context__]
    return "\n".join(shown)
