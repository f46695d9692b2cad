"""What the type of a field says about how it is stored."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from mesahub._models.adapters import adapters_for, codec_for
from mesahub._models.annotations import shown
from mesahub._models.codecs import ANY, NONE, Codec, merged, of_literal, of_scalar, optional, refuse
from mesahub.errors import ArgumentError
from mesahub.stored import Adapter, Mark

__all__ = ["FieldType", "field_type"]

_REQUIRED = {"Required": True, "NotRequired": False}
_TRANSPARENT = ("ReadOnly", "Final", "InitVar")


class FieldType(NamedTuple):
    """What the type of a field says.

    Attributes:
        codec: how its values are stored; ``None`` where that is left to the class (pydantic converts by itself).
        column: another name of its column.
        required: ``Required`` or ``NotRequired``, where the type says so.
        written: ``False`` if the database makes the value.
        default: ``None`` leaves it to the column's default.
        unset: msgspec's ``UNSET`` is one of its values.
    """

    codec: Codec | None
    column: str | None
    required: bool | None
    written: bool
    default: bool
    unset: bool


def field_type(where: str, hint: Any, maker: str) -> FieldType:
    """What the type of a field says.

    Args:
        where: the class and the field, for messages.
        hint: the type.
        maker: ``"pydantic"`` and ``"msgspec"`` have rules of their own.

    Raises:
        ArgumentError: values of this type cannot be stored without an adapter.
    """
    marks: list[Any] = []
    required: bool | None = None
    while True:
        origin = get_origin(hint)
        name = getattr(origin, "_name", None) or getattr(origin, "__name__", "")
        if origin is Annotated:
            hint, *more = get_args(hint)
            marks += more
        elif origin is not None and name in _REQUIRED:
            required, hint = _REQUIRED[name], get_args(hint)[0]
        elif origin is Final or (origin is not None and name in _TRANSPARENT):
            hint = get_args(hint)[0]
        elif hasattr(hint, "__supertype__"):  # NewType
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            break
    members = [hint] if get_origin(hint) not in (Union, UnionType) else list(get_args(hint))
    within = [mark for member in members if get_origin(member) is Annotated for mark in get_args(member)[1:]]
    said = {mark.kind: mark.argument for mark in marks + within if isinstance(mark, Mark)}
    unset = any(getattr(member, "__name__", "") == "UnsetType" for member in members)
    members = [member for member in members if getattr(member, "__name__", "") != "UnsetType"]
    adapters = [mark for mark in marks if isinstance(mark, Adapter)]
    codec = _codec(where, members, adapters, maker)
    return FieldType(codec, said.get("column"), required, "generated" not in said, "default" in said, unset)


def _codec(where: str, members: list[Any], adapters: list[Adapter], maker: str) -> Codec | None:
    nullable = any(member in (None, NONE) for member in members)
    members = [member for member in members if member not in (None, NONE)]
    if not members:
        return optional(Codec("None", (), (), refuse, refuse))
    if len(adapters) > 1:
        raise ArgumentError(f"{where} declares several adapters: {', '.join(map(repr, adapters))}.")
    if adapters:
        # JSON and your own adapters take a union as it is.
        hint = members[0] if len(members) == 1 else Union[tuple(members)]  # noqa: UP007
        try:
            codec = codec_for(adapters[0], hint, maker)
        except ArgumentError as error:
            raise ArgumentError(f"{where}: {error}.") from error.__cause__
        return optional(codec) if nullable else codec
    codecs: list[Codec] = []
    for member in members:
        found = _plain(where, member, maker, alone=len(members) == 1)
        if found is None:
            return None
        codecs.append(found)
    if ANY in codecs:
        return ANY
    codec = codecs[0] if len(codecs) == 1 else merged(codecs)
    return optional(codec) if nullable and not codec.nullable else codec


def _plain(where: str, hint: Any, maker: str, *, alone: bool) -> Codec | None:
    """The codec of one type, without None."""
    if hint is Any or hint is object:
        return ANY
    scalar = of_scalar(hint) if isinstance(hint, type) else None
    if scalar is not None:
        return scalar
    values = get_args(hint)
    if get_origin(hint) is Literal and all(of_scalar(type(value)) is not None for value in values if value is not None):
        codec = of_literal(tuple(value for value in values if value is not None))
        return optional(codec) if None in values else codec
    if get_origin(hint) is Annotated or hasattr(hint, "__supertype__") or type(hint).__name__ == "TypeAliasType":
        inner = field_type(where, hint, maker).codec
        if not alone and inner is not None and not inner.exact:
            raise ArgumentError(
                f"{where}: which type of the union a stored value has cannot be known. Put the adapter around the "
                "whole union, such as Annotated[int | Decimal, stored.using(load, dump)]."
            )
        return inner
    if maker == "pydantic":
        return None
    first, *others = adapters_for(hint)
    also = f", or with {' or '.join(others)}" if others else ""
    raise ArgumentError(
        f"{where} is of type {shown(hint)}, which SQLite does not have. Declare how it is stored: "
        f"Annotated[{shown(hint)}, {first}] (from mesahub import stored){also}."
    )
