"""A server that costs almost nothing: it answers every request with bytes that were ready before.

    python responder.py FILE...

Each file is the JSON body of an answer; its stem is the last part of the path that asks for it, so
``POST /v1/query/one`` gets ``one.json``. ``GET /connections`` tells how many connections were ever made.
Prints its port.
"""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

answers: dict[bytes, bytes] = {}
connections = 0


def answer_of(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = b""
    while True:
        end = data.find(b"\r\n\r\n")
        while end < 0:
            more = connection.recv(65536)
            if not more:
                connection.close()
                return
            data += more
            end = data.find(b"\r\n\r\n")
        head = data[:end]
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r", 1)[0]) if at >= 0 else 0
        missing = end + 4 + length - len(data)
        while missing > 0:
            more = connection.recv(262144)
            if not more:
                connection.close()
                return
            missing -= len(more)
            data = data + more if len(data) < 65536 else data
        data = b""
        name = head.split(b" ", 2)[1].rsplit(b"/", 1)[1]
        if name == b"connections":
            connection.sendall(answer_of(str(connections).encode()))
        else:
            connection.sendall(answers[name])


def main() -> None:
    global connections
    for file in map(Path, sys.argv[1:]):
        answers[file.stem.encode()] = answer_of(file.read_bytes())
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            connections += 1
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
