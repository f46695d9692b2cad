"""Fields that are stored as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin, get_type_hints

from mesahub._models.codecs import Codec, of_adapter
from mesahub.errors import ArgumentError

__all__ = ["json_codec"]

Check = Callable[[Any], bool]
_WRAPPERS = (Annotated, Required, NotRequired)


def json_codec(hint: Any, library: str) -> Codec:
    """A codec for values of ``hint`` as JSON text.

    Args:
        hint: the field's type.
        library: ``"msgspec"`` and ``"pydantic"`` convert classes of their own within the value.

    Raises:
        ArgumentError: JSON does not have such values; the message is a clause.
    """
    shown = f"{getattr(hint, '__name__', None) if isinstance(hint, type) else hint} as JSON"
    if library == "msgspec":
        return _msgspec_codec(hint, shown)
    check = _anything if library == "pydantic" else _check_of(hint)

    def load(text: str) -> Any:
        value = json.loads(text, parse_constant=_no_constant)
        if not check(value):
            raise ValueError("its JSON has another form")
        return value

    def dump(value: Any) -> str:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # A tuple, a key that is not text, a subclass of str or int: it would come back as something else.
        if not check(value) or not _is_same(json.loads(text), value):
            raise ValueError("JSON would change it")
        return text

    return of_adapter(shown, str, load, dump)


def _anything(_: Any) -> bool:
    return True


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _is_same(loaded: Any, value: Any) -> bool:
    if type(loaded) is not type(value):
        return False
    if type(loaded) is list:
        return len(loaded) == len(value) and all(map(_is_same, loaded, value))
    if type(loaded) is dict:
        return loaded.keys() == value.keys() and all(_is_same(item, value[key]) for key, item in loaded.items())
    return bool(loaded == value)


def _msgspec_codec(hint: Any, shown: str) -> Codec:
    import msgspec  # the class is one of msgspec's, so it is there

    decoder = msgspec.json.Decoder(hint)
    encode = msgspec.json.Encoder().encode

    def load(text: str) -> Any:
        return decoder.decode(text)

    def dump(value: Any) -> str:
        text = encode(value)
        if decoder.decode(text) != value:
            raise ValueError("JSON would change it")
        return text.decode()

    return of_adapter(shown, str, load, dump)


def _check_of(hint: Any, known: dict[Any, Check] | None = None) -> Check:
    """A function that says whether a JSON value is one of this type.

    Args:
        hint: the type.
        known: the checks of the types around it, which may be in it again.
    """
    known = {} if known is None else known
    if hint in (Any, object):
        return _anything
    if hint is None or hint in (type(None), bool, int, str, list, dict):
        kind = type(None) if hint is None else hint
        return lambda value: type(value) is kind
    if hint is float:
        return lambda value: type(value) in (float, int)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in _WRAPPERS:
        return _check_of(arguments[0], known)
    if origin in (Union, UnionType):
        choices = [_check_of(argument, known) for argument in arguments]
        return lambda value: any(check(value) for check in choices)
    if origin is Literal:
        return lambda value: any(type(value) is type(one) and value == one for one in arguments)
    if origin is list:
        item = _check_of(arguments[0], known)
        return lambda value: type(value) is list and all(map(item, value))
    if origin is dict and arguments[0] is str:
        item = _check_of(arguments[1], known)
        return lambda value: type(value) is dict and all(map(item, value.values()))
    if isinstance(hint, type) and hasattr(hint, "__required_keys__"):
        return known[hint] if hint in known else _typed_dict(hint, known)
    name = hint.__name__ if isinstance(hint, type) else str(hint)
    raise ArgumentError(
        f"JSON has no {name}: use list, dict, str, int, float, bool, None or a TypedDict of them, or stored.using"
    )


def _typed_dict(hint: Any, known: dict[Any, Check]) -> Check:
    keys: dict[str, Check] = {}
    missing: set[str] = set()

    def check(value: Any) -> bool:
        if type(value) is not dict or not keys.keys() - missing <= value.keys() <= keys.keys():
            return False
        return all(keys[name](item) for name, item in value.items())

    known[hint] = check
    for name, type_ in get_type_hints(hint, include_extras=True).items():
        keys[name] = _check_of(type_, known)
        origin = get_origin(type_)
        if origin is NotRequired or (origin is not Required and name in hint.__optional_keys__):
            missing.add(name)
    return check
