"""The table of the guide "Scaling out" says what the records of the engines say.

To make it anew: ``python -m tests.docs.test_capabilities``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mesahub.dialects.libsql.dialect import CAPABILITIES as LIBSQL
from mesahub.dialects.mesahub.dialect import CAPABILITIES as MESAHUB
from mesahub.dialects.rqlite.dialect import CAPABILITIES as RQLITE
from mesahub_embedded import EmbeddedTransport

GUIDE = Path(__file__).parents[2] / "docs/guides/scaling-out.md"
START, END = "<!-- capabilities: made by tests/docs/test_capabilities.py -->\n\n", "\n<!-- end -->"


def table() -> str:
    records = [EmbeddedTransport.capabilities, MESAHUB, RQLITE, LIBSQL]
    lines = [
        "| `db.capabilities` | " + " | ".join(["embedded", "MesaHub", "rqlite", "libSQL"]) + " |",
        "|---|" + "---|" * len(records),
    ]
    for name in sorted(set(RQLITE.__slots__) - {"engine"}):
        values = [shown(getattr(record, name)) for record in records]
        if len(set(values)) > 1:
            lines.append(f"| `{name}` | " + " | ".join(values) + " |")
    return "\n".join(lines) + "\n"


def shown(value: Any) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "-"
    if type(value) is bool:
        return "yes" if value else "no"
    return f"{value:,}" if type(value) is int else str(value)


def test_the_guide_shows_what_each_engine_can_do() -> None:
    text = GUIDE.read_text("utf-8")
    assert text.partition(START)[2].partition(END)[0] == table()


if __name__ == "__main__":
    before, _, rest = GUIDE.read_text("utf-8").partition(START)
    GUIDE.write_text(f"{before}{START}{table()}{END}{rest.partition(END)[2]}", "utf-8")
