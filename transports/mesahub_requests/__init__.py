"""The transport ``requests``: for applications that live on requests, with their own session."""

from mesahub_requests.transport import RequestsTransport

__all__ = ["RequestsTransport"]
