"""The contract, held by the asynchronous transports; as a plugin's author would write it."""

from __future__ import annotations

import pytest

from mesahub.testing.async_contract import AsyncTransportContract
from mesahub.transport import AsyncTransportFactory
from mesahub_asyncio import AsyncioTransport


class TestAsyncio(AsyncTransportContract):
    @pytest.fixture
    def async_transport(self) -> AsyncTransportFactory:
        return AsyncioTransport
