"""Fields that are stored as JSON: values of JSON, and dataclasses and classes of attrs within them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Required, Union, get_args, get_origin

from mesahub._models.annotations import resolved_hints, shown
from mesahub._models.codecs import Codec, of_adapter
from mesahub.errors import ArgumentError
from mesahub.stored import Adapter

__all__ = ["json_codec"]

Convert = Callable[[Any], Any]
CodecFor = Callable[[Adapter, Any, str], Codec]
"""`mesahub._models.adapters.codec_for`, which imports this module."""


class Form(NamedTuple):
    """Values of one type within JSON. Both functions raise ``ValueError`` or ``TypeError`` for another value.

    Attributes:
        load: makes the value of what `json.loads` gives.
        dump: makes what JSON has of the value.
    """

    load: Convert
    dump: Convert


def json_codec(hint: Any, maker: str, codec_for: CodecFor) -> Codec:
    """A codec for values of ``hint`` as JSON text.

    Args:
        hint: the field's type.
        maker: ``"msgspec"`` and ``"pydantic"`` convert classes of their own within the value.
        codec_for: gives the codec of an adapter that is declared within the type.

    Raises:
        ArgumentError: JSON does not have such values; the message is a clause.
    """
    expected = f"{shown(hint)} as JSON"
    if maker == "msgspec":
        return _msgspec_codec(hint, expected)
    form = _ANY if maker == "pydantic" else _Forms(codec_for).of(hint)

    def load(text: str) -> Any:
        value = json.loads(text, parse_constant=_no_constant)
        try:
            return form.load(value)
        except (TypeError, ValueError) as error:
            raise ValueError("its JSON has another form") from error

    def dump(value: Any) -> str:
        try:
            value = form.dump(value)
            return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except (TypeError, ValueError) as error:
            raise ValueError(f"JSON would change it ({error})") from error

    # A filter for a whole value: dicts and lists are operators and lists of values there.
    kind = get_origin(hint) or hint
    return of_adapter(expected, str, load, dump, kind=kind if _field_names(kind) is not None else None, is_json=True)


def _msgspec_codec(hint: Any, expected: str) -> Codec:
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

    return of_adapter(expected, str, load, dump, is_json=True)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _same(value: Any) -> Any:
    return value


def _unchanged(value: Any) -> Any:
    # A tuple, a key that is not text, a subclass of str or int: it would come back as something else.
    if not _is_same(json.loads(json.dumps(value, allow_nan=False)), value):
        raise ValueError("it would come back as another value")
    return value


def _is_same(loaded: Any, value: Any) -> bool:
    if type(loaded) is not type(value):
        return False
    if type(loaded) is list:
        return len(loaded) == len(value) and all(map(_is_same, loaded, value))
    if type(loaded) is dict:
        return loaded.keys() == value.keys() and all(_is_same(item, value[key]) for key, item in loaded.items())
    return bool(loaded == value)


_ANY = Form(_same, _unchanged)


def _checked(test: Callable[[Any], bool]) -> Form:
    def check(value: Any) -> Any:
        if not test(value):
            raise TypeError(type(value).__name__)
        return value

    return Form(check, check)


class _Forms:
    """The forms of types; a type that holds itself is found while it is being made."""

    def __init__(self, codec_for: CodecFor) -> None:
        self._codec_for = codec_for
        self._known: dict[Any, Form] = {}

    def of(self, hint: Any) -> Form:
        if hint in (Any, object):
            return _ANY
        if hint is None or hint in (type(None), bool, int, str):
            kind = type(None) if hint is None else hint
            return _checked(lambda value: type(value) is kind)
        if hint is float:
            return _checked(lambda value: type(value) in (float, int))
        if hint in (list, dict):
            return Form(_checked(lambda value: type(value) is hint).load, _unchanged)
        if isinstance(hint, type) and get_origin(hint) is None:
            return self._class(hint)
        return self._generic(hint, get_origin(hint), get_args(hint))

    def _generic(self, hint: Any, origin: Any, arguments: tuple[Any, ...]) -> Form:
        if origin is Annotated:
            adapters = [mark for mark in arguments[1:] if isinstance(mark, Adapter) and mark.name != "json"]
            if adapters:
                return self._adapted(arguments[0], adapters[0])
        if origin in (Annotated, Required, NotRequired):
            return self.of(arguments[0])
        if origin in (Union, UnionType):
            return _first([self.of(argument) for argument in arguments])
        if origin is Literal:
            return _checked(lambda value: any(type(value) is type(one) and value == one for one in arguments))
        if origin is list:
            return _list(self.of(arguments[0]))
        if origin is dict and arguments[0] is str:
            return _dict(self.of(arguments[1]))
        if isinstance(origin, type) and (hasattr(origin, "__required_keys__") or _field_names(origin) is not None):
            return self._class(hint)
        raise _not_json(hint)

    def _adapted(self, hint: Any, adapter: Adapter) -> Form:
        members = list(get_args(hint)) if get_origin(hint) in (Union, UnionType) else [hint]
        nullable = type(None) in members
        members = [member for member in members if member is not type(None)]
        codec = self._codec_for(adapter, members[0] if len(members) == 1 else hint, "class")
        form = Form(codec.load, codec.dump)
        return _first([self.of(None), form]) if nullable else form

    def _class(self, hint: Any) -> Form:
        if hint in self._known:
            return self._known[hint]
        cls = get_origin(hint) or hint
        names = {} if hasattr(cls, "__required_keys__") else _field_names(cls)
        if names is None:
            raise _not_json(hint)
        forms: dict[str, Form] = {}
        needed: set[str] = set()
        make = dict if hasattr(cls, "__required_keys__") else cls
        self._known[hint] = form = _object(make, forms, needed)
        for name, type_ in resolved_hints(hint).items():
            if names and name not in names:
                continue
            forms[name] = self.of(type_)
            marked = get_origin(type_) in (Required, NotRequired)
            required = get_origin(type_) is Required if marked else name in getattr(cls, "__required_keys__", ())
            if required or names.get(name):
                needed.add(name)
        return form


def _field_names(cls: Any) -> dict[str, bool] | None:
    """From the fields of a dataclass or a class of attrs to whether they are required; ``None`` for another class."""
    if hasattr(cls, "__dataclass_fields__"):
        import dataclasses

        missing = dataclasses.MISSING
        fields = dataclasses.fields(cls)
        if all(field.init for field in fields):
            return {f.name: f.default is missing and f.default_factory is missing for f in fields}
    elif hasattr(cls, "__attrs_attrs__"):
        import attr  # the class is one of attrs', so it is there

        if all(field.init and not field.name.startswith("_") for field in cls.__attrs_attrs__):
            return {field.name: field.default is attr.NOTHING for field in cls.__attrs_attrs__}
    return None


def _not_json(hint: Any) -> ArgumentError:
    return ArgumentError(
        f"JSON has no {shown(hint)}: use list, dict, str, int, float, bool, None, a TypedDict, a dataclass or a class "
        "of attrs of them, an adapter within the type, or stored.using"
    )


def _first(forms: list[Form]) -> Form:
    def choose(functions: list[Convert]) -> Convert:
        def convert(value: Any) -> Any:
            for function in functions:
                try:
                    return function(value)
                except (TypeError, ValueError):
                    continue
            raise TypeError(type(value).__name__)

        return convert

    return Form(choose([form.load for form in forms]), choose([form.dump for form in forms]))


def _list(item: Form) -> Form:
    def each(function: Convert) -> Convert:
        def convert(value: Any) -> Any:
            if type(value) is not list:
                raise TypeError(type(value).__name__)
            return [function(one) for one in value]

        return convert

    return Form(each(item.load), each(item.dump))


def _dict(item: Form) -> Form:
    def each(function: Convert) -> Convert:
        def convert(value: Any) -> Any:
            if type(value) is not dict or not all(type(key) is str for key in value):
                raise TypeError(type(value).__name__)
            return {key: function(one) for key, one in value.items()}

        return convert

    return Form(each(item.load), each(item.dump))


def _object(make: Any, forms: Mapping[str, Form], needed: set[str]) -> Form:
    """A TypedDict (``make`` is ``dict``) or an instance of a class, as an object of JSON."""

    def checked(value: Any) -> dict[str, Any]:
        if type(value) is not dict or not needed <= value.keys() <= forms.keys():
            raise TypeError(type(value).__name__)
        return value

    def load(value: Any) -> Any:
        found = {name: forms[name].load(one) for name, one in checked(value).items()}
        return found if make is dict else make(**found)

    def dump(value: Any) -> Any:
        if make is not dict:
            if type(value) is not make:
                raise TypeError(type(value).__name__)
            value = {name: getattr(value, name) for name in forms}
        return {name: forms[name].dump(one) for name, one in checked(value).items()}

    return Form(load, dump)
