"""What is particular to `requests`: the application's own session."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.util import Retry

from mesahub.errors import ConfigurationError, ConnectionLostError
from mesahub.testing import ConformanceServer
from mesahub.transport import Request, TransportOptions
from mesahub_requests import RequestsTransport

KEY = {"Authorization": "Bearer shk_1"}


def call(path: str = "/seen", **more: Any) -> Request:
    return Request("test", "POST", path, **{"timeout": 20.0, "headers": KEY, "payload": {}, **more})


Make = Callable[[ConformanceServer | str, requests.Session | None], RequestsTransport]


@pytest.fixture
def transport_of() -> Iterator[Make]:
    """Makes a transport for a server and a session; closes both."""
    with contextlib.ExitStack() as stack:

        def make(server: ConformanceServer | str, session: requests.Session | None) -> RequestsTransport:
            url = server if isinstance(server, str) else server.url
            options = TransportOptions(base_url=url, proxies={}, options={"session": session})
            transport = RequestsTransport(options)
            stack.callback(transport.close)
            if session is not None:
                stack.callback(session.close)
            return transport

        yield make


def test_the_session_s_headers_cookies_adapters_and_hooks_are_used(transport_of: Make) -> None:
    adapted: list[str | None] = []
    hooked: list[int] = []

    class Adapter(HTTPAdapter):
        def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
            adapted.append(request.url)
            return super().send(request, *args, **kwargs)

    def hook(response: requests.Response, *args: Any, **kwargs: Any) -> None:
        hooked.append(len(response.content))

    with ConformanceServer() as server, requests.Session() as session:
        session.headers["X-Tenant"] = "shop"
        session.cookies.set("visitor", "7")
        session.mount(server.url, Adapter())
        session.hooks["response"].append(hook)
        answer = transport_of(server, session).send(call())
        headers = answer.payload["headers"]
    assert headers["x-tenant"] == "shop"
    assert headers["cookie"] == "visitor=7"
    assert headers["authorization"] == "Bearer shk_1"
    assert adapted == [f"{server.url}/seen"]
    assert hooked == [len(answer.content)]


def test_the_session_is_not_changed_and_not_closed(transport_of: Make) -> None:
    with ConformanceServer() as server, requests.Session() as session:
        session.auth = ("user", "password")
        attributes = (
            "headers",
            "auth",
            "proxies",
            "hooks",
            "params",
            "verify",
            "cert",
            "trust_env",
            "stream",
        )
        before = copy.deepcopy({name: getattr(session, name) for name in attributes})
        adapters = dict(session.adapters)
        transport = transport_of(server, session)
        transport.send(call())
        transport.close()
        assert {name: getattr(session, name) for name in attributes} == before
        assert dict(session.adapters) == adapters
        assert session.post(server.url + "/seen").json()["connection"] == 0, "its connection was closed"


def test_netrc_does_not_replace_the_key(transport_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login root password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with ConformanceServer() as server:
        for session in (None, requests.Session()):
            headers = transport_of(server, session).send(call()).payload["headers"]
            assert headers["authorization"] == "Bearer shk_1"


def test_the_session_s_auth_adds_to_the_key_and_stands_in_where_there_is_none(transport_of: Make) -> None:
    class Signing(AuthBase):
        def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
            prepared.headers["X-Signature"] = "signed"
            prepared.headers["Authorization"] = "its own"
            return prepared

    with ConformanceServer() as server, requests.Session() as session:
        session.auth = Signing()
        transport = transport_of(server, session)
        headers = transport.send(call()).payload["headers"]
        assert (headers["x-signature"], headers["authorization"]) == ("signed", "Bearer shk_1")
        assert transport.send(call(headers={})).payload["headers"]["authorization"] == "its own"
        session.auth = ("user", "password")
        assert transport.send(call(headers={})).payload["headers"]["authorization"].startswith("Basic ")


def test_a_session_that_authenticates_needs_no_key() -> None:
    def needs_key(session: requests.Session | None) -> bool:
        return RequestsTransport.needs_key(TransportOptions(options={"session": session}))

    with requests.Session() as session:
        assert needs_key(None)
        assert needs_key(session)
        session.headers["Authorization"] = "Bearer shk_1"
        assert not needs_key(session)


@pytest.mark.parametrize("retries", [3, Retry(3), Retry(total=None, connect=2), Retry(0, read=False, other=0)])
def test_a_session_that_retries_is_refused(transport_of: Make, retries: Any) -> None:
    harmless = isinstance(retries, Retry) and retries.total == 0
    with requests.Session() as session:
        session.mount("https://db.example.com", HTTPAdapter(max_retries=retries))
        transport_of("https://other.example.com", session)
        if harmless:
            transport_of("https://db.example.com", session)
            return
        with pytest.raises(ConfigurationError, match=r"session\.mount\('https://db\.example\.com', HTTPAdapter"):
            transport_of("https://db.example.com", session)


@pytest.mark.parametrize(
    ("methods", "disabled", "refused"),
    [
        (["GET", "HEAD"], False, False),
        (["GET", "POST"], False, True),
        (["post"], False, True),
        (["POST"], True, False),
        (("GET", "PATCH"), False, True),
    ],
)
@pytest.mark.parametrize("where", ["settings of the session", "adapter"])
def test_session_that_caches_writes_is_refused(
    transport_of: Make, methods: Any, disabled: bool, refused: bool, where: str
) -> None:
    class Settings:  # as in requests-cache
        allowable_methods = methods

    Settings.disabled = disabled  # type: ignore[attr-defined]

    with requests.Session() as session:
        if where == "adapter":  # as CacheControl's
            adapter = HTTPAdapter()
            adapter.cacheable_methods = () if disabled else methods  # type: ignore[attr-defined]
            session.mount("https://db.example.com", adapter)
        else:
            session.settings = Settings()  # type: ignore[attr-defined]
        if refused:
            with pytest.raises(ConfigurationError, match="from the cache and not carried out"):
                transport_of("https://db.example.com", session)
        else:
            transport_of("https://db.example.com", session).close()


def test_a_session_must_be_one() -> None:
    with pytest.raises(ConfigurationError, match=r"requests\.Session, not str"):
        RequestsTransport(TransportOptions(base_url="http://127.0.0.1:9", options={"session": "mine"}))


def test_the_session_s_certificates_are_used(
    transport_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)  # to requests, these win over the session
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    with requests.Session() as session:
        session.verify = str(tmp_path / "missing.pem")
        with pytest.raises(ConfigurationError, match=r"missing\.pem"):
            transport_of("https://127.0.0.1:9", session).send(call())


@responses.activate
def test_an_application_that_mocks_http_sees_the_calls(transport_of: Make) -> None:
    url = "https://db.example.com/v1/query/shop"
    rows = {"headers": [{"name": "one"}], "rows": [{"one": 1}]}
    responses.post(url, json=rows, headers={"X-Two": "a"})
    for session in (None, requests.Session()):
        transport = transport_of("https://db.example.com", session)
        answer = transport.send(call("/v1/query/shop", payload={"sql": "SELECT 1 AS one", "bindings": []}))
        assert answer.payload == rows
        assert answer.headers["x-two"] == "a"
        sent = responses.calls[-1].request
        assert sent.headers["Authorization"] == "Bearer shk_1"
        assert json.loads(sent.body or b"") == {"sql": "SELECT 1 AS one", "bindings": []}
        download = transport.send(call("/v1/query/shop", streams=True))
        assert json.loads(download.read()) == rows


@responses.activate
def test_a_call_that_nobody_mocked_is_an_error_of_the_contract(transport_of: Make) -> None:
    with pytest.raises(ConnectionLostError, match="Connection refused by Responses"):
        transport_of("https://db.example.com", None).send(call())
