"""Cassettes are input: whatever is in one, reading it ends at once, with an answer or a CassetteError."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mesahub
from mesahub_recorder import CassetteError
from mesahub_recorder.cassette import Cassette
from mesahub_recorder.maintenance import show, statistics

HASH = "0" * 64
QUERY = {"call": "query", "database": "db", "sql": "SELECT 1", "answer": {"columns": [["a", ""]], "rows": [[1]]}}
OTHER = {"call": "files.list", "database": "db", "request": {"method": "GET", "path": "/"}, "answer": {"json": {}}}
BULK = {"call": "exec", "database": "db", "sql": "INSERT", "values": [[1]], "answer": {"affected": 1, "rowid": 1}}


def document(*interactions: Any, **header: Any) -> dict[str, Any]:
    return {"mesahub_cassette": 1, "recorded": 1, "salt": "s", "interactions": [*interactions], **header}


def load(path: Path, content: Any) -> None:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    cassette = Cassette.load(path)
    list(show(cassette))
    statistics(cassette)


def changed(base: dict[str, Any], *path: str, to: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(base))
    inner = made
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = to
    return made


def each(base: dict[str, Any], path: list[str], variants: list[Any]) -> list[dict[str, Any]]:
    return [changed(base, *path, to=variant) for variant in variants]


MALFORMED: list[Any] = [
    *each(QUERY, ["call"], [None, 1, [], "exec2"]),
    *each(QUERY, ["database"], [1, [], {}]),
    *each(QUERY, ["sql"], [None, 1, {}, [1], [[]]]),
    *each(QUERY, ["bindings"], [None, 1, "text", {}, [[1]], [{"a": 1}], [{"bytes": "?"}],
                                                  [{"bytes": 1}], [2**63], [{"float": "x"}]]),
    *each(QUERY, ["ignored"], [None, 1, ["a"], [-1], [True], [10**9]]),
    *each(QUERY, ["part"], [1, [], None]),
    *each(QUERY, ["answer"], [None, 1, [], {}, "text", {"columns": []}, {"rows": []}]),
    *each(QUERY, ["answer", "columns"], [None, 1, {}, [1], [["a"]], [["a", 1]], [["a", "", ""]]]),
    *each(QUERY, ["answer", "rows"], [None, 1, {}, "ab", [1], [[]], [[1, 2]], [{"a": 1}]]),
    *each(QUERY, ["answer", "status"], [None, "200", 99, 1000, 200.5, True]),
    *each(QUERY, ["answer", "whole"], [1, "x"]),
    *each(BULK, ["answer", "affected"], ["1", 1.5, 2**64, []]),
    *each(BULK, ["values"], [1, [1], "x", {}, {"beside": 1}, {"beside": HASH, "more": 1}]),
    *each(OTHER, ["request"], [None, 1, {}, {"method": "GET"}, {"method": 1, "path": "/"},
                                                 {"method": "GET", "path": "/", "more": 1},
                                                 {"method": "GET", "path": "/", "sha256": "x"},
                                                 {"method": "GET", "path": "/", "params": {"a": 1}},
                                                 {"method": "GET", "path": "/", "range": 1}]),
    *each(OTHER, ["answer"], [{"body": 1}, {"body": {}}, {"json": {"bytes": "?"}},
                                                {"json": 1, "headers": {"a": 1}}, {"json": 1, "headers": []},
                                                {"json": 1, "headers": {"a": "x\r\nEvil: 1"}}, {"raised": "lost"},
                                                {"raised": "x", "outcome": "NOT_SENT", "message": ""},
                                                {"raised": "lost", "outcome": "no", "message": ""},
                                                {"raised": ["lost"], "outcome": "NOT_SENT", "message": ""}]),
    *(changed(OTHER, "answer", to={"beside": name}) for name in (
        "../../../../etc/passwd", "/etc/passwd", "/dev/zero", "..", "", ".", HASH[1:], HASH + "0", "A" * 64, 1, None,
        HASH + "\n", "a/" + HASH, ["x"])),
    changed(OTHER, "answer", to={"beside": HASH, "of": "other"}),
    {**QUERY, "unknown": 1}, {**OTHER, "bindings": []}, 1, "text", [], {}, True,
]  # fmt: skip


@pytest.mark.parametrize("interaction", MALFORMED, ids=lambda each: json.dumps(each)[:60])
def test_a_malformed_interaction_is_a_cassette_error(tmp_path: Path, interaction: Any) -> None:
    with pytest.raises(CassetteError, match="damaged"):
        load(tmp_path / "c.json", document(QUERY, interaction))


DEEP = "[" * 200_000


@pytest.mark.parametrize(
    "content",
    [
        "", "null", "[]", "1", '"x"', "{", DEEP, '{"mesahub_cassette": ' + DEEP,
        json.dumps(document(QUERY)).replace("[1]", "[" + "9" * 5000 + "]"),
        json.dumps(document(QUERY)).replace("[1]", "[1e999]"),
        json.dumps(document(QUERY)).replace("[1]", "[NaN]"),
        json.dumps(document(QUERY)).replace("[1]", "[-Infinity]"),
        json.dumps(document(QUERY)).replace('"sql":', '"sql": "SELECT 2", "sql":'),
        json.dumps(document(QUERY)).replace('"salt":', '"salt": "x", "salt":'),
        json.dumps(document(OTHER)).replace("{}", DEEP[:100_000] + "]" * 100_000),
        document(recorded="x"), document(recorded=True), document(recorded=10**30), document(salt=1),
        document(concurrent="yes"), document(interactions={}), document(interactions=None),
        document(mesahub_cassette=True), document(mesahub_cassette=2), document(mesahub_cassette=[1]),
        document(mesahub_cassette="1"),
    ],
    ids=lambda each: (each if isinstance(each, str) else json.dumps(each))[:40],
)  # fmt: skip
def test_a_malformed_document_is_a_cassette_error(tmp_path: Path, content: Any) -> None:
    with pytest.raises(CassetteError):
        load(tmp_path / "c.json", content)


@pytest.mark.skipif(sys.platform == "win32", reason="no FIFOs, no /dev")
def test_what_is_not_a_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    for name in ("fifo.json", "zero.json", "folder.json", "loop.json"):
        with pytest.raises(CassetteError):
            Cassette.load(tmp_path / name)
        with pytest.raises(CassetteError):
            mesahub.connect("mh://local/db", transport="recorder", cassette=tmp_path / name)


@pytest.mark.skipif(sys.platform == "win32", reason="no FIFOs, no /dev")
@pytest.mark.parametrize("kind", ["fifo", "zero", "secret", "missing", "folder"])
def test_a_body_that_is_not_a_regular_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "c.json.bodies"
    folder.mkdir()
    body = folder / HASH
    if kind == "fifo":
        os.mkfifo(body)
    elif kind == "folder":
        body.mkdir()
    elif kind != "missing":
        body.symlink_to("/dev/zero" if kind == "zero" else "/etc/passwd")
    for interaction in (
        changed(OTHER, "answer", to={"beside": HASH}),
        changed(QUERY, "answer", to={"columns": [], "beside": HASH, "of": "rows"}),
        changed(BULK, "values", to={"beside": HASH}),
    ):
        with pytest.raises(CassetteError):
            load(tmp_path / "c.json", document(interaction))


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a right")
def test_rewriting_deletes_and_writes_nothing_through_links(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    precious = elsewhere / HASH
    precious.write_text("precious")
    (tmp_path / "c.json.bodies").symlink_to(elsewhere)
    (tmp_path / "c.json").symlink_to(precious)
    options: dict[str, Any] = {"transport": "recorder", "inner": "embedded", "data": str(tmp_path / "data")}
    db = mesahub.connect("mh://local/db", cassette=tmp_path / "c.json", mode="rewrite", **options)
    db.query("SELECT ? AS big", ["x" * 100_000])
    with pytest.raises(CassetteError, match="symbolic link"):
        db.close()
    assert precious.read_text() == "precious"
    assert os.listdir(elsewhere) == [HASH]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from places(inner)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["bytes", "beside", "rows", "a"]), inner)
    ),
    max_leaves=4,
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_change_of_a_cassette_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    made = json.loads(json.dumps(document(QUERY, OTHER, BULK)))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(list(places(made))))
        if data.draw(st.booleans()):
            holder[key] = data.draw(ANYTHING)
        elif isinstance(holder, dict):
            del holder[key]
        if not made.get("interactions"):
            break
    try:
        load(tmp_path / "c.json", made)
        with mesahub.connect("mh://local/db", transport="recorder", cassette=tmp_path / "c.json") as db:
            db.query("SELECT 1")
    except mesahub.MesahubError:
        return
    assert (tmp_path / "c.json").exists()
