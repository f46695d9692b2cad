"""Engines reached by HTTPS, with a certificate of an authority that the client is given."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

import mesahub
from mesahub import TLSError, TLSOptions
from mesahub.testing.certificates import Certificates, make_certificates
from tests.engines.rqlite_cluster import Cluster
from tests.engines.sqld_server import Sqld

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.getbasetemp())


class TlsFront:
    """Takes TLS connections, and hands what comes on to a port."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._to = port
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            client = self._context.wrap_socket(plain, server_side=True)
        except OSError:
            plain.close()
            return
        engine = socket.create_connection(("127.0.0.1", self._to))
        self._sockets += [client, engine]
        threading.Thread(target=_pump, args=(engine, client), daemon=True).start()
        _pump(client, engine)

    def close(self) -> None:
        for one in [self._listener, *self._sockets]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def front(certificates: Certificates) -> Iterator[Callable[[int], int]]:
    """A function of a port: the port at which it is reached by TLS."""
    fronts: list[TlsFront] = []

    def make(port: int) -> int:
        fronts.append(TlsFront(port, certificates.good))
        return int(fronts[-1].port)

    yield make
    for each in fronts:
        each.close()


@pytest.mark.parametrize("transport", ["urllib", "requests"])
@pytest.mark.parametrize("engine", ["rqlite", "libsql"])
def test_an_engine_is_reached_by_https(
    request: pytest.FixtureRequest,
    front: Callable[[int], int],
    certificates: Certificates,
    engine: str,
    transport: str,
) -> None:
    if engine == "rqlite":
        cluster: Cluster = request.getfixturevalue("rqlite")
        ports, name = cluster.http, ""
    else:
        sqld: Sqld = request.getfixturevalue("sqld")
        ports, name = sqld.http, sqld.new_database()
    hosts = ",".join(f"127.0.0.1:{front(port)}" for port in ports)
    url = f"{engine}://{hosts}/{name}?scheme=https"
    with mesahub.connect(url, tls=TLSOptions(ca_file=certificates.ca_file), transport=transport) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
        assert db.table("t").insert({"a": "x"}) == {"id": 1, "a": "x"}
        if db.capabilities.transactions == "interactive":
            with db.transaction() as tx:
                tx.exec("UPDATE t SET a = 'y'")
            assert db.table("t").find() == [{"id": 1, "a": "y"}]
    with mesahub.connect(url, transport=transport) as db, pytest.raises(TLSError):
        db.query("SELECT 1", timeout=5)
