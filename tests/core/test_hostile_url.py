"""Connection strings with keys that nobody encoded: refused, and the key is seen nowhere."""

from __future__ import annotations

import pickle

import pytest

import mesahub
from mesahub import ConfigurationError, parse_mesahub_url
from mesahub.cli.profiles import shown
from mesahub.url import parse_url
from tests.tracebacks import with_locals

KEY = "shs_T0pS3cret"
URLS = [
    f"mh://{KEY}/more@host.example/db",
    f"mh://a/{KEY}@host.example/db",
    f"mh://{KEY}@more@host.example/db",
    f"mh://a@{KEY}@host.example/db",
    f"mh://user:{KEY}@host.example/db",
    f"mh://:{KEY}@host.example/db",
    f"mh://{KEY}:@host.example/db",
    f"mh://{KEY}?x@host.example/db",
    f"mh://a?{KEY}@host.example/db",
    f"mh://{KEY}#x@host.example/db",
    f"mh://a#{KEY}@host.example/db",
    f"mh://{KEY}@host.example:99999/db",
    f"mh://{KEY}@host.example:abc/db",
    f"mh://{KEY}@[::1/db",
    f"mh://{KEY}@/db",
    f"mh://{KEY}@host.example/",
    f"mh://{KEY}@host.example/a/b",
    f"mh://{KEY}@host.example/d\ud800b",
    f"mh://{KEY}\ud800@host.example/db",
    f"mh://{KEY}@{'x' * 64}.example/db",
    f"mh://{KEY}@{'x' * 64}/db",
    f"mh://{KEY}@local/db",
    f"{KEY}://host.example/db",
    f"mh:/{KEY}@host.example/db",
    f"{KEY}@host.example/db",
    f"MH://{KEY}@host.example/db",
    f"mh://{KEY}\n@host.example/db",
    f"mh://{KEY}\t@host.example/db",
    f"mh://{KEY}@host.example/d\nb",
    f"mh://{KEY}@host.example/d%00b",
    f"mh://{KEY}@host..example/db",
    f"mh://{KEY}@.host.example/db",
    f"mh://{KEY}@host%00.example/db",
    f"mh://{KEY}@host;x/db",
    f"mh://{KEY}@one,two/db",
    f"mh://{KEY}@host:0/db",
    f"mh://{KEY}@host:\u0663/db",
    f"mh://{KEY}/db",
    f"mh://{KEY}:8080/db",
    f"mh://host.example/db?api_key={KEY}",
    f"mh://k@host.example/db?token={KEY}",
    f"mh://k@host.example/db?proxies={KEY}",
    f"sqlite://{KEY}@host/db",
]


@pytest.mark.parametrize("url", URLS, ids=ascii)
def test_connect_refuses_a_url_without_showing_its_key(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        mesahub.connect(url)
    assert "T0pS3cret" not in with_locals(caught.value)
    assert b"T0pS3cret" not in pickle.dumps(caught.value)
    if "@" in url or "?" in url:
        assert "T0pS3cret" not in shown(url)


@pytest.mark.parametrize("url", [url for url in URLS if "/a/b" not in url], ids=ascii)
def test_parse_mesahub_url_refuses_a_url_without_showing_its_key(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_mesahub_url(url)
    assert "T0pS3cret" not in with_locals(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{KEY}@host.example",
        f"https://{KEY}@host.example",
        f"https://host.example/?key={KEY}",
        f"https://host.example#{KEY}",
        f"mh://{KEY}@host.example/db",
        f"https://host.example/{KEY}\n",
        f"{KEY}",
    ],
    ids=ascii,
)
def test_clients_refuse_a_base_url_without_showing_what_it_holds(url: str) -> None:
    for make in (
        lambda: mesahub.MesahubClient("k", url),
        lambda: mesahub.MesahubClient("k", [url, url]),
        lambda: mesahub.MesahubManagementClient(url, "k"),
        lambda: mesahub.connect("mh://k@h/db", api_url=url),
    ):
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert "T0pS3cret" not in with_locals(caught.value)
        assert b"T0pS3cret" not in pickle.dumps(caught.value)


def test_options_of_a_client_are_hidden_where_a_traceback_shows_variables() -> None:
    with pytest.raises(ConfigurationError) as caught:
        mesahub.connect("mh://k@h/db", auth_token=KEY)  # type: ignore[call-arg]
    assert "auth_token" in str(caught.value)
    assert "T0pS3cret" not in with_locals(caught.value)


def test_connect_takes_an_international_host_and_one_with_a_final_dot() -> None:
    for host in ("h\xe9.example", "host.example.", "h_x", "[::1]"):
        with mesahub.connect(f"mh://k@{host}:8080/db") as db:
            assert db.name == "db"


def test_parse_url_takes_an_encoded_key() -> None:
    url = parse_url("mh://a%2Fb%40c%3Ad%23e@host.example/my%20db")
    assert url.api_key == "a/b@c:d#e"
    assert url.database == "my db"


def test_parse_mesahub_url_keeps_a_path_of_several_names() -> None:
    assert parse_mesahub_url("mh://k@h/d/e")["db_name"] == "d/e"


@pytest.mark.parametrize("name", ["..", ".", "", " ", "\ud800", "a\udfff"], ids=ascii)
def test_a_database_name_that_a_path_cannot_carry_is_refused(name: str) -> None:
    client = mesahub.MesahubClient("k", "http://localhost:1")
    with pytest.raises(mesahub.ArgumentError):
        client.db(name)
    client.close()
