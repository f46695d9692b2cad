"""One connection to a server: every wait is bounded, every failure says what became of the request."""

from __future__ import annotations

import select
import socket
from time import monotonic
from typing import TYPE_CHECKING

from mesahub._util.secret import SecretBytes
from mesahub.errors import ConnectionLostError, NotSentError, Outcome, RequestTimeoutError, TLSError
from mesahub.transport import BodyStream

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_SLACK = 0.01
"""Seconds by which a socket's timeout may be off before it is set again: each setting is a system call."""


class Connection:
    """A connected socket, plain or TLS.

    Attributes:
        peer: the server, for messages.
        idle_since: when it was last given back.
        end: when the present request, or what is left of it, must be over (monotonic seconds); ``None`` for never.
        pending: under TLS, says how many bytes were decrypted that no one has read: they make no socket readable, and
            would begin the next response.
        sent: did a byte of the present request leave?
        broken: what stopped the sending half way, if something did.
    """

    __slots__ = (
        "_armed",
        "_poll",
        "_silence",
        "_sock",
        "broken",
        "end",
        "idle_since",
        "peer",
        "pending",
        "sent",
    )

    def __init__(self, sock: socket.socket, peer: str) -> None:
        self._sock = sock
        self._armed = sock.gettimeout()
        self._silence: float | None = None
        self.pending: Callable[[], int] | None = getattr(sock, "pending", None)
        self._poll = None
        if hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(sock, select.POLLIN)
        self.peer = peer
        self.end: float | None = None
        self.idle_since = 0.0
        self.sent = False
        self.broken: OSError | None = None

    def begin(self, end: float | None, silence: float | None) -> None:
        """Begin a request that must be over at ``end`` (monotonic), or pause no longer than ``silence``."""
        self.end = end
        self._silence = silence
        self.sent = False
        self.broken = None

    def is_readable(self) -> bool:
        """Is there something to read? On an idle connection that is its end, or nothing we asked for."""
        if self.pending is not None and self.pending():
            return True
        if self._poll is not None:
            return bool(self._poll.poll(0))
        return bool(select.select([self._sock], [], [], 0)[0])

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def send(self, head: SecretBytes, content: memoryview | BodyStream | None) -> None:
        """Send a request: its head with a short body, and what is left of the body, neither of which a traceback shows.

        When the other side stops taking it half way, this returns with `broken` set: there may be an answer
        that says why.

        Raises:
            NotSentError: nothing left.
            RequestTimeoutError: the time ran out.
            ValueError: the body is not as long as it says, or cannot be read (whatever it raises itself).
        """
        if content is None:
            self._send(head)
        elif isinstance(content, memoryview):
            self._send(head)
            self._send(content)
        else:
            self._send_pieces(head, content)

    def _send_pieces(self, head: SecretBytes, body: BodyStream) -> None:
        left = len(body)
        # The first piece is read before the headers go: a file that cannot be read must cost nothing.
        for piece in body:
            left -= len(piece)
            if left < 0:
                raise ValueError(f"the body is longer than the {len(body)} bytes that it said")
            if head:
                self._send(head)
                head = SecretBytes()
            elif self._answers_early():
                self.broken = BrokenPipeError("the server answered before the body was sent")
            if self.broken is not None:
                return
            self._send(piece)
        if left:
            raise ValueError(f"the body ended {left} bytes before the {len(body)} that it said")
        if head:
            self._send(head)

    def _answers_early(self) -> bool:
        # Under TLS what is readable may be a session ticket.
        return type(self._sock) is socket.socket and self.is_readable()

    def _send(self, data: bytes | memoryview) -> None:
        view: bytes | memoryview = data
        while self.broken is None:
            try:
                self._arm()
                count = self._sock.send(view)
            except TimeoutError as error:
                raise self._timed_out("while the request was being sent") from error
            except OSError as error:
                if not self.sent:
                    raise NotSentError(f"The connection to {self.peer} was closed: {error}.") from error
                self.broken = error
                return
            self.sent = True
            if count == len(view):
                return
            view = memoryview(view)[count:]

    def recv(self, size: int) -> bytes:
        """At most ``size`` bytes, ``b""`` at the end.

        Raises:
            ConnectionLostError, RequestTimeoutError, TLSError: see the contract.
        """
        try:
            self._arm()
            return self._sock.recv(size)
        except TimeoutError as error:
            raise self._timed_out("while waiting for the answer") from error
        except OSError as error:
            if "ALERT" in (getattr(error, "reason", None) or ""):
                # TLS 1.3 servers refuse a client's certificate only now, when the handshake seems to be over.
                raise TLSError(f"{self.peer} refused the TLS connection: {error}.") from error
            raise self.lost(f"the connection broke ({error})") from error

    def recv_into(self, buffer: memoryview) -> int:
        """Fill a part of ``buffer``; the bytes received, 0 at the end. Raises what `recv` does."""
        try:
            self._arm()
            return self._sock.recv_into(buffer)
        except TimeoutError as error:
            raise self._timed_out("while waiting for the answer") from error
        except OSError as error:
            raise self.lost(f"the connection broke ({error})") from error

    def lost(self, why: object) -> ConnectionLostError:
        """The error for a response that did not come, or not whole."""
        if self.broken is not None:
            why = f"the connection broke while the request was being sent ({self.broken})"
        return ConnectionLostError(f"No trustworthy answer from {self.peer}: {why}.")

    def _arm(self) -> None:
        left = self._silence
        if self.end is not None:
            left = self.end - monotonic()
            if left <= 0:
                raise TimeoutError
        armed = self._armed
        if left is None or armed is None:
            if left is not armed:
                self._sock.settimeout(left)
                self._armed = left
        elif not -_SLACK < armed - left < _SLACK:
            self._sock.settimeout(left)
            self._armed = left

    def _timed_out(self, when: str) -> RequestTimeoutError:
        outcome = Outcome.MAYBE_RAN if self.sent else Outcome.NOT_SENT
        return RequestTimeoutError(f"The time for the request to {self.peer} ran out {when}.", outcome=outcome)


def open_socket(host: str, port: int, timeout: float, peer: str) -> socket.socket:
    """Connect, trying each of the host's addresses in turn, all within ``timeout`` seconds.

    Raises:
        NotSentError: no such host, refused, no route.
        RequestTimeoutError: not in time (``NOT_SENT``).
    """
    end = monotonic() + timeout
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:  # UnicodeError too is possible, but the transport has checked the host
        raise NotSentError(f"The host of {peer} was not found: {error}.") from error
    failure: OSError = OSError("it has no address")
    for family, kind, protocol, _, address in addresses:
        left = end - monotonic()
        if left <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left)
            sock.connect(address)
            # Nagle's algorithm holds a small segment back until the one before is acknowledged: up to 40 ms.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            failure = error
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    if isinstance(failure, TimeoutError) or end <= monotonic():
        raise RequestTimeoutError(
            f"{peer} could not be reached within {timeout:g} seconds.", outcome=Outcome.NOT_SENT
        ) from failure
    raise NotSentError(f"{peer} could not be reached: {failure}.") from failure


def start_tls(sock: socket.socket, context: ssl.SSLContext, host: str, peer: str) -> ssl.SSLSocket:
    """Make TLS of a connected socket, whose timeout bounds each step of the handshake.

    Raises:
        TLSError: the other side cannot be trusted, or speaks no TLS.
        NotSentError, RequestTimeoutError: the connection broke in the handshake.
    """
    import ssl

    try:
        # A missing close_notify must not pass for the end of a body that has no length.
        return context.wrap_socket(sock, server_hostname=host, suppress_ragged_eofs=False)
    except TimeoutError as error:
        sock.close()
        raise RequestTimeoutError(
            f"{peer} did not complete the TLS handshake in time.", outcome=Outcome.NOT_SENT
        ) from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        sock.close()
        raise NotSentError(f"{peer} closed the connection in the TLS handshake.") from error
    except (ssl.SSLError, ssl.CertificateError, ValueError) as error:
        sock.close()
        raise TLSError(f"No TLS connection to {peer}: {_reason(error)}.") from error
    except OSError as error:
        sock.close()
        raise NotSentError(f"{peer} broke the connection in the TLS handshake: {error}.") from error


def _reason(error: Exception) -> str:
    text = getattr(error, "verify_message", None) or getattr(error, "reason", None) or str(error)
    if "WRONG_VERSION" in text or "RECORD_LAYER" in text:
        return f"the other side speaks no TLS ({text}); is it an http:// server?"
    return str(text).rstrip(".")
