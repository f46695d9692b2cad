"""What is peculiar to libSQL, on a real server and a replica of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import mesahub
from mesahub import DatabaseHandle
from mesahub.testing.engine_contract import EngineContract
from tests.engines.sqld_server import Sqld

pytestmark = pytest.mark.engines


class TestContract(EngineContract):
    @pytest.fixture
    def db(self, sqld: Sqld) -> Iterator[DatabaseHandle]:
        with mesahub.connect(sqld.url(sqld.new_database())) as handle:
            yield handle


class TestContractAtAReplica(EngineContract):
    @pytest.fixture
    def db(self, sqld: Sqld) -> Iterator[DatabaseHandle]:
        with mesahub.connect(sqld.url(sqld.new_database(), replicas=True)) as handle:
            yield handle
