"""What `responder` does, for many connections: one thread that waits for all of them.

python event_responder.py FILE...
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
from pathlib import Path

ANSWERS: dict[bytes, bytes] = {}


def answer_of(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def whole_request(data: bytes) -> bytes:
    """The last part of the path, if the request is complete."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return b""
    head = data[:end]
    at = head.lower().find(b"content-length:")
    length = int(head[at + 15 :].split(b"\r", 1)[0]) if at >= 0 else 0
    if len(data) < end + 4 + length:
        return b""
    return head.split(b" ", 2)[1].rsplit(b"/", 1)[1]


def main() -> None:
    for file in map(Path, sys.argv[1:]):
        ANSWERS[file.stem.encode()] = answer_of(file.read_bytes())
    selector = selectors.DefaultSelector()
    held: dict[socket.socket, bytes] = {}
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        print(listener.getsockname()[1], flush=True)
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                ready = key.fileobj
                assert isinstance(ready, socket.socket)
                if ready is listener:
                    connection, _ = listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    held[connection] = b""
                    selector.register(connection, selectors.EVENT_READ)
                    continue
                more = b""
                with contextlib.suppress(OSError):
                    more = ready.recv(65536)
                if not more:
                    selector.unregister(ready)
                    del held[ready]
                    ready.close()
                    continue
                data = held[ready] + more
                name = whole_request(data)
                held[ready] = b"" if name else data
                if name:
                    ready.sendall(ANSWERS[name])


if __name__ == "__main__":
    main()
