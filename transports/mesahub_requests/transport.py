"""`RequestsTransport`: requests over a session of requests, the application's own or one made here."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from requests.models import PreparedRequest

from mesahub.errors import ConfigurationError, NotSentError
from mesahub.transport import Request, Response, TransportOptions
from mesahub_requests.body import Download, read_whole
from mesahub_requests.faults import CAUGHT, translated


class RequestsTransport:
    """HTTP/1.1 over requests, 2.28 or newer.

    Args:
        options: of its own it takes ``session``: your ``requests.Session``. Its adapters, proxies,
            certificates, hooks, auth, headers and cookies are used; it is not changed and not closed. Without
            one the transport makes a session.

    Raises:
        ConfigurationError: a wrong URL, option, certificate file or proxy, or a session that retries.
    """

    def __init__(self, options: TransportOptions) -> None:
        options.check_options("requests", "session")
        session = options.options.get("session")
        if session is not None and not isinstance(session, requests.Session):
            raise ConfigurationError(f"session must be a requests.Session, not {type(session).__name__}.")
        parts = urlsplit(options.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"api_url must be http://host or https://host, not {options.base_url!r}.")
        self._base_url = options.base_url.rstrip("/")
        self._peer = f"{parts.scheme}://{parts.netloc}"
        self._timeout = options.timeout
        self._connect_timeout = options.connect_timeout
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
        _refuse_retries(self._session, self._base_url)
        # requests lets a pool be filled without end, or waits for it without end.
        self._slots = threading.BoundedSemaphore(options.pool_size) if session is None else None
        self._pid = os.getpid()
        self._closed = False

    @staticmethod
    def needs_key(options: TransportOptions) -> bool:
        """A session that authenticates by itself needs no key."""
        session = options.options.get("session")
        return session is None or (session.auth is None and "Authorization" not in session.headers)

    def send(self, request: Request) -> Response:
        """Send one request and return the answer. See `mesahub.transport` for what it raises."""
        if self._closed:
            raise ConfigurationError("The transport is closed; make a new client.")
        if self._pid != os.getpid():
            # The connections belong to the parent process; this closes only our copies of them, and the
            # session makes new ones when it is used again.
            self._pid = os.getpid()
            self._session.close()
        timeout = self._timeout if request.timeout is None else request.timeout
        end = None if timeout is None or request.streams else monotonic() + timeout
        free = self._take_slot(timeout)
        lent = False
        try:
            answer = self._exchange(request, timeout)
            if getattr(answer, "_content_consumed", False):  # by a hook of the session's, or because it is a redirect
                return Response(answer.status_code, answer.headers, answer.content)
            if request.streams and 200 <= answer.status_code < 300:
                lent = True
                stream = Download(answer.raw, self._peer, at_end=free)
                return Response(answer.status_code, answer.headers, stream=stream)
            content = read_whole(answer.raw, end, self._peer)
            return Response(answer.status_code, answer.headers, content)
        except CAUGHT as error:
            raise translated(error, self._peer) from error
        finally:
            if not lent:
                free()

    def _exchange(self, request: Request, timeout: float | None) -> requests.Response:
        session = self._session
        content = request.content
        headers = {"Accept-Encoding": "identity", **request.headers}
        if content is not None:
            headers["Content-Type"] = request.content_type or "application/octet-stream"
        prepared = session.prepare_request(
            requests.Request(
                request.method,
                self._base_url + request.path + ("?" + urlencode(request.params) if request.params else ""),
                headers=headers,
                data=content,
                auth=_Auth(session.auth),
            )
        )
        settings = session.merge_environment_settings(prepared.url, {}, True, self._verify, self._cert)
        if self._proxies is not None:
            settings["proxies"] = self._proxies
        connect = self._connect_timeout if timeout is None else min(self._connect_timeout, timeout)
        return session.send(prepared, timeout=(connect, timeout), allow_redirects=False, **settings)

    def _take_slot(self, timeout: float | None) -> Callable[[], None]:
        if self._slots is None:
            return _nothing
        if not self._slots.acquire(timeout=timeout):
            raise NotSentError(
                f"All connections to {self._peer} were in use for as long as the request could wait. Give "
                "the client a larger pool_size, or close downloads that are not read to the end."
            )
        return self._slots.release

    def close(self) -> None:
        """Close the transport; the session too, unless it was given."""
        self._closed = True
        if self._own:
            self._session.close()


def _nothing() -> None:
    """The way to give back what was not taken."""


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


def _session(options: TransportOptions) -> requests.Session:
    session = requests.Session()
    # Not trusted: ~/.netrc would be read at each call. What else it stands for is done here, once.
    session.trust_env = False
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    proxy = options.proxy_url()
    if proxy:
        session.proxies = {"http": proxy, "https": proxy}
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=options.pool_size, max_retries=0)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


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
