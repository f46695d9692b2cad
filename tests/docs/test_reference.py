"""The reference is complete: every public name stands in it."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mesahub
import mesahub.middleware
import mesahub.sql
import mesahub.testing
import mesahub.transport

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
NAMED = {
    target
    for page in REFERENCE.glob("*.md")
    for target in re.findall(r"^::: ([\w.]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
}


@pytest.mark.parametrize(
    "module", [mesahub, mesahub.aio, mesahub.sql, mesahub.middleware, mesahub.transport, mesahub.testing]
)
def test_every_public_name_is_in_the_reference(module: object) -> None:
    missing = []
    for name in getattr(module, "__all__"):  # noqa: B009
        thing = getattr(module, name)
        home = getattr(thing, "__module__", None) or getattr(module, "__name__")  # noqa: B009
        ours = f"{getattr(module, '__name__')}.{name}"  # noqa: B009
        package = home.rpartition(".")[0]  # a package hands on what its modules define
        if not {ours, f"{home}.{name}", home, package, getattr(module, "__name__")} & NAMED:  # noqa: B009
            missing.append(ours)
    assert not missing


def test_what_the_reference_names_exists() -> None:
    for target in sorted(NAMED):
        try:
            importlib.import_module(target)
        except ModuleNotFoundError:
            module, _, name = target.rpartition(".")
            assert hasattr(importlib.import_module(module), name), target


def documented() -> Iterator[tuple[str, str]]:
    """(name, docstring) of what the reference shows."""
    for target in sorted(NAMED):
        try:
            thing: object = importlib.import_module(target)
        except ModuleNotFoundError:
            module, _, name = target.rpartition(".")
            thing = getattr(importlib.import_module(module), name)
        yield from docstrings(target, thing)


def docstrings(name: str, thing: object) -> Iterator[tuple[str, str]]:
    yield name, inspect.getdoc(thing) or ""
    if inspect.isclass(thing) or inspect.ismodule(thing):
        for member, inner in vars(thing).items():
            public = not member.startswith("_") or member == "__init__"
            mine = inspect.isclass(thing) or getattr(inner, "__module__", "") == thing.__name__
            if public and mine and (inspect.isclass(inner) or callable(inner)):
                yield from docstrings(f"{name}.{member}", inner)


def test_each_argument_has_its_own_line() -> None:
    """The site's builder, which is strict, takes ``a, b:`` for one name."""
    together = re.compile(r"^(?:Args|Attributes):\n(?:    .*\n|\n)*?    \w+(?:, \w+)+: ", re.MULTILINE)
    assert [name for name, text in documented() if together.search(text)] == []


def test_docstrings_have_no_restructured_text() -> None:
    """The reference is Markdown, which shows ``::`` as it is."""
    assert [name for name, text in documented() if re.search(r"::\s*$", text, re.MULTILINE)] == []
