"""Real proxies: tinyproxy as a forward one, nginx as the front of a server."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mesahub.testing.certificates import Certificates, make_certificates


@pytest.fixture
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates for 127.0.0.1, good and bad."""
    return make_certificates(tmp_path_factory.getbasetemp())


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install {name})")
    return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def _running(command: list[str], port: int, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None:
                break
            time.sleep(0.05)
        if process.poll() is not None:
            pytest.fail(f"{command[0]} ended: {log.read_text(errors='replace')[-2000:]}")
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class ForwardProxy:
    """A running tinyproxy.

    Attributes:
        url: its URL, with credentials where it wants some.
        log: the file in which it tells what it was asked.
    """

    url: str
    log: Path


@pytest.fixture
def forward_proxy(tmp_path: Path) -> Iterator[Callable[..., ForwardProxy]]:
    """Starts a tinyproxy, with or without credentials."""
    program = _program("tinyproxy")
    with contextlib.ExitStack() as stack:

        def start(credentials: str = "") -> ForwardProxy:
            port = _free_port()
            log = tmp_path / f"tinyproxy-{port}.log"
            lines = [f"Port {port}", "Listen 127.0.0.1", "Timeout 60", f'LogFile "{log}"', "LogLevel Info"]
            lines += ["MaxClients 50", "Allow 127.0.0.1", "DisableViaHeader Yes"]
            if credentials:
                lines.append("BasicAuth " + credentials.replace(":", " "))
            config = tmp_path / f"tinyproxy-{port}.conf"
            config.write_text("\n".join(lines) + "\n")
            stack.enter_context(_running([program, "-d", "-c", str(config)], port, tmp_path / f"tinyproxy-{port}.out"))
            at = f"{credentials}@" if credentials else ""
            return ForwardProxy(f"http://{at}127.0.0.1:{port}", log)

        yield start


@dataclass(frozen=True, slots=True)
class Front:
    """A running nginx before a server.

    Attributes:
        http: its URL by HTTP.
        https: its URL by HTTPS.
        ca_file: the authority of its certificate.
    """

    http: str
    https: str
    ca_file: str


_NGINX = """
daemon off;
master_process off;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    gzip on;
    gzip_types application/json;
    server {{
        listen 127.0.0.1:{http};
        listen 127.0.0.1:{https} ssl;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        # As the hosted service does it: /v1/query/REF leads to /api/db/REF/query on the core.
        location /v1/ {{
            rewrite ^/v1/(query|exec|files)/([^/]+)(.*)$ /api/db/$2/$1$3 break;
            proxy_pass {behind};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_request_buffering off;
        }}
        location / {{ proxy_pass {behind}; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


@pytest.fixture
def front(tmp_path: Path, certificates: Certificates) -> Iterator[Callable[[str], Front]]:
    """Starts an nginx before the server of a URL."""
    program = _program("nginx")
    with contextlib.ExitStack() as stack:

        def start(behind: str) -> Front:
            http, https = _free_port(), _free_port()
            folder = tmp_path / f"nginx-{http}"
            folder.mkdir()
            shutil.copy(certificates.good_pem, folder / "server.pem")
            config = folder / "nginx.conf"
            config.write_text(_NGINX.format(folder=folder, http=http, https=https, behind=behind))
            stack.enter_context(_running([program, "-p", str(folder), "-c", str(config)], http, folder / "nginx.out"))
            return Front(f"http://127.0.0.1:{http}", f"https://127.0.0.1:{https}", certificates.ca_file)

        yield start
