"""A value that was redacted anywhere is nowhere in a cassette, or the cassette is not written."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mesahub
from mesahub import DatabaseHandle
from mesahub.transport import Request, Response, TransportOptions
from mesahub_recorder import CassetteError, RecorderTransport
from mesahub_recorder.redaction.leak_check import Secrets

SECRET = 'hunter2"é/secret'
HIDDEN = ["password", "pin", "*_token"]


class Engine:
    """Answers every statement with an empty result: a transport."""

    def __init__(self, rows: list[dict[str, Any]] | None = None, payload: Any = None) -> None:
        self.rows = rows or []
        self.payload = payload

    def send(self, request: Request) -> Response:
        if self.payload is not None:
            return Response(200, {"content-type": "application/json"}, payload=self.payload)
        if request.operation == "exec":
            return Response(200, payload={"rowsAffected": 1, "lastInsertRowid": 1})
        names = list(self.rows[0]) if self.rows else ["n"]
        headers = [{"name": name, "originalType": ""} for name in names]
        return Response(200, payload={"headers": headers, "rows": self.rows})

    def close(self) -> None: ...


def connect(folder: Path, engine: Engine | None = None, **options: Any) -> DatabaseHandle:
    options = {"cassette": folder / "c.json", "mode": "record", "redact": HIDDEN, **options}
    client = mesahub.MesahubClient(
        api_url="http://core", api_key="k" * 20, transport="recorder", inner=engine or Engine(), allow_insecure=True,
        **options,
    )  # fmt: skip
    return client.db("db")


def written(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.rglob("*") if path.is_file())


def encodings(secret: str) -> list[str]:
    raw = secret.encode()
    return [
        secret, json.dumps(secret), json.dumps({"a": [json.dumps(secret)]}), quote(secret, safe=""), raw.hex(),
        raw.hex().upper(), base64.b64encode(raw).decode(), base64.urlsafe_b64encode(b"x" + raw).decode(),
        f"x{secret}y", f"%{secret}%", secret.upper(), base64.b64encode(json.dumps({"k": secret}).encode()).decode(),
    ]  # fmt: skip


STATEMENTS = [
    "SELECT * FROM t WHERE password IN (?, 'a', 'b')",
    "SELECT * FROM t WHERE password IN (1, 2, 3, 4, 5, 6, 7, ?)",
    "SELECT * FROM t WHERE password NOT IN ('x', ?)",
    "SELECT * FROM t WHERE t.password IN (SELECT value FROM json_each(?))",
    "SELECT * FROM t WHERE lower(password) LIKE lower(?) ESCAPE '\\'",
    "SELECT * FROM t WHERE ? = password",
    "SELECT * FROM t WHERE (password, id) > (?, 1)",
    "SELECT * FROM t WHERE (id, password) > (1, ?)",
    "SELECT * FROM t WHERE password BETWEEN ? AND 'z'",
    "SELECT * FROM t WHERE password BETWEEN 'a' AND ?",
    "SELECT * FROM t WHERE instr(password, ?) > 0",
    "SELECT * FROM t WHERE password || '' = ?",
    "SELECT * FROM t WHERE json_extract(data, '$.password') = ?",
    "SELECT * FROM t WHERE data ->> 'password' = ?",
    "SELECT * FROM (SELECT password AS p FROM t) WHERE p = ?",
    "SELECT password p FROM t GROUP BY 1 HAVING p = ?",
    "WITH c(p) AS (SELECT password FROM t) SELECT * FROM c WHERE p = ?",
    "SELECT * FROM t WHERE CASE WHEN password = ? THEN 1 ELSE 0 END",
    "SELECT max(password, ?) FROM t",
    "SELECT coalesce(password, ?) AS x FROM t",
    "SELECT password = ? AS same FROM t",
    "SELECT * FROM t JOIN u ON u.password = ?",
    "SELECT * FROM t WHERE \"password\" = ?",
    "SELECT * FROM t WHERE [password] IS ?",
    "SELECT * FROM t WHERE `password` IS NOT ?",
    "SELECT * FROM t WHERE password GLOB ?",
    "SELECT * FROM t ORDER BY password = ? LIMIT 1",
    "SELECT * FROM t WHERE ?1 IN (password, name)",
    "INSERT INTO t VALUES (NULL, ?, 1)",
    "INSERT INTO t (id, password) VALUES (NULL, trim(?))",
    "INSERT INTO t (id, password) VALUES (NULL, CAST(? AS TEXT))",
    "INSERT INTO t (id, password) VALUES (1, 'x'), (2, ?)",
    "INSERT INTO t (id, password) VALUES (max(1, 2), ?)",
    "INSERT INTO t (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'x', password = ?",
    "INSERT INTO t (password) SELECT ?",
    "REPLACE INTO t (password) VALUES (?)",
    "INSERT INTO t AS a (id, \"password\") VALUES (1, ?)",
    "WITH x AS (SELECT 1) INSERT INTO t (id, password) VALUES (1, ?)",
    "UPDATE t SET name = 'x', password = ?",
    "UPDATE t SET (name, password) = ('x', ?)",
    "UPDATE t SET password = trim(?)",
    "UPDATE t SET data = json_set(data, '$.password', ?)",
    "UPDATE t SET password = coalesce(?, 'x')",
    "DELETE FROM t WHERE password = ?",
    "DELETE FROM t WHERE id IN (SELECT id FROM u WHERE password = ?)",
    "INSERT INTO t (data) VALUES (json_object('password', ?))",
]  # fmt: skip


@pytest.mark.parametrize("sql", STATEMENTS)
def test_redact_hides_a_value_wherever_the_statement_has_it(tmp_path: Path, sql: str) -> None:
    db = connect(tmp_path)
    run = db.query if sql.startswith(("SELECT", "WITH c")) else db.exec
    run(sql, [SECRET])
    db.client.close()
    assert "<redacted" in written(tmp_path)
    assert "hunter2" not in written(tmp_path)


@pytest.mark.parametrize("name", ["password", "my_token"])
def test_redact_hides_named_bindings(tmp_path: Path, name: str) -> None:
    db = connect(tmp_path)
    db.query("SELECT * FROM t WHERE password = :p", {"p": SECRET})
    db.exec(f"INSERT INTO t (a) VALUES (:{name})", {name: SECRET})
    db.client.close()
    assert "hunter2" not in written(tmp_path)


@pytest.mark.parametrize(
    "value", [{"in": [SECRET, *"abcdefg"]}, {"in": [SECRET] * 300}, {"ilike": f"%{SECRET}%"}, {"contains": SECRET},
              {"gte": "a", "lt": SECRET}, {"not_in": [SECRET]}, {"startswith": SECRET}, {"between": [SECRET, "z"]}],
)  # fmt: skip
def test_redact_hides_what_the_table_api_compiles(tmp_path: Path, value: dict[str, Any]) -> None:
    db = connect(tmp_path)
    db.table("t").find(where={"password": value, "name": "visible"}, order_by=["id"], limit=1234)
    db.client.close()
    text = written(tmp_path)
    assert "hunter2" not in text
    assert "visible" in text
    assert "1234" in text


def test_redact_leaves_other_values_as_they_are(tmp_path: Path) -> None:
    db = connect(tmp_path)
    db.exec("INSERT INTO t (name, password) VALUES (?, ?)", ["Anna", SECRET])
    db.table("t").find(where={"name": {"ilike": "anna"}, "password": SECRET})
    db.client.close()
    entries = json.loads((tmp_path / "c.json").read_text())["interactions"][:-1]
    assert entries[0]["bindings"][0] == "Anna"
    assert "anna" in entries[1]["bindings"]
    assert entries[0]["bindings"][1] in entries[1]["bindings"]


@pytest.mark.parametrize(
    ("sql", "column"),
    [
        ("SELECT password AS x FROM t", "x"),
        ("SELECT max(password) FROM t", "max(password)"),
        ("SELECT id, password p, name FROM t", "p"),
        ("SELECT substr(password, 1, 20) AS head FROM t", "head"),
        ("SELECT (SELECT password FROM t) AS a", "a"),
        ("WITH c AS (SELECT password AS p FROM t) SELECT p FROM c", "p"),
        ("SELECT data ->> '$.password' AS v FROM t", "v"),
        ("SELECT *, upper(password) AS loud FROM t", "loud"),
        ("SELECT * FROM t", "api_token"),
        ("SELECT name FROM t UNION SELECT password FROM t", "name"),
    ],
)
def test_redact_hides_result_columns_whatever_their_name(tmp_path: Path, sql: str, column: str) -> None:
    names = ["id", column, "name"] if "id, password" in sql else [column]
    db = connect(tmp_path, Engine([{name: SECRET if name == column else "plain" for name in names}]))
    assert db.query(sql).rows[0][column] == SECRET
    db.client.close()
    assert "hunter2" not in written(tmp_path)


@pytest.mark.parametrize("encoded", [*encodings(SECRET), SECRET.encode(), b"\0\xff" + SECRET.encode("utf-16-le")])
def test_a_cassette_that_has_a_redacted_value_in_any_encoding_is_not_written(
    tmp_path: Path, encoded: str | bytes
) -> None:
    db = connect(tmp_path)
    db.exec("UPDATE t SET password = ?", [SECRET])
    db.query("SELECT ? AS x", [encoded])
    with pytest.raises(CassetteError, match="redacted as 'password'") as caught:
        db.client.close()
    assert "hunter2" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("again", [734512, "734512", "pin: 734512.", [{"pin": 734512}], b"734512"])
def test_a_redacted_number_is_found_as_a_number_and_as_text(tmp_path: Path, again: Any) -> None:
    db = connect(tmp_path)
    db.exec("UPDATE t SET pin = ?", [734512])
    db.exec("UPDATE t SET other = ?", [json.dumps(again) if isinstance(again, list) else again])
    if isinstance(again, list):
        db.client.close()
        assert "734512" not in written(tmp_path)  # JSON with a member of a secret name is redacted as a whole
        return
    with pytest.raises(CassetteError, match="redacted as 'pin'"):
        db.client.close()


def test_a_literal_in_the_place_of_a_secret_is_not_written(tmp_path: Path) -> None:
    db = connect(tmp_path)
    db.exec("INSERT INTO t (id, password) VALUES (1, 'hunter2')")
    with pytest.raises(CassetteError, match="bindings, not in the SQL"):
        db.client.close()
    assert not list(tmp_path.iterdir())


def test_what_the_service_issues_is_always_redacted(tmp_path: Path) -> None:
    issued = {
        "id": "7",
        "key": "shk_" + "a1" * 32,
        "name": "visible",
        "nested": [{"api_key": "issued-key-1", "confirm_token": "issued-token-2"}],
        "url": "https://host/db/file/1?token=issued-token-3&dis=attachment",
        "upload_url": "https://host/up?X-Amz-Signature=issued-signature-4&X-Amz-Expires=60",
    }
    db = connect(tmp_path, Engine(payload=issued), redact=[])
    assert db.files.presign("1")["url"] == issued["url"]
    db.client.close()
    text = written(tmp_path)
    assert "issued-" not in text
    assert "a1a1" not in text
    assert "visible" in text
    assert "https://host/db/file/1?token=redacted-" in text
    assert "dis=attachment" in text


def test_a_batch_of_any_shape_is_redacted(tmp_path: Path) -> None:
    statements = [{"sql": "UPDATE t SET password = ?", "bindings": [SECRET]}, {"sql": "UPDATE t SET name = 'n'"}]
    request = Request("batch", "POST", "/batch", database="db", payload={"deep": [{"statements": statements}]})
    options = {"cassette": tmp_path / "b.json", "mode": "record", "inner": Engine(payload={"ok": 1}), "redact": HIDDEN}
    recorder = RecorderTransport(TransportOptions(options=options))
    recorder.send(request)
    recorder.close()
    assert "hunter2" not in (tmp_path / "b.json").read_text()
    replay = RecorderTransport(TransportOptions(options={"cassette": tmp_path / "b.json", "redact": HIDDEN}))
    assert replay.send(request).payload == {"ok": 1}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    secret=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=8, max_size=40),
    before=st.text(max_size=5),
    way=st.integers(0, 7),
)
def test_secrets_are_found_in_every_encoding(secret: str, before: str, way: int) -> None:
    raw = secret.encode()
    ways = [
        secret, json.dumps(secret), json.dumps(json.dumps([secret])), quote(secret, safe=""), raw.hex(),
        base64.b64encode(before.encode(errors="replace") + raw + b"tail").decode(),
        json.dumps(secret, ensure_ascii=False), quote(json.dumps({"a": secret})),
    ]  # fmt: skip
    secrets = Secrets()
    secrets.add(secret, "password")
    assert secrets.found_in([f"{before}|{ways[way]}|"]) == "password"
    assert "password" not in repr(secrets)


def test_secrets_are_not_found_in_what_only_looks_similar() -> None:
    secrets = Secrets()
    secrets.add("correct horse", "password")
    secrets.add(734512, "pin")
    secrets.add("abc", "short")
    assert secrets.found_in(["correct house", "17345129", "abcdef", "734512345", "1.734512"]) is None
