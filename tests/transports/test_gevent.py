"""gevent's patches made after the transport, in the child of a fork, as ``gunicorn -k gevent --preload`` makes them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mesahub.testing import ConformanceServer

PROGRAM = """
import os, sys, warnings
from mesahub.transport import Request, TransportOptions
from mesahub.transport.registry import find_factory
name, url, when = sys.argv[1:]
warnings.simplefilter("ignore")
if when == "before":
    from gevent import monkey; monkey.patch_all()
transport = find_factory(name)(TransportOptions(base_url=url, proxies={}, pool_size=3))
if when == "after":
    child = os.fork()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    from gevent import monkey; monkey.patch_all()
import gevent
def call(number):
    body = b"%d" % number
    return transport.send(Request("test", "POST", "/echo", body=body, timeout=10.0)).content == body
calls = [gevent.spawn(call, number) for number in range(40)]
gevent.joinall(calls, timeout=20)
print([c.value for c in calls].count(True), *{repr(c.exception) for c in calls if c.exception}, flush=True)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["urllib", "urllib3", "requests"])
def test_more_greenlets_than_connections(name: str, when: str) -> None:
    pytest.importorskip("gevent", reason="gevent has no wheel for this Python")
    with ConformanceServer() as server:
        command = [sys.executable, "-c", PROGRAM, name, server.url, when]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (done.stdout.strip(), done.returncode) == ("40", 0), done.stderr
        assert server.busiest <= 3
