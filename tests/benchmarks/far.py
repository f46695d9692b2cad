"""A server that is far away: passes bytes on, both ways, each after a delay.

    python far.py PORT MILLISECONDS [MEGABYTES]

``MILLISECONDS`` is what a request and its answer take on the way together; ``MEGABYTES`` limits what comes through in a
second, each way. Prints its port.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from contextlib import suppress

_PIECE = 256 * 1024
_MOST = 256
"""Pieces on their way at once: more than a request has."""


class _Way:
    """One direction of a connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, rate: float | None
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._delay = delay
        self._rate = rate
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        await asyncio.gather(self._take(), self._give())

    async def _take(self) -> None:
        now = asyncio.get_running_loop().time
        data = b"?"
        while data:
            with suppress(ConnectionError):
                data = await self._reader.read(_PIECE)
            while len(self._pieces) >= _MOST:
                await asyncio.sleep(self._delay / 10)
            self._pieces.append((now() + self._delay, data))
            self._changed.set()

    async def _give(self) -> None:
        now = asyncio.get_running_loop().time
        free = 0.0
        with suppress(ConnectionError):
            while True:
                while not self._pieces:
                    self._changed.clear()
                    await self._changed.wait()
                due, data = self._pieces.popleft()
                due = max(due, free)
                if due > now():
                    await asyncio.sleep(due - now())
                if self._rate is not None:
                    free = max(due, now() - 0.05) + len(data) / self._rate
                if not data:
                    break
                self._writer.write(data)
                await self._writer.drain()
        self._writer.close()


async def main(port: int, delay: float, rate: float | None) -> None:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port, limit=_PIECE)
        with suppress(ConnectionError):
            await asyncio.gather(_Way(reader, back, delay, rate).run(), _Way(there, writer, delay, rate).run())

    server = await asyncio.start_server(carry, "127.0.0.1", 0, limit=_PIECE)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(
        main(int(sys.argv[1]), float(sys.argv[2]) / 2000, float(sys.argv[3]) * 1e6 if len(sys.argv) > 3 else None)
    )
