"""The server of this package as a process, for every test that wants one over a real socket."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

ADMIN_TOKEN = "admin-token-for-tests"


@dataclass
class Server:
    """A running server.

    Attributes:
        host: where it listens.
        port: likewise.
        admin_token: what administers it.
        data: its data folder.
        process: its process.
        lines: what it printed when it started.
        errors: what it has written to standard error so far.
    """

    host: str
    port: int
    admin_token: str
    data: Path
    process: subprocess.Popen[str]
    lines: list[str]
    errors: list[str]

    @property
    def base_url(self) -> str:
        """The URL without a path."""
        return f"http://{self.host}:{self.port}"

    def url(self, db: str, key: str | None = None) -> str:
        """The ``mh://`` URL of a database, with the admin token or another key."""
        return f"mh://{quote(key or self.admin_token, safe='')}@{self.host}:{self.port}/{quote(db, safe='')}"

    def call(
        self,
        method: str,
        path: str,
        payload: Any = None,
        *,
        token: str | None = None,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """One bare HTTP request: status, headers, body. ``token=""`` sends none."""
        given = dict(headers or {})
        bearer = self.admin_token if token is None else token
        if bearer:
            given.setdefault("Authorization", f"Bearer {bearer}")
        if payload is not None:
            body = json.dumps(payload).encode()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request(method, path, body, given)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def upload(
        self, path: str, content: bytes, name: str, kind: str = "text/plain", /, **fields: str
    ) -> tuple[int, dict[str, Any]]:
        """Upload a file with a form that is written out here, and may hold what the client would refuse."""
        parts = [
            f'--B\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{text}' for field, text in fields.items()
        ]
        head = f'--B\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        parts.append(head + (f"Content-Type: {kind}\r\n" if kind else "") + "\r\n")
        body = "\r\n".join(parts).encode() + content + b"\r\n--B--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=B"}
        status, _, answer = self.call("POST", path, body=body, headers=headers)
        return status, json.loads(answer)

    def new_database(self, name: str, **fields: Any) -> str:
        """Make a database; its slug."""
        status, _, body = self.call("POST", "/api/db", {"name": name, "owner": "admin", **fields})
        assert status == 201, body
        slug: str = json.loads(body)["slug"]
        return slug

    def new_key(self, *scopes: str, **fields: Any) -> str:
        """Make an API key; its text."""
        status, _, body = self.call("POST", "/api/apikeys", {"name": "test", "scopes": list(scopes), **fields})
        assert status == 201, body
        key: str = json.loads(body)["key"]
        return key


@contextmanager
def start_server(
    data: Path | str,
    port: int = 0,
    *,
    admin_token: str = ADMIN_TOKEN,
    host: str = "127.0.0.1",
    arguments: tuple[str, ...] = (),
    env: dict[str, str] | None = None,
) -> Iterator[Server]:
    """Start a server on a data folder; it is stopped at the end, when the test has not done so."""
    command = [sys.executable, "-m", "mesahub_embedded.server.serve", "--data", str(data), "--host", host]
    command += ["--port", str(port), *arguments]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "MESAHUB_ADMIN_TOKEN": admin_token, **(env or {})},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    errors: list[str] = []
    # Its errors are read all the while, or it would stand still once the pipe is full.
    drain = threading.Thread(target=lambda: errors.extend(process.stderr or []), daemon=True)
    drain.start()
    try:
        lines = [process.stdout.readline() for _ in range(3)]
        if not lines[0].startswith("mh://"):
            process.wait(10)
            drain.join(10)
            raise RuntimeError(f"the server did not start:\n{''.join(lines)}{''.join(errors)}")
        address = lines[0].strip().rpartition("@")[2].partition("/")[0]
        yield Server(
            "127.0.0.1" if host == "0.0.0.0" else host,
            int(address.rpartition(":")[2]),
            admin_token,
            Path(data),
            process,
            lines,
            errors,
        )
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
        drain.join(10)
        process.stdout.close()
        process.stderr.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests; each makes a database of its own (`Server.new_database`)."""
    folder = tempfile.mkdtemp(prefix="mesahub-server-")
    try:
        with start_server(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)
