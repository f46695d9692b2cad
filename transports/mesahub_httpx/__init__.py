"""The transport ``httpx``: for applications that have a client of httpx, or of httpx2, already."""

from mesahub_httpx.transport import HttpxTransport

__all__ = ["HttpxTransport"]
