"""`Recording`: what blocking and asynchronous recorders share: options, lookups, what is kept, and the report."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from mesahub.errors import ConfigurationError
from mesahub.transport import Request, Response, TransportOptions
from mesahub_recorder.answers import answer_of, response_of
from mesahub_recorder.call import Call, call_of
from mesahub_recorder.cassette import Cassette, Interaction, merged, same_as
from mesahub_recorder.drift import drift_between, is_unordered
from mesahub_recorder.errors import CassetteDriftError, CassetteError, CassetteMissError, described, miss
from mesahub_recorder.failed_attempts import FAILURES, failure_of, is_refused, raised
from mesahub_recorder.fault_injection import Injection
from mesahub_recorder.player import Player
from mesahub_recorder.redaction.filter import Filter

MODES = ("replay", "record", "extend", "rewrite", "verify", "live")
_OWN = (
    "cassette", "mode", "inner", "repeats", "ignore_bindings", "redact", "record_failures", "inject", "max_age",
    "unused", "unordered", "part", "databases", "hints",
)  # fmt: skip
_SHOWN = 10


class Recording:
    """A cassette and how it is used. See `mesahub_recorder.transport.RecorderTransport`."""

    _default_inner: ClassVar[str] = "urllib"

    @staticmethod
    def needs_url(options: TransportOptions) -> bool:
        """A URL is needed only to make live calls."""
        return (
            options.options.get("mode", "replay") != "replay"
            and isinstance(options.options.get("inner", "urllib"), str)
            and options.options.get("inner", "urllib") != "embedded"
        )

    needs_key = needs_url
    wraps: ClassVar[bool] = True
    ordered: ClassVar[bool] = True

    def __init__(self, options: TransportOptions) -> None:
        given = dict(options.options)
        path = given.get("cassette")
        if not isinstance(path, (str, os.PathLike)) or not str(path):
            raise ConfigurationError("The recorder needs cassette=, the path of its file.")
        self.mode = given.get("mode", "replay")
        if self.mode not in MODES:
            raise ConfigurationError(f"mode must be one of {', '.join(MODES)}, not {self.mode!r}.")
        self._repeats = bool(given.get("repeats", True))
        self._failures = bool(given.get("record_failures", False))
        self._lints = {name: given.get(name) for name in ("unused", "unordered")}
        for name, what in self._lints.items():
            if what not in (None, "fail", "warn"):
                raise ConfigurationError(f"{name} must be 'fail' or 'warn', not {what!r}.")
        self._missing = False
        self._part: str | None = given.get("part")
        self._databases: Mapping[str, str] = given.get("databases") or {}
        self._pytest = given.get("hints") == "pytest"
        self._cassette = self._open(path)
        self._filter = Filter(given.get("ignore_bindings", ()), given.get("redact", ()), self._cassette.salt)
        self._player = Player(self._cassette, self._filter, repeats=self._repeats, part=self._part, pytest=self._pytest)
        self._injection = Injection(given.get("inject"))
        self._check_age(given.get("max_age"))
        self._lock = threading.Lock()
        self._active = 0
        self._closed = False
        self._added = False
        self._before = list(self._cassette.interactions)
        self._run: dict[int, Interaction] = {}
        self._owns_inner = False
        self._folder: Path | None = None
        self.drift: list[str] = []
        rest = {name: value for name, value in given.items() if name not in _OWN}
        self._unanswered = options.unanswered
        self._inner = self._open_inner(options, given.get("inner", self._default_inner), rest)

    def _open_inner(self, options: TransportOptions, inner: Any, rest: Mapping[str, Any]) -> Any:
        """The transport to record; ``None`` where nothing goes live."""
        if self.mode == "replay":
            if isinstance(inner, str) and inner == "recorder":
                raise ConfigurationError("The recorder cannot record itself.")
            return None
        if not isinstance(inner, str) and not callable(inner):
            return inner
        if options.open is None:
            raise ConfigurationError("The recorder was created without a client; pass inner= as a transport.")
        self._owns_inner = True
        return options.open(inner, options.replace(options=rest))

    def _open(self, path: Any) -> Cassette:
        cassette = Cassette(path)
        if self.mode == "live":
            return cassette
        exists = os.path.lexists(cassette.path)
        if self.mode == "rewrite":
            cassette.replaces()
            return cassette
        if self.mode == "record" and self._part is None:
            if exists:
                raise ConfigurationError(
                    f"The cassette {path} exists. Use mode='rewrite' to record it again, or 'extend' to add to it."
                )
            return cassette
        if exists:
            cassette = Cassette.load(path)
            if self.mode == "record" and any(one.part == self._part for one in cassette.interactions):
                raise ConfigurationError(f"The cassette {path} has the part {self._part!r}. Use mode='rewrite'.")
            return cassette
        if self.mode == "verify":
            raise miss("no_cassette", f"There is no cassette {path} to verify. Record it first: {self._how('record')}.")
        self._missing = self.mode == "replay"
        return cassette

    def _how(self, mode: str) -> str:
        return f"pytest --mesahub-record={mode}" if self._pytest else f"mode={mode!r}"

    def _check_age(self, days: Any) -> None:
        if days is None or self.mode not in ("replay", "extend"):
            return
        age = (time.time() - self._cassette.recorded) / 86400
        if age > float(days):
            raise CassetteError(
                f"The cassette {self._cassette.path} is {age:.0f} days old, and max_age is {days}. "
                f"Record it again: {self._how('rewrite')}."
            )

    def _found(self, call: Call) -> Interaction | None:
        if self._missing:
            raise miss(
                "no_cassette",
                f"There is no cassette {self._cassette.path}. Record it once: {self._how('record')}.",
            )
        try:
            found = self._player.find(call)
        except CassetteMissError:
            if self.mode == "replay":
                raise
            return None
        if self.mode == "extend":
            with self._lock:
                self._run.setdefault(id(found), found)
        return found

    def _begin(self, request: Request) -> Call:
        """What a request asks for.

        Raises:
            ConfigurationError: the recorder is closed.
        """
        if self._closed:
            raise ConfigurationError("The transport is closed; make a new client.")
        return self._filter.call(call_of(request))

    def _replayed(self, request: Request, call: Call) -> Response | None:
        """The response that the cassette has; ``None`` where it must be recorded."""
        if self.mode not in ("replay", "extend"):
            return None
        found = self._found(call)
        if found is None:
            return None
        if "raised" in found.answer:
            raise raised(found.answer)
        return self._injection.after(call, response_of(found.answer, stream=request.streams))

    @contextmanager
    def _recording(self, request: Request, call: Call) -> Iterator[None]:
        """A call goes live."""
        self._note_keys(request)
        with self._lock:
            self._active += 1
            if self._active > 1:
                self._cassette.concurrent = True
        try:
            yield
        except FAILURES as error:
            if self._failures and self.mode != "verify":
                with self._lock:
                    self._add(call, failure_of(error))
            raise
        finally:
            with self._lock:
                self._active -= 1

    def _kept(self, request: Request, call: Call, response: Response) -> Response:
        """Record a response, and return what the application gets."""
        if not self._failures and self._is_refused(request, call, response):
            return response
        return self._keep(call, response, request.streams)

    def _renamed(self, request: Request) -> Request:
        """The request as it goes live: a database may have another name there."""
        if self._inner is None:
            raise ConfigurationError("This recorder only replays.")
        renamed = self._databases.get(request.database or "")
        if renamed is None:
            return request
        path = "/".join(renamed if part == request.database else part for part in request.path.split("/"))
        return request.replace(database=renamed, path=path)

    def _is_refused(self, request: Request, call: Call, response: Response) -> bool:
        if self._unanswered is None:
            return is_refused(call, response)
        response.read()
        return self._unanswered(request, response)

    def _keep(self, call: Call, response: Response, stream: bool) -> Response:
        answer = answer_of(call, response, self._spool())
        # The application gets the original response; the cassette gets it without secrets.
        given = response_of(answer, stream=stream) if "body" in answer else response
        with self._lock:
            kept = self._filter.answer(call, dict(answer))
            marks = self._filter.marks(kept)
            if marks:
                kept["ignored"] = marks
            if self.mode == "verify":
                self._verify(call, kept)
            else:
                self._add(call, kept)
        return given

    def _spool(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="mesahub-recorder-"))
            return self._folder

    def _add(self, call: Call, answer: dict[str, Any]) -> None:
        interaction = Interaction(call, answer, self._part)
        interaction.used = 1
        self._player.record(interaction)
        self._cassette.interactions.append(interaction)
        self._run[id(interaction)] = interaction
        self._added = True

    def _verify(self, call: Call, answer: dict[str, Any]) -> None:
        if self._filter.ignores_rowid():
            answer["ignored_rowid"] = True
        try:
            found = self._player.find(call)
        except CassetteMissError as error:
            self._player.passed(call)
            self.drift.append(str(error))
            return
        difference = drift_between(found, answer)
        if difference:
            self.drift.append(difference)

    def _note_keys(self, request: Request) -> None:
        for name, value in request.headers.items():
            if name.lower() == "authorization":
                self._filter.secrets.add_key(value.partition(" ")[2])
            elif name.lower() in ("x-api-key", "cookie", "proxy-authorization"):
                self._filter.secrets.add_key(value)

    @property
    def unused(self) -> list[str]:
        """Descriptions of the interactions that were never used."""
        return [one.call.describe() for one in self._player.unused()]

    @property
    def path(self) -> Path:
        """The cassette's file."""
        return self._cassette.path

    def _has_recorded(self) -> bool:
        return self.mode in ("record", "rewrite") or (self.mode == "extend" and self._added)

    def _save(self) -> None:
        if self._has_recorded():
            self._cassette.save(secrets=self._filter.secrets, update=self._updated)

    def _remove_folder(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _updated(self, stored: Cassette | None) -> list[Interaction]:
        """What to write, given the current file, which another recorder may have written."""
        run = list(self._run.values())
        if stored is None:
            return merged(self._before, run) if self.mode == "extend" else self._cassette.interactions
        changed = stored.content != self._cassette.content
        self._cassette.concurrent = self._cassette.concurrent or stored.concurrent
        if self._part is not None:
            before = [one for one in stored.interactions if one.part != self._part]
            if changed and stored.salt != self._cassette.salt and self._filter.redacts:
                raise self._conflict("its placeholders differ")
            if self.mode == "extend":
                own = [one for one in stored.interactions if one.part == self._part]
                return [*before, *merged(own, same_as(run, own))]
            return [*before, *run]
        if self.mode == "extend":
            if not changed:
                return merged(self._before, run)
            return merged(stored.interactions, same_as(run, stored.interactions))
        if changed:
            raise self._conflict("nothing of it was overwritten")
        return self._cassette.interactions

    def _conflict(self, why: str) -> CassetteError:
        return CassetteError(
            f"The cassette {self._cassette.path} was written by another recorder while this one recorded; {why}. "
            "Record them one after the other, or give each a part=NAME."
        )

    def _report(self) -> None:
        if self.drift:
            error = CassetteDriftError.of(
                f"{len(self.drift)} answers differ from the cassette {self._cassette.path}:\n\n" + _listed(self.drift)
            )
            error.drift = tuple(self.drift)
            raise error
        if self._missing or self.mode == "live":
            return
        if self.mode in ("replay", "verify") and self._lints["unused"] is not None:
            self._lint("unused", "interactions were never asked for", [one.call for one in self._player.unused()])
        if self._lints["unordered"] is not None:
            seen = [one for one in self._cassette.interactions if one.used and is_unordered(one.call, one.answer)]
            self._lint("unordered", "SELECTs without ORDER BY gave several rows", [one.call for one in seen])

    def _lint(self, name: str, what: str, found: list[Call]) -> None:
        if not found:
            return
        text = f"{self._cassette.path}: {len(found)} {what}:\n\n" + _listed(described(call) for call in found)
        if self._lints[name] == "fail":
            raise CassetteError(text)
        warnings.warn(text, stacklevel=4)


def _listed(texts: Iterable[str]) -> str:
    texts = list(texts)
    more = [f"... and {len(texts) - _SHOWN} more"] if len(texts) > _SHOWN else []
    return "\n\n".join([*texts[:_SHOWN], *more])
