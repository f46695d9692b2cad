"""TLS: trusted and untrusted certificates."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesahub.errors import ConfigurationError, TLSError, TransportError
from mesahub.testing.base import Fixtures, Make, call
from mesahub.testing.certificates import Certificates
from mesahub.testing.server import ConformanceServer
from mesahub.transport import TLSOptions


class Trust(Fixtures):
    """A server is trusted by its certificate; one that is not trusted gets no request."""

    def test_valid_certificate_is_accepted(self, make: Make, certificates: Certificates) -> None:
        with ConformanceServer(certificates.good) as server:
            transport = make(server.url, tls=TLSOptions(ca_file=certificates.ca_file))
            for size in (1, 300_000):
                assert transport.send(call("/echo", b"x" * size)).content == b"x" * size
            response = transport.send(call("/bytes/1000000", method="GET", streams=True))
            assert len(response.read()) == 1_000_000
            assert server.connections == 1

    @pytest.mark.parametrize("fault", ["expired", "wrong_host", "unknown_ca"])
    def test_invalid_certificate_raises_tls_error(self, make: Make, certificates: Certificates, fault: str) -> None:
        with ConformanceServer(getattr(certificates, fault)) as server:
            transport = make(server.url, tls=TLSOptions(ca_file=certificates.ca_file))
            with pytest.raises(TLSError):
                transport.send(call("/echo", b"abc", headers={"Authorization": "Bearer shk_1"}))
            assert server.seen == []

    def test_certificates_are_verified_by_default(self, make: Make, certificates: Certificates) -> None:
        with ConformanceServer(certificates.good) as server:
            with pytest.raises(TLSError):
                make(server.url).send(call("/echo", b"abc"))
            assert server.seen == []

    @pytest.mark.filterwarnings("ignore")
    def test_verification_can_be_switched_off(self, make: Make, certificates: Certificates) -> None:
        with ConformanceServer(certificates.unknown_ca) as server:
            transport = make(server.url, tls=TLSOptions(verify=False))
            assert transport.send(call("/echo", b"abc")).content == b"abc"

    def test_client_certificate_is_sent(self, make: Make, certificates: Certificates) -> None:
        with ConformanceServer(certificates.demanding) as server:
            own = TLSOptions(ca_file=certificates.ca_file, client_cert=certificates.client_cert)
            assert make(server.url, tls=own).send(call("/echo", b"abc")).content == b"abc"
            # TLS 1.3 refuses only after the handshake, when the request may be on its way.
            with pytest.raises(TransportError):
                make(server.url, tls=TLSOptions(ca_file=certificates.ca_file)).send(call("/echo", b"abc"))
            assert len(server.seen) == 1

    @pytest.mark.usefixtures("certificates")
    def test_server_without_tls_raises_tls_error(self, make: Make, server: ConformanceServer) -> None:
        transport = make(server.url.replace("http:", "https:"))
        with pytest.raises(TLSError):
            transport.send(call("/echo", b"abc"))
        assert server.seen == []

    def test_unusable_certificate_file_raises_configuration_error(
        self, make: Make, certificates: Certificates, tmp_path: Path
    ) -> None:
        empty = tmp_path / "empty.pem"
        empty.write_text("no certificate")
        for tls in (
            TLSOptions(ca_file=str(tmp_path / "missing.pem")),
            TLSOptions(ca_file=str(empty)),
            TLSOptions(ca_file=certificates.ca_file, client_cert=str(empty)),
        ):
            with pytest.raises(ConfigurationError, match=r"ca_file|client_cert"):
                make("https://127.0.0.1:9", tls=tls).send(call("/echo", b"abc"))
