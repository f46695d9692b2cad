"""The page's lists and rows: what they show, and that every text is escaped."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote, quote_plus, urlencode

import pytest

import mesahub
from mesahub_embedded.server.routes.buckets import add_bucket
from mesahub_embedded.storage.data_folder import Store
from tests.server.browser import Browser, assert_harmless
from tests.servers import start_server

HOSTILE = [
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    'a" onmouseover="alert(1)',
    "</textarea></title></style><svg onload=alert(1)>",
    "&lt;b&gt;",
    "javascript:alert(1)",
    "{{7*7}} ${7*7} %s",
    "../../ui/sign-out?x=1&y=2#z",
    "ünïcödé 表",
]


def test_hostile_names_and_values_are_text(browser: Browser, name: str) -> None:
    with mesahub.connect(browser.server.url(name)) as db:
        for number, text in enumerate(HOSTILE):
            quoted = text.replace('"', '""')
            db.exec(f'CREATE TABLE "{quoted}" (id INTEGER PRIMARY KEY, "{quoted}" TEXT)')
            db.exec(f'INSERT INTO "{quoted}" VALUES (?, ?)', [number, text])
    tables = assert_harmless(browser.get(f"/ui/database?db={name}"))
    for text in HOSTILE:
        assert text in tables.text
        page = assert_harmless(browser.get(f"/ui/rows?db={name}&table={quote(text, safe='')}"))
        assert page.text.count(text) >= 4  # title, heading, column, value
        status, result = browser.query(name, f"SELECT '{text.replace(chr(39), chr(39) * 2)}' AS x")
        assert status == 200
        assert assert_harmless(result).text.count(text) >= 1
        assert unescape(result).count(text) >= 2  # the statement and its result
        assert_harmless(browser.ask("GET", f"/ui/rows?db={name}&table=no{quote(text, safe='')}")[1])
        assert_harmless(browser.ask("GET", f"/ui/database?db={quote(text, safe='')}")[1])


def test_links_of_hostile_tables_lead_to_them(browser: Browser, name: str) -> None:
    with mesahub.connect(browser.server.url(name)) as db:
        for text in [*HOSTILE, "", " ", "a/b", "a%2Fb", "a+b"]:
            quoted = text.replace('"', '""')
            db.exec(f'CREATE TABLE "{quoted}" (a)')
    links = [unescape(link) for link in re.findall(r'href="(rows\?[^"]*)"', browser.get(f"/ui/database?db={name}"))]
    assert len(links) == len(HOSTILE) + 5
    for link in links:
        assert "Schema" in browser.get(f"/ui/{link}")


def all_pages(browser: Browser, path: str) -> Iterator[str]:
    for number in itertools.count():
        page = browser.get(f"{path}?page={number}")
        yield page
        if "Next →" not in page:
            return


def test_hostile_file_and_key_and_database_texts_are_text(browser: Browser) -> None:
    server = browser.server
    text = "<svg onload=alert(1)>"
    slug = server.new_database("described", slug="described", description=text)
    server.call("POST", "/api/apikeys", {"name": text, "scopes": [f"db:{text}:r"]})
    assert server.upload(f"/api/db/{slug}/files", b"<script>", f"{text}.txt", folder_path=text)[0] == 201
    assert text in assert_harmless(browser.get(f"/ui/files?db={slug}")).text
    for path in ("/", "/ui/keys"):  # they have pages, and the server databases of other tests
        assert any(text in assert_harmless(page).text for page in all_pages(browser, path))


def test_invisible_characters_are_written_out(browser: Browser, name: str) -> None:
    family = "\U0001f468\u200d\U0001f469"
    with mesahub.connect(browser.server.url(name)) as db:
        db.exec("CREATE TABLE t (a)")
        db.exec("INSERT INTO t VALUES (?)", [f"\x1b[31m \u202eabc \ufeff \x85 {family} \ufffd"])
        db.exec("INSERT INTO t VALUES (CAST(x'c3280061' AS TEXT))")
    page = browser.get(f"/ui/rows?db={name}&table=t")
    assert rf"\x1b[31m \u202eabc \ufeff \x85 {family} " in page
    assert "\x1b" not in page
    assert "\0" not in page


def test_long_values_are_cut_with_a_mark(browser: Browser, name: str) -> None:
    with mesahub.connect(browser.server.url(name)) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB)")
        db.exec("INSERT INTO t VALUES (1, ?, ?)", ["ä" * 1_000_000, bytes(1_000_000)])
        db.exec("INSERT INTO t VALUES (2, ?, ?)", ["ä" * 300, bytes(24)])
    page = browser.get(f"/ui/rows?db={name}&table=t")
    result = browser.query(name, "SELECT * FROM t")[1]
    for text in (page, result):
        assert len(text) < 10_000
        assert "ä" * 300 + "…<small> (cut: 1.9 MiB in all)" in text
        assert "00 00…</code><small> (blob, 976.6 KiB)" in text
        assert "ä" * 300 + "</td>" in text
        assert "00 00</code><small> (blob, 24 bytes)" in text


def test_rows_are_paged(browser: Browser, name: str) -> None:
    with mesahub.connect(browser.server.url(name)) as db:
        db.exec("CREATE TABLE t (n)")
        db.table("t").insert_many([{"n": number} for number in range(101)])
        db.exec("CREATE VIEW v AS SELECT n FROM t WHERE n < 50")
    seen, path = [], f"/ui/rows?db={name}&table=t"
    for number in (50, 50, 1):
        page = browser.get(path)
        cells = re.findall(r'<td class="number">(\d+)</td>', page)
        assert len(cells) == number
        seen += cells
        more = re.search(r'<a href="([^"]*)">Next', page)
        path = "/ui/" + unescape(more[1]) if more else ""
    assert seen == [str(number) for number in range(101)]
    assert path == ""
    assert "Next" not in browser.get(f"/ui/rows?db={name}&table=v")
    for odd in ("-1", "x", "1e3", "٣", "9" * 30, ""):
        assert browser.ask("GET", f"/ui/rows?db={name}&table=t&page={quote(odd)}")[0] == 200


def test_wide_tables_show_their_first_columns(browser: Browser, name: str) -> None:
    with mesahub.connect(browser.server.url(name)) as db:
        db.exec(f"CREATE TABLE t ({', '.join(f'c{number}' for number in range(1500))})")
        db.exec("INSERT INTO t (c0) VALUES (1)")
    page = browser.get(f"/ui/rows?db={name}&table=t")
    assert page.count("<th ") == 100
    assert "1,400 more columns are not shown" in page
    assert "the first 100 of 1,500 columns" in browser.query(name, "SELECT * FROM t")[1]


def test_tables_that_cannot_be_read_say_why(browser: Browser, name: str) -> None:
    with mesahub.connect(browser.server.url(name)) as db:
        db.exec("CREATE TABLE t (a)")
        db.exec("CREATE VIEW broken AS SELECT a FROM missing")
    assert "broken" in browser.get(f"/ui/database?db={name}")
    status, text = browser.ask("GET", f"/ui/rows?db={name}&table=broken")
    assert status >= 400
    assert "no such table: main.missing" in text


@pytest.mark.parametrize(
    "path",
    [
        "database?db=none",
        "database",
        "rows?db={name}&table=none",
        "files?db=none",
        "files?bucket=none",
        "file?db={name}&id=1",
    ],
)
def test_unknown_things_are_not_found(browser: Browser, name: str, path: str) -> None:
    assert browser.ask("GET", "/ui/" + path.format(name=name))[0] == 404


def test_deleted_databases_are_not_found(browser: Browser) -> None:
    slug = browser.server.new_database("page-deleted")
    deleted = browser.server.call("DELETE", f"/api/db/{slug}")
    assert deleted[0] == 200
    gone = json.loads(browser.server.call("GET", "/api/db/deleted")[2])
    for name in (slug, gone[-1]["slug"]):
        assert browser.ask("GET", f"/ui/database?db={quote(name)}")[0] == 404


def test_files_are_downloaded_and_never_shown_as_pages(browser: Browser, name: str) -> None:
    script = b"<script>alert(document.cookie)</script>"
    record = browser.server.upload(f"/api/db/{name}/files", script, 'a"b<i>.html', "text/html")[1]
    (link,) = re.findall(r'href="(file\?[^"]*)"', browser.get(f"/ui/files?db={name}"))
    assert browser.get("/ui/" + unescape(link)).encode() == script
    assert browser.headers["Content-Disposition"].startswith("attachment;")
    assert browser.headers["Content-Security-Policy"].startswith("sandbox")
    other = browser.server.new_database(f"{name}-other")
    assert browser.ask("GET", f"/ui/file?db={other}&id={record['id']}")[0] == 404


def test_files_of_buckets_are_listed(browser: Browser) -> None:
    server = browser.server
    assert server.call("POST", "/api/buckets", {"name": "Page bucket", "slug": "page-bucket"})[0] == 201
    assert server.upload("/api/buckets/page-bucket/files", b"text", "note.txt")[0] == 201
    links = re.findall(r'href="(ui/files\?bucket=[^"]*)">page-bucket<', browser.get("/"))
    assert len(links) == 1
    (link,) = links
    page = browser.get("/" + link)
    (link,) = re.findall(r'href="(file\?[^"]*)"', page)
    assert browser.get("/ui/" + unescape(link)) == "text"


def test_buckets_are_paged(tmp_path: Path) -> None:
    store = Store(tmp_path)
    slugs = {add_bucket(store, "b", f"b-{number}", None)["slug"] for number in range(101)}
    store.close()
    with start_server(tmp_path) as server:
        first, second = all_pages(Browser(server).sign_in(), "/")
    shown = [re.findall(r'href="ui/files\?bucket=[^"]*">(b-\d+)<', page) for page in (first, second)]
    assert [len(part) for part in shown] == [100, 1]
    assert {*shown[0], *shown[1]} == slugs


def test_long_names_are_cut_with_a_mark(browser: Browser, name: str) -> None:
    long = "n" * 5000
    with mesahub.connect(browser.server.url(name)) as db:
        db.exec(f'CREATE TABLE "{long}" ("{long}" TEXT)')
    mark = "n" * 200 + "… (5,000 characters)"
    assert mark in browser.get(f"/ui/database?db={name}")
    page = browser.get(f"/ui/rows?db={name}&table={long}")
    assert page.count(mark) == 3  # title, heading, column
    assert "…</pre>" in page
    assert "… (5,002 characters)</th>" in browser.query(name, f"SELECT '{long}'")[1]


def test_downloaded_files_are_not_kept_by_the_browser(browser: Browser, name: str) -> None:
    record = browser.server.upload(f"/api/db/{name}/files", b"private", "a.txt")[1]
    browser.get(f"/ui/file?db={name}&id={record['id']}")
    assert browser.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "slug", ["\0", "..", "../catalog", "a/b", "x" * 3000, "CON", "%2e%2e", "\udcff", "main\n", " main"]
)
def test_names_that_are_no_database_are_not_found(browser: Browser, slug: str) -> None:
    for page in ("database", "rows", "files"):
        path = f"/ui/{page}?{urlencode({'db': slug, 'table': slug}, errors='surrogatepass')}"
        assert browser.ask("GET", path)[0] == 404


def test_tables_with_odd_contents_are_shown(browser: Browser, name: str) -> None:
    with mesahub.connect(browser.server.url(name)) as db:
        db.exec("CREATE TABLE plain (a, b INTEGER GENERATED ALWAYS AS (a + 1) VIRTUAL)")
        db.exec("INSERT INTO plain (a) VALUES (1), (9223372036854775807), (9e999), ('x'), (NULL), (x'')")
        db.exec("CREATE VIRTUAL TABLE found USING fts5(body)")
        db.exec("INSERT INTO found VALUES ('some text')")
        db.exec("CREATE TABLE keyed (k TEXT PRIMARY KEY) WITHOUT ROWID")
        db.exec("CREATE VIEW twice AS SELECT a, a FROM plain")
    shown = browser.get(f"/ui/rows?db={name}&table=plain")
    for value in ("9223372036854775807", "inf", "<i>NULL</i>", "(blob, 0 bytes)"):
        assert value in shown
    for table in ("found", "found_data", "keyed", "twice"):
        assert "Schema" in browser.get(f"/ui/rows?db={name}&table={table}")


def test_files_of_other_programs_are_listed_by_any_name(tmp_path: Path) -> None:
    names = ["a&b<c>", "x y", "q?#%", "\xfc"]
    for name in names:
        with mesahub.connect(f"mh://local/{quote(name, safe='')}", data=tmp_path) as db:
            db.exec("CREATE TABLE t (a)")
    with start_server(tmp_path) as server:
        (tmp_path / "databases" / "damaged.db").write_bytes(b"not a database" * 100)
        browser = Browser(server).sign_in()
        links = re.findall(r'href="(ui/database[^"]*)"', browser.get("/"))
        for name in names:
            (link,) = [link for link in links if link.endswith(f"={quote_plus(name)}")]
            assert name in assert_harmless(browser.get(f"/{unescape(link)}")).text
        status, text = browser.ask("GET", "/ui/database?db=damaged")
        assert status == 500
        assert "file is not a database" in assert_harmless(text).text
