"""What every transport must do, and the fixtures for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from mesahub.errors import ConfigurationError
from mesahub.testing.certificates import Certificates, make_certificates
from mesahub.testing.server import ConformanceServer
from mesahub.transport import Request, Transport, TransportFactory, TransportOptions

AMPLE = 20.0
"""Seconds that no test here needs."""
SHORT = 0.4
"""Seconds for what is meant to run out: four times the pause of the server's drips."""


class Make(Protocol):
    """Makes a transport for a server; closed when the test is over."""

    def __call__(self, base_url: str, **options: Any) -> Transport:
        """The keywords are those of `TransportOptions`."""
        ...


def call(path: str, body: Any = None, *, method: str = "POST", **more: Any) -> Request:
    """A request to the conformance server."""
    return Request("test", method, path, body=body, **{"timeout": AMPLE, **more})


def select_one() -> Request:
    """A request that every transport can answer."""
    return Request(
        "query",
        "POST",
        "/v1/query/demo",
        database="demo",
        payload={"sql": "SELECT 1 AS one", "bindings": []},
        safe=True,
        timeout=AMPLE,
    )


class Fixtures:
    """The fixtures of all parts."""

    speaks_http = True
    has_tls = True
    bounds_head = True
    limits_connections = True
    passes_interim = True
    frames_strictly = True
    bounds_all = True
    forks = True

    @pytest.fixture
    def transport(self) -> TransportFactory:
        """The transport's factory: yours."""
        raise NotImplementedError(
            f"{type(self).__name__} must define a fixture named transport that returns the transport's "
            "class, or a function that takes TransportOptions and returns the transport."
        )

    @pytest.fixture
    def make(self, transport: TransportFactory) -> Iterator[Make]:
        """Makes transports, and closes them."""
        made: list[Transport] = []

        def make(base_url: str, **options: Any) -> Transport:
            # No proxies: those of the environment are not the contract's business.
            made.append(transport(TransportOptions(base_url=base_url, **{"proxies": {}, **options})))
            return made[-1]

        yield make
        for each in made:
            each.close()

    @pytest.fixture
    def server(self) -> Iterator[ConformanceServer]:
        """The conformance server, by plain HTTP."""
        if not self.speaks_http:
            pytest.skip("this transport speaks no HTTP")
        with ConformanceServer() as server:
            yield server

    @pytest.fixture
    def options(self, server: ConformanceServer) -> TransportOptions:
        """Options with which ``SELECT 1 AS one`` on the database ``demo`` is answered."""
        return TransportOptions(base_url=server.url, proxies={})

    @pytest.fixture
    def working(self, transport: TransportFactory, options: TransportOptions) -> Iterator[Transport]:
        """A transport that answers `select_one`."""
        made = transport(options)
        yield made
        made.close()

    @pytest.fixture
    def certificates(self, tmp_path_factory: pytest.TempPathFactory) -> Certificates:
        """Certificates for the conformance server."""
        if not (self.speaks_http and self.has_tls):
            pytest.skip("this transport speaks no TLS")
        return make_certificates(tmp_path_factory.getbasetemp())


class Basics(Fixtures):
    """Holds for all transports, in this process or over a network."""

    def test_has_the_methods_of_a_transport(self, working: Transport) -> None:
        assert isinstance(working, Transport)

    def test_send_returns_the_response_to_a_query(self, working: Transport) -> None:
        response = working.send(select_one())
        assert response.status == 200
        assert response.payload["rows"] == [{"one": 1}]
        assert [header["name"] for header in response.payload["headers"]] == ["one"]

    def test_factory_rejects_unknown_options(self, transport: TransportFactory, options: TransportOptions) -> None:
        unknown = TransportOptions(
            base_url=options.base_url, proxies={}, options={**options.options, "no_such_option": 1}
        )
        with pytest.raises(ConfigurationError, match="no_such_option"):
            transport(unknown)

    def test_send_after_close_raises_configuration_error(self, working: Transport) -> None:
        working.send(select_one())
        working.close()
        with pytest.raises(ConfigurationError):
            working.send(select_one())

    def test_close_can_be_called_twice(self, working: Transport) -> None:
        working.close()
        working.close()
