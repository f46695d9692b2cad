"""The page at ``/``: who sees it, what its forms may do, which headers it has."""

from __future__ import annotations

import http.client
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

import mesahub
from tests.server.browser import PAGES, Browser, assert_harmless, form_token_of
from tests.servers import Server, start_server


def test_page_needs_the_admin_token(server: Server, name: str) -> None:
    key = server.new_key("all:w")
    for path in (*PAGES, "/ui/file?db={name}&id=1"):
        for headers in ({}, {"Authorization": f"Bearer {key}"}, {"Cookie": "mesahub_0=x; session=y"}):
            visitor = Browser(server)
            status, text = visitor.ask("GET", path.format(name=name), headers=headers)
            assert (status, visitor.path) == (200, "/")
            assert 'name="token"' in text
            assert name not in text


def test_sign_in_rejects_everything_else(server: Server) -> None:
    for token in ("", "wrong", server.admin_token[:-1], server.new_key("all:w")):
        visitor = Browser(server)
        status, text = visitor.ask("POST", "/ui/sign-in", {"token": token})
        assert status in (401, 429)
        assert visitor.cookies == {}
        assert not token or token not in text


def test_session_cookie_is_not_the_token_and_is_closed_to_scripts_and_sites(browser: Browser) -> None:
    (value,) = browser.cookies.values()
    assert browser.server.admin_token not in value
    assert len(value) > 40
    assert set(browser.set_cookie.split("; ")[1:]) == {"Path=/", "HttpOnly", "SameSite=Strict"}


def test_session_is_unknown_after_signing_out(browser: Browser) -> None:
    kept = dict(browser.cookies)
    token = form_token_of(browser.get("/"))
    assert 'name="token"' in browser.ask("POST", "/ui/sign-out", {"form": token})[1]
    assert "Max-Age=0" in browser.set_cookie
    assert 'name="token"' in Browser(browser.server, kept).get("/")


def test_sign_out_needs_the_form_of_the_session(browser: Browser) -> None:
    other = form_token_of(Browser(browser.server).sign_in().get("/"))
    for form in ({}, {"form": ""}, {"form": "0" * 64}, {"form": other}, {"form": "é"}):
        assert browser.ask("POST", "/ui/sign-out", form)[0] == 403
    assert "Databases" in browser.get("/")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://db.example.com"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "{origin}"}, 200),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json"}, 415),
    ],
)
def test_forms_of_other_sites_are_rejected(browser: Browser, name: str, headers: dict[str, str], status: int) -> None:
    given = {key: value.format(origin=browser.server.base_url) for key, value in headers.items()}
    form = {"form": form_token_of(browser.get("/")), "sql": "SELECT 1", "run": "read"}
    assert browser.ask("POST", f"/ui/query?db={name}", form, given)[0] == status
    signing_in = Browser(browser.server)
    assert signing_in.ask("POST", "/ui/sign-in", {"token": browser.server.admin_token}, given)[0] == status
    assert bool(signing_in.cookies) == (status == 200)


def test_changes_need_post(browser: Browser, name: str) -> None:
    assert browser.ask("GET", "/ui/sign-out")[0] == 405
    assert browser.ask("GET", "/ui/sign-in?token=" + browser.server.admin_token)[0] == 405
    assert "Result" not in browser.get(f"/ui/query?db={name}&sql=SELECT+1&run=read")


def test_every_page_has_a_policy_and_no_script(browser: Browser, name: str) -> None:
    with mesahub.connect(browser.server.url(name)) as db:
        db.exec("CREATE TABLE t (a)")
    for path in (*PAGES, "/ui/rows?db=none&table=x"):
        _, text = browser.ask("GET", path.format(name=name))
        policy = dict(part.split(" ", 1) for part in browser.headers["Content-Security-Policy"].split("; "))
        assert policy == {
            "default-src": "'none'",
            "style-src": "'self'",
            "img-src": "'self'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
            "base-uri": "'none'",
        }
        assert browser.headers["X-Content-Type-Options"] == "nosniff"
        assert browser.headers["Cache-Control"] == "no-store"
        assert browser.headers["Content-Type"] == "text/html; charset=utf-8"
        assert_harmless(text)
        assert not re.search(r'(?:href|action)="(?:https?:)?//', text)


def test_stylesheet_and_icon_are_served_by_this_server(server: Server) -> None:
    for path, kind in (("/ui/style.css", "text/css; charset=utf-8"), ("/ui/icon.svg", "image/svg+xml")):
        status, headers, body = server.call("GET", path, token="")
        assert (status, headers["Content-Type"]) == (200, kind)
        assert b"http" not in body.replace(b"http://www.w3.org/2000/svg", b"")


def test_keys_are_masked(browser: Browser) -> None:
    key = browser.server.new_key("db:main:r")
    page = browser.get("/ui/keys")
    assert "db:main:r" in page
    assert key not in page
    assert key[:8] not in page
    assert "••••••••" in page


def test_admin_token_is_on_no_page(browser: Browser, name: str) -> None:
    with mesahub.connect(browser.server.url(name)) as db:
        db.exec("CREATE TABLE t (a)")
    for path in PAGES:
        assert browser.server.admin_token not in browser.get(path.format(name=name))


def test_sign_in_is_limited_by_address(tmp_path_factory: pytest.TempPathFactory) -> None:
    with start_server(tmp_path_factory.mktemp("limited")) as server:
        statuses = [Browser(server).ask("POST", "/ui/sign-in", {"token": "x"})[0] for _ in range(6)]
        assert statuses == [401] * 5 + [429]
        browser = Browser(server)
        status, text = browser.ask("POST", "/ui/sign-in", {"token": server.admin_token})
        assert status == 429  # or the limit would only slow down wrong guesses
        assert browser.cookies == {}
        assert 0 < int(browser.headers["Retry-After"]) <= 60
        assert "Too many attempts" in text
        assert server.call("GET", "/api/db")[0] == 200  # the API is not affected


def test_session_survives_a_restart_and_ends_with_the_token(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("restarted")
    with start_server(folder) as server:
        cookies = Browser(server).sign_in().cookies
    with start_server(folder) as server:
        assert "Databases" in Browser(server, cookies).get("/")
    with start_server(folder, admin_token="another-token") as server:
        assert 'name="token"' in Browser(server, cookies).get("/")


def test_page_can_be_switched_off(tmp_path_factory: pytest.TempPathFactory) -> None:
    with start_server(tmp_path_factory.mktemp("off"), arguments=("--page", "off")) as server:
        for path in ("/", "/ui/keys", "/ui/style.css"):
            assert server.call("GET", path, token="")[0::2] == (404, b"404 page not found\n")


def test_page_behind_https_and_a_path_marks_its_cookie(tmp_path_factory: pytest.TempPathFactory) -> None:
    arguments = ("--public-url", "https://db.example.com/sqlite/")
    with start_server(tmp_path_factory.mktemp("public"), arguments=arguments) as server:
        connection = http.client.HTTPConnection(server.host, server.port)
        form = urlencode({"token": server.admin_token})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://db.example.com"}
        connection.request("POST", "/ui/sign-in", form, headers)
        response = connection.getresponse()
        cookie = response.headers["Set-Cookie"]
        assert (response.status, response.headers["Location"]) == (303, "../")
        connection.close()
        assert set(cookie.split("; ")[1:]) == {"Path=/sqlite/", "HttpOnly", "SameSite=Strict", "Secure"}


def test_api_paths_are_not_changed_by_the_page(server: Server) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert server.call(method, "/")[0] == 404
    slug = server.new_database("ui")
    assert server.upload(f"/api/db/{slug}/files", b"x", "x.txt")[0] == 201
    assert server.call("GET", "/ui/file/none", token="")[0] in (401, 403, 404)


def test_head_of_the_page_has_no_body(server: Server) -> None:
    status, headers, body = server.call("HEAD", "/", token="")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 100


def test_access_log_names_who_is_signed_in(tmp_path: Any) -> None:
    file = tmp_path / "access.log"
    with start_server(tmp_path / "data", arguments=("--access-log", str(file))) as server:
        browser = Browser(server).sign_in()
        browser.get("/ui/keys?secret=1")
    text = file.read_text()
    assert " - admin [" in text
    assert not any(secret in text for secret in (server.admin_token, "secret", *browser.cookies.values()))


def test_sign_in_takes_the_url_that_the_server_prints(tmp_path: Path) -> None:
    token = "a/b@c%41:d"
    with start_server(tmp_path, admin_token=token) as server:
        url = server.lines[0].strip()
        assert token not in url
        for given in (token, quote(token, safe=""), url, f"  {url}\n"):
            assert "Databases" in Browser(server).ask("POST", "/ui/sign-in", {"token": given})[1]
        for given in ("mh://x@127.0.0.1/main", "mh://", url.replace("a%2F", "")):
            assert Browser(server).ask("POST", "/ui/sign-in", {"token": given})[0] == 401
