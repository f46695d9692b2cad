"""The tests of retry run twice: over the layer of blocking clients, and over its twin for asyncio."""

from __future__ import annotations

import pytest

from tests.middleware.line import Line


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.path.stem in ("test_retry", "test_retry_of_gateways", "test_retry_waits"):
        metafunc.fixturenames.append("waiting")
        metafunc.parametrize("waiting", ["blocking", "asyncio"], indirect=True)


@pytest.fixture
def waiting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Line, "waiting", request.param)
