"""The contract, held by the transports that come along; as a plugin's author would write it."""

from __future__ import annotations

import pytest

from mesahub.registry import find_factory
from mesahub.testing import TransportContract
from mesahub.transport import TransportFactory


class TestUrllib(TransportContract):
    @pytest.fixture
    def transport(self) -> TransportFactory:
        return find_factory("urllib")


class TestRequests(TransportContract):
    bounds_head = False

    @pytest.fixture
    def transport(self) -> TransportFactory:
        return find_factory("requests")


class TestUrllib3(TransportContract):
    bounds_head = False

    @pytest.fixture
    def transport(self) -> TransportFactory:
        return find_factory("urllib3")
