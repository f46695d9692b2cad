"""The file: text that a person reads in a review, one interaction after the other.

It is JSON, laid out by hand: SQL in lines, one row of a result per line, and every interaction ending in the same
way (a ``null`` closes the list), so that two branches which add interactions merge. The format is described by
``docs/reference/cassette.schema.json``.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mesahub_recorder.errors import CassetteError
from mesahub_recorder.interaction import (
    BESIDE,
    Call,
    compact,
    entry_writes,
    key_of_entry,
    pack,
    table_text,
    unpack,
)

VERSION = 1


class Interaction:
    """A call and its answer. One that comes from a file is taken apart when it is first looked at.

    Attributes:
        key: what its call is found by.
        writes: may its call change what later reads answer?
        database: its call's.
        epoch: how many writes to its database were recorded before it.
        history: tells which writes these were (see `mesahub_recorder.player`).
        used: how often it was asked for.
    """

    __slots__ = ("_answer", "_call", "_entry", "_folder", "database", "epoch", "history", "key", "used", "writes")

    def __init__(
        self,
        call: Call | None = None,
        answer: dict[str, Any] | None = None,
        *,
        entry: dict[str, Any] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._call = call
        self._answer = answer
        self._entry = entry
        self._folder = folder
        self.used = 0
        self.epoch = 0
        self.history = 0
        if call is not None:
            self.key = call.key()
            self.database = call.database
            self.writes = call.writes
        else:
            assert entry is not None
            self.key = key_of_entry(entry)
            self.database = entry["database"]
            self.writes = entry_writes(entry)

    @property
    def call(self) -> Call:
        """What was asked."""
        if self._call is None:
            assert self._entry is not None
            self._call = _call_of(self._entry, self._folder)
        return self._call

    @property
    def answer(self) -> dict[str, Any]:
        """What was answered."""
        if self._answer is None:
            assert self._entry is not None
            try:
                self._answer = _answer_of(self._entry, self._folder)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise CassetteError(
                    f"The cassette is damaged: an answer cannot be read ({error!r}). Record it anew.\n"
                    f"{self.call.describe()}"
                ) from None
        return self._answer


def _answer_of(entry: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    raw = entry["answer"]
    if "beside" in raw:
        raw = {**raw, **_beside(folder, raw["beside"], raw.get("of", "body"))}
    answer: dict[str, Any] = unpack(raw)
    if "columns" in answer:
        width = len(answer["columns"])
        for row in answer["rows"]:
            if len(row) != width:
                raise ValueError(f"a row has {len(row)} values, and there are {width} columns")
    return answer


def _call_of(entry: dict[str, Any], folder: Path | None) -> Call:
    sql = entry.get("sql")
    if sql is None:
        return Call(entry["call"], entry["database"], other=unpack(entry["request"]))
    values = entry.get("values")
    if isinstance(values, dict):
        values = _beside(folder, values["beside"], "values")["values"]
    return Call(
        entry["call"],
        entry["database"],
        sql if isinstance(sql, str) else "\n".join(sql),
        unpack(entry.get("bindings", [])),
        None if values is None else unpack(values),
    )


def _beside(folder: Path | None, name: str, what: str) -> dict[str, Any]:
    assert folder is not None
    content = (folder / name).read_bytes()
    if hashlib.sha256(content).hexdigest() != name:
        raise ValueError(f"the file {name} beside it was changed")
    return {what: pack(content) if what == "body" else json.loads(content)}


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
        # No garbage is made here, and looking for it again and again takes two thirds of the time.
        collects = gc.isenabled()
        gc.disable()
        try:
            return cls._load(path)
        finally:
            if collects:
                if gc.get_freeze_count() == 0:
                    # Puts what was made among the old objects at once, which are looked at seldom.
                    gc.freeze()
                    gc.unfreeze()
                gc.enable()

    @classmethod
    def _load(cls, path: str | os.PathLike[str]) -> Cassette:
        cassette = cls(path)
        try:
            text = cassette.path.read_text(encoding="utf-8")
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
            folder = cassette.folder
            for entry in document["interactions"]:
                if entry is not None:
                    cassette.interactions.append(_read(entry, folder))
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
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
            database = interaction.database
            interaction.epoch = writes.get(database, 0)
            if interaction.writes:
                writes[database] = interaction.epoch + 1

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
        # The new file names all it needs. What only the old one named goes last, so that one of the two is whole.
        for old in self.folder.iterdir() if self.folder.is_dir() else ():
            if re.fullmatch("[0-9a-f]{64}", old.name) and old.name not in bodies:
                old.unlink()

    def _lines(self, bodies: dict[str, bytes]) -> Iterator[str]:
        yield f'{{"mesahub_cassette": {VERSION},\n "recorded": {self.recorded}, "salt": "{self.salt}"'
        yield f', "concurrent": {"true" if self.concurrent else "false"},\n "interactions": [\n'
        for interaction in self.interactions:
            yield from _entry(interaction, bodies)
        yield "null]}\n"


def _read(entry: dict[str, Any], folder: Path) -> Interaction:
    interaction = Interaction(entry=entry, folder=folder)
    if "beside" in entry["answer"] or isinstance(entry.get("values"), dict):
        # What lies beside it must be there, and be what it was: it is read now.
        _call_of(entry, folder)
        _answer_of(entry, folder)
    return interaction


def _entry(interaction: Interaction, bodies: dict[str, bytes]) -> Iterator[str]:
    call, answer = interaction.call, interaction.answer
    yield f'{{"call": {compact(call.operation)}, "database": {compact(call.database)},\n'
    if call.sql is None:
        yield f' "request": {compact(pack(call.other))},\n'
    else:
        lines = call.sql.split("\n")
        yield f' "sql": {compact(lines[0])},\n' if len(lines) == 1 else f' "sql": {table_text(lines)},\n'
        if call.rows is not None:
            yield f' "values": {_maybe_beside(pack(call.rows), bodies)},\n'
        elif call.bindings:
            yield f' "bindings": {compact(pack(call.bindings))},\n'
    body = answer.get("body")
    if isinstance(body, bytes) and len(body) > BESIDE:
        name = hashlib.sha256(body).hexdigest()
        bodies[name] = body
        answer = {**{key: value for key, value in answer.items() if key != "body"}, "beside": name}
    rows = answer.get("rows")
    if rows is None:
        yield f' "answer": {compact(pack(answer))}}},\n'
        return
    rest = pack({name: value for name, value in answer.items() if name != "rows"})
    text = table_text(pack(rows))
    if len(text) > BESIDE:
        yield f' "answer": {compact({**rest, "of": "rows", "beside": _keep(text, bodies)})}}},\n'
    elif rows:
        yield f' "answer": {compact(rest)[:-1]}{", " if rest else ""}"rows": {text}}}}},\n'
    else:
        yield f' "answer": {compact({**rest, "rows": []})}}},\n'


def _maybe_beside(values: list[Any], bodies: dict[str, bytes]) -> str:
    text = table_text(values)
    return compact({"beside": _keep(text, bodies)}) if len(text) > BESIDE else text


def _keep(text: str, bodies: dict[str, bytes]) -> str:
    content = text.encode()
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
