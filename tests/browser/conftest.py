"""A Chromium for all tests here; they are skipped, with the reason, where there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium, start_chromium


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder are run by ``make test-peers``."""
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.peers)


@pytest.fixture(scope="session")
def shared_chromium() -> Iterator[Chromium]:
    """One browser for all tests."""
    with start_chromium() as browser:
        yield browser


@pytest.fixture
def chromium(shared_chromium: Chromium) -> Chromium:
    """The browser, without cookies, in a window of 1280 by 800."""
    shared_chromium.reset()
    return shared_chromium
