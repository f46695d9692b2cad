"""The server's page in a browser: what it shows, that it runs no script, and that other sites cannot use it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

import mesahub
from tests.browser.chromium import PHONE, Chromium
from tests.browser.screenshots import ASSETS, fill, take
from tests.servers import Server, start_server

SCRIPT = "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with tables, one of them with a hostile name, and a file."""
    with start_server(tmp_path_factory.mktemp("page"), arguments=("--page", "write")) as server:
        with mesahub.connect(server.url("main")) as db:
            quoted = SCRIPT.replace('"', '""')
            db.exec(f'CREATE TABLE "{quoted}" (id INTEGER PRIMARY KEY, "{quoted}" TEXT)')
            db.exec(f'INSERT INTO "{quoted}" VALUES (1, ?), (2, ?)', [SCRIPT, "x" * 100_000])
            db.exec("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, notes TEXT)")
            db.table("people").insert_many([{"name": f"Person {n}", "notes": "text " * n} for n in range(60)])
        server.upload("/api/db/main/files", b"<script>document.title = 'run'</script>", "<i>.html", "text/html")
        yield server


def sign_in(browser: Chromium, server: Server, token: str | None = None) -> None:
    browser.open(server.base_url)
    browser.find("#token").send_keys(server.admin_token if token is None else token)
    browser.click("form.sign-in button")


def test_sign_in_and_out(chromium: Chromium, page: Server) -> None:
    sign_in(chromium, page, "wrong")
    assert "not the admin token" in chromium.find("[role=alert]").text
    sign_in(chromium, page)
    assert chromium.find("main h1").text == "Databases"
    assert chromium.run("return document.cookie") == ""
    assert page.admin_token not in str(chromium.driver.get_cookies())
    chromium.click("header form button")
    assert chromium.find("#token").is_displayed()
    chromium.driver.back()
    chromium.driver.refresh()
    assert chromium.all("header") == []


def test_every_page_is_reached_by_links_and_runs_no_script(chromium: Chromium, page: Server) -> None:
    sign_in(chromium, page)
    chromium.find("main h1")
    chromium.messages()
    for link, title in (("main", "main"), ("people", "people"), ("Next →", "people"), ("main", "main")):
        chromium.click(link)
        assert chromium.find("main h1").text == title
        assert all(url.startswith(page.base_url) for url in chromium.loaded())
    for path in (
        f"rows?db=main&table={quote(SCRIPT, safe='')}",
        "files?db=main",
        "keys",
        "database?db=" + quote(SCRIPT),
    ):
        chromium.open(f"{page.base_url}/ui/{path}")
        assert chromium.driver.title != "run"
        assert chromium.all("script, main img, iframe, [onerror]") == []
    errors = [message for message in chromium.messages() if "404" not in message]
    assert errors == []


def test_hostile_values_are_shown_as_text(chromium: Chromium, page: Server) -> None:
    sign_in(chromium, page)
    chromium.find("main h1")
    chromium.open(f"{page.base_url}/ui/rows?db=main&table={quote(SCRIPT, safe='')}")
    assert chromium.find("main h1").text == SCRIPT
    cells = [cell.text for cell in chromium.all("tbody td")]
    assert cells[1] == SCRIPT
    assert cells[3].startswith("xxx")
    assert cells[3].endswith("… (cut: 97.7 KiB in all)")


def test_query_box_keeps_the_statement_and_shows_rows(chromium: Chromium, page: Server) -> None:
    sign_in(chromium, page)
    chromium.click("main")
    sql = "\nSELECT name,\n  id -- <b>\nFROM people\nWHERE id < 3"
    chromium.run("document.getElementById('sql').value = arguments[0]", sql)
    chromium.click("button[value=read]")
    assert [cell.text for cell in chromium.all("tbody td")] == ["Person 0", "1", "Person 1", "2"]
    assert chromium.run("return document.getElementById('sql').value") == sql
    chromium.run("document.getElementById('sql').value = 'DELETE FROM people'")
    chromium.click("button[value=read]")
    assert "Run and write" in chromium.find("[role=alert]").text


def test_page_fits_a_phone(chromium: Chromium, page: Server) -> None:
    sign_in(chromium, page)
    chromium.find("main h1")
    chromium.resize(*PHONE)
    for path in ("", "ui/database?db=main", "ui/rows?db=main&table=people", "ui/files?db=main", "ui/keys"):
        chromium.open(f"{page.base_url}/{path}")
        assert chromium.overflow() == 0, path


@pytest.fixture
def attacker(page: Server, tmp_path: Path) -> Iterator[int]:
    """Another site on this machine, to which browsers send the page's cookie: ports do not make a site. Its port."""
    form = (
        f'<form method="post" action="{page.base_url}/ui/query?db=main"><input name="sql" value="DELETE FROM people">'
        '<input name="run" value="write"></form><script>document.forms[0].submit()</script>'
    )
    (tmp_path / "form.html").write_text(form)
    (tmp_path / "frame.html").write_text(f'<iframe src="{page.base_url}/"></iframe>')

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, format: str, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_forms_of_other_sites_change_nothing(chromium: Chromium, page: Server, attacker: int, host: str) -> None:
    sign_in(chromium, page)
    chromium.find("main h1")
    chromium.open(f"http://{host}:{attacker}/form.html")
    shown = chromium.find("[role=alert], #token")
    assert "sent by another site" in shown.text or shown.get_attribute("id") == "token"
    with mesahub.connect(page.url("main")) as db:
        assert db.table("people").count() == 60


def test_page_is_not_shown_in_a_frame(chromium: Chromium, page: Server, attacker: int) -> None:
    chromium.open(f"http://127.0.0.1:{attacker}/frame.html")
    chromium.driver.switch_to.frame(chromium.find("iframe"))
    assert chromium.all("#token") == []
    chromium.driver.switch_to.default_content()
    assert "frame-ancestors 'none'" in " ".join(chromium.messages())


def test_pictures_of_the_guide_can_be_taken(chromium: Chromium, tmp_path: Path) -> None:
    with start_server(tmp_path / "data") as server:
        fill(server)
        files = take(chromium, server, tmp_path)
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
    for file in files:
        assert (ASSETS / file.name).stat().st_size < 80_000
