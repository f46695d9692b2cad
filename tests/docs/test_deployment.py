"""The nginx configurations of the guide "Deployment" work, for the client and for the page."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from ssl import create_default_context
from urllib.parse import urlencode

import pytest

from mesahub import MesahubClient, TLSOptions
from mesahub.testing.certificates import Certificates, make_certificates
from tests.docs.test_examples import ROOT
from tests.servers import start_server

GUIDE = (ROOT / "docs/guides/deployment.md").read_text("utf-8")
TLS, BELOW = re.findall(r"```nginx\n(.*?)```", GUIDE, re.DOTALL)
FRAME = """
daemon off; master_process off; error_log {folder}/error.log; pid {folder}/nginx.pid; events {{ }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {server}
}}
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def nginx(folder: Path, server: str, port: int) -> Iterator[None]:
    """A running nginx with this server."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("needs nginx")
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(FRAME.format(folder=folder, server=server))
    with subprocess.Popen([program, "-p", folder, "-c", config], stderr=subprocess.PIPE, text=True) as process:
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, process.stderr and process.stderr.read()
                time.sleep(0.02)
            yield
        finally:
            process.terminate()


def sign_in(connection: HTTPConnection, prefix: str, token: str, origin: str) -> str:
    """Sign in to the page as a browser does; the content of the page afterwards."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
    connection.request("POST", f"{prefix}/ui/sign-in", urlencode({"token": token}), headers)
    response = connection.getresponse()
    response.read()
    assert (response.status, response.headers["Location"]) == (303, "../")
    cookie = response.headers["Set-Cookie"]
    assert f"Path={prefix}/" in cookie
    connection.request("GET", f"{prefix}/", headers={"Cookie": cookie.partition(";")[0]})
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_nginx_with_tls_serves_the_client_and_the_page(tmp_path: Path, certificates: Certificates) -> None:
    port = free_port()
    public = f"https://localhost:{port}"
    with start_server(tmp_path / "data", arguments=("--public-url", public)) as server:
        text = TLS.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl").replace("db.example.com;", "localhost;")
        text = re.sub(r"/etc/ssl/db\.example\.com\.\w+", str(certificates.good_pem), text)
        text = text.replace("127.0.0.1:4004", f"{server.host}:{server.port}")
        with nginx(tmp_path / "nginx", text, port):
            options = TLSOptions(ca_file=certificates.ca_file)
            with MesahubClient(server.admin_token, public, tls=options) as client:
                assert client.query("main", "SELECT 1 AS one").rows == [{"one": 1}]
                record = client.db("main").files.upload(b"x" * 3_000_000, "large.txt")
                assert client.db("main").files.presign(record["id"])["url"].startswith(public)
            context = create_default_context(cafile=certificates.ca_file)
            connection = HTTPSConnection("localhost", port, context=context)
            assert "large.txt" not in sign_in(connection, "", server.admin_token, public)


def test_nginx_below_a_path_serves_the_client_and_the_page(tmp_path: Path) -> None:
    port = free_port()
    public = f"http://127.0.0.1:{port}/db"
    with start_server(tmp_path / "data", arguments=("--public-url", public)) as server:
        text = BELOW.replace("127.0.0.1:4004", f"{server.host}:{server.port}")
        with nginx(tmp_path / "nginx", f"server {{ listen 127.0.0.1:{port}; {text} }}", port):
            with MesahubClient(server.admin_token, public, route_prefix="v1") as client:
                assert client.query("main", "SELECT 1 AS one").rows == [{"one": 1}]
            connection = HTTPConnection("127.0.0.1", port)
            page = sign_in(connection, "/db", server.admin_token, f"http://127.0.0.1:{port}")
            assert 'href="ui/database?db=main"' in page
