"""The command ``serve``: how it starts, what it says, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import mesahub
from mesahub import NotSentError
from mesahub_embedded import application
from mesahub_embedded.server import addresses
from mesahub_embedded.server.addresses import reachable
from mesahub_embedded.server.serve import _open_page, main
from tests.servers import start_server


def test_it_prints_a_url_that_is_ready_to_use(tmp_path: Path) -> None:
    with start_server(tmp_path / "data") as server:
        with mesahub.connect(server.lines[0].strip()) as db:
            assert db.query("SELECT 1 AS one").rows == [{"one": 1}]
        assert server.base_url in server.lines[1]
        assert str(tmp_path) in server.lines[1]
        assert "development and tests" in server.lines[2]
    assert server.process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with start_server(tmp_path, env={"PYTHONWARNINGS": "default"}) as server:
        with mesahub.connect(server.url("main")) as db:
            db.exec("CREATE TABLE t (n)")
            server.process.send_signal(number)  # while a client keeps its connection open
            assert server.process.wait(20) == 0
        assert server.process.stdout is not None
        assert server.process.stdout.read() == ""
    assert server.errors == []
    assert sorted(path.name for path in (tmp_path / "databases").iterdir()) == ["main.db"]


def test_requests_that_wait_for_a_thread_are_not_worth_a_line(tmp_path: Path) -> None:
    with start_server(tmp_path, arguments=("--threads", "1")) as server, mesahub.connect(server.url("main")) as db:
        threads = [
            threading.Thread(target=lambda: [db.query("SELECT count(*) FROM sqlite_schema") for _ in range(30)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert server.errors == []


def test_it_does_not_wait_for_a_statement_without_end(tmp_path: Path) -> None:
    endless = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    with start_server(tmp_path) as server, socket.create_connection((server.host, server.port)) as connection:
        body = json.dumps({"sql": endless}).encode()
        head = f"POST /v1/exec/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.admin_token}\r\n"
        connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        assert server.call("POST", "/v1/query/main", {"sql": "SELECT 1"})[0] == 200
        server.process.terminate()
        assert server.process.wait(20) == 0


def test_killed_amid_writes_and_started_again(tmp_path: Path) -> None:
    told = 0
    with start_server(tmp_path) as server, mesahub.connect(server.url("main")) as db:
        db.exec("CREATE TABLE pairs (a INTEGER, b INTEGER)")
        for number in range(40):
            db.exec("INSERT INTO pairs VALUES (?, 1), (?, 2)", [number, number])
            told += 1
        endless = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x, x FROM c"
        body = json.dumps({"sql": f"INSERT INTO pairs {endless}"}).encode()
        head = f"POST /v1/exec/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.admin_token}\r\n"
        with socket.create_connection((server.host, server.port)) as connection:
            connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            # The write is under way once its log grows, or at the latest when the lock is held.
            db.query("SELECT count(*) FROM pairs")
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait(20)
    with start_server(tmp_path) as server, mesahub.connect(server.url("main")) as db:
        assert db.query("PRAGMA integrity_check").rows == [{"integrity_check": "ok"}]
        assert db.query("SELECT count(*) AS n FROM pairs").rows == [{"n": 2 * told}]
        assert db.exec("INSERT INTO pairs VALUES (1, 1)").rows_affected == 1


def test_a_token_is_made_where_none_is_given(tmp_path: Path) -> None:
    one, two = application(tmp_path / "one"), application(tmp_path / "two")
    assert len(one.admin_token) > 20
    assert one.admin_token != two.admin_token
    one.close()
    two.close()


def test_the_environment_gives_folder_and_token(tmp_path: Path) -> None:
    environment = {"MESAHUB_DATA": str(tmp_path / "data"), "MESAHUB_ADMIN_TOKEN": "from-the-environment"}
    process = subprocess.Popen(
        [sys.executable, "-m", "mesahub_embedded.server.serve", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url.startswith("mh://from-the-environment@127.0.0.1:")
    with mesahub.connect(url) as db:
        db.exec("CREATE TABLE t (n)")
    process.terminate()
    assert process.wait(20) == 0
    process.stdout.close()
    assert (tmp_path / "data" / "databases" / "main.db").is_file()


def test_a_database_that_is_there_is_the_one_it_names(tmp_path: Path) -> None:
    with mesahub.connect("mh://local/shop", data=str(tmp_path)) as db:
        db.exec("CREATE TABLE t (n)")
    with start_server(tmp_path) as server:
        assert server.lines[0].strip().endswith("/shop")
        with mesahub.connect(server.lines[0].strip()) as db:
            assert db.table("t").count() == 0


def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--data", str(tmp_path), "--port", str(port), "--admin-token", "t"]) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


def test_a_folder_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.write_text("here")
    assert main(["--data", str(file), "--port", "0"]) == 1
    assert "cannot be created" in capsys.readouterr().err


def test_without_waitress_it_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "waitress", None)
    assert main(["--data", str(tmp_path / "data"), "--port", "0"]) == 1
    assert "pip install 'mesahub[serve]'" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_it_listens_on_loopback_alone(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        addresses = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
        for address in addresses - {"127.0.0.1"}:
            with pytest.raises(OSError), socket.create_connection((str(address), server.port), timeout=1):
                pass
        server.process.kill()
        server.process.wait()
        with mesahub.connect(server.url("main"), retry=mesahub.RetryPolicy.none()) as db, pytest.raises(NotSentError):
            db.query("SELECT 1")


def test_admin_token_comes_from_a_file_or_standard_input(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-a-file\n")
    arguments = ("--admin-token-file", str(file))
    with start_server(tmp_path / "data", admin_token="", arguments=arguments) as server:
        assert server.call("GET", "/api/db", token="from-a-file")[0] == 200
        if Path("/proc").exists():
            command = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
            assert b"from-a-file" not in command


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "Cannot read the admin token"), (b" \n", "is empty"), (b"\xff", "not text"), (b"a b", "printable ASCII")],
)
def test_admin_token_file_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, message: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    assert main(["--data", str(tmp_path / "data"), "--port", "0", "--admin-token-file", str(file)]) == 1
    assert message in capsys.readouterr().err


def test_admin_token_and_file_exclude_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path), "--port", "0", "--admin-token", "a", "--admin-token-file", "b"]) == 1
    assert "not both" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["db.example.com", "ftp://x", "http://", "http://a@b", "http://a?b", 'http://a"b'])
def test_public_url_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert main(["--data", str(tmp_path), "--port", "0", "--public-url", url]) == 1
    assert "--public-url must be" in capsys.readouterr().err


def test_any_address_is_announced_as_one_that_can_be_reached(tmp_path: Path) -> None:
    with start_server(tmp_path, host="0.0.0.0") as server:
        shown = server.lines[0].strip().rpartition("@")[2].partition(":")[0]
        # Looked up by another process: tests open no sockets beyond loopback.
        script = "from mesahub_embedded.server.addresses import reachable; print(reachable('0.0.0.0'))"
        assert shown == subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip()
        assert f"http://{shown}:{server.port}" in server.lines[1]
        assert shown != "0.0.0.0"


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("db.example.com", "db.example.com")]
)
def test_reachable_keeps_an_address_that_is_one(host: str, shown: str) -> None:
    assert reachable(host) == shown


def test_reachable_is_loopback_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_routed_address", lambda _: None)
    assert [reachable(host) for host in ("", "0.0.0.0", "::")] == ["127.0.0.1", "127.0.0.1", "[::1]"]


def test_access_log_names_what_was_asked_and_nothing_secret(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    with start_server(tmp_path / "data", arguments=("--access-log", str(file))) as server:
        key = server.new_key("db:main:r")
        body = {"sql": "SELECT 'private'"}
        assert server.call("POST", "/v1/query/main?a=secret", body, token=key)[0] == 200
        assert server.call("GET", '/x%0a"y"?token=secret', token="wrong-token")[0] == 404
        keys = json.loads(server.call("GET", "/api/apikeys")[2])
    lines = file.read_text().splitlines()
    assert len(lines) == 4
    assert f"127.0.0.1 - {keys[0]['id']} [" in lines[1]
    assert '] "POST /v1/query/main" 200 ' in lines[1]
    assert '] "GET /x%0a%22y%22" 404 19 ' in lines[2]
    assert " - admin [" in lines[3]
    text = file.read_text()
    assert not any(secret in text for secret in (key, server.admin_token, "secret", "private", "wrong-token"))


def test_access_log_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path), "--port", "0", "--access-log", str(tmp_path / "no" / "log")]) == 1
    assert "Cannot write the access log" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [("--threads", "0"), ("--per-key", "-1"), ("--max-value", "1.5"), ("--head-timeout", "x"), ("-9",)]
)
def test_options_are_checked(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: mesahub serve" in capsys.readouterr().err


def test_open_opens_the_page_in_a_browser(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    with start_server(tmp_path / "data", arguments=("--open",), env={"BROWSER": f"{browser} %s"}) as server:
        for _ in range(200):
            if opened.exists():
                break
            threading.Event().wait(0.05)
        assert opened.read_text() == f"{server.base_url}/"


def test_open_names_the_page_where_no_browser_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    before = set(threading.enumerate())
    _open_page("https://db.example.com/sqlite")
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert "Open https://db.example.com/sqlite/ yourself" in capsys.readouterr().err
