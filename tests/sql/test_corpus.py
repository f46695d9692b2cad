"""A corpus of real SQL keeps its meaning: what was sent to the real server, a small shop, and corners of the grammar.

It runs twice, statement by statement: on one database as it was written and bound natively; on the other in its
canonical form, lowered, and bound as the server binds. Each answer must be the same, and so must the whole database
in the end.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from mesahub import ArgumentError
from mesahub.dialects.mesahub.lowering import restore_name
from mesahub.sql import Statement, analyze, canonical, prepare, split_script, tokenize
from tests.server.replay import exchanges
from tests.sql.native import connect, run_lowered, run_natively, typed

SHOP = """
CREATE TABLE artist (artist_id INTEGER PRIMARY KEY, name NVARCHAR(120) COLLATE NOCASE); -- who
CREATE TABLE album (
    album_id INTEGER NOT NULL, title NVARCHAR(160) NOT NULL, artist_id INTEGER NOT NULL,
    CONSTRAINT [pk_album] PRIMARY KEY (album_id),
    FOREIGN KEY (artist_id) REFERENCES artist (artist_id) ON DELETE CASCADE ON UPDATE NO ACTION
);
CREATE TABLE track (
    track_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL CHECK (name <> ''),
    album_id INTEGER REFERENCES album,
    price NUMERIC(10, 2) NOT NULL DEFAULT 0.99, bytes INT, cover BLOB, added TEXT DEFAULT (datetime(0, 'unixepoch')),
    cents INTEGER GENERATED ALWAYS AS (CAST(price * 100 AS INTEGER)) VIRTUAL, UNIQUE (name, album_id) ON CONFLICT ABORT
);
CREATE TABLE "odd ""name"" [x]" (`a;b` TEXT, [c'd] INTEGER, "select" REAL, PRIMARY KEY (`a;b`)) WITHOUT ROWID;
CREATE TABLE log (what ANY, n INTEGER);
CREATE UNIQUE INDEX track_by_name ON track (name COLLATE NOCASE DESC, album_id) WHERE price > 0;
CREATE INDEX album_by_length ON album (length(title));
CREATE VIEW priced AS SELECT t.name, a.title, t.price FROM track AS t LEFT JOIN album a USING (album_id);
CREATE TRIGGER logged AFTER INSERT ON track WHEN new.price > 0.5 BEGIN
    INSERT INTO log VALUES ('in; ' || new.name, CASE WHEN new.bytes > 5 THEN 1 ELSE 0 END); /* ; END; */
    UPDATE album SET title = title || '!' WHERE album_id = new.album_id;
END;
CREATE TRIGGER instead INSTEAD OF DELETE ON priced BEGIN DELETE FROM track WHERE name = old.name; END;
INSERT INTO artist VALUES (1, 'AC/DC'), (2, 'Ärzte -- die'), (3, 'O''Brien; /* no comment */');
REPLACE INTO album (album_id, title, artist_id) SELECT artist_id * 10, name || ' "live"', artist_id FROM artist;
"""

# fmt: off
CORNERS: list[tuple[str, Any]] = [
    ("INSERT INTO track (name, album_id, price, bytes, cover) VALUES (?, ?, ?, ?, ?)", ["One", 10, 1, 2**60, b"\0a"]),
    ("INSERT INTO track (name, album_id) VALUES (:n, :a), (:n || '2', @a)", {"n": "T", "a": 20}),
    ("INSERT INTO track(name,album_id)VALUES(?,?)ON CONFLICT(name,album_id)DO UPDATE SET bytes=?+1", ["One", 10, 5]),
    ("INSERT INTO track (name, album_id) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING *", ["One", 10]),
    ("INSERT INTO log VALUES (?, ?), (?2, ?1)", [5, "5"]),
    ('INSERT INTO "odd ""name"" [x]" (`a;b`, [c\'d], "select") VALUES (?, ?, ?)', [5, "6", 7]),
    ('SELECT `a;b`, [c\'d], "select" FROM "odd ""name"" [x]" WHERE `a;b`=?AND[c\'d]=?OR"select">=?', [5, 6, 7]),
    ("SELECT*FROM artist WHERE name=?COLLATE NOCASE", ["ac/dc"]),
    ("SELECT CASE?WHEN(1)THEN'one'ELSE?END", [1, 2]),
    ("SELECT 1-?,1- -?,-?,~?,+?,NOT?", [1, 2, 3, 4, 5, 6]),
    ("SELECT ?<<?, ?|?, ?&?, ?%?, ?/?", [1, 40, 1, 2**40, 7, 3, 7, 4, 7, 2]),
    ("SELECT '{\"a\":[1,2,3]}'->'a'->?, '[1,2]'->>?", [1, 1]),
    ("SELECT x.value ->> '$.k' FROM json_each(?) x WHERE x.key BETWEEN ? AND ?", ['[{"k":1},{"k":2},{"k":3}]', 1, 2]),
    ("SELECT (?,?)=(1,2), (1,2)IN(VALUES(?,?)), ?IN(1,2), ?NOT IN(?,?)", [1, 2, 1, 2, 1, 1, 1, 2]),
    ("SELECT name FROM track ORDER BY price COLLATE BINARY DESC NULLS LAST, 1 LIMIT ?,?", [0, 2]),
    ("SELECT name FROM track LIMIT -1 OFFSET ?", [1]),
    ("SELECT sum(price) OVER (ORDER BY track_id ROWS BETWEEN ? PRECEDING AND ? FOLLOWING) FROM track", [1, 1]),
    ("SELECT count(*) FILTER (WHERE price > ?), group_concat(name, ?) FROM track GROUP BY album_id > ?", [0, "; ", 10]),
    ("WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i+? FROM n WHERE i<?) SELECT i, typeof(i) FROM n", [1, 2, 9]),
    ("WITH a AS MATERIALIZED (SELECT ? AS x), b AS NOT MATERIALIZED (SELECT ? AS y) SELECT * FROM a, b", [1, b"b"]),
    ("WITH gone AS (SELECT ? AS n) DELETE FROM log WHERE n IN (SELECT n FROM gone)", [5]),
    ("UPDATE track SET (bytes, price) = (?, price + ?) FROM album a WHERE a.album_id = ?", [5, 1, 10]),
    ("UPDATE OR IGNORE track SET bytes = NULL WHERE bytes IS NOT ? AND name NOT LIKE ? ESCAPE '!'", [5, "T!_%"]),
    ("DELETE FROM priced WHERE name GLOB ? RETURNING name", ["T*2"]),
    ("EXPLAIN QUERY PLAN SELECT * FROM track WHERE track_id = ? AND name = ?", [5, "One"]),
    ("EXPLAIN QUERY PLAN SELECT * FROM track WHERE track_id IN (?, ?) AND bytes BETWEEN ? AND ?", [5, 6, 7, 8]),
    ("SELECT x'00ff', X'', 0x1F, 1e3, .5, 5., 'it''s', \"it\"\"s\" FROM (SELECT 1 AS \"it\"\"s\")", None),
    ("SELECT typeof(?), typeof(?), typeof(?), typeof(?), typeof(?), typeof(?)", [1, 1.0, "1", b"1", None, True]),
    ("SELECT ?1, ?3, ?2, ?", [1, "b", b"c", 4]),
    ("SELECT $a::b(c) + @a + :a", {"a::b(c)": 1, "a": 2}),
    ("SELECT max(?, ?), min(?, 'a'), abs(?), round(?, ?), substr('abc', ?)", [1, 2, 3, -4, 2.55, 1, 2]),
    ("SELECT CAST(? AS TEXT), CAST(? AS BLOB), CAST(? AS REAL), CAST(? AS NUMERIC)", [5, 6, 7, "8"]),
    ("SELECT EXISTS(SELECT ?), (SELECT ?), [?].x FROM (SELECT ? AS x) AS [?]", [1, 2, 3]),
    ("SELECT strftime('%Y', ?, 'unixepoch'), iif(?, 'yes', 'no'), quote(?), hex(?)", [1_700_000_000, 0, 5, b"hi"]),
    ("SELECT ? IS NULL, ? ISNULL, ? NOTNULL, ? IS TRUE, ? IS NOT DISTINCT FROM ?", [1, 2, 3, 4, 5, 5]),
    ("CREATE TABLE made AS SELECT ? AS a, name FROM track WHERE price >= ?", [5, 0]),
    ("SELECT ?\n--\n,/*?*/?", [1, 2]),
]
# fmt: on


# What gives something else each time, writes files, or makes a hundred thousand rows.
CHANGING = re.compile(r"random|now|current_|vacuum|\bcap\b|x < \d{6}", re.IGNORECASE)


def _recorded() -> Iterator[tuple[str, Any]]:
    for exchange in exchanges():
        body = exchange.request["body"]
        try:
            body = json.loads(body) if isinstance(body, str) else body
        except ValueError:
            continue
        if isinstance(body, dict) and isinstance(body.get("sql"), str):
            for text in split_script(body["sql"]):
                yield text, body.get("bindings")


def _prepared(texts: Iterable[tuple[str, Any]]) -> Iterator[Statement]:
    for text, bindings in texts:
        try:
            yield prepare(text, bindings, operation="exec")
        except ArgumentError:  # among the recorded there are some that must not be sent, and values that do not fit
            continue


def _outcome(run: Any, connection: sqlite3.Connection, statement: Statement) -> Any:
    try:
        return typed(run(connection, statement))
    except sqlite3.Error as error:
        return type(error), restore_name(str(error))


@pytest.mark.parametrize("part", ["ours", "recorded"])
def test_the_corpus_means_the_same(part: str) -> None:
    ours = [*[(text, None) for text in split_script(SHOP)], *CORNERS]
    texts = ours if part == "ours" else list(_recorded())
    statements = list(_prepared(texts))
    assert len(statements) == len(ours) if part == "ours" else len(statements) > 250
    native, wire = connect(), connect()
    for statement in statements:
        if CHANGING.search(statement.sql):
            continue
        expected = _outcome(run_natively, native, statement)
        if part == "ours" and sqlite3.sqlite_version_info >= (3, 39):
            assert isinstance(expected, list), (statement.sql, expected)
        sent = Statement(canonical(statement.sql), statement.bindings, statement.verb, statement.writes)
        assert _outcome(run_lowered, wire, sent) == expected, statement.sql
    assert list(map(canonical, wire.iterdump())) == list(map(canonical, native.iterdump()))
    native.close()
    wire.close()


def test_tokens_joined_with_blanks_compile_to_the_same_program() -> None:
    connection = connect()
    connection.executescript(SHOP)
    programs = 0
    for sql, _ in CORNERS:
        spread = " ".join(text for kind, text, _ in tokenize(sql) if kind not in ("space", "comment"))
        values = [None] * analyze(sql).highest
        expected = _outcome(run_natively, connection, Statement(f"EXPLAIN {sql}", values, "explain", False))
        assert _outcome(run_natively, connection, Statement(f"EXPLAIN {spread}", values, "explain", False)) == expected
        programs += isinstance(expected, list)
    assert programs >= 30
    connection.close()
