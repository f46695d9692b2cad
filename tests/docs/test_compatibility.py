"""The page "Compatibility and deprecation" names what there is."""

from __future__ import annotations

import importlib
import re
import tomllib
from types import ModuleType
from typing import Any

from tests.docs.test_examples import ROOT

PAGE = (ROOT / "docs/compatibility.md").read_text("utf-8")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_public_modules_have_public_names() -> None:
    paragraph = PAGE.partition("- Every name in the `__all__` of")[2].partition(":")[0]
    modules = re.findall(r"`([\w.]+)`", paragraph)
    assert len(modules) > 8
    assert [name for name in modules if not getattr(importlib.import_module(name), "__all__", None)] == []


def test_modules_of_public_classes_exist() -> None:
    line = PAGE.partition("- Every class of ")[2].partition("\n")[0]
    modules = re.findall(r"`([\w.]+)`", line)
    assert len(modules) == 3
    assert all(isinstance(importlib.import_module(name), ModuleType) for name in modules)


def test_entry_point_groups_are_those_of_the_project() -> None:
    named = set(re.findall(r"`(mesahub\.(?:transports|async_transports|dialects|commands))`", PAGE))
    assert named == {group for group in PROJECT["entry-points"] if group.startswith("mesahub.")}


def test_python_versions_are_those_of_the_project() -> None:
    minors = [int(text) for text in re.findall(r"Python :: 3\.(\d+)", " ".join(PROJECT["classifiers"]))]
    assert f"| Python | 3.{min(minors)} to 3.{max(minors)};" in PAGE
    assert PROJECT["requires-python"] == f">=3.{min(minors)}"


def test_oldest_packages_are_those_of_the_extras() -> None:
    extras = PROJECT["optional-dependencies"]
    requests, urllib3 = (extras[name][0].partition(">=")[2] for name in ("requests", "urllib3"))
    assert f"| `requests`, `urllib3` | {requests} and {urllib3}, and newer |" in PAGE
