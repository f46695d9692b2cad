"""A server of one file that breaks off, changes its mind or lies, as it is told."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Origin:
    """What the server does.

    Attributes:
        content: the file.
        breaks: for each request to come, after how many bytes of its body the connection is reset.
        headers: sent with every answer.
        ranges: does it honour ``Range``?
        replacement: the file's content from the second request on.
        modified: its Last-Modified; it is another one for ``replacement``.
        length: announce this length instead.
        asked: ``Range`` of each request so far.
    """

    content: bytes
    breaks: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    replacement: bytes | None = None
    modified: bool = True
    length: int | None = None
    asked: list[str | None] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"mh://key@127.0.0.1:{self.port}/main"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        origin = self.server.origin
        again = bool(origin.asked)
        asked = self.headers.get("Range")
        origin.asked.append(asked)
        content = origin.replacement if again and origin.replacement is not None else origin.content
        moment = f"Mon, 02 Nov 2026 10:00:0{int(content is not origin.content)} GMT"
        start = int(asked[6:-1]) if asked and origin.ranges else 0
        condition = self.headers.get("If-Range")
        if condition is not None and condition != moment:
            start = 0
        body = content[start:]
        if start:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if origin.modified:
            self.send_header("Last-Modified", moment)
        self.send_header("Content-Type", "text/plain")
        for name, value in origin.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if origin.length is None else origin.length))
        self.end_headers()
        if origin.breaks:
            self.wfile.write(body[: origin.breaks.pop(0)])
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        self.wfile.write(body)

    def finish(self) -> None:
        with contextlib.suppress(OSError):  # it was closed on purpose
            super().finish()

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    origin: Origin

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextmanager
def serve(origin: Origin) -> Iterator[Origin]:
    """Run it."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.origin = origin
    origin.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield origin
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
