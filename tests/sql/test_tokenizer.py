"""The tokenizer cuts SQL where SQLite cuts it, and loses nothing."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesahub.sql import canonical, tokenize
from tests.properties import examples
from tests.sql.native import connect

PIECES = [
    "SELECT", "select", "x", "X", "é", "a$1", "_b", "'a'", "'a''b'", "'", '"a"', '"a""b"', '"', "`a`", "[a]",
    "[", "]", "x'61'", "X'", "0", "12", "1.5", ".5", "1.", "1e5", "1E-5", "1e", "0x1F", "0x", "1_000", "?",
    "?1", "?02", ":a", "@a", "$a", "$a::b", "$a(b c)", "$a::b(c)", ":", "@", "$", "#", "#1", "::", "--", "-",
    "/*", "*/", "/", "*", "+", "%", "=", "==", "<", "<=", "<>", "<<", ">", ">=", ">>", "!", "!=", "|", "||",
    "&", "~", "(", ")", ",", ".", ";", "->", "->>", " ", "\t", "\n", "\r", "\x0c", "\x0b", "\ufeff", "\xa0",
    "٣", "\\", "{", "\x7f", "\x01",
]  # fmt: skip
pieces = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=20)


def kinds(sql: str) -> list[tuple[str, str]]:
    return [(kind, text) for kind, text, _ in tokenize(sql) if kind != "space"]


@examples(400)
@given(sql=pieces)
def test_nothing_is_lost(sql: str) -> None:
    tokens = tokenize(sql)
    assert "".join(text for _, text, _ in tokens) == sql
    at = 0
    for _, text, offset in tokens:
        assert text
        assert offset == at
        at += len(text)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("'it''s'", [("string", "'it''s'")]),
        ("'a' 'b'", [("string", "'a'"), ("string", "'b'")]),
        ('"a""b"', [("name", '"a""b"')]),
        ("`a``b`", [("name", "`a``b`")]),
        ("[a]]", [("name", "[a]"), ("illegal", "]")]),
        ("[a--]", [("name", "[a--]")]),
        ("x'61'X'62'", [("blob", "x'61'"), ("blob", "X'62'")]),
        ("x 'a'", [("word", "x"), ("string", "'a'")]),
        ("ax'61'", [("word", "ax"), ("string", "'61'")]),
        ("1 1.5 .5 1. 1e5 1E+5 .5e-5", [("number", text) for text in ["1", "1.5", ".5", "1.", "1e5", "1E+5", ".5e-5"]]),
        ("0xFf 1_000 1_0.0_1e1_0", [("number", text) for text in ["0xFf", "1_000", "1_0.0_1e1_0"]]),
        ("1e 12ab 0x 1.5_é 0x1g", [("illegal", text) for text in ["1e", "12ab", "0x", "1.5_é", "0x1g"]]),
        ("1e+", [("illegal", "1e"), ("operator", "+")]),
        ("1..2", [("number", "1."), ("number", ".2")]),
        ("a.b", [("word", "a"), ("operator", "."), ("word", "b")]),
        ("?", [("parameter", "?")]),
        ("?12,?", [("parameter", "?12"), ("operator", ","), ("parameter", "?")]),
        ("?a", [("parameter", "?"), ("word", "a")]),
        ("?\u0663", [("parameter", "?"), ("word", "\u0663")]),
        (":a:b", [("parameter", ":a"), ("parameter", ":b")]),
        (":1 @é $_", [("parameter", ":1"), ("parameter", "@é"), ("parameter", "$_")]),
        ("$a::b(c,d) )", [("parameter", "$a::b(c,d)"), ("operator", ")")]),
        ("a$b", [("word", "a$b")]),
        ("a--b\n/c", [("word", "a"), ("comment", "--b\n"), ("operator", "/"), ("word", "c")]),
        ("--", [("comment", "--")]),
        ("/* /* */ */", [("comment", "/* /* */"), ("operator", "*"), ("operator", "/")]),
        ("/*/ */", [("comment", "/*/ */")]),
        ("/**/1", [("comment", "/**/"), ("number", "1")]),
        ("/* open", [("comment", "/* open")]),
        ("/*", [("operator", "/"), ("operator", "*")]),
        ("-->", [("comment", "-->")]),
        ("a->>b->c", [("word", "a"), ("operator", "->>"), ("word", "b"), ("operator", "->"), ("word", "c")]),
        ("<=<><<< >=>>>", [("operator", text) for text in ["<=", "<>", "<<", "<", ">=", ">>", ">"]]),
        ("==!=||=", [("operator", text) for text in ["==", "!=", "||", "="]]),
        ("!", [("illegal", "!")]),
        ("'open; DROP", [("illegal", "'open; DROP")]),
        ('a"b', [("word", "a"), ("illegal", '"b')]),
        ("\ufeffa\ufeff", [("word", "a\ufeff")]),
        (" \v;", [("semicolon", ";")]),
        ("\v", [("illegal", "\v")]),
        ("\u00a0", [("word", "\u00a0")]),
    ],
)
def test_tokens(sql: str, expected: list[tuple[str, str]]) -> None:
    assert kinds(sql) == expected


VALID = [text for text in PIECES if text.strip() and not text.startswith(("--", "/*"))]


@examples(400)
@given(parts=st.lists(st.sampled_from(VALID), max_size=6), gap=st.sampled_from(["", " "]))
@example(parts=["1", "||", "'a'", ",", "x'61'", "->>", "'$'"], gap="")
@example(parts=["$a::b(c)", "+", "?", "+", ":a"], gap="")
@example(parts=["1", ".", "5"], gap="")
def test_sqlite_sees_the_same_tokens(parts: list[str], gap: str) -> None:
    """Blanks between our tokens change nothing for SQLite: so its tokens end where ours end."""
    sql = "SELECT " + gap.join(parts)
    connection = connect()
    assert _outcome(connection, " ".join(text for kind, text, _ in tokenize(sql))) == _outcome(connection, sql)
    connection.close()


def _outcome(connection: sqlite3.Connection, sql: str) -> object:
    try:
        return connection.execute(f"EXPLAIN {sql}", dict.fromkeys("abc123")).fetchall()
    except sqlite3.ProgrammingError as error:
        return str(error)[:30]
    except sqlite3.Error:
        return "refused"


@examples(400)
@given(sql=pieces)
@example(sql="'a'\ufeff\x0b")
@example(sql="'a' /* */\x0b")
def test_a_canonical_text_is_its_own_canonical_text(sql: str) -> None:
    once = canonical(sql)
    assert canonical(once) == once
    significant = [text for kind, text, _ in tokenize(sql) if kind not in ("space", "comment")]
    while significant and significant[-1] == ";":
        significant.pop()
    assert [text for kind, text, _ in tokenize(once) if kind != "space"] == significant


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("  SELECT\n\t1  ;; ", "SELECT 1"),
        ("SELECT/* a */1", "SELECT 1"),
        ("SELECT 1 -- the end", "SELECT 1"),
        ("SELECT 'a  -- b', \"c  d\"", "SELECT 'a  -- b', \"c  d\""),
        ("SELECT a.b", "SELECT a.b"),
        ("", ""),
        ("; -- nothing", ""),
    ],
)
def test_canonical(sql: str, expected: str) -> None:
    assert canonical(sql) == expected


def test_letters_and_blanks_in_literals_still_tell_two_texts_apart() -> None:
    texts = ["SELECT 'a b'", "SELECT 'a  b'", "SELECT 'A b'", "select 'a b'", 'SELECT "a b"']
    assert len({canonical(text) for text in texts}) == len(texts)


def test_sqlites_compilation_of_a_canonical_text_is_the_same() -> None:
    connection = connect()
    connection.execute("CREATE TABLE t (a, b)")
    sql = "SELECT /* x */ a -- y\n , b FROM\tt WHERE a = ' -- '  AND b<>'/*'"
    with suppress(sqlite3.Error):
        connection.execute("SELECT * FROM nosuch")
    explained = connection.execute(f"EXPLAIN {sql}").fetchall()
    assert explained == connection.execute(f"EXPLAIN {canonical(sql)}").fetchall()
    connection.close()
