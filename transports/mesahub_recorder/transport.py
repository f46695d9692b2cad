"""`RecorderTransport`: stands around another transport, or in its place."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

from mesahub.errors import ConfigurationError
from mesahub.transport import Request, Response, Transport, TransportOptions
from mesahub_recorder.cassette import Cassette, Interaction
from mesahub_recorder.drift import drift_between, is_unordered
from mesahub_recorder.errors import CassetteDriftError, CassetteError, CassetteMissError, miss
from mesahub_recorder.failed_attempts import FAILURES, failure_of, is_refused, raised
from mesahub_recorder.fault_injection import Injection
from mesahub_recorder.interaction import Filter, answer_of, call_of, response_of
from mesahub_recorder.leak_check import forms_of
from mesahub_recorder.merging import merged
from mesahub_recorder.player import Player

MODES = ("replay", "record", "extend", "rewrite", "verify", "live")
_OWN = (
    "cassette", "mode", "inner", "repeats", "ignore_bindings", "redact", "record_failures", "inject", "max_age",
    "unused", "unordered",
)  # fmt: skip


class RecorderTransport:
    """Records what goes over another transport once, and replays it for ever.

    Calls are matched by operation, database, SQL (blanks and comments aside) and values with their types. A read gets
    the answer of its own time: before and after a write it may answer differently.

    Args:
        options: of its own it takes

            * ``cassette``: the file (needed).
            * ``mode``: ``"replay"`` (default; never touches the network), ``"record"`` (a new cassette), ``"rewrite"``
              (record, in place of one that is there), ``"extend"`` (replay what is known, record what is new),
              ``"verify"`` (go live and compare; what differs is raised by ``close()``), ``"live"`` (do nothing).
            * ``inner``: the transport to record, by name, factory or instance; default ``"urllib"``.
            * ``repeats``: may a read be replayed more often than it was recorded? Default ``True``.
            * ``ignore_bindings``: values that change from run to run: names, patterns, positions, ``"<uuid>"``,
              ``"<now>"``.
            * ``redact``: names or patterns of bindings and columns that are secret.
            * ``record_failures``: record throttled and failed attempts too. Default ``False``.
            * ``inject``: faults to play, see `mesahub_recorder.fault_injection`.
            * ``max_age``: days after which a cassette is too old to be replayed.
            * ``unused``: ``"fail"`` or ``"warn"`` when ``close()`` finds interactions that were never asked for.
            * ``unordered``: ``"fail"`` or ``"warn"`` when a SELECT without ORDER BY gave several rows: a test that
              compares them by position goes by luck.

    Raises:
        ConfigurationError: a wrong option.
        CassetteError: the cassette cannot be read.
    """

    @staticmethod
    def needs_url(options: TransportOptions) -> bool:
        """A URL is needed only where something goes live."""
        return (
            options.options.get("mode", "replay") != "replay"
            and isinstance(options.options.get("inner", "urllib"), str)
            and options.options.get("inner", "urllib") != "embedded"
        )

    needs_key = needs_url
    wraps: ClassVar[bool] = True

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
        self._cassette = self._open(path)
        self._filter = Filter(given.get("ignore_bindings", ()), given.get("redact", ()), self._cassette.salt)
        self._player = Player(self._cassette, self._filter, repeats=self._repeats)
        self._injection = Injection(given.get("inject"))
        self._check_age(given.get("max_age"))
        self._lock = threading.Lock()
        self._active = 0
        self._keys: set[str] = set()
        self._closed = False
        self._added = False
        self._before = list(self._cassette.interactions)
        self._run: dict[int, Interaction] = {}
        self._owns_inner = False
        self.drift: list[str] = []
        rest = {name: value for name, value in given.items() if name not in _OWN}
        self._inner = self._open_inner(options, given.get("inner", "urllib"), rest)

    def _open(self, path: Any) -> Cassette:
        cassette = Cassette(path)
        exists = cassette.path.exists()
        if self.mode == "rewrite" and exists:
            # With the old salt the placeholders stay what they were, and the diff small.
            with contextlib.suppress(CassetteError):
                cassette.salt = Cassette.load(path).salt
        if self.mode in ("rewrite", "live"):
            return cassette
        if self.mode == "record":
            if exists:
                raise ConfigurationError(
                    f"The cassette {path} is there already. Use mode='rewrite' to record it anew, or 'extend' to add."
                )
            return cassette
        if exists:
            return Cassette.load(path)
        if self.mode == "verify":
            raise miss("no_cassette", f"There is no cassette {path} to verify. Record it first: mode='record'.")
        self._missing = self.mode == "replay"
        return cassette

    def _open_inner(self, options: TransportOptions, inner: Any, rest: Mapping[str, Any]) -> Transport | None:
        if self.mode == "replay":
            if isinstance(inner, str) and inner == "recorder":
                raise ConfigurationError("The recorder cannot record itself.")
            return None
        if not isinstance(inner, str) and not callable(inner):
            return inner  # type: ignore[no-any-return]
        if options.open is None:
            raise ConfigurationError("The recorder was made without a client: give inner= as a transport.")
        self._owns_inner = True
        opened: Transport = options.open(inner, options.replace(options=rest))
        return opened

    def _check_age(self, days: Any) -> None:
        if days is None or self.mode not in ("replay", "extend"):
            return
        age = (time.time() - self._cassette.recorded) / 86400
        if age > float(days):
            raise CassetteError(
                f"The cassette {self._cassette.path} is {age:.0f} days old, and max_age is {days}. "
                "Record it anew: mode='rewrite'."
            )

    def send(self, request: Request) -> Response:
        """Answer a request: from the cassette, from the inner transport, or first from one and then the other."""
        if self._closed:
            raise ConfigurationError("The transport is closed; make a new client.")
        if self.mode == "live":
            return self._live(request)
        call = self._filter.call(call_of(request))
        refused = self._injection.before(call)
        if refused is not None:
            return refused
        if self.mode in ("replay", "extend"):
            if self._missing:
                raise miss(
                    "no_cassette",
                    f"There is no cassette {self._cassette.path}. Record it once: mode='record'.",
                )
            try:
                found = self._player.find(call)
            except CassetteMissError:
                if self.mode == "replay":
                    raise
            else:
                if self.mode == "extend":
                    with self._lock:
                        self._run.setdefault(id(found), found)
                if "raised" in found.answer:
                    raise raised(found.answer)
                response = response_of(found.answer, stream=request.streams)
                return self._injection.after(call, response)
        return self._injection.after(call, self._record(request, call))

    def _record(self, request: Request, call: Any) -> Response:
        self._note_key(request)
        with self._lock:
            self._active += 1
            if self._active > 1:
                self._cassette.concurrent = True
        try:
            response = self._live(request)
            if not self._failures and is_refused(call, response):
                return response
            return self._keep(call, response, request.streams)
        except FAILURES as error:
            if self._failures and self.mode != "verify":
                with self._lock:
                    self._add(call, failure_of(error))
            raise
        finally:
            with self._lock:
                self._active -= 1

    def _keep(self, call: Any, response: Response, stream: bool) -> Response:
        answer = answer_of(call, response)
        # The application gets what the server said; the cassette gets it without secrets.
        given = response_of(answer, stream=stream) if "body" in answer else response
        kept = self._filter.answer(dict(answer))
        with self._lock:
            if self.mode == "verify":
                self._verify(call, kept)
            else:
                self._add(call, kept)
        return given

    def _add(self, call: Any, answer: dict[str, Any]) -> None:
        interaction = Interaction(call, answer)
        interaction.used = 1
        self._player.record(interaction, call)
        self._cassette.interactions.append(interaction)
        self._run[id(interaction)] = interaction
        self._added = True

    def _verify(self, call: Any, answer: dict[str, Any]) -> None:
        try:
            found = self._player.find(call)
        except CassetteMissError as error:
            self._player.passed(call)
            self.drift.append(str(error))
            return
        difference = drift_between(found, answer)
        if difference:
            self.drift.append(difference)

    def _live(self, request: Request) -> Response:
        if self._inner is None:
            raise ConfigurationError("This recorder only replays.")
        return self._inner.send(request)

    def _note_key(self, request: Request) -> None:
        header = request.headers.get("Authorization")
        if header:
            self._keys.add(header.partition(" ")[2])

    @property
    def unused(self) -> list[str]:
        """Interactions that were never asked for, described."""
        return [one.call.describe() for one in self._player.unused()]

    def close(self) -> None:
        """Write what was recorded, and tell what was never asked for or has changed.

        Raises:
            CassetteError: the key is in it, or (``unused="fail"``) something was never asked for.
            CassetteDriftError: (``mode="verify"``) the server answers otherwise.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self.mode in ("record", "rewrite") or (self.mode == "extend" and self._added):
                if self.mode == "extend":
                    self._cassette.interactions = merged(self._before, list(self._run.values()))
                self._cassette.save(forbidden=[form for key in self._keys for form in forms_of(key)])
        finally:
            if self._inner is not None and self._owns_inner:
                self._inner.close()
        self._tell()

    def _tell(self) -> None:
        if self.drift:
            error = CassetteDriftError.of(
                f"{len(self.drift)} answers differ from the cassette {self._cassette.path}:\n\n"
                + "\n\n".join(self.drift)
            )
            error.drift = tuple(self.drift)
            raise error
        if self._missing or self.mode == "live":
            return
        if self.mode in ("replay", "verify"):
            self._lint("unused", "interactions were never asked for", self.unused)
        if self._lints["unordered"] is None:
            return
        seen = [one for one in self._cassette.interactions if one.used and is_unordered(one.call, one.answer)]
        unordered = [one.call.describe() for one in seen]
        self._lint("unordered", "SELECTs without ORDER BY gave several rows", unordered)

    def _lint(self, name: str, what: str, found: list[str]) -> None:
        if self._lints[name] is None or not found:
            return
        text = f"{self._cassette.path}: {len(found)} {what}:\n\n" + "\n\n".join(found)
        if self._lints[name] == "fail":
            raise CassetteError(text)
        warnings.warn(text, stacklevel=4)
