"""What a browser does on the server's page: it keeps cookies, follows redirects and sends forms."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import quote, urlencode, urljoin, urlsplit

from tests.servers import Server

TAGS = frozenset(
    "a body button code div form h1 h2 head header html i input label link main meta nav p pre small span table "  # noqa: SIM905
    "tbody td textarea th thead title tr".split()
)


@dataclass
class Browser:
    """What a browser does: keeps cookies, follows redirects, sends the page's forms."""

    server: Server
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookie: str = ""
    path: str = "/"
    headers: dict[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """One request; redirects are followed."""
        given = dict(headers or {})
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if form is not None:
            body = urlencode(form).encode()
            given.setdefault("Content-Type", "application/x-www-form-urlencoded")
        status, self.headers, content = self.server.call(method, path, body=body, headers=given, token="")
        self.path = path
        if "Set-Cookie" in self.headers:
            self.set_cookie = self.headers["Set-Cookie"]
            name, _, value = self.set_cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        if status == 303:
            target = urlsplit(urljoin(self.server.base_url + path, self.headers["Location"]))
            return self.ask("GET", target.path + (f"?{target.query}" if target.query else ""))
        return status, content.decode()

    def get(self, path: str) -> str:
        """A page that is there."""
        status, text = self.ask("GET", path)
        assert status == 200, text
        return text

    def sign_in(self) -> Browser:
        """Sign in with the admin token."""
        assert "Databases" in self.ask("POST", "/ui/sign-in", {"token": self.server.admin_token})[1]
        return self

    def query(self, name: str, sql: str, **more: str) -> tuple[int, str]:
        """Send the query box's form."""
        token = form_token_of(self.get(f"/ui/database?db={quote(name)}"))
        return self.ask("POST", f"/ui/query?db={quote(name)}", {"form": token, "sql": sql, "run": "read", **more})


def form_token_of(text: str) -> str:
    found = re.search(r'name="form" value="(\w+)"', text)
    assert found is not None
    return found[1]


class Elements(HTMLParser):
    """The elements and attributes that a browser would see, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_harmless(text: str) -> Elements:
    found = Elements(text)
    assert set(found.tags) <= TAGS
    assert [name for name, _ in found.attributes if name.startswith("on") or name in ("style", "src")] == []
    assert [value for name, value in found.attributes if name == "href" and "javascript:" in (value or "")[:11]] == []
    return found


PAGES = [
    "/",
    "/ui/database?db={name}",
    "/ui/rows?db={name}&table=t",
    "/ui/files?db={name}",
    "/ui/keys",
    "/ui/query?db={name}",
]
