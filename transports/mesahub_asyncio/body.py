"""Bodies: read into memory, streamed down, streamed up. `mesahub_http1` parses, what is here waits."""

from __future__ import annotations

import asyncio
from io import BytesIO

from mesahub._util.secret import SecretBytes
from mesahub.transport import BodyStream
from mesahub.transport.network import too_large
from mesahub_asyncio.connection import Connection
from mesahub_asyncio.pool import Pool
from mesahub_http1 import ProtocolError, ResponseParser

_PIECE = 256 * 1024


async def read_head(connection: Connection, parser: ResponseParser) -> None:
    """Read status and headers.

    Raises:
        ConnectionLostError, RequestTimeoutError, TLSError: see the contract.
    """
    try:
        while not parser.feed_head(await connection.receive()):
            pass
    except ProtocolError as error:
        raise connection.lost(error) from None


def start_body(connection: Connection, parser: ResponseParser) -> bytes:
    """The part of the body that came with the head: nearly always all of it. Raises `ConnectionLostError`."""
    try:
        return parser.start()
    except ProtocolError as error:
        raise connection.lost(error) from None


async def read_rest(connection: Connection, parser: ResponseParser, start: bytes, most: int) -> bytes:
    """Read the body to its end, of at most ``most`` bytes; ``start`` is what `start_body` gave.

    Raises:
        ConnectionLostError, RequestTimeoutError, ResultError: see the contract.
    """
    try:
        body = BytesIO()
        size = body.write(start)
        while size <= most and not parser.complete:
            size += body.write(parser.feed(await connection.receive()))
        if size > most:  # counted, since an announcement alone proves nothing
            raise too_large(parser.status, most, connection.peer)
        return body.getvalue()
    except ProtocolError as error:
        raise connection.lost(error) from None


class Download:
    """A body that is read as its user asks for it. It holds a connection until it is read to the end, or closed."""

    def __init__(self, connection: Connection, parser: ResponseParser, pool: Pool) -> None:
        self._connection: Connection | None = connection
        self._parser = parser
        self._pool = pool
        try:
            self._rest = memoryview(parser.start())
        except ProtocolError as error:
            raise connection.lost(error) from None

    async def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, ``b""`` at the end; all that is left when ``size`` is negative.

        Raises:
            ConnectionLostError, RequestTimeoutError: see the contract.
        """
        if size < 0:
            pieces = []
            while more := await self.read(_PIECE):
                pieces.append(more)
            return b"".join(pieces)
        connection = self._connection
        if connection is None or size == 0:
            return b""
        piece: memoryview = self._rest[:size]
        self._rest = self._rest[size:]
        try:
            while not piece and not self._parser.complete:
                received = memoryview(self._parser.feed(await connection.receive()))
                piece, self._rest = received[:size], received[size:]
        except ProtocolError as error:
            await self.close()
            raise connection.lost(error) from None
        except BaseException:
            self._give_back(reusable=False)
            raise
        if not piece:
            self._give_back(reusable=self._parser.keep_alive)
        return bytes(piece)

    async def close(self) -> None:
        """Drop the connection, unless the body was read to the end. May be called twice."""
        self._give_back(reusable=False)

    def _give_back(self, *, reusable: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.release(connection, reusable=reusable)


async def send_stream(connection: Connection, head: SecretBytes, body: BodyStream) -> None:
    """Send a body piece by piece; the file is read on a thread. Ends early when the server answers early.

    Raises:
        NotSentError, RequestTimeoutError: as `Connection.write`.
        ValueError: the body is not as long as it says, or cannot be read (whatever it raises itself).
    """
    loop = asyncio.get_running_loop()
    pieces = iter(body)
    left = len(body)
    # The first piece is read before the headers go: a file that cannot be read must cost nothing.
    while piece := await loop.run_in_executor(None, next, pieces, b""):
        left -= len(piece)
        if left < 0:
            raise ValueError(f"the body is longer than the {len(body)} bytes that it said")
        if head:
            await connection.write(head)
            head = SecretBytes(b"")
        elif connection.answers_early():
            connection.broken = BrokenPipeError("the server answered before the body was sent")
        if connection.broken is not None:
            return
        await connection.write(piece)
    if left:
        raise ValueError(f"the body ended {left} bytes before the {len(body)} that it said")
    if head:
        await connection.write(head)
