"""What every transport must do, asked of this one, as far as it applies without HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesahub.testing.base import Basics
from mesahub.testing.concurrency import Sharing
from mesahub.transport import TransportFactory, TransportOptions
from mesahub_embedded import EmbeddedTransport


class TestEmbedded(Basics, Sharing):
    """The embedded transport; the other parts of the contract speak of HTTP."""

    speaks_http = False

    @pytest.fixture
    def transport(self) -> TransportFactory:
        """Its factory."""
        return EmbeddedTransport

    @pytest.fixture
    def options(self, tmp_path: Path) -> TransportOptions:
        """A data folder of this test's own."""
        return TransportOptions(options={"data": str(tmp_path)})
