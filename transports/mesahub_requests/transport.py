"""`RequestsTransport`: requests over a session of requests, the application's own or one made here."""

from __future__ import annotations

import os
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from requests.models import PreparedRequest

from mesahub.errors import ConfigurationError
from mesahub.transport import Headers, Request, Response, TransportOptions
from mesahub.transport.network import check_headers
from mesahub.transport.outgoing import headers_of
from mesahub_requests.errors import translated
from mesahub_urllib3.exchange import Exchange
from mesahub_urllib3.limits import Limits, keep_limits


class RequestsTransport:
    """HTTP/1.1 over requests, 2.28 or newer.

    Args:
        options: of its own it takes ``session``: your ``requests.Session``. Its adapters, proxies,
            certificates, hooks, auth, headers and cookies are used; it is not changed and not closed. Without
            one the transport makes a session.

    Raises:
        ConfigurationError: a wrong URL, option, certificate file or proxy, or a session that retries or answers
            writes from a cache.
    """

    def __init__(self, options: TransportOptions) -> None:
        options.check_options("requests", "session")
        session = options.options.get("session")
        if session is not None and not isinstance(session, requests.Session):
            raise ConfigurationError(f"session must be a requests.Session, not {type(session).__name__}.")
        self._proxies: dict[str, str] | None = None
        self._verify: bool | str | None = None
        self._cert: str | tuple[str, str] | None = None
        tls = options.tls
        if tls is not None:
            # Says now which file cannot be used; requests would say it at the first call, as an OSError.
            options.ssl_context()
            self._verify = tls.ca_file or tls.verify
            if tls.client_cert:
                self._cert = (tls.client_cert, tls.client_key) if tls.client_key else tls.client_cert
        if options.proxies is not None:
            self._proxies = dict(options.proxies)
        self._own = session is None
        self._session = _session(options) if session is None else session
        _refuse_retries(self._session, options.base_url)
        _refuse_cached_writes(self._session, options.base_url)
        self._exchange = Exchange(options, own=self._own, forget=self._session.close, translate=translated)

    @staticmethod
    def needs_key(options: TransportOptions) -> bool:
        """A session that authenticates by itself needs no key."""
        session = options.options.get("session")
        return session is None or (session.auth is None and "Authorization" not in session.headers)

    def send(self, request: Request) -> Response:
        """Send one request and return the response. See `mesahub.transport` for what it raises."""
        return self._exchange.send(request, self._call)

    def _call(self, request: Request, limits: Limits) -> Any:
        session: Any = self._session
        prepared: Any = self._prepare(request)
        check_headers(prepared.headers)
        location = _Location()
        prepared.register_hook("response", location.hide)
        settings = session.merge_environment_settings(prepared.url, {}, True, self._verify, self._cert)
        if self._proxies is not None:
            settings["proxies"] = self._proxies
        try:
            answer = session.send(prepared, timeout=limits.seconds(), allow_redirects=False, **settings)
        finally:
            settings = {}  # a traceback may show this function's variables
        location.show(answer)
        if getattr(answer, "_content_consumed", False):  # by a hook of the session's
            return Response(answer.status_code, Headers(list(answer.headers.items())), answer.content)
        return answer.raw

    def _prepare(self, request: Request) -> PreparedRequest:
        content = request.content
        headers = headers_of(request)
        try:
            return self._session.prepare_request(
                requests.Request(
                    request.method,
                    self._exchange.url(request),
                    headers=headers,
                    data=content,
                    auth=_Auth(self._session.auth),
                )
            )
        finally:
            content, headers = None, {}

    def close(self) -> None:
        """Close the transport; the session too, unless it was given."""
        self._exchange.close()
        if self._own:
            self._session.close()


class _Location:
    """Hides a redirect from requests, which would look for its target also where it must not follow.

    It would read the whole body for that, in any time and of any size, and fail at a Location that is not a URL.
    """

    def __init__(self) -> None:
        self._values: str | None = None

    def hide(self, answer: requests.Response, *_: Any, **__: Any) -> requests.Response:
        """Called by requests, after the session's own hooks."""
        self._values = answer.headers.pop("location", None)
        return answer

    def show(self, answer: requests.Response) -> None:
        """Undo it."""
        if self._values is not None:
            answer.headers["location"] = self._values


class _Auth(AuthBase):
    """The session's own auth, which may add what it likes but not replace the key.

    Giving requests any auth also keeps it from looking for the host in ``~/.netrc``.
    """

    def __init__(self, auth: Any) -> None:
        self._auth = HTTPBasicAuth(*auth) if isinstance(auth, tuple) else auth

    def __call__(self, prepared: PreparedRequest) -> PreparedRequest:
        key = prepared.headers.get("Authorization")
        if self._auth is not None:
            prepared = self._auth(prepared)
            if key is not None:
                prepared.headers["Authorization"] = key
        return prepared


class _Adapter(HTTPAdapter):
    """An adapter whose connections keep to the limits of a call."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        keep_limits(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        keep_limits(manager)
        return manager


def _session(options: TransportOptions) -> requests.Session:
    session = requests.Session()
    # Not trusted: ~/.netrc would be read at each call. Its other effects are applied here, once.
    session.trust_env = False
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    proxy = options.proxy_url()
    if proxy:
        session.proxies = {"http": proxy, "https": proxy}
    adapter = _Adapter(pool_connections=1, pool_maxsize=options.pool_size, max_retries=0)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _refuse_cached_writes(session: requests.Session, base_url: str) -> None:
    """requests-cache keeps its methods in the session's settings, CacheControl in its adapter."""
    settings = getattr(session, "settings", None)
    adapter = session.get_adapter(base_url)
    methods = [
        *(getattr(settings, "allowable_methods", None) or ()),
        *(getattr(adapter, "cacheable_methods", None) or ()),
    ]
    cached = sorted({str(method).upper() for method in methods} - {"GET", "HEAD", "OPTIONS"})
    if cached and not getattr(settings, "disabled", False):
        raise ConfigurationError(
            f"The session caches responses to {', '.join(cached)}: statements are sent by POST, so a write would be "
            "answered from the cache and not carried out. Pass a session that caches GET alone, or none."
        )


def _refuse_retries(session: requests.Session, base_url: str) -> None:
    adapter = session.get_adapter(base_url)
    retries = getattr(adapter, "max_retries", None)
    total = getattr(retries, "total", False)
    if total is False or total == 0:
        return
    raise ConfigurationError(
        f"The session's adapter for {base_url} retries by itself ({retries!r}). It does not know which calls "
        "may be sent twice, and its tries would multiply with the client's. Give this URL an adapter "
        f"without: session.mount({base_url!r}, HTTPAdapter()). The client retries: retry=RetryPolicy(...)."
    )
