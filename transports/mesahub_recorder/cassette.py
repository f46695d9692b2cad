"""The file: text that a person reads in a review, one interaction after the other.

It is JSON, laid out by hand: SQL in lines, one row of a result per line, and every interaction ending in the same
way (a ``null`` closes the list), so that two branches which add interactions merge. The format is described by
``docs/reference/cassette.schema.json``.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mesahub_recorder.interaction import Call, pack, unpack
from mesahub_recorder.misses import CassetteError

VERSION = 1
BESIDE = 64 * 1024
"""Bytes from which on a body, or a table of rows, lies beside the cassette, in a file named by its hash."""

_compact = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(", ", ": ")).encode
_STATEMENT = ("sql", "bindings", "values")


class Interaction:
    """A call and its answer."""

    __slots__ = ("answer", "call", "epoch", "used")

    def __init__(self, call: Call, answer: dict[str, Any]) -> None:
        self.call = call
        self.answer = answer
        self.used = 0
        self.epoch = 0
        """How many writes to its database were recorded before it."""


class Cassette:
    """Interactions in the order in which they were recorded.

    Attributes:
        path: the file.
        recorded: when, in seconds since the epoch.
        salt: mixed into the placeholders of redacted values.
        concurrent: did calls overlap while it was recorded?
        interactions: the calls and answers.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.recorded = int(time.time())
        self.salt = secrets.token_hex(8)
        self.concurrent = False
        self.interactions: list[Interaction] = []

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Cassette:
        """Read a cassette.

        Raises:
            CassetteError: it is damaged, or of a newer version.
            FileNotFoundError: there is none.
        """
        cassette = cls(path)
        text = cassette.path.read_text(encoding="utf-8")
        try:
            document = json.loads(text)
            version = document["mesahub_cassette"]
        except (ValueError, KeyError, TypeError) as error:
            raise CassetteError(
                f"The cassette {path} is damaged and cannot be read: {error!r}. Record it anew."
            ) from None
        if version != VERSION:
            raise CassetteError(
                f"The cassette {path} has the format {version!r}, and this mesahub reads {VERSION}. "
                "Update mesahub, or record it anew."
            )
        try:
            cassette.recorded = document["recorded"]
            cassette.salt = document["salt"]
            cassette.concurrent = document.get("concurrent", False)
            for entry in document["interactions"]:
                if entry is not None:
                    cassette.interactions.append(cassette._read(entry))
        except (ValueError, KeyError, TypeError, OSError) as error:
            number = len(cassette.interactions)
            raise CassetteError(
                f"The cassette {path} is damaged: interaction {number} cannot be read ({error!r}). Record it anew."
            ) from None
        cassette.count_epochs()
        return cassette

    def count_epochs(self) -> None:
        """Number the interactions by the writes before them."""
        writes: dict[str | None, int] = {}
        for interaction in self.interactions:
            database = interaction.call.database
            interaction.epoch = writes.get(database, 0)
            if interaction.call.writes:
                writes[database] = interaction.epoch + 1

    def _read(self, entry: dict[str, Any]) -> Interaction:
        answer = entry["answer"]
        if "beside" in answer:
            answer = {**answer, **self._beside(answer["beside"], answer.get("of", "body"))}
        sql = entry.get("sql")
        if sql is None:
            return Interaction(Call(entry["call"], entry["database"], other=unpack(entry["request"])), unpack(answer))
        values = entry.get("values")
        if isinstance(values, dict):
            values = self._beside(values["beside"], "values")["values"]
        call = Call(
            entry["call"],
            entry["database"],
            sql if isinstance(sql, str) else "\n".join(sql),
            unpack(entry.get("bindings", [])),
            None if values is None else unpack(values),
        )
        return Interaction(call, unpack(answer))

    def _beside(self, name: str, what: str) -> dict[str, Any]:
        content = (self.folder / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != name:
            raise ValueError(f"the file {name} beside it was changed")
        return {what: pack(content) if what == "body" else json.loads(content)}

    @property
    def folder(self) -> Path:
        """Where big bodies lie."""
        return self.path.with_name(self.path.name + ".bodies")

    def save(self, *, forbidden: Iterable[str] = ()) -> None:
        """Write it, whole or not at all.

        Args:
            forbidden: texts that must not be in it: keys.

        Raises:
            CassetteError: one of them is.
        """
        bodies: dict[str, bytes] = {}
        text = "".join(self._lines(bodies))
        for secret in forbidden:
            if secret in text or any(secret.encode() in body for body in bodies.values()):
                raise CassetteError(
                    f"The cassette {self.path} was not written, because the API key is in a statement, a value or an "
                    "answer. Redact it: redact=[names of bindings and columns]."
                )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for name, body in bodies.items():
            self.folder.mkdir(exist_ok=True)
            _write(self.folder / name, body)
        _write(self.path, text.encode())

    def _lines(self, bodies: dict[str, bytes]) -> Iterator[str]:
        yield f'{{"mesahub_cassette": {VERSION},\n "recorded": {self.recorded}, "salt": "{self.salt}"'
        yield f', "concurrent": {"true" if self.concurrent else "false"},\n "interactions": [\n'
        for interaction in self.interactions:
            yield from _entry(interaction, bodies)
        yield "null]}\n"


def _entry(interaction: Interaction, bodies: dict[str, bytes]) -> Iterator[str]:
    call, answer = interaction.call, interaction.answer
    yield f'{{"call": {_compact(call.operation)}, "database": {_compact(call.database)},\n'
    if call.sql is None:
        yield f' "request": {_compact(pack(call.other))},\n'
    else:
        lines = call.sql.split("\n")
        yield f' "sql": {_compact(lines[0])},\n' if len(lines) == 1 else f' "sql": [\n{_table(lines)}],\n'
        if call.rows is not None:
            yield f' "values": {_maybe_beside(pack(call.rows), bodies)},\n'
        elif call.bindings:
            yield f' "bindings": {_compact(pack(call.bindings))},\n'
    body = answer.get("body")
    if isinstance(body, bytes) and len(body) > BESIDE:
        name = hashlib.sha256(body).hexdigest()
        bodies[name] = body
        answer = {**{key: value for key, value in answer.items() if key != "body"}, "beside": name}
    rows = answer.get("rows")
    if rows is None:
        yield f' "answer": {_compact(pack(answer))}}},\n'
        return
    rest = {name: value for name, value in answer.items() if name != "rows"}
    packed = pack(rows)
    text = _table(packed)
    if len(text) > BESIDE:
        yield f' "answer": {_compact({**pack(rest), "of": "rows", "beside": _keep(packed, bodies)})}}},\n'
    elif rows:
        yield f' "answer": {_compact(pack(rest))[:-1]}{", " if rest else ""}"rows": [\n{text}]}}}},\n'
    else:
        yield f' "answer": {_compact(pack({**rest, "rows": []}))}}},\n'


def _table(rows: list[Any]) -> str:
    return ",\n".join(f"  {_compact(row)}" for row in rows)


def _maybe_beside(values: list[Any], bodies: dict[str, bytes]) -> str:
    text = _table(values)
    if len(text) > BESIDE:
        return _compact({"beside": _keep(values, bodies)})
    return f"[\n{text}]"


def _keep(value: Any, bodies: dict[str, bytes]) -> str:
    content = ("[\n" + _table(value) + "]\n").encode()
    name = hashlib.sha256(content).hexdigest()
    bodies[name] = content
    return name


def _write(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
