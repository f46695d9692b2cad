"""Connection strings with keys that nobody encoded: refused, and the key is seen nowhere."""

from __future__ import annotations

import pickle
import traceback

import pytest

import mesahub
from mesahub import ConfigurationError, parse_mesahub_url
from mesahub.cli.target import shown
from mesahub.url import parse_url

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
]


def frames(error: BaseException) -> str:
    """All that a tracker shows of an error: texts, arguments, and the locals of our frames."""
    lines = []
    seen: BaseException | None = error
    while seen is not None:
        lines += [str(seen), repr(seen), repr(seen.args), *getattr(seen, "__notes__", [])]
        for frame, _ in traceback.walk_tb(seen.__traceback__):
            if "/mesahub" in frame.f_code.co_filename and "/tests/" not in frame.f_code.co_filename:
                lines += [f"{name}={value!r}" for name, value in frame.f_locals.items()]
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\n".join(lines)


@pytest.mark.parametrize("url", URLS, ids=ascii)
def test_connect_refuses_a_url_without_showing_its_key(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        mesahub.connect(url)
    assert "T0pS3cret" not in frames(caught.value)
    assert b"T0pS3cret" not in pickle.dumps(caught.value)
    if url.startswith("mh://"):
        assert "T0pS3cret" not in shown(url)


@pytest.mark.parametrize("url", [url for url in URLS if "/a/b" not in url], ids=ascii)
def test_parse_mesahub_url_refuses_a_url_without_showing_its_key(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_mesahub_url(url)
    assert "T0pS3cret" not in frames(caught.value)


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
