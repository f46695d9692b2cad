"""The command line as a process: pipes, signals, and life without extras."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mesahub
from tests.servers import Server

URL = "mh://local/big"
ROWS = 60_000


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("MESAHUB_DATA", str(tmp_path))
    with mesahub.connect(URL) as db:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        db.table("t").insert_many({"id": i, "text": "x" * 50} for i in range(ROWS))
    return {**os.environ, "COLUMNS": "60"}


def mesahub_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mesahub", *arguments]


WITHOUT_CLICK = "import sys; sys.modules['click'] = None; from mesahub.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.parametrize("click", [True, False], ids=["click", "plain"])
def test_a_closed_pipe_ends_it_quietly(environment: dict[str, str], click: bool) -> None:
    plain = [sys.executable, "-c", WITHOUT_CLICK, "query", URL, "SELECT * FROM t"]
    with subprocess.Popen(
        mesahub_command("rows", URL, "t") if click else plain,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b'{"id": 0' if click else b"id\ttext")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


def test_a_closed_pipe_ends_cassette_quietly(environment: dict[str, str], tmp_path: Path) -> None:
    cassette = tmp_path / "cassette.json"
    with mesahub.connect(URL, transport="recorder", cassette=str(cassette), mode="record", inner="embedded") as db:
        for number in range(2_000):
            db.query("SELECT ?", [f"{number:090}"])
    with subprocess.Popen(
        mesahub_command("cassette", "show", str(cassette)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


def test_ctrl_c_ends_it_with_130(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        mesahub_command("rows", URL, "t"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        # A shell starts what runs in its background deaf to Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.2)  # it stands before the full pipe
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == b"Aborted\n"


def test_a_long_table_streams_in_bounded_memory(environment: dict[str, str]) -> None:
    code = """
import resource, sys
from mesahub.cli import main
code = main(sys.argv[1:])
sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
sys.exit(code)
"""

    def peak(*arguments: str) -> int:
        command = [sys.executable, "-c", code, "rows", URL, "t", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        assert done.stdout.count("\n") == int(arguments[-1]) if arguments else ROWS
        return int(done.stderr)

    # Sixty thousand rows take no more than five thousand do, give or take what the allocator keeps.
    assert peak() < peak("--limit", "5000") + 12_000


def test_without_click_there_is_a_plain_form(environment: dict[str, str]) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", WITHOUT_CLICK, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    found = run("query", URL, "SELECT id, NULL AS n FROM t LIMIT 1")
    assert (found.stdout, found.returncode) == ("id\tn\n0\t\n", 0)
    assert run("query", "sqlite://", "SELECT 1 AS one").stdout == "one\n1\n"
    listed = run("transports").stdout.splitlines()
    assert listed[0].startswith("embedded\tmesahub")
    assert [line.split("\t")[0] for line in listed if "\tasyncio\t" in line] == [
        "aiohttp", "asyncio", "embedded", "httpx", "recorder",
    ]  # fmt: skip
    refused = run("rows", URL, "t")
    assert refused.returncode == 2
    assert 'pip install "mesahub[cli]"' in refused.stderr
    wrong = run("query", URL, "SELEC")
    assert (wrong.returncode, wrong.stderr) == (1, 'mesahub: near "SELEC": syntax error\n')


def test_no_color_and_the_width_are_respected(environment: dict[str, str]) -> None:
    command = mesahub_command("query", URL, "SELECT id, text, text AS again FROM t LIMIT 2", "--table")
    done = subprocess.run(command, capture_output=True, text=True, env={**environment, "NO_COLOR": "1"}, check=True)
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 60
    assert "…" in done.stdout


ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c;"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("way", ["embedded", "http"])
def test_ctrl_c_in_the_shell_ends_the_query_and_not_the_shell(
    environment: dict[str, str], server: Server, way: str
) -> None:
    import pty

    url = URL if way == "embedded" else server.url("main")
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # as above
        os.execve(sys.executable, mesahub_command("shell", url), {**environment, "TERM": "dumb", "COLUMNS": "200"})

    shown = b""

    def until(text: bytes) -> None:
        nonlocal shown
        while text not in shown:
            assert select.select([terminal], [], [], 30)[0], shown
            shown += os.read(terminal, 65536)
        shown = shown.partition(text)[2]

    try:
        until(b"> ")
        os.write(terminal, ENDLESS.encode() + b"\r")
        until(b";\r\r\n")  # the shell has taken the line: from here on Ctrl-C is a signal
        time.sleep(0.3)
        os.write(terminal, b"\x03")
        until(b"Aborted")
        os.write(terminal, b"SELECT 40 + 2 AS answer;\r")
        until(b"42")
        until(b"> ")
        os.write(terminal, b".quit\r")
        until(b"\n")  # its end waits until its output is read
        assert os.waitpid(pid, 0)[1] == 0
        pid = 0
    finally:
        os.close(terminal)
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
