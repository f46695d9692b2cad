"""The contract, held by the transports that come along; as a plugin's author would write it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import requests

from mesahub.testing import TransportContract
from mesahub.transport import Transport, TransportFactory, TransportOptions
from mesahub.transport.registry import find_factory


class TestUrllib(TransportContract):
    @pytest.fixture
    def transport(self) -> TransportFactory:
        return find_factory("urllib")


class TestRequests(TransportContract):
    @pytest.fixture
    def transport(self) -> TransportFactory:
        return find_factory("requests")


class TestRequestsWithAnOwnSession(TransportContract):
    bounds_head = False  # the session's connections know nothing of the time that a call has
    passes_interim = False
    limits_connections = False  # the session's adapters say how many there may be

    @pytest.fixture
    def transport(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[TransportFactory]:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)  # to requests, these win over the session

        def with_session(options: TransportOptions) -> Transport:
            session = sessions.enter_context(requests.Session())
            own = {"session": session, **options.options}
            return find_factory("requests")(options.replace(options=own))

        with contextlib.ExitStack() as sessions:
            yield with_session


class TestUrllib3(TransportContract):
    @pytest.fixture
    def transport(self) -> TransportFactory:
        return find_factory("urllib3")
