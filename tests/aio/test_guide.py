"""The files that the guide "Asyncio" shows run. (FastAPI's are in tests/peers/test_recipes.py.)"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import mesahub
from tests.peers.recipes import files
from tests.servers import Server

PAGE = "guides/asyncio.md"


def test_the_aiohttp_server_serves(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.new_database("guide-aiohttp")
    monkeypatch.setenv("MESAHUB_URL", server.url("guide-aiohttp"))
    with mesahub.connect() as db:
        db.exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
    namespace: dict[str, Any] = {"__name__": "aiohttp_app"}
    exec(compile(files(PAGE, "aiohttp")["aiohttp_app.py"], "aiohttp_app.py", "exec"), namespace)

    async def main() -> None:
        runner = web.AppRunner(namespace["make_app"]())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}/users"
        async with aiohttp.ClientSession() as session:

            async def add(number: int) -> int:
                async with session.post(base, json={"name": f"user {number % 40}"}) as response:
                    return response.status

            async def get(key: int) -> int:
                async with session.get(f"{base}/{key}") as response:
                    assert response.status != 200 or (await response.json())["id"] == key
                    return response.status

            statuses = await asyncio.gather(*(add(number) for number in range(50)))
            assert sorted(statuses) == [201] * 40 + [409] * 10
            assert await get(999) == 404
            # Who leaves early cancels the handler, and with it the call.
            impatient = [asyncio.create_task(get(1)) for _ in range(20)]
            await asyncio.sleep(0.003)
            for task in impatient:
                task.cancel()
            assert set(await asyncio.gather(*(get(key) for key in range(1, 11)))) == {200}
            await asyncio.gather(*impatient, return_exceptions=True)
        await runner.cleanup()

    asyncio.run(main())


def test_the_samples_of_tests_pass(
    pytester: pytest.Pytester, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CI", raising=False)
    server.new_database("guide-tests")
    monkeypatch.setenv("MESAHUB_URL", server.url("guide-tests"))
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    for name, text in files(PAGE, "Tests").items():
        pytester.makepyfile(**{name.removesuffix(".py"): text})
    pytester.runpytest_subprocess("--mesahub-record=record").assert_outcomes(passed=2)
