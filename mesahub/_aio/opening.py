"""Calls that give something to be closed: awaited, or entered at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import wraps
from types import TracebackType
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast

__all__ = ["Opening", "opening", "settled"]

P = ParamSpec("P")
T = TypeVar("T")


class Closable(Protocol):
    """An asynchronous context manager that gives itself."""

    async def __aenter__(self) -> Any: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> Any: ...


C = TypeVar("C", bound=Closable)


class Opening(Generic[C]):
    """The call of a function that opens something.

    ``async with call() as it:`` opens it, and closes it at the end of the block; ``it = await call()`` leaves it open.
    """

    __slots__ = ("_coroutine", "_opened")

    def __init__(self, coroutine: Coroutine[Any, Any, C]) -> None:
        self._coroutine = coroutine
        self._opened: C | None = None

    def __await__(self) -> Generator[Any, Any, C]:
        return self._coroutine.__await__()

    async def __aenter__(self) -> C:
        self._opened = await self._coroutine
        return cast(C, await self._opened.__aenter__())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._opened is not None
        await self._opened.__aexit__(kind, error, traceback)


def opening(function: Callable[P, Coroutine[Any, Any, C]]) -> Callable[P, Opening[C]]:
    """Decorates an asynchronous function that opens something."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Opening[C]:
        return Opening(function(*args, **kwargs))

    return call


async def settled(value: T | Awaitable[T]) -> T:
    """A value, or what an awaitable comes to."""
    return cast(T, await value if isinstance(value, Awaitable) else value)
