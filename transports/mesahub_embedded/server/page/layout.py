"""The frame of every page, and the headers that keep a browser from doing anything but showing it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from mesahub_embedded.server.page.markup import Child, Markup, element, join
from mesahub_embedded.server.reply import Reply

__all__ = ["HEADERS", "hidden", "link", "pages", "path", "redirect", "render", "sign_in_form"]

HEADERS = [
    # Nothing but this server's stylesheet and icon is loaded; no script runs, wherever it may come from.
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'",
    ),
    ("X-Frame-Options", "DENY"),
    # With "no-referrer", browsers would send "Origin: null" with the page's own forms.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
]


def render(
    title: str,
    *children: Child,
    base: str,
    form_token: str | None = None,
    crumbs: Sequence[Child] = (),
    status: int = 200,
    headers: Sequence[tuple[str, str]] = (),
) -> Reply:
    """A whole page.

    Args:
        title: its heading.
        children: its content.
        base: the relative path to ``/``: ``""`` or ``"../"``, so that the server may be below any path of a proxy.
        form_token: the session's; ``None`` without one.
        crumbs: where the page is, outermost first.
        status: the HTTP status.
        headers: further headers.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{title} · mesahub"),
        element("link", rel="icon", href=f"{base}ui/icon.svg"),
        element("link", rel="stylesheet", href=f"{base}ui/style.css"),
    )
    trail = [[crumb, " / "] for crumb in crumbs]
    body = element(
        "body",
        _header(base, form_token) if form_token else None,
        element("main", element("nav", trail, class_="crumbs", aria_label="Path") if trail else None, children),
    )
    text = Markup("<!doctype html>" + element("html", head, body, lang="en"))
    kind = ("Content-Type", "text/html; charset=utf-8")
    return Reply(status, body=text.encode("utf-8", "replace"), headers=[kind, *HEADERS, *headers])


def _header(base: str, form_token: str) -> Markup:
    sign_out = element(
        "form",
        hidden(form_token),
        element("button", "Sign out", class_="second"),
        method="post",
        action=f"{base}ui/sign-out",
    )
    home = link("mesahub", base or "./", class_="home")
    return element("header", home, link("Databases", base or "./"), link("API keys", f"{base}ui/keys"), sign_out)


def hidden(form_token: str) -> Markup:
    """The field that shows that a form is the page's own."""
    return element("input", type="hidden", name="form", value=form_token)


def sign_in_form(
    message: str | None = None, *, base: str = "", status: int = 200, headers: Sequence[tuple[str, str]] = ()
) -> Reply:
    """The form that asks for the admin token. See `render`."""
    form = element(
        "form",
        element("h1", "mesahub"),
        element("p", message, class_="error", role="alert") if message else None,
        element("label", "Admin token", for_="token"),
        element(
            "input",
            id="token",
            name="token",
            type="password",
            autocomplete="current-password",
            required=True,
            autofocus=True,
        ),
        element("button", "Sign in"),
        element(
            "p", "It is part of the mh:// URL that mesahub serve prints. You may paste the whole URL.", class_="soft"
        ),
        method="post",
        action=f"{base}ui/sign-in",
        class_="sign-in",
    )
    return render("Sign in", form, base=base, status=status, headers=headers)


def path(name: str, **query: str | int) -> str:
    """A relative path with its query, encoded."""
    encoded = urlencode(query, errors="replace")
    return f"{name}?{encoded}" if encoded else name


def link(text: Child, target: str, *, class_: str | None = None, **query: str | int) -> Markup:
    """A link to a `path`."""
    return element("a", text, href=path(target, **query), class_=class_)


def pages(target: str, number: int, more: bool, **query: str) -> Markup | None:
    """Links to the page before and the one after; ``None`` if this is the only one."""
    if not number and not more:
        return None
    before = link("← Previous", target, **query, page=number - 1) if number else None
    after = link("Next →", target, **query, page=number + 1) if more else None
    return element(
        "nav", join([before, element("span", f"Page {number + 1}"), after]), class_="pages", aria_label="Pages"
    )


def redirect(target: str, headers: Sequence[tuple[str, str]] = ()) -> Reply:
    """Show another page instead, with GET."""
    return Reply(303, body=b"", headers=[("Location", target), *HEADERS, *headers])
