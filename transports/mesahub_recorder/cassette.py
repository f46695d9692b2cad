"""A cassette: interactions in the order in which they were recorded, and the file that holds them."""

from __future__ import annotations

import gc
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mesahub_recorder import cassette_format, storage
from mesahub_recorder.call import Call
from mesahub_recorder.errors import CassetteError
from mesahub_recorder.redaction.leak_check import Secrets
from mesahub_recorder.storage import BodyFile
from mesahub_recorder.values import unpack

__all__ = ["Cassette", "Interaction", "merged"]

VERSION = 1


class Interaction:
    """A recorded call and its answer.

    Args:
        call: the call.
        answer: the answer.
        part: the test that recorded it, in a cassette that several tests share.
        packed: the answer was read from a file; its values are unpacked on first use.

    Attributes:
        epoch: how many writes to its database were recorded before it.
        history: identifies these writes (see `mesahub_recorder.player`).
        used: how often it was asked for.
    """

    __slots__ = ("_answer", "_packed", "call", "epoch", "history", "part", "used")

    def __init__(self, call: Call, answer: dict[str, Any], part: str | None = None, *, packed: bool = False) -> None:
        self.call = call
        self.part = part
        self.used = 0
        self.epoch = 0
        self.history = 0
        self._answer = answer
        self._packed = packed

    @property
    def answer(self) -> dict[str, Any]:
        """The answer."""
        if self._packed:
            self._answer = cassette_format.unpacked_answer(self._answer)
            self._packed = False
        return self._answer

    def texts(self) -> Iterator[str | bytes]:
        """All strings in it, to search for secrets."""
        call = self.call
        yield call.operation
        yield call.database or ""
        yield call.sql or ""
        for value in (call.bindings, call.rows, call.request):
            yield from _texts(unpack(value) if not isinstance(value, tuple) else value)
        yield from _texts(self.answer)


def _texts(value: Any) -> Iterator[str | bytes]:
    if isinstance(value, (str, bytes)):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield repr(value)


class Cassette:
    """Interactions in the order in which they were recorded.

    Attributes:
        path: the file.
        recorded: when, in seconds since the epoch.
        salt: mixed into the placeholders of redacted values.
        concurrent: did calls overlap while it was recorded?
        interactions: the calls and answers.
        content: the bytes of the file when it was read, ``None`` when it was not there.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.recorded = int(time.time())
        self.salt = secrets.token_hex(8)
        self.concurrent = False
        self.interactions: list[Interaction] = []
        self.content: bytes | None = None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Cassette:
        """Read a cassette.

        Raises:
            CassetteError: it is damaged, or of a newer version.
            FileNotFoundError: there is none.
        """
        # Parsing creates no cycles, and garbage collection would take two thirds of the time.
        collects = gc.isenabled()
        gc.disable()
        try:
            return cls._load(path)
        finally:
            if collects:
                if gc.get_freeze_count() == 0:
                    # Move the new objects to the oldest generation, which is collected rarely.
                    gc.freeze()
                    gc.unfreeze()
                gc.enable()

    @classmethod
    def _load(cls, path: str | os.PathLike[str]) -> Cassette:
        cassette = cls(path)
        try:
            content = storage.read(cassette.path, follow=True)
            document = cassette_format.parse(content)
            version = document.get("mesahub_cassette")
        except ValueError as error:
            raise _damaged(path, str(error)) from None
        if type(version) is not int or version != VERSION:
            raise CassetteError(
                f"The cassette {path} has the format {str(version)[:20]!r}, but this mesahub reads {VERSION}. "
                "Update mesahub, or record it again."
            )
        cassette.content = content
        try:
            cassette._read_header(document)
            cassette._read_interactions(document.get("interactions"))
        except FileNotFoundError as error:
            raise _damaged(path, f"the file {Path(error.filename).name} is missing") from None
        except (ValueError, RecursionError) as error:
            number = len(cassette.interactions)
            raise _damaged(path, f"interaction {number} cannot be read: {str(error)[:200]}") from None
        cassette.count_epochs()
        return cassette

    def _read_header(self, document: dict[str, Any]) -> None:
        recorded, salt, concurrent = document.get("recorded"), document.get("salt"), document.get("concurrent", False)
        if type(recorded) is not int or not 0 <= recorded < 2**40:
            raise ValueError("recorded is not a number of seconds")
        if not isinstance(salt, str) or len(salt) > 1000 or not isinstance(concurrent, bool):
            raise ValueError("salt is not a text, or concurrent not a boolean")
        if not isinstance(document.get("interactions"), list):
            raise ValueError("interactions are not a list")
        self.recorded, self.salt, self.concurrent = recorded, salt, concurrent

    def _read_interactions(self, entries: Any) -> None:
        folder = self.folder
        if folder.is_symlink():
            raise ValueError(f"{folder.name} is a symbolic link")
        for entry in entries:
            if entry is not None:
                call = cassette_format.call_from(entry, folder)
                answer = cassette_format.checked_answer(entry.get("answer"), folder)
                self.interactions.append(Interaction(call, answer, entry.get("part"), packed=True))

    def count_epochs(self) -> None:
        """Number the interactions by the writes before them."""
        writes: dict[tuple[str | None, str | None], int] = {}
        for interaction in self.interactions:
            where = interaction.part, interaction.call.database
            interaction.epoch = writes.get(where, 0)
            if interaction.call.writes:
                writes[where] = interaction.epoch + 1

    @property
    def folder(self) -> Path:
        """Where long bodies are stored."""
        return self.path.with_name(self.path.name + ".bodies")

    def save(
        self,
        *,
        secrets: Secrets | None = None,
        update: Callable[[Cassette | None], list[Interaction]] | None = None,
    ) -> None:
        """Write the file atomically.

        Args:
            secrets: what must not be in it.
            update: gets what is in the file now (``None``: there is none) while no other recorder can write to it, and
                gives the interactions to write.

        Raises:
            CassetteError: a secret is in it, or the file cannot be written.
        """
        self._refuse_secrets(secrets)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with storage.lock(self.path):
                if update is not None:
                    self.interactions = update(self._reread())
                self._write()
        except OSError as error:
            raise CassetteError(f"The cassette {self.path} cannot be written: {error.strerror or error}.") from None

    def _reread(self) -> Cassette | None:
        try:
            return Cassette.load(self.path)
        except FileNotFoundError:
            return None
        except CassetteError:
            content = self._damaged_content()
            if content is None or content != self.content:
                raise
            # It was already damaged, so record it again.
            stored = Cassette(self.path)
            stored.content, stored.salt = content, self.salt
            return stored

    def _damaged_content(self) -> bytes | None:
        try:
            return storage.read(self.path, follow=True)
        except (CassetteError, FileNotFoundError):
            return None

    def replaces(self) -> None:
        """Remember the content of the file to be replaced, which need not be a cassette."""
        try:
            loaded = Cassette.load(self.path)
            # Keep the salt, so that placeholders stay the same and the diff small.
            self.salt, self.content = loaded.salt, loaded.content
        except FileNotFoundError:
            return
        except CassetteError:
            self.content = self._damaged_content()

    def _write(self) -> None:
        files: dict[str, bytes | BodyFile] = {}
        content = "".join(self._lines(files)).encode(errors="surrogatepass")
        if self.folder.is_symlink():
            raise CassetteError(f"{self.folder} is a symbolic link; remove it.")
        for name, body in files.items():
            self.folder.mkdir(exist_ok=True)
            # A file with this hash as its name was verified when the cassette was read.
            if not (isinstance(body, BodyFile) and body.path == self.folder / name):
                storage.write(self.folder / name, body)
        storage.write(self.path, content)
        # Delete files that only the old cassette names last, so that one of the two is always complete.
        for old in self.folder.iterdir() if self.folder.is_dir() else ():
            if storage.NAME.fullmatch(old.name) and old.name not in files:
                old.unlink()

    def _refuse_secrets(self, secrets: Secrets | None) -> None:
        if not secrets:
            return
        for number, interaction in enumerate(self.interactions):
            name = secrets.found_in(interaction.texts())
            body = interaction.answer.get("body")
            if name is None and isinstance(body, BodyFile):
                name = secrets.found_in_file(body.pieces())
            if name is not None:
                what = "the API key" if name == "the API key" else f"a value that was redacted as {name!r}"
                raise CassetteError(
                    f"The cassette {self.path} was not written, because {what} is also in interaction {number}, "
                    f"plain or encoded: {_shortened(interaction.call)}. Redact it there too: redact=[names of bindings "
                    "and columns], and pass values as bindings, not in the SQL."
                )

    def _lines(self, files: dict[str, bytes | BodyFile]) -> Iterator[str]:
        yield f'{{"mesahub_cassette": {VERSION},\n "recorded": {self.recorded}, "salt": "{self.salt}"'
        yield f', "concurrent": {"true" if self.concurrent else "false"},\n "interactions": [\n'
        for interaction in self.interactions:
            yield from cassette_format.entry_lines(interaction.call, interaction.answer, interaction.part, files)
        yield "null]}\n"


def _damaged(path: str | os.PathLike[str], problem: str) -> CassetteError:
    return CassetteError(f"The cassette {os.fspath(path)} is damaged and cannot be read: {problem}. Record it again.")


def _shortened(call: Call) -> str:
    """Describe the call without values: the SQL itself may contain a secret."""
    verb = (call.sql or "").split(maxsplit=1)[:1]
    return " ".join([call.operation, *verb, "on", str(call.database)])


def merged(before: Sequence[Interaction], run: Sequence[Interaction]) -> list[Interaction]:
    """The interactions of an extended cassette.

    The order says after which writes a read was made, so the run's order counts. What it did not use stays where it
    was, as long as it has no write before it: from such a write on, what belongs to its database goes to the end.

    Args:
        before: what was in the cassette.
        run: what this run used or recorded, in its order.
    """
    ran = {id(one) for one in run}
    old = {id(one) for one in before}
    added = {(one.call.key, one.history) for one in run if id(one) not in old}
    ahead: dict[int, list[Interaction]] = {}  # what comes before an interaction of the run
    waiting: list[Interaction] = []
    last: list[Interaction] = []
    written: set[str | None] = set()
    for one in before:
        if id(one) in ran:
            ahead.setdefault(id(one), []).extend(waiting)
            waiting = []
        elif one.call.writes or one.call.database in written:
            written.add(one.call.database)
            last.append(one)
        elif (one.call.key, one.history) not in added:  # else the run recorded it again
            waiting.append(one)
    result: list[Interaction] = []
    for one in run:
        result += ahead.get(id(one), [])
        result.append(one)
    return [*result, *waiting, *last]


def same_as(run: Iterable[Interaction], stored: Iterable[Interaction]) -> list[Interaction]:
    """The run's interactions; those that were also read from the file now are replaced by these."""
    known: dict[Any, list[Interaction]] = {}
    for one in stored:
        known.setdefault((one.part, one.call.key), []).append(one)
    chosen = []
    for one in run:
        others = known.get((one.part, one.call.key), [])
        equal = next((other for other in others if other.answer == one.answer), None)
        if equal is not None:
            others.remove(equal)
        chosen.append(equal or one)
    return chosen
