"""The key is seen by the server, and by nobody else."""

from __future__ import annotations

import logging
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

import mesahub
from mesahub import (
    AuthenticationError,
    ConfigurationError,
    MesahubClient,
    MesahubError,
    MesahubManagementClient,
    NotSentError,
    RetryPolicy,
)
from mesahub.middleware import logging as log_calls
from tests.tracebacks import with_locals

KEY = "shk_5ecret_of_the_house"
GIVEN: dict[str, Any] = {"static": KEY, "function": lambda: KEY}
TRANSPORTS = ["urllib", "requests", "urllib3"]


@pytest.fixture
def origins() -> Iterator[tuple[int, int, list[bytes]]]:
    """Two servers: the first answers every request with a redirect to the second, which keeps what it gets."""
    got: list[bytes] = []
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as first,
        closing(socket.create_server(("127.0.0.1", 0))) as second,
    ):
        ports = first.getsockname()[1], second.getsockname()[1]

        def redirect() -> None:
            while True:
                try:
                    connection, _ = first.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(
                        b"HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\nConnection: close\r\n"
                        b"Location: http://127.0.0.1:%d/v1/query/db\r\n\r\n" % ports[1]
                    )

        def keep() -> None:
            try:
                connection, _ = second.accept()
            except OSError:
                return
            with connection:
                got.append(connection.recv(65536))

        threads = [threading.Thread(target=redirect, daemon=True), threading.Thread(target=keep, daemon=True)]
        for thread in threads:
            thread.start()
        yield *ports, got
        for listener in (first, second):
            listener.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_redirect_takes_the_key_nowhere(origins: tuple[int, int, list[bytes]], transport: str) -> None:
    first, second, got = origins
    with (
        MesahubClient(KEY, f"http://127.0.0.1:{first}", transport=transport) as client,
        pytest.raises(MesahubError, match=f"points to http://127.0.0.1:{second}") as caught,
    ):
        client.query("db", "SELECT 1")
    assert caught.value.status_code == 307
    assert got == []


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_no_message_log_repr_pickle_or_variable_shows_the_key(
    transport: str, given: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with closing(socket.create_server(("127.0.0.1", 0))) as unused:
        port = unused.getsockname()[1]
    with MesahubClient(
        GIVEN[given],
        f"http://127.0.0.1:{port}",
        transport=transport,
        middleware=[log_calls(bindings=True)],
        retry=RetryPolicy(backoff=0),
    ) as client:
        with pytest.raises(NotSentError) as caught:
            client.query("db", "SELECT ?", [1])
        shown = [repr(client), str(vars(client)), with_locals(caught.value), repr(caught.value.attempts)]
    assert caplog.records
    assert len(caught.value.attempts) == 3
    assert KEY not in "\n".join([*shown, caplog.text])
    assert KEY.encode() not in pickle.dumps(caught.value)


def test_a_key_that_is_refused_is_not_shown() -> None:
    padded: Any = f" {KEY}"
    for key in (padded, lambda: padded, lambda: padded.encode()):
        with pytest.raises(MesahubError) as caught, MesahubClient(key, "http://127.0.0.1:1") as client:
            client.query("db", "SELECT 1")
        assert KEY not in with_locals(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"mh://{KEY}@example.com:99999/db",
        f"mh://{KEY}@/db",
        f"mh://{KEY}@example.com/",
        f"mh://{KEY}@example.com/a/b",
        f"mh://{KEY}@example.com/db?scheme=ftp",
        f"mh://{KEY}@example.com/db?scheme=http",
        f"mh://{KEY}@example.com/db?route_prefix=v9",
        f"mh://{KEY}@example.com/db?pool_size=many",
        f"mh://{KEY}@example.com/db?transport=nosuch",
        f"mh://{KEY}@example.com/db?nosuch=1",
    ],
)
def test_a_url_that_is_refused_does_not_show_the_key(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        mesahub.connect(url)
    assert KEY not in with_locals(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: MesahubClient(KEY, "http://example.com"),
        lambda: MesahubClient(KEY, "nowhere"),
        lambda: MesahubClient(KEY, route_prefix="v9"),
        lambda: MesahubClient(KEY, "http://localhost", transport="nosuch"),
        lambda: MesahubClient(KEY, "http://localhost", transport_options={"nosuch": 1}),
        lambda: MesahubManagementClient("nowhere", KEY),
        lambda: MesahubManagementClient("http://example.com", KEY),
        lambda: mesahub.connect("mh://local/db?pool_size=many", api_key=KEY, transport="nosuch"),
    ],
)
def test_a_client_that_cannot_be_made_does_not_show_the_key(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert KEY not in with_locals(caught.value).replace(repr(make), "")


def test_the_servers_refusal_does_not_show_the_key() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                assert f"Bearer {KEY}".encode() in connection.recv(65536)
                body = b'{"error":"invalid token"}'
                connection.sendall(
                    b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nConnection: close\r\n"
                    b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
                )

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with MesahubClient(KEY, url) as client, pytest.raises(AuthenticationError, match="invalid token") as caught:
            client.query("db", "SELECT 1")
        thread.join(5)
    assert KEY not in with_locals(caught.value)
    assert KEY.encode() not in pickle.dumps(caught.value)
