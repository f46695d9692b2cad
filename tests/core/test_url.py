"""Connection strings."""

from __future__ import annotations

import pytest

import mesahub
from mesahub import ConfigurationError, parse_mesahub_url
from mesahub.url import is_private_host, parse_url, split_api_url


@pytest.mark.parametrize(
    ("url", "api_url", "prefix"),
    [
        ("mh://key@mycore.railway.app/mydb", "https://mycore.railway.app", "v1"),
        ("mh://key@mycore.railway.app:8443/mydb", "https://mycore.railway.app:8443", "v1"),
        ("mh://key@localhost:4004/mydb", "http://localhost:4004", "api"),
        ("mh://key@127.0.0.1/mydb", "http://127.0.0.1", "api"),
        ("mh://key@core/mydb", "http://core", "api"),
        ("mh://key@core.railway.internal/mydb", "http://core.railway.internal", "api"),
        ("mh://key@[::1]:4004/mydb", "http://[::1]:4004", "api"),
        ("mh://key@[2001:db8::1]/mydb", "http://[2001:db8::1]", "api"),
        ("mh://key@[2606:4700::1111]/mydb", "https://[2606:4700::1111]", "v1"),
        ("mh://key@10.0.0.5/mydb", "https://10.0.0.5", "v1"),
    ],
)
def test_the_host_decides_scheme_and_routes(url: str, api_url: str, prefix: str) -> None:
    assert parse_mesahub_url(url) == {
        "api_url": api_url,
        "api_key": "key",
        "db_name": "mydb",
        "route_prefix": prefix,
    }


def test_a_key_is_percent_decoded() -> None:
    assert parse_mesahub_url("mh://a%2Fb%40c%3A@core/db")["api_key"] == "a/b@c:"


def test_options_come_out_of_the_query_string() -> None:
    url = parse_url("mh://key@core/db?transport=requests&pool_size=3&scheme=https&route_prefix=v1")
    assert (url.api_url, url.transport, url.route_prefix, url.options) == (
        "https://core",
        "requests",
        "v1",
        {"pool_size": "3"},
    )


def test_local_is_the_embedded_transport() -> None:
    url = parse_url("mh://local/my%20db?data=/x")
    assert (url.transport, url.database, url.api_url, url.options) == (
        "embedded",
        "my db",
        "",
        {"data": "/x"},
    )
    with pytest.raises(ValueError, match=r"mesahub\.connect"):
        parse_mesahub_url("mh://local/db")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://key@host/db", "mh://"),
        ("", "mh://"),
        ("mh://host/db", "API key"),
        ("mh://@host/db", "API key"),
        ("mh://key@host", "database name"),
        ("mh://key@host/", "database name"),
        ("mh://key@/db", "no host"),
        ("mh://key@host:99999/db", "port"),
        ("mh://key@host:port/db", "port"),
        ("mh://key@host/a/b", "one database name"),
        ("mh://key@[::1/db", "host"),
        ("mh://key@host/db?scheme=ftp", "http or https"),
    ],
)
def test_a_wrong_url_says_what_is_wrong_and_never_the_key(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        parse_url(url.replace("key@", "s3cr3t@"))
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/", "/api", "/api/"])
def test_an_api_url_may_end_in_its_prefix(tail: str) -> None:
    assert split_api_url("https://api.example.com" + tail) == "https://api.example.com"


@pytest.mark.parametrize("url", ["api.example.com", "mh://k@h/d", "ftp://h", "https://", "https://user:pw@h", 5])
def test_an_api_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        split_api_url(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("localhost", True),
        ("core", True),
        ("a.internal", True),
        ("10.1.2.3", True),
        ("192.168.1.1", True),
        ("::1", True),
        ("fe80::1%eth0", True),
        ("8.8.8.8", False),
        ("api.mesahub.app", False),
        ("2606:4700::1111", False),
    ],
)
def test_private_hosts(host: str, private: bool) -> None:
    assert is_private_host(host) is private


def test_connect_without_a_url_reads_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.delenv("MESAHUB_URL", raising=False)
    with pytest.raises(ConfigurationError, match="MESAHUB_URL"):
        mesahub.connect()
    monkeypatch.setenv("MESAHUB_URL", f"mh://local/db?data={tmp_path}")
    with mesahub.connect() as db:
        assert db.query("SELECT 1 AS a").rows == [{"a": 1}]
