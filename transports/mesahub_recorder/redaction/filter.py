"""Which values are ignored in comparisons, and which are never written to a cassette."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from mesahub.errors import ConfigurationError
from mesahub_recorder.call import Call
from mesahub_recorder.redaction.leak_check import Secrets
from mesahub_recorder.redaction.statement_names import Names, StatementNames, names_of
from mesahub_recorder.values import pack, unpack

__all__ = ["Filter"]

_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d([.,]\d+)?)?( ?(Z|[+-]\d\d:?\d\d))?)?")
_PLACEHOLDER = re.compile(r"<redacted [0-9a-f]{12}>")
_CREDENTIAL = re.compile(
    r"(.*[_-])?(api[_-]?keys?|key|secret|token|password|passwd|authorization|cookie|credentials?|signature|jwt)", re.I
)
"""Names of fields in the service's own answers (not of an application's columns) that hold what gives access."""
_ISSUED = re.compile(r"sh[a-z]_[0-9A-Za-z]{16,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
"""The form of a key of the service, and of a JSON Web Token."""
_HARMLESS = frozenset({"dis", "disposition", "filename", "x-amz-algorithm", "x-amz-date", "x-amz-expires", "expires"})

Pattern = str | int | Callable[[str, Any], bool]


class Filter:
    """What a recorder ignores and redacts, and the secrets that it has seen.

    Args:
        ignore: names (patterns as in a shell) or positions of bindings that change from run to run; ``"<uuid>"`` and
            ``"<now>"`` mean all values that look like one. Names apply to result columns too when answers are compared.
        redact: names (patterns) of bindings and result columns that are secret, or functions of (name, value).
        salt: the cassette's; the same secret gives the same placeholder, so that what was equal stays equal.
    """

    def __init__(self, ignore: Iterable[Any] = (), redact: Iterable[Any] = (), salt: str = "") -> None:
        self._ignore = _patterns("ignore_bindings", ignore, (str, int))
        self._redact = _patterns("redact", redact, (str,))
        self.salt = salt
        self.secrets = Secrets()

    @property
    def ignores(self) -> bool:
        """Is there anything to ignore?"""
        return bool(self._ignore)

    @property
    def redacts(self) -> bool:
        """Is there anything to redact?"""
        return bool(self._redact)

    # --- calls ---------------------------------------------------------------------------------------------

    def call(self, call: Call, *, recorded: bool = False) -> Call:
        """Return a call that may be written: secrets redacted, ignored values marked.

        Args:
            call: the call.
            recorded: it comes from a cassette: its secrets are redacted already, and its marks stay.
        """
        if not (self._ignore or self._redact):
            return call
        if call.sql is None:
            return self._request(call)
        names = names_of(call.sql)
        if self._redact and not recorded:
            self._note_literals(names)
        if call.rows is not None:
            rows = [self._values(names, row) for row in call.rows] if self._redact else call.rows
            ignored = {place for row in call.rows for place in self._ignored(names, row)}
            file = call.file if rows == call.rows else None
            marks = sorted(ignored.union(call.ignored))
            return Call(call.operation, call.database, call.sql, (), rows, None, marks, file)
        bindings = self._values(names, call.bindings) if self._redact else call.bindings
        marks = sorted(self._ignored(names, call.bindings).union(call.ignored))
        return Call(call.operation, call.database, call.sql, bindings, None, None, marks)

    def _request(self, call: Call) -> Call:
        assert call.request is not None
        request = dict(call.request)
        if "payload" in request:
            request["payload"] = self._payload(request["payload"])
        if "params" in request:
            request["params"] = {
                name: self._hidden((name,), value) if self._is_secret((name,), value) else value
                for name, value in request["params"].items()
            }
        return Call(call.operation, call.database, request=request)

    def _payload(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._payload(inner) for inner in value]
        if not isinstance(value, Mapping) or value.keys() == {"bytes"}:
            return value
        if not isinstance(value.get("sql"), str):
            return {
                name: self._hidden((name,), inner) if self._is_secret((name,), inner) else self._payload(inner)
                for name, inner in value.items()
            }
        names = names_of(value["sql"])
        self._note_literals(names)
        changed = dict(value)
        bindings = value.get("bindings")
        if isinstance(bindings, list):
            changed["bindings"] = self._values(names, bindings)
            marks = sorted(self._ignored(names, bindings))
            if marks:
                changed["ignored"] = marks
        if isinstance(value.get("rows"), list):
            changed["rows"] = [self._values(names, row) for row in value["rows"]]
        return changed

    def _ignored(self, names: StatementNames, values: Sequence[Any]) -> set[int]:
        if not self._ignore:
            return set()
        return {place for place, value in enumerate(values) if self._is_ignored(place, _at(names, place).names, value)}

    def _is_ignored(self, place: int | None, names: Iterable[str], value: Any) -> bool:
        for pattern in self._ignore:
            if pattern == "<uuid>":
                if isinstance(value, str) and _UUID.fullmatch(value):
                    return True
            elif pattern == "<now>":
                if isinstance(value, str) and _TIME.fullmatch(value):
                    return True
            elif isinstance(pattern, int):
                if place is not None and pattern == place:
                    return True
            elif any(name and fnmatch.fnmatchcase(name, pattern) for name in names):
                return True
        return False

    # --- redaction -----------------------------------------------------------------------------------------

    def _values(self, names: StatementNames, values: Sequence[Any]) -> list[Any]:
        doubtful = self._is_suspicious(names)
        kept = []
        for place, value in enumerate(values):
            known = _at(names, place)
            if self._is_secret(known.names, value) or (doubtful and not known.certain):
                value = self._hidden(known.names, value)
            kept.append(value)
        return kept

    def _is_suspicious(self, names: StatementNames) -> bool:
        """May a secret be among the values whose column is unknown?"""
        return names.blind or self._matches(names.mentioned)

    def _matches(self, names: Iterable[str]) -> bool:
        patterns = [pattern for pattern in self._redact if isinstance(pattern, str)]
        return any(name and fnmatch.fnmatchcase(name, pattern) for pattern in patterns for name in names)

    def _is_secret(self, names: Iterable[str], value: Any) -> bool:
        if not self._redact or value is None:
            return False
        names = tuple(names)
        if self._matches(names) or self._has_secret_member(value):
            return True
        plain = unpack(value)
        return any(callable(rule) and any(rule(name, plain) for name in names or ("",)) for rule in self._redact)

    def _has_secret_member(self, value: Any) -> bool:
        """Is it JSON with a member whose name is secret?"""
        if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
            return False
        try:
            members = _members(json.loads(value))
        except (ValueError, RecursionError):
            return False
        return self._matches(members)

    def _hidden(self, names: Iterable[str], value: Any) -> Any:
        if value is None or (isinstance(value, str) and _PLACEHOLDER.fullmatch(value)):
            return value  # of a call that comes from the cassette
        plain = unpack(value)
        self.secrets.add(plain, next((name for name in names if name), "a redacted value"))
        return self._placeholder(plain)

    def _placeholder(self, value: Any) -> str:
        text = value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")
        return f"<redacted {hashlib.sha256(self.salt.encode() + text).hexdigest()[:12]}>"

    def _note_literals(self, names: StatementNames) -> None:
        for known, text in names.literals:
            if self._matches(known):
                self.secrets.add(text, next(iter(known)))

    # --- answers -------------------------------------------------------------------------------------------

    def answer(self, call: Call, answer: dict[str, Any]) -> dict[str, Any]:
        """Return an answer that may be written: secret columns redacted, and all keys and tokens of the service."""
        if "columns" in answer:
            return self._result(call, answer) if self._redact else answer
        if "json" not in answer:
            return answer
        payload = answer["json"]
        if call.sql is None and call.operation != "batch":
            payload = self._issued(payload)
        if self._redact:
            payload = unpack(self._payload(pack(payload)))
        return {**answer, "json": payload}

    def _result(self, call: Call, answer: dict[str, Any]) -> dict[str, Any]:
        names = [name for name, _ in answer["columns"]]
        origins = self._origins(call, names)
        rows = [
            [
                self._hidden(known, pack(value)) if hide or self._is_secret(known, pack(value)) else value
                for known, hide, value in zip(origins, self._doubtful(call, names), row, strict=True)
            ]
            for row in answer["rows"]
        ]
        return {**answer, "rows": rows}

    def _origins(self, call: Call, columns: list[str]) -> list[tuple[str, ...]]:
        results = None if call.sql is None else names_of(call.sql).results
        if results is not None and len(results) == len(columns):
            return [(name, *origin) for name, origin in zip(columns, results, strict=True)]
        return [(name,) for name in columns]

    def _doubtful(self, call: Call, columns: list[str]) -> list[bool]:
        assert call.sql is not None
        names = names_of(call.sql)
        if not self._matches(names.mentioned):
            return [False] * len(columns)
        if names.results is None:
            return [True] * len(columns)
        if not names.has_star:
            return [False] * len(columns) if len(names.results) == len(columns) else [True] * len(columns)
        # Columns of a * have their own names; computed ones are known by their last name.
        computed = {origin[-1] for origin in names.results if origin and self._matches(origin)}
        return [name in computed or (bool(computed) and not name.isidentifier()) for name in columns]

    def _issued(self, value: Any, name: str = "") -> Any:
        """A payload of the service without keys, tokens and signatures of links."""
        if isinstance(value, Mapping):
            return {key: self._issued(inner, str(key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._issued(inner, name) for inner in value]
        if not isinstance(value, str) or not value or _PLACEHOLDER.fullmatch(value):
            return value
        if _CREDENTIAL.fullmatch(name) or _ISSUED.fullmatch(value):
            self.secrets.add(value, name or "a key")
            return self._placeholder(value)
        if "?" in value and "://" in value:
            return self._link(value, name)
        return value

    def _link(self, link: str, name: str) -> str:
        parts = urlsplit(link)
        kept = []
        for pair in parts.query.split("&"):
            key, equals, value = pair.partition("=")
            if value and key.lower() not in _HARMLESS and not value.startswith("redacted-"):
                self.secrets.add(value, name)
                # The placeholder must not need escaping in a URL.
                value = f"redacted-{self._placeholder(value)[10:22]}"
            kept.append(f"{key}{equals}{value}")
        return urlunsplit(parts._replace(query="&".join(kept)))

    # --- comparing answers ---------------------------------------------------------------------------------

    def marks(self, answer: Mapping[str, Any]) -> list[int]:
        """Positions of the result columns that are ignored."""
        if not self._ignore:
            return []
        return [
            place
            for place, (name, _) in enumerate(answer.get("columns", ()))
            if self._is_ignored(None, (name,), None)
            or any(self._is_ignored(None, (), row[place]) for row in answer.get("rows", ()))
        ]

    def ignores_rowid(self) -> bool:
        """Is the id of an inserted row ignored?"""
        return any(self._is_ignored(None, (name,), None) for name in ("id", "rowid", "last_insert_rowid"))


def _at(names: StatementNames, place: int) -> Names:
    return names.parameters[place] if place < len(names.parameters) else Names((), certain=False)


def _members(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*map(str, value), *(name for inner in value.values() for name in _members(inner))]
    if isinstance(value, list):
        return [name for inner in value for name in _members(inner)]
    return []


def _patterns(option: str, given: Any, kinds: tuple[type, ...]) -> list[Any]:
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise ConfigurationError(f"{option} must be a list, such as [{given!r}], not {type(given).__name__}.")
    patterns = list(given)
    for pattern in patterns:
        if not isinstance(pattern, kinds) and not (option == "redact" and callable(pattern)):
            raise ConfigurationError(f"{option} takes names and patterns, not {pattern!r}.")
    return patterns
