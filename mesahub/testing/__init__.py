"""The contract of a transport, as a pytest suite that a plugin's author subclasses.

    import pytest
    from mesahub.testing import TransportContract
    from my_package import MyTransport

    class TestMyTransport(TransportContract):
        @pytest.fixture
        def transport(self):
            return MyTransport      # called with TransportOptions, gives the transport

`AsyncTransportContract` does the same for asynchronous transports (its fixture is ``async_transport``),
`mesahub.testing.dialect_contract.DialectContract` and `mesahub.testing.engine_contract.EngineContract` for dialects
and for engines.

It needs pytest, and trustme for the part about TLS. See `mesahub.testing.contract` for what can be left out.
"""

import pytest

for _part in (
    "dialect_contract",
    "engine_contract",
    "base",
    "http_exchanges",
    "ownership",
    "connection_faults",
    "timeouts",
    "concurrency",
    "tls",
    "asynchronous.contract",
    "asynchronous.event_loops",
    "asynchronous.cancellation",
):
    pytest.register_assert_rewrite(f"mesahub.testing.{_part}")

from mesahub.testing.asynchronous.contract import AsyncTransportContract  # noqa: E402 - after the rewriting is set up
from mesahub.testing.contract import TransportContract  # noqa: E402
from mesahub.testing.exchange import Seen  # noqa: E402
from mesahub.testing.server import ConformanceServer  # noqa: E402

__all__ = ["AsyncTransportContract", "ConformanceServer", "Seen", "TransportContract"]
