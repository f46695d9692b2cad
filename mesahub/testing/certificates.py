"""Certificates for the conformance server: a good one, an expired one, one for another host, one from an unknown CA."""

from __future__ import annotations

import datetime
import functools
import ssl
from dataclasses import dataclass
from pathlib import Path

from mesahub.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Certificates:
    """Created for each run, by a CA that is trusted only here.

    Attributes:
        ca_file: the authority, as `TLSOptions.ca_file` takes it.
        good_pem: a certificate for 127.0.0.1 and localhost, and its key, for a server that is not ours.
        good: shows that certificate.
        expired: shows one that ended yesterday.
        wrong_host: shows one for another host.
        unknown_ca: shows one of an authority that is not in ``ca_file``.
        demanding: the good one; asks the client for one too.
        client_cert: a client's certificate and key, for ``demanding``.
    """

    ca_file: str
    good_pem: str
    good: ssl.SSLContext
    expired: ssl.SSLContext
    wrong_host: ssl.SSLContext
    unknown_ca: ssl.SSLContext
    demanding: ssl.SSLContext
    client_cert: str


@functools.cache
def make_certificates(folder: Path) -> Certificates:
    """Make them with trustme, once: keys cost time.

    Raises:
        ConfigurationError: trustme is not installed.
    """
    try:
        import trustme
    except ImportError as error:
        raise ConfigurationError(
            "The TLS part of the transport contract needs trustme: pip install trustme. Or set has_tls = "
            "False on your test class to leave that part out."
        ) from error
    ours, strange = trustme.CA(), trustme.CA()
    hosts = ("127.0.0.1", "localhost")
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    good = ours.issue_cert(*hosts)

    def context(certificate: trustme.LeafCert) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(made)
        return made

    demanding = context(good)
    demanding.verify_mode = ssl.CERT_REQUIRED
    ours.configure_trust(demanding)
    ca_file, good_pem, client_cert = folder / "ca.pem", folder / "good.pem", folder / "client.pem"
    good.private_key_and_cert_chain_pem.write_to_path(str(good_pem))
    ours.cert_pem.write_to_path(str(ca_file))
    ours.issue_cert("client@example.com").private_key_and_cert_chain_pem.write_to_path(str(client_cert))
    return Certificates(
        ca_file=str(ca_file),
        good_pem=str(good_pem),
        good=context(good),
        expired=context(
            ours.issue_cert(*hosts, not_before=yesterday - datetime.timedelta(days=9), not_after=yesterday)
        ),
        wrong_host=context(ours.issue_cert("elsewhere.example")),
        unknown_ca=context(strange.issue_cert(*hosts)),
        demanding=demanding,
        client_cert=str(client_cert),
    )
