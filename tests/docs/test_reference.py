"""The reference is complete: every public name stands in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mesahub
import mesahub.middleware
import mesahub.sql
import mesahub.testing
import mesahub.transport

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
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
    import importlib

    for target in sorted(NAMED):
        try:
            importlib.import_module(target)
        except ModuleNotFoundError:
            module, _, name = target.rpartition(".")
            assert hasattr(importlib.import_module(module), name), target
