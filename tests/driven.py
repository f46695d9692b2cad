"""An asynchronous handle behind the blocking interface: each call runs on a loop until it is done."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from types import TracebackType
from typing import Any

from mesahub._aio.opening import Opening
from mesahub.results import ExecResult, QueryResult

PLAIN = (str, bytes, int, float, list, tuple, dict, set, frozenset, type(None), type, QueryResult, ExecResult)


class Driver:
    """A loop, for as many calls as a test makes. Close it at the end."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def run(self, awaitable: Any) -> Any:
        """What an awaitable comes to."""

        async def wait() -> Any:
            return await awaitable

        return self._runner.run(wait())

    def close(self) -> None:
        """Cancel what is left, and close the loop."""
        self._runner.close()

    def drive(self, value: Any) -> Any:
        """A value as blocking code would have it."""
        if isinstance(value, Coroutine):
            return self.drive(self.run(value))
        if isinstance(value, Opening):
            return Driven(self, value)
        if isinstance(value, AsyncIterator) and not hasattr(value, "__aenter__"):
            return self._iterate(value)
        module = type(value).__module__
        if isinstance(value, PLAIN) or not (module.startswith("mesahub.aio") or hasattr(value, "__aenter__")):
            return self._function(value) if inspect.ismethod(value) or inspect.isfunction(value) else value
        return Driven(self, value)

    def _function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            plain = [each.driven_value if type(each) is Driven else each for each in args]
            return self.drive(function(*plain, **kwargs))

        return call

    def _iterate(self, iterator: AsyncIterator[Any]) -> Iterator[Any]:
        try:
            while True:
                try:
                    yield self.run(anext(iterator))
                except StopAsyncIteration:
                    return
        finally:
            if isinstance(iterator, AsyncGenerator):
                self.run(iterator.aclose())


class Driven:
    """An object whose coroutines are run, whoever asks for them."""

    def __init__(self, driver: Driver, value: Any) -> None:
        self._driver = driver
        self.driven_value = value

    def __getattr__(self, name: str) -> Any:
        if isinstance(self.driven_value, Opening):
            self.driven_value = self._driver.run(self.driven_value)
        return self._driver.drive(getattr(self.driven_value, name))

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("_driver", "driven_value"):
            object.__setattr__(self, name, value)
        else:
            setattr(self.driven_value, name, value)

    def __enter__(self) -> Any:
        return self._driver.drive(self._driver.run(self.driven_value.__aenter__()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Any:
        return self._driver.run(self.driven_value.__aexit__(kind, error, traceback))

    def __iter__(self) -> Iterator[Any]:
        return self._driver._iterate(aiter(self.driven_value))

    def __len__(self) -> int:
        return len(self.driven_value)

    def __bool__(self) -> bool:
        return bool(self.driven_value)

    def __repr__(self) -> str:
        return repr(self.driven_value)
