"""The embedded transport for asyncio keeps the parts of the contract that do not speak of HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesahub.errors import ConfigurationError
from mesahub.testing.asynchronous.contract import OnLoop
from mesahub.testing.asynchronous.event_loops import EventLoops
from mesahub.testing.base import Basics
from mesahub.testing.concurrency import Sharing
from mesahub.transport import AsyncTransportFactory, TransportOptions
from mesahub.transport.asynchronous.registry import find_async_factory
from mesahub_embedded import AsyncEmbeddedTransport


class TestAsyncEmbedded(OnLoop, EventLoops, Basics, Sharing):
    """The parts of the contract that do not speak of HTTP."""

    speaks_http = False

    @pytest.fixture
    def async_transport(self) -> AsyncTransportFactory:
        return find_async_factory("embedded")

    @pytest.fixture
    def options(self, tmp_path: Path) -> TransportOptions:
        return TransportOptions(options={"data": str(tmp_path)})


def test_threads_must_be_a_number() -> None:
    with pytest.raises(ConfigurationError, match="threads"):
        AsyncEmbeddedTransport(TransportOptions(options={"data": "x", "threads": 0}))
