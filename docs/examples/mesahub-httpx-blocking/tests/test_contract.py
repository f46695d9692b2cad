import pytest
from mesahub_httpx_blocking import HttpxTransport

from mesahub.testing import TransportContract
from mesahub.transport.registry import installed_transports


class TestHttpxTransport(TransportContract):
    bounds_all = frames_strictly = False  # as far as httpx itself goes: see the class's documentation
    bounds_head = False  # httpx's timeouts are for single waits, and its headers come in one piece

    @pytest.fixture
    def transport(self):
        return HttpxTransport


def test_it_is_found_by_its_name():
    found = {each.name: each for each in installed_transports()}
    assert found["httpx"].package == "mesahub-httpx-blocking 0.1.0"
    assert found["httpx"].problem is None
