"""The tool that makes `mesahub.aio`: what it makes of small modules, and that what is committed is current."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from scripts.asyncify import HEADER, main, retold, twin
from scripts.asyncify_sources import Sources, prepared

ROOT = Path(__file__).parents[2]
HEAD = '"""A module."""\n\nfrom __future__ import annotations\n'


def made(code: str, *, others: dict[str, str] | None = None) -> str:
    """The twin of a module ``mesahub.sample``."""
    texts = {name: HEAD + dedent(text) for name, text in {"mesahub.sample": code, **(others or {})}.items()}
    text = twin(Sources(texts), "mesahub.sample")
    ast.parse(text)
    return text


def test_a_function_that_calls_what_waits_is_async() -> None:
    text = made(
        """
        from mesahub.transport import Request

        class Thing:
            def ask(self, request: Request) -> str:
                return self.parse(self._client.run_query("x", request).rows)
            def parse(self, rows: list[str]) -> str:
                return rows[0]
            def twice(self, request: Request) -> str:
                return self.ask(request) + self.ask(request)

        class MesahubClient:
            def run_query(self, ref, request):
                return self._send(request)
        """
    )
    assert "class AsyncThing:" in text
    assert "    async def ask(self, request: Request) -> str:" in text
    assert 'self.parse((await self._client.run_query("x", request)).rows)' in text
    assert "    def parse(self, rows: list[str]) -> str:" in text
    assert "return await self.ask(request) + await self.ask(request)" in text


def test_what_does_not_wait_is_imported() -> None:
    text = made(
        """
        LIMIT = 5

        def checked(value: int) -> int:
            return min(value, LIMIT)

        class Pure:
            pass

        def ask(api: object, value: int) -> object:
            return api.send(checked(value), Pure)
        """
    )
    assert "from mesahub.sample import LIMIT, checked, Pure" in text
    assert "def checked" not in text
    assert "class Pure" not in text
    assert "async def ask(api: object, value: int) -> object:" in text
    assert "return await api.send(checked(value), Pure)" in text


def test_a_class_that_makes_one_that_waits_is_copied() -> None:
    text = made(
        """
        from mesahub.other import Other, pure

        class Maker:
            def make(self) -> Other:
                return Other(pure)
        """,
        others={
            "mesahub.other": """
            def pure() -> None: ...

            class Other:
                def ask(self) -> None:
                    self._send(1)
            """
        },
    )
    assert "from mesahub.aio.other import AsyncOther" in text
    assert "from mesahub.other import pure" in text
    assert "def make(self) -> AsyncOther:" in text
    assert "return AsyncOther(pure)" in text


def test_generators_loops_and_contexts() -> None:
    text = made(
        """
        from collections.abc import Iterator
        from contextlib import contextmanager

        class Rows:
            def pages(self) -> Iterator[int]:
                while True:
                    yield from self._send(1)
            def all(self) -> Iterator[int]:
                for row in self.pages():
                    yield row
                yield from self.pages()
            @contextmanager
            def block(self) -> Iterator[None]:
                yield
                self._send(2)
            def use(self) -> None:
                with self.block():
                    pass
                with open("x") as file:
                    file.close()
            def __enter__(self): return self
            def __exit__(self, *_): self._send(3)
            def open(self) -> Rows:
                self._send(4)
                return self
            def used(self) -> None:
                with self.open() as opened, Rows() as rows:
                    rows.use()
        """
    )
    assert "for each in await self._send(1): yield each" in text
    assert "async def pages(self) -> AsyncIterator[int]:" in text
    assert "async for row in self.pages():" in text
    assert "async for each in self.pages(): yield each" in text
    assert "@asynccontextmanager\n    async def block(self) -> AsyncIterator[None]:" in text
    assert "async with self.block():" in text
    assert '        with open("x") as file:' in text
    assert "async def __aenter__" in text
    assert "async def __aexit__" in text
    assert "@opening\n    async def open(self) -> AsyncRows:" in text
    assert "async with self.open() as opened, AsyncRows() as rows:" in text
    assert "await rows.use()" not in text  # its class is known by its name only


def test_functions_within_functions_and_lambdas() -> None:
    text = made(
        """
        def outer(api):
            def inner(n):
                return api.send(n)
            later = lambda: api.send(1)
            return [inner(n) for n in range(3)], later
        """
    )
    assert "async def inner(n):" in text
    assert "later = lambda: api.send(1)" in text
    assert "async def outer(api):" in text
    assert "[await inner(n) for n in range(3)]" in text


def test_texts_of_users_functions_may_wait_and_system_calls_run_in_a_thread() -> None:
    text = made(
        """
        import os

        def call(forward, before, file):
            before(1)
            os.fsync(file.fileno())
            return forward(2).status
        """
    )
    assert "await settled(before(1))" in text
    assert "await asyncio.to_thread(os.fsync, file.fileno())" in text
    assert "return (await forward(2)).status" in text


def test_examples_and_names_in_docstrings_are_turned() -> None:
    code = HEAD + dedent(
        '''
        class TableHandle:
            """Made by `DatabaseHandle.table`; ``TableHandle[User]`` is one. See `mesahub.connect`. A table handle.

            >>> users.find()[0]["name"]  # doctest: +SKIP
            >>> for row in users.iterate():
            ...     print(users.count(), row)
            """
            def find(self): return self._send(1)
            def count(self): return self._send(1)
            def iterate(self) -> Iterator[int]: return iter(())
        '''
    )
    text = twin(Sources({"mesahub.sample": code}), "mesahub.sample")
    assert "``AsyncTableHandle[User]`` is one. See `mesahub.aio.connect`. A table handle." in text
    assert '>>> (await users.find())[0]["name"]  # doctest: +SKIP' in text
    assert ">>> async for row in users.iterate():" in text
    assert "...     print(await users.count(), row)" in text


def test_characters_of_several_bytes_move_nothing() -> None:
    text = made('def ask(api):\n    return "µs … é", api.send("ß"), api.send(1).x  # naïve\n')
    assert 'return "µs … é", await api.send("ß"), (await api.send(1)).x  # naïve' in text


def test_blocking_lines_are_left_out() -> None:
    assert prepared("x", "a = 1\nb = 2  # blocking only: because\nc = 3\n") == "a = 1\nc = 3\n"


def test_words_that_are_no_longer_there_are_an_error() -> None:
    with pytest.raises(SystemExit, match="asyncify_words"):
        prepared("mesahub.client", "nothing of it")


def test_texts_without_names_stay() -> None:
    sources = Sources({"mesahub.sample": HEAD})
    assert retold(sources, "Nothing `here` to <change>, even in ``code``.") == (
        "Nothing `here` to <change>, even in ``code``."
    )


def test_what_is_committed_is_what_the_sources_make() -> None:
    """Without the formatter, which `make lint` asks for: each twin names its source, and has its functions."""
    for path in (ROOT / "mesahub/aio").rglob("*.py"):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        assert first.startswith(HEADER.partition("{}")[0])
        source = first.removeprefix(HEADER.partition("{}")[0]).partition(":")[0]
        assert (ROOT / source).is_file()


def test_the_committed_package_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    if subprocess.run([sys.executable, "-m", "ruff", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("ruff is not installed here; `make lint` asks the same")
    assert main(["--check"]) == 0
