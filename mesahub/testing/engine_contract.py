"""Tests of mesahub's API on an engine, according to its capabilities: subclass `EngineContract`.

class TestMine(EngineContract):
    @pytest.fixture
    def db(self) -> Iterator[DatabaseHandle]:
        with mesahub.connect("mine://key@localhost/test") as db:   # an empty database
            yield db
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mesahub.errors import (
    ArgumentError,
    IntegrityError,
    MesahubError,
    NoSuchTableError,
    SQLError,
    UnsupportedError,
)

DatabaseHandle = Any
"""A `mesahub.DatabaseHandle`: this module is below it, and so cannot name it."""

__all__ = ["EngineContract"]

VALUES = [
    None, 0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 3.0, 1.5, 1e300, 1 / 3, "", "YWJj", "1", "ä€😀", "'\"\\%_", b"",
    b"\x00\xff",
]  # fmt: skip


class EngineContract:
    """Tests of an engine. Override the fixture `db`, which gives an empty database to each test."""

    @pytest.fixture
    def db(self) -> Iterator[DatabaseHandle]:
        """An empty database."""
        raise NotImplementedError(f"{type(self).__name__} must define a fixture named db.")

    def test_a_table_is_written_and_read(self, db: DatabaseHandle) -> None:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)")
        t = db.table("t")
        assert t.insert({"name": "Ann", "n": 1}) == {"id": 1, "name": "Ann", "n": 1}
        assert t.insert_many([{"name": "Bob", "n": 2}, {"name": "Cy", "n": None}]).rows_affected in (2, None)
        assert [row["name"] for row in t.find({"n": {"gte": 1}}, order_by=["-n"])] == ["Bob", "Ann"]
        assert t.update({"name": "Cy"}, {"n": 3}).rows_affected in (1, None)
        assert t.get(3) == {"id": 3, "name": "Cy", "n": 3}
        assert t.upsert({"id": 3, "name": "Cyd"}) == {"id": 3, "name": "Cyd", "n": 3}
        assert t.delete({"id": {"in": [1, 2]}}).rows_affected in (2, None)
        assert (t.count(), t.exists({"id": 3})) == (1, True)
        assert [row["id"] for row in t.iterate(batch_size=1)] == [3]

    def test_values_are_exact(self, db: DatabaseHandle) -> None:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, one, many)")
        t = db.table("t")
        for number, value in enumerate(VALUES, 1):
            db.exec("INSERT INTO t (id, one) VALUES (?, ?)", [number, value])
        db.exec("CREATE TABLE u (id INTEGER PRIMARY KEY, many)")
        db.table("u").insert_many([{"id": number, "many": value} for number, value in enumerate(VALUES, 1)])
        rows = db.rows("SELECT t.one, u.many FROM t JOIN u USING (id) ORDER BY t.id").tuples()
        assert repr(rows) == repr([(value, value) for value in VALUES])
        for number, value in enumerate(VALUES, 1):
            if value is not None:
                assert number in [row["id"] for row in t.find({"one": value}, ["id"])]

    def test_columns_of_one_name_stay_apart(self, db: DatabaseHandle) -> None:
        rows = db.rows("SELECT 1 AS a, 2.0 AS a, 'x' AS b")
        assert (rows.columns, rows.tuples()) == (("a", "a", "b"), [(1, 2.0, "x")])

    def test_infinities_are_exact(self, db: DatabaseHandle) -> None:
        assert db.rows("SELECT 9e999, -9e999").tuples() == [(math.inf, -math.inf)]

    def test_parameters_by_name_and_number(self, db: DatabaseHandle) -> None:
        assert db.query("SELECT :a AS a, @b AS b, :a AS c", {"a": 1, "b": "x"}).rows == [{"a": 1, "b": "x", "c": 1}]
        assert db.query("SELECT ?2 AS a, ?1 AS b", [1, 2]).rows == [{"a": 2, "b": 1}]

    def test_a_long_list_is_exact(self, db: DatabaseHandle) -> None:
        db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        db.table("t").insert_many([{"id": number} for number in range(300)])
        wanted = [*range(0, 300, 2), 2**60]
        assert len(db.table("t").find({"id": {"in": wanted}})) == 150
        assert len(db.table("t").find({"id": {"not_in": wanted}})) == 150

    def test_errors_have_specific_classes(self, db: DatabaseHandle) -> None:
        db.exec("CREATE TABLE t (a UNIQUE NOT NULL)")
        db.exec("INSERT INTO t VALUES (1)")
        with pytest.raises(IntegrityError) as caught:
            db.exec("INSERT INTO t VALUES (1)")
        assert caught.value.kind == "unique"
        with pytest.raises(IntegrityError):
            db.exec("INSERT INTO t VALUES (NULL)")
        with pytest.raises(NoSuchTableError):
            db.query("SELECT * FROM missing")
        with pytest.raises(SQLError):
            db.query("SELEC 1")
        with pytest.raises(SQLError):
            db.query("SELECT missing FROM t")

    def test_invalid_arguments_are_rejected_before_sending(self, db: DatabaseHandle) -> None:
        for sql in ("", "SELECT 1; SELECT 2", "BEGIN", "ATTACH 'x' AS y"):
            with pytest.raises(ArgumentError):
                db.exec(sql)
        most = db.capabilities.max_bindings
        if most is not None:
            with pytest.raises(ArgumentError):
                db.query(f"SELECT {', '.join('?' * (most + 1))}", [1] * (most + 1))

    def test_a_statement_that_fails_leaves_nothing(self, db: DatabaseHandle) -> None:
        db.exec("CREATE TABLE t (a CHECK (a < 10))")
        with pytest.raises(IntegrityError):
            db.table("t").insert_many([{"a": number} for number in range(20)])
        assert db.table("t").count() == 0

    def test_threads_lose_no_update(self, db: DatabaseHandle) -> None:
        db.exec("CREATE TABLE t (n INTEGER)")
        db.exec("INSERT INTO t VALUES (0)")
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: db.exec("UPDATE t SET n = n + 1"), range(40)))
        assert db.rows("SELECT n FROM t").scalar() == 40

    def test_a_batch_does_all_or_nothing(self, db: DatabaseHandle) -> None:
        db.exec("CREATE TABLE t (a INTEGER CHECK (a < 10))")
        if db.capabilities.batch == "none":
            with pytest.raises(UnsupportedError):
                db.batch(["INSERT INTO t VALUES (1)"])
            return
        assert len(db.batch([("INSERT INTO t VALUES (?)", [1]), "UPDATE t SET a = a + 1"], idempotent=True)) == 2
        with pytest.raises(IntegrityError):
            db.batch(["DELETE FROM t", ("INSERT INTO t VALUES (?)", [10])])
        assert db.rows("SELECT a FROM t").tuples() == [(2,)]

    def test_unsupported_features_raise_unsupported_error(self, db: DatabaseHandle) -> None:
        able: Any = db.capabilities
        uses: dict[str, Any] = {
            "files": lambda: db.files,
            "admin": lambda: db.client.admin,
            "databases": lambda: db.client.db("another"),
        }
        for name, use in uses.items():
            if getattr(able, name):
                use()
            else:
                with pytest.raises(UnsupportedError):
                    use()
        with pytest.raises(MesahubError):
            db.query("SELECT 1", consistency="no-such-level")
