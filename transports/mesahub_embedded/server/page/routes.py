"""The page's routes, and who may see them."""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from mesahub.errors import MesahubError
from mesahub_embedded.engine.errors import RefusedError, TimedOutError
from mesahub_embedded.server.page import layout, views
from mesahub_embedded.server.page.forms import cookie, from_elsewhere, read_form
from mesahub_embedded.server.page.markup import element
from mesahub_embedded.server.page.query_box import query
from mesahub_embedded.server.page.sessions import Sessions
from mesahub_embedded.server.page.style import ICON, STYLE
from mesahub_embedded.server.page.throttle import Throttle
from mesahub_embedded.server.page.visit import PageMode, Visit
from mesahub_embedded.server.reply import Reply
from mesahub_embedded.server.request import Request
from mesahub_embedded.server.routing import OPEN, Handler, Route
from mesahub_embedded.storage.data_folder import Store

__all__ = ["Page"]

View = Callable[[Visit], Reply]
_FOREIGN = (
    "This form was sent by another site, or by a page of an earlier session. Open this server's page and try again. "
    "If the server is reached through a proxy, let it pass the Host header on, or start the server with --public-url."
)


class Page:
    """The page of a server.

    Args:
        store: the data folder.
        admin_token: what signs in.
        mode: what the query box may do.
        public_url: the server's URL for callers, if it is known.
    """

    def __init__(self, store: Store, admin_token: str, mode: PageMode, public_url: str | None = None) -> None:
        self._token = admin_token
        self._mode: PageMode = mode
        self._public_url = public_url
        self._sessions = Sessions(store, admin_token)
        self._throttle = Throttle()

    def routes(self) -> list[Route]:
        """All routes."""
        shown: dict[str, Handler] = {
            "/": self._home,
            "/ui/style.css": _text("text/css; charset=utf-8", STYLE),
            "/ui/icon.svg": _text("image/svg+xml", ICON),
            "/ui/database": self._signed_in(views.database),
            "/ui/rows": self._signed_in(views.rows),
            "/ui/files": self._signed_in(views.files),
            "/ui/file": self._signed_in(views.file),
            "/ui/keys": self._signed_in(views.keys),
            # Reloaded, or opened without its form.
            "/ui/query": self._signed_in(views.database),
        }
        sent = {
            "/ui/sign-in": self._sign_in,
            "/ui/sign-out": self._sent(self._sign_out),
            "/ui/query": self._sent(query),
        }
        # To the API this path does not exist.
        unknown = [Route(method, "/", _unknown, OPEN) for method in ("POST", "PUT", "PATCH", "DELETE")]
        return [
            *(Route(method, path, handler, OPEN) for path, handler in shown.items() for method in ("GET", "HEAD")),
            *(Route("POST", path, handler, OPEN) for path, handler in sent.items()),
            *unknown,
        ]

    def _home(self, request: Request) -> Reply:
        if not self._known(request):
            return layout.sign_in_form()
        return self._show(request, views.databases, base="")

    def _known(self, request: Request) -> bool:
        request.admin = self._sessions.holds(cookie(request.environ, self._sessions.cookie))
        return request.admin

    def _signed_in(self, view: View) -> Handler:
        def handler(request: Request) -> Reply:
            return self._show(request, view) if self._known(request) else layout.redirect("../")

        return handler

    def _sent(self, view: View) -> Handler:
        """A handler of a form: only of this session's own pages."""

        def handler(request: Request) -> Reply:
            if not self._known(request):
                return layout.redirect("../")
            return self._show(request, view, sent=True)

        return handler

    def _show(self, request: Request, view: View, *, base: str = "../", sent: bool = False) -> Reply:
        name = cookie(request.environ, self._sessions.cookie)
        token = self._sessions.form_token(name)
        try:
            form: dict[str, str] = {}
            if sent:
                form = read_form(request)
                if from_elsewhere(request, self._public_url) or not self._sessions.is_form_token(
                    name, form.get("form", "")
                ):
                    raise RefusedError(403, _FOREIGN)
            return view(Visit(request, token, self._mode, form))
        except RefusedError as refused:
            status, text = refused.status, refused.text
        except TimedOutError as error:
            status, text = 504, str(error)
        except MesahubError as error:  # a file that is not a database
            status, text = 500, str(error)
        message = element("p", text, class_="error", role="alert")
        title = "Not found" if status == 404 else "Error"
        return layout.render(title, element("h1", title), message, base=base, form_token=token, status=status)

    def _sign_in(self, request: Request) -> Reply:
        try:
            form = read_form(request)
        except RefusedError as refused:
            return _plain(refused.status, refused.text)
        if from_elsewhere(request, self._public_url):
            return _plain(403, _FOREIGN)
        address = str(request.environ.get("REMOTE_ADDR") or "")
        seconds = self._throttle.wait(address)
        if seconds:
            wait = str(math.ceil(seconds))
            text = f"Too many attempts to sign in. Try again in {wait} s."
            return layout.sign_in_form(text, base="../", status=429, headers=[("Retry-After", wait)])
        if not any(self._is_token(text) for text in _meanings(form.get("token", "").strip())):
            return layout.sign_in_form("This is not the admin token.", base="../", status=401)
        self._throttle.forget(address)
        return layout.redirect("../", [self._cookie(request, self._sessions.begin())])

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode("utf-8", "replace"), self._token.encode())

    def _sign_out(self, visit: Visit) -> Reply:
        self._sessions.end(cookie(visit.request.environ, self._sessions.cookie))
        return layout.redirect("../", [self._cookie(visit.request, "", "; Max-Age=0")])

    def _cookie(self, request: Request, value: str, more: str = "") -> tuple[str, str]:
        """The header that sets the session's cookie: for this site's own requests, and for no script."""
        public = urlsplit(self._public_url or "")
        secure = "https" in (public.scheme, request.environ.get("wsgi.url_scheme"))
        path = public.path.rstrip("/") + "/"
        text = f"{self._sessions.cookie}={value}; Path={path}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"
        return ("Set-Cookie", text + more)


def _meanings(given: str) -> list[str]:
    """What may have been pasted: the token, also percent-encoded, as in the URL that the server prints, or that URL."""
    token = given.removeprefix("mh://").rpartition("@")[0] if given.startswith("mh://") else given
    return [given, token, unquote(token)]


def _text(kind: str, text: str) -> Handler:
    def handler(_: Request) -> Reply:
        headers = [("Content-Type", kind), *layout.HEADERS[:-1], ("Cache-Control", "max-age=3600")]
        return Reply(200, body=text.encode(), headers=headers)

    return handler


def _unknown(_: Request) -> Reply:
    return Reply(404, body=b"404 page not found\n", headers=[("Content-Type", "text/plain; charset=utf-8")])


def _plain(status: int, text: str) -> Reply:
    return Reply(
        status, body=f"{text}\n".encode(), headers=[("Content-Type", "text/plain; charset=utf-8"), *layout.HEADERS]
    )
