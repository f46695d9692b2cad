"""What makes transports: the types of what entry points name."""

from __future__ import annotations

from collections.abc import Callable

from mesahub.transport.base import AsyncTransport, Transport
from mesahub.transport.options import TransportOptions

TransportFactory = Callable[[TransportOptions], Transport]
"""What an entry point of ``mesahub.transports`` names: usually the transport's class.

It may carry two attributes, both ``True`` when absent: ``needs_url`` and ``needs_key`` say whether a
client can be made without ``api_url`` and ``api_key``. Each may also be a callable that
takes the `TransportOptions`.
"""

AsyncTransportFactory = Callable[[TransportOptions], AsyncTransport]
"""What an entry point of ``mesahub.async_transports`` names. It may carry ``needs_url`` and ``needs_key`` as well."""
