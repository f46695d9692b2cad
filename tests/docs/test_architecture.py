"""The page "Architecture" shows the dialects, transports and layers that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs import diagrams
from tests.docs.test_examples import ROOT

MAKE = "python -m tests.docs.diagrams writes it"


@pytest.mark.parametrize("group", ["dialects", "transports", "async_transports"])
def test_diagram_shows_every_entry_point(group: str) -> None:
    texts = re.findall(r'<text class="mono"[^>]*>([^<]*)</text>', diagrams.AXES.read_text("utf-8"))
    assert {name.removesuffix("://") for name in texts} >= set(diagrams.names(group)), MAKE


def test_diagram_is_current() -> None:
    assert diagrams.AXES.read_text("utf-8") == diagrams.axes(), MAKE


def test_layers_are_those_that_are_enforced() -> None:
    assert diagrams.shown_layers() == diagrams.layers(), MAKE


def test_every_layer_is_explained() -> None:
    assert "|  |" not in diagrams.layers(), "give it a text in tests/docs/diagrams.py"


def test_page_names_folders_that_exist() -> None:
    text = diagrams.PAGE.read_text("utf-8")
    named = [name for name in re.findall(r"`((?:mesahub|transports|tests)/[\w/]*)`", text) if name]
    assert len(named) > 5
    assert [name for name in named if not Path(ROOT, name).exists()] == []
