"""The types of a class's fields, resolved."""

from __future__ import annotations

import sys
import typing
from collections.abc import Mapping
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from mesahub.errors import ArgumentError

__all__ = ["resolved_hints", "shown"]


def resolved_hints(cls: Any) -> dict[str, Any]:
    """The types of a class's fields, by name, with what is ``Annotated``.

    Names that are not those of the class's module are looked for in the class, and in the functions that are running:
    a class may be made in a function.

    Raises:
        ArgumentError: a name in an annotation is not defined at run time.
    """
    origin = get_origin(cls) or cls
    names: dict[str, Any] = {}
    while True:
        try:
            hints = get_type_hints(origin, localns=names, include_extras=True)
            break
        except NameError as error:
            found = _elsewhere(error.name, origin)
            if error.name is None or error.name in names or found is None:
                raise ArgumentError(
                    f"The types of {origin.__name__}'s fields cannot be resolved: {error}. Import it at run time, and "
                    "not only under TYPE_CHECKING."
                ) from None
            names[error.name] = found[0]
        except Exception as error:
            raise ArgumentError(f"The types of {origin.__name__}'s fields cannot be resolved: {error}.") from error
    variables = _variables(cls)
    return {name: _filled(hint, variables) for name, hint in hints.items() if get_origin(hint) is not ClassVar}


def shown(hint: Any) -> str:
    """A type, for messages."""
    return hint.__name__ if isinstance(hint, type) else str(hint)


def _elsewhere(name: str | None, cls: type) -> tuple[Any] | None:
    for base in cls.__mro__:
        if name is not None and name in vars(base):
            return (vars(base)[name],)
    frame = sys._getframe(1)
    while frame is not None:
        if name in frame.f_locals:
            return (frame.f_locals[name],)
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _variables(cls: Any) -> dict[Any, Any]:
    """What the type variables of a class and of its bases are."""
    origin, arguments = get_origin(cls) or cls, get_args(cls)
    found = dict(zip(getattr(origin, "__parameters__", ()), arguments, strict=False))
    for base in getattr(origin, "__orig_bases__", ()):
        inner = _variables(base) if get_origin(base) not in (None, typing.Generic) else {}
        found |= {variable: _filled(hint, found) for variable, hint in inner.items()}
    return found


def _filled(hint: Any, variables: Mapping[Any, Any]) -> Any:
    if isinstance(hint, typing.TypeVar):
        return variables.get(hint, hint.__bound__ or Any)
    parameters = getattr(hint, "__parameters__", ())
    if parameters and not isinstance(hint, type):
        return hint[tuple(variables.get(parameter, Any) for parameter in parameters)]
    return hint
