"""MESAHUB_LOG: logging without set-up."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from mesahub import MesahubClient
from mesahub.errors import ConfigurationError

PROGRAM = """
import sys
import mesahub
from mesahub.transport import Response

class Server:
    answers = [503, 200]
    def send(self, request):
        status = self.answers.pop(0)
        return Response(status, payload={"headers": [], "rows": []} if status == 200 else {"error": "busy"})
    def close(self): ...

SETUP
with mesahub.MesahubClient("shk_secret", "http://core", transport=Server(), MORE) as client:
    client.query("shop", "SELECT :a", {"a": "hunter2"})
"""


def stderr(level: str | None, *, setup: str = "", more: str = "retry=mesahub.RetryPolicy(backoff=0)") -> list[str]:
    environment = {name: value for name, value in os.environ.items() if name != "MESAHUB_LOG"}
    if level is not None:
        environment["MESAHUB_LOG"] = level
    program = PROGRAM.replace("SETUP", setup).replace("MORE", more)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert "hunter2" not in done.stderr
    assert "shk_secret" not in done.stderr
    return done.stderr.splitlines()


@pytest.mark.parametrize("level", [None, "", "off"])
def test_nothing_is_logged_unless_it_is_asked_for(level: str | None) -> None:
    assert stderr(level) == []


@pytest.mark.parametrize("level", ["info", "INFO"])
def test_info_logs_each_retry_and_each_call(level: str) -> None:
    retry, call = stderr(level)
    assert "WARNING mesahub: query shop 'SELECT :a': attempt 1 failed (HTTP 503)" in retry
    assert "INFO mesahub: query shop 'SELECT :a' -> 200 in " in call


def test_debug_logs_each_attempt() -> None:
    lines = stderr("debug")
    assert [line.split(" ", 2)[2].partition(":")[0] for line in lines] == [
        "DEBUG mesahub", "WARNING mesahub", "DEBUG mesahub", "INFO mesahub"
    ]  # fmt: skip
    assert "query shop: attempt 1, POST /v1/query/shop -> 503 in " in lines[0]
    assert "query shop: attempt 2, POST /v1/query/shop -> 200 in " in lines[2]


def test_the_application_s_own_logging_takes_its_place() -> None:
    lines = stderr("info", setup="import logging; logging.basicConfig(format='mine %(message)s')")
    assert [line[:10] for line in lines] == ["mine query"] * 2
    layer = "lambda r, f: (__import__('logging').basicConfig(format='%(name)s'), f(r))[1]"
    late = stderr("info", more=f"middleware=[{layer}]")
    assert late == ["mesahub", "mesahub"]


def test_a_logging_layer_of_the_client_is_not_doubled() -> None:
    assert len(stderr("info", more="middleware=[mesahub.middleware.logging()]")) == 2


def test_another_level_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESAHUB_LOG", "verbose")
    before = list(logging.getLogger("mesahub").handlers)
    with pytest.raises(ConfigurationError, match="MESAHUB_LOG must be 'info' or 'debug'"):
        MesahubClient("shk_x", "http://127.0.0.1:9")
    assert logging.getLogger("mesahub").handlers == before
