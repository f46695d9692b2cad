"""MesaHub's dialect, and the one of the guide, under the contract for all dialects."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import sqlite3
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import mesahub
from mesahub import DatabaseHandle, IntegrityError, NoSuchTableError
from mesahub.dialects.base import Dialect
from mesahub.dialects.mesahub.dialect import MesahubDialect
from mesahub.errors import Outcome, ServerError
from mesahub.testing.dialect_contract import DialectContract, Exchange
from mesahub.testing.engine_contract import EngineContract

SQLBOX = Path(__file__).resolve().parents[2] / "docs/examples/mesahub-sqlbox"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SQLBOX / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


sqlbox = load("mesahub_sqlbox")
example: Any = load("test_contract")


class TestSqlbox(example.TestSqlbox):  # type: ignore[misc]
    """The example of the guide "Writing a dialect"."""


def test_the_example_is_short() -> None:
    assert len((SQLBOX / "mesahub_sqlbox.py").read_text("utf-8").splitlines()) <= 60


class TestMesahub(DialectContract):
    urls = ("mh://shk_1234@host.example/db", "mh://shk_1234@localhost:4004/db")
    exchanges = (
        Exchange(
            "SELECT a, b FROM t",
            {
                "headers": [{"name": "a", "originalType": "REAL"}, {"name": "b", "originalType": "BLOB"}],
                "rows": [{"a": 3, "b": "AAE="}],
                "stat": {},
            },
            columns=["a", "b"],
            rows=[(3.0, b"\x00\x01")],
        ),
        Exchange("UPDATE t SET a = 1", {"rowsAffected": 2, "lastInsertRowid": 9, "stat": {}}, affected=2),
        Exchange("INSERT INTO t VALUES (1)", {"rowsAffected": 1, "lastInsertRowid": 9}, affected=1, rowid=9),
        Exchange("SELECT 1", {"error": "no such table: t"}, status=400, raises=NoSuchTableError),
        Exchange(
            "INSERT INTO t VALUES (1)",
            {"error": "UNIQUE constraint failed: t.a"},
            status=400,
            raises=IntegrityError,
        ),
        Exchange(
            "INSERT INTO t VALUES (1)",
            {"error": "database is locked"},
            status=503,
            raises=ServerError,
            outcome=Outcome.REFUSED,
        ),
    )

    @pytest.fixture
    def dialect(self) -> Dialect:
        return MesahubDialect()


def by_name(sql: str, row: list[Any]) -> list[Any] | dict[str, Any]:
    """The values of a statement, in the form that Python's module wants for parameters with names."""
    found = dict.fromkeys(re.findall(r"[:@$](\w+)", sql))
    return dict(zip(found, row, strict=True)) if found and len(found) == len(row) else row


class SqlboxServer(BaseHTTPRequestHandler):
    """An engine of another language: one SQLite in memory."""

    database: sqlite3.Connection
    lock = threading.Lock()

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        args = [[bytes.fromhex(v["hex"]) if isinstance(v, dict) else v for v in row] for row in asked["args"]]
        status, answer = 200, {}
        cursor = self.database.cursor()
        with self.lock:
            try:
                rows: list[Any] = []
                changes = 0
                for row in args:
                    cursor = self.database.execute(asked["sql"], by_name(asked["sql"], row))
                    rows += cursor.fetchall()
                    changes += max(cursor.rowcount, 0)
                self.database.commit()
                columns = [column[0] for column in cursor.description or ()]
                if columns and asked["sql"].lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE"):
                    changes = len(rows)
                shown = [[self.shown(value) for value in row] for row in rows]
                answer = {"cols": columns, "rows": shown, "changes": changes, "last": cursor.lastrowid}
            except sqlite3.Error as error:
                self.database.rollback()
                status, answer = 400, {"error": str(error)}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @staticmethod
    def shown(value: Any) -> Any:
        if isinstance(value, bytes):
            return {"hex": value.hex()}
        return {"real": repr(value)} if value in (math.inf, -math.inf) else value

    def log_message(self, format: str, *args: Any) -> None:
        pass


class TestSqlboxEngine(EngineContract):
    @pytest.fixture
    def db(self) -> Iterator[DatabaseHandle]:
        SqlboxServer.database = sqlite3.connect(":memory:", check_same_thread=False)
        server = ThreadingHTTPServer(("127.0.0.1", 0), SqlboxServer)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        with mesahub.MesahubClient("key", url, dialect=sqlbox.SqlboxDialect) as client:
            yield client.db("notes")
        server.shutdown()
        server.server_close()
        SqlboxServer.database.close()


class TestEmbeddedEngine(EngineContract):
    @pytest.fixture
    def db(self, tmp_path: Path) -> Iterator[DatabaseHandle]:
        with mesahub.connect("mh://local/contract", data=str(tmp_path)) as handle:
            yield handle


class TestMesahubEngine(EngineContract):
    @pytest.fixture
    def db(self, server: Any, request: pytest.FixtureRequest) -> Iterator[DatabaseHandle]:
        name = f"engine-{abs(hash(request.node.name))}"
        server.new_database(name)
        with mesahub.connect(server.url(name)) as handle:
            yield handle
