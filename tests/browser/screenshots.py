"""The pictures of the server's page in the guide "Self-hosting": ``python -m tests.browser.screenshots`` makes them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import mesahub
from tests.browser.chromium import Chromium, start_chromium
from tests.servers import Server, start_server

ASSETS = Path(__file__).resolve().parents[2] / "docs/assets"
SIZE = (960, 540)


def fill(server: Server) -> None:
    """Make a database that is worth a picture."""
    with mesahub.connect(server.url("main")) as db:
        db.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, item TEXT, total REAL, paid BOOLEAN)")
        db.exec("CREATE VIEW unpaid AS SELECT * FROM orders WHERE NOT paid")
        names, items = ("Ann", "Bob", "Cem", "Dee"), ("Tea", "Cup", "Spoon", "Tray", "Kettle")
        db.table("orders").insert_many(
            {
                "customer": names[number % 4],
                "item": items[number * 7 % 5],
                "total": 4.5 + number % 9,
                "paid": number % 3 > 0,
            }
            for number in range(120)
        )


def take(browser: Chromium, server: Server, folder: Path) -> list[Path]:
    """Take the pictures: a table, and the query box with a result."""
    browser.open(server.base_url)
    browser.find("#token").send_keys(server.admin_token)
    browser.click("form.sign-in button")
    browser.resize(*SIZE)
    browser.open(f"{server.base_url}/ui/rows?db=main&table=orders")
    browser.find("tbody td")
    files = [folder / "page-rows.png", folder / "page-query.png"]
    browser.save(files[0])
    browser.open(f"{server.base_url}/ui/database?db=main")
    sql = "SELECT customer, count(*) AS orders, sum(total) AS spent\nFROM orders GROUP BY customer ORDER BY spent DESC"
    browser.run("document.getElementById('sql').value = arguments[0]", sql)
    browser.click("button[value=read]")
    browser.find("tbody td")
    browser.save(files[1])
    return files


def main() -> None:
    """Write the pictures of the guide."""
    with tempfile.TemporaryDirectory() as folder, start_server(folder) as server, start_chromium() as browser:
        browser.reset()
        fill(server)
        for file in take(browser, server, ASSETS):
            print(file, file.stat().st_size)


if __name__ == "__main__":
    main()
