"""Under which addresses and names a server that listens on this machine can be reached."""

from __future__ import annotations

import contextlib
import socket

__all__ = ["names_of", "reachable"]

ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104


def reachable(host: str) -> str:
    """An address, as URLs write it, at which a server that listens on ``host`` can be reached."""
    if host in ANY_ADDRESS:
        family = socket.AF_INET6 if host == "::" else socket.AF_INET
        host = _routed_address(family) or ("::1" if host == "::" else "127.0.0.1")
    return f"[{host}]" if ":" in host else host


def _routed_address(family: socket.AddressFamily) -> str | None:
    """The address that this machine uses toward others; ``None`` without a network. Nothing is sent."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        # Addresses for documentation (RFC 5737, RFC 3849): connecting a datagram socket only chooses a route.
        probe.connect(("192.0.2.1" if family == socket.AF_INET else "2001:db8::1", 9))
        return str(probe.getsockname()[0])
    return None


def names_of(host: str) -> set[str]:
    """What a caller may call a server that listens on ``host``."""
    if host not in ANY_ADDRESS:
        return {reachable(host)}
    names = {socket.gethostname(), reachable("0.0.0.0")}  # noqa: S104
    with contextlib.suppress(OSError):
        found = socket.getaddrinfo(socket.gethostname(), None)
        names |= {f"[{info[4][0]}]" if info[0] == socket.AF_INET6 else str(info[4][0]) for info in found}
    return names
