"""Which proxy leads to a server: the options, the environment, NO_PROXY."""

from __future__ import annotations

import pytest

from mesahub.transport import TransportOptions

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, *(name.upper() for name in NAMES), "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        ({}, "http://db.example.com", None),
        ({"HTTP_PROXY": "http://p:3128"}, "http://db.example.com", "http://p:3128"),
        ({"HTTP_PROXY": "http://p:3128"}, "https://db.example.com", None),
        ({"HTTPS_PROXY": "http://p:3128"}, "https://db.example.com", "http://p:3128"),
        ({"ALL_PROXY": "socks5h://p:1080"}, "https://db.example.com", "socks5h://p:1080"),
        ({"HTTPS_PROXY": "http://p", "ALL_PROXY": "http://q"}, "https://db.example.com", "http://p"),
        ({"HTTP_PROXY": "http://upper", "http_proxy": "http://lower"}, "http://db", "http://lower"),
        ({"HTTP_PROXY": ""}, "http://db.example.com", None),
        ({"http_proxy": "p:3128"}, "http://db.example.com", "http://p:3128"),
        # Under CGI a header named Proxy arrives as HTTP_PROXY.
        ({"HTTP_PROXY": "http://evil", "REQUEST_METHOD": "GET"}, "http://db.example.com", None),
        ({"http_proxy": "http://p", "REQUEST_METHOD": "GET"}, "http://db.example.com", "http://p"),
    ],
)
def test_the_environment_s_proxy(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, expected: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert TransportOptions(base_url=url).proxy_url() == expected


@pytest.mark.parametrize(
    ("no_proxy", "host", "bypassed"),
    [
        ("*", "db.example.com", True),
        ("example.com", "db.example.com", True),
        ("example.com", "example.com", True),
        (".example.com", "db.example.com", True),
        ("*.example.com", "db.example.com", True),
        ("Example.COM", "db.example.com", True),
        ("ample.com", "db.example.com", False),
        ("db.example.com.evil", "db.example.com", False),
        ("a.com, example.com", "db.example.com", True),
        ("a.com b.com", "db.example.com", False),
        ("example.com:8080", "db.example.com", False),
        ("example.com:4004", "db.example.com", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "db.example.com", False),
        ("10.0.0.0/nonsense", "10.1.2.3", False),
        ("::1", "[::1]", True),
        ("[::1]", "[::1]", True),
        ("", "db.example.com", False),
    ],
)
def test_no_proxy(monkeypatch: pytest.MonkeyPatch, no_proxy: str, host: str, bypassed: bool) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://p:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    expected = None if bypassed else "http://p:3128"
    assert TransportOptions(base_url=f"http://{host}:4004").proxy_url() == expected


def test_options_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://p:3128")
    monkeypatch.setenv("NO_PROXY", "*")
    base_url = "https://db.example.com"
    assert TransportOptions(base_url=base_url, proxies={}).proxy_url() is None
    assert TransportOptions(base_url=base_url, proxies={"https": "http://q"}).proxy_url() == "http://q"
    assert TransportOptions(base_url=base_url, proxies={"all": "http://q"}).proxy_url() == "http://q"
    assert TransportOptions(base_url=base_url, proxies={"http": "http://q"}).proxy_url() is None
