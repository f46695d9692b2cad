"""The classes that rows can be: dataclasses, TypedDicts, NamedTuples, attrs, msgspec and pydantic.

A class is recognized by what its library has put into it, so none of them is imported here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Annotated, Any, NamedTuple, get_origin

from mesahub._models.annotations import resolved_hints
from mesahub._models.codecs import Codec
from mesahub._models.hints import FieldType, field_type
from mesahub.errors import ArgumentError
from mesahub.sql.identifiers import fold
from mesahub.sql.rewrites.exact import KINDS

__all__ = ["Field", "Shape", "shape_of"]


class Field(NamedTuple):
    """A field of a class and the column in which it is stored.

    Attributes:
        name: the attribute, or the key of a TypedDict.
        argument: what the class calls it when an instance is made; ``None`` if it is set afterwards.
        column: the column.
        codec: how its values are stored; ``None`` if the class converts them by itself.
        required: an instance cannot be made without it.
        left_out: it is left out where its column is NULL.
        written: ``False`` if the database makes the value.
        default: ``None`` leaves it to the column's default.
    """

    name: str
    argument: str | None
    column: str
    codec: Codec | None
    required: bool
    left_out: bool
    written: bool
    default: bool


class Shape(NamedTuple):
    """What a class is made of.

    Attributes:
        cls: the class.
        name: its name.
        maker: ``"dict"`` for a TypedDict, ``"pydantic"``, ``"msgspec"``, or ``"class"``.
        fields: its fields.
        make: makes one instance of its arguments, by name.
        positional: the arguments that ``cls`` takes by position, in their order.
        values: the values of an instance, by the names of fields.
    """

    cls: Any
    name: str
    maker: str
    fields: tuple[Field, ...]
    make: Callable[[dict[str, Any]], Any]
    positional: tuple[str, ...]
    values: Callable[[Any], Mapping[str, Any]]


class _Raw(NamedTuple):
    """A field as its library shows it."""

    name: str
    argument: str | None
    required: bool
    column: str | None = None
    positional: bool = True


def shape_of(cls: Any) -> Shape:
    """What a class is made of.

    Raises:
        ArgumentError: it is not a class of rows, or a field cannot be stored.
    """
    origin = get_origin(cls) or cls
    if not isinstance(origin, type):
        raise ArgumentError(f"The class of rows must be a class such as a dataclass or a TypedDict, not {cls!r:.60}.")
    for read in (_typed_dict, _pydantic, _msgspec, _attrs, _dataclass, _named_tuple):
        shape = read(cls, origin)
        if shape is not None:
            return _checked(shape)
    raise ArgumentError(
        f"{origin.__name__} is not a class of rows: use a dataclass, a TypedDict, a NamedTuple, or a class of attrs, "
        "msgspec or pydantic."
    )


def _checked(shape: Shape) -> Shape:
    if not shape.fields:
        raise ArgumentError(f"{shape.name} has no fields, so no columns.")
    seen: dict[str, str] = {}
    for field in shape.fields:
        if fold(field.column) == KINDS:
            raise ArgumentError(
                f"{shape.name}.{field.name}: the column {KINDS!r} has the name of one that is added to each read; read "
                "it through a view that names it otherwise."
            )
        other = seen.setdefault(fold(field.column), field.name)
        if other != field.name:
            raise ArgumentError(
                f"{shape.name}.{other} and {shape.name}.{field.name} have one column, {field.column!r}."
            )
    return shape


def _fields(name: str, raw: Sequence[_Raw], hints: Mapping[str, Any], maker: str) -> tuple[Field, ...]:
    return tuple(
        [_field(each, field_type(f"{name}.{each.name}", hints.get(each.name, Any), maker), maker) for each in raw]
    )


def _field(raw: _Raw, type_: FieldType, maker: str) -> Field:
    required = raw.required if type_.required is None else type_.required
    nullable = type_.codec is None or type_.codec.nullable
    return Field(
        raw.name,
        raw.argument,
        type_.column or raw.column or raw.name,
        type_.codec,
        required,
        not nullable and (type_.unset or (maker == "dict" and not required)),
        type_.written,
        type_.default,
    )


def _class_shape(cls: Any, origin: type, raw: Sequence[_Raw], hints: Mapping[str, Any], maker: str = "class") -> Shape:
    fields = _fields(origin.__name__, raw, hints, maker)
    positional = tuple([each.argument for each in raw if each.positional and each.argument is not None])
    names = [field.name for field in fields]
    get: Any = attrgetter(*names) if names else None

    def values(row: Any) -> dict[str, Any]:
        return {names[0]: get(row)} if len(names) == 1 else dict(zip(names, get(row), strict=True))

    return Shape(origin, origin.__name__, maker, fields, lambda arguments: cls(**arguments), positional, values)


def _typed_dict(cls: Any, origin: Any) -> Shape | None:
    required = getattr(origin, "__required_keys__", None)
    if required is None or dict not in origin.__mro__:
        return None
    hints = resolved_hints(cls)
    raw = [_Raw(name, name, name in required) for name in hints]
    fields = _fields(origin.__name__, raw, hints, "dict")
    return Shape(origin, origin.__name__, "dict", fields, dict, (), dict)


def _named_tuple(cls: Any, origin: Any) -> Shape | None:
    names, defaults = getattr(origin, "_fields", None), getattr(origin, "_field_defaults", {})
    if names is None or tuple not in origin.__mro__:
        return None
    raw = [_Raw(name, name, name not in defaults) for name in names]
    return _class_shape(cls, origin, raw, resolved_hints(cls))


def _dataclass(cls: Any, origin: Any) -> Shape | None:
    known = getattr(origin, "__dataclass_fields__", None)
    if known is None:
        return None
    import dataclasses

    raw: list[_Raw] = []
    for field in known.values():
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if field._field_type is dataclasses._FIELD:  # type: ignore[attr-defined]
            argument = field.name if field.init else None
            column = _column(origin, field)
            raw.append(_Raw(field.name, argument, field.init and not has_default, column, not field.kw_only))
        elif field._field_type is dataclasses._FIELD_INITVAR and not has_default:  # type: ignore[attr-defined]
            raise ArgumentError(
                f"{origin.__name__} takes an InitVar, {field.name!r}, that has no default and no column."
            )
    names = [field.name for field in known.values() if field.init and not field.kw_only]
    if (
        names != [each.argument for each in raw if each.positional and each.argument]
        or not origin.__dataclass_params__.init
    ):
        raw = [each._replace(positional=False) for each in raw]
    return _class_shape(cls, origin, raw, resolved_hints(cls))


def _attrs(cls: Any, origin: Any) -> Shape | None:
    known = getattr(origin, "__attrs_attrs__", None)
    if known is None:
        return None
    import attr  # the class is one of attrs', so it is there

    raw = [
        _Raw(
            field.name,
            (getattr(field, "alias", None) or field.name.lstrip("_")) if field.init else None,
            field.init and field.default is attr.NOTHING,
            _column(origin, field),
            not field.kw_only,
        )
        for field in known
    ]
    # Of attr.ib(type=...), which is not an annotation.
    hints = {field.name: field.type for field in known if field.type is not None} | resolved_hints(cls)
    return _class_shape(cls, origin, raw, hints)


def _column(origin: type, field: Any) -> str | None:
    name = field.metadata.get("column")
    if name is not None and (not isinstance(name, str) or not name):
        raise ArgumentError(
            f"{origin.__name__}.{field.name}: the column in its metadata must be a name, not {name!r:.60}."
        )
    return name


def _msgspec(cls: Any, origin: Any) -> Shape | None:
    if not hasattr(origin, "__struct_fields__"):
        return None
    import msgspec  # the class is one of msgspec's, so it is there

    raw = [
        _Raw(field.name, field.name, field.required, field.encode_name)
        for field in msgspec.structs.fields(origin)
    ]  # fmt: skip
    parameters = inspect.signature(origin).parameters
    raw = [each._replace(positional=parameters[each.name].kind is not inspect.Parameter.KEYWORD_ONLY) for each in raw]
    return _class_shape(cls, origin, raw, resolved_hints(cls), "msgspec")


def _pydantic(_: Any, origin: Any) -> Shape | None:
    known = getattr(origin, "__pydantic_fields__", None)
    if known is None or not hasattr(origin, "model_validate"):
        return None
    if getattr(origin, "__pydantic_root_model__", False):
        raise ArgumentError(f"{origin.__name__} is a RootModel, which has no columns.")
    if not getattr(origin, "__pydantic_complete__", True):
        origin.model_rebuild(raise_errors=False, _parent_namespace_depth=6)
        if not origin.__pydantic_complete__:
            raise ArgumentError(
                f"The types of {origin.__name__}'s fields cannot be resolved: call model_rebuild() first."
            )
    by_name = origin.model_config.get("validate_by_alias") is False
    raw, hints = [], {}
    for name, field in origin.model_fields.items():
        alias = _alias(origin, name, field)
        raw.append(_Raw(name, name if by_name or alias is None else alias, field.is_required(), alias))
        hint = field.annotation
        hints[name] = Annotated[(hint, *field.metadata)] if field.metadata else hint
    fields = _fields(origin.__name__, raw, hints, "pydantic")
    as_json = {field.name for field in fields if field.codec is not None and field.codec.is_json}
    names = {field.name for field in fields}

    def values(row: Any) -> dict[str, Any]:
        found: dict[str, Any] = row.model_dump(include=names - as_json, by_alias=False)
        return found | row.model_dump(mode="json", include=as_json, by_alias=False) if as_json else found

    return Shape(origin, origin.__name__, "pydantic", fields, origin.model_validate, (), values)


def _alias(origin: type, name: str, field: Any) -> str | None:
    alias = field.validation_alias if field.validation_alias is not None else field.alias
    choices = getattr(alias, "choices", None)
    if choices:
        alias = next((choice for choice in choices if isinstance(choice, str)), alias)
    if alias is not None and not isinstance(alias, str):
        raise ArgumentError(f"{origin.__name__}.{name} has an alias that is not the name of a column: {alias!r:.60}.")
    return alias
