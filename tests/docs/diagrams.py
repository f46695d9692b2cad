"""The diagram of the axes and the table of layers in docs/architecture.md, made from pyproject.toml.

To write both: ``python -m tests.docs.diagrams``.
"""

from __future__ import annotations

import tomllib
from html import escape
from typing import Any

from tests.docs.test_examples import ROOT

AXES = ROOT / "docs/assets/axes.svg"
PAGE = ROOT / "docs/architecture.md"
START, END = "<!-- layers: made by tests/docs/diagrams.py -->\n\n", "\n<!-- end -->"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CAPTIONS = {
    "mh": "MesaHub, mesahub serve",
    "rqlite": "a cluster of SQLite",
    "libsql": "sqld, Turso",
    "urllib": "no dependency",
    "requests": "your Session",
    "urllib3": "your pool",
    "asyncio": "no dependency",
    "aiohttp": "your session",
    "httpx": "your client",
    "embedded": "SQLite, in this process",
    "recorder": "a cassette; wraps any",
}
LAYERS = {
    "cli": "the command line, the suites for authors, and what other libraries need",
    "dbapi": "PEP 249, over the layers below",
    "aio": "the same classes for asyncio, made from the blocking ones by `make aio`",
    "copying": "whole databases, from one place to another",
    "session": "a connection of its own: transactions",
    "client": "wires URL → dialect → middleware → transport",
    "database": "one database: SQL, tables, files",
    "table": "the calls without SQL, batches, administration",
    "files": "stored files",
    "_aio": "what the classes for asyncio need beyond that",
    "_calls": "what the calls share",
    "middleware": "functions `(request, next) -> response`",
    "dialects": "what is said to an engine; pure",
    "url": "connection strings",
    "_models": "rows as instances of a class",
    "sql": "**the compiler**, pure; and `transport`, **the contract** of whoever moves requests",
    "rows": "rows as they are stored, and how fields are",
    "errors": "the vocabularies",
    "_util": "knows nothing of databases",
}
WIDTH, BOX, ROW, TOP = 920, 44, 56, 78
STYLE = (
    ".box{fill:#e6f4f1;stroke:#00796b;stroke-width:1.5}.pure{fill:#fff8e1;stroke:#b28704}.io{fill:#e8eaf6;stroke:#3949ab}"
    "text{fill:#17302c}.small{font-size:13px;fill:#3c5a55}.mono{font-family:ui-monospace,monospace}"
    ".head{font-weight:600}.way{stroke:#00796b;stroke-width:2}"
)


def names(group: str) -> list[str]:
    """The names of an entry-point group."""
    return list(PROJECT["project"]["entry-points"][f"mesahub.{group}"])


def axes() -> str:
    """The diagram."""
    columns = [
        (
            20,
            250,
            "what is said: dialects",
            "pure",
            [(f"{name}://", CAPTIONS.get(name, "")) for name in names("dialects")],
        ),
        (390, 250, "who moves it, blocking", "io", [(name, CAPTIONS.get(name, "")) for name in names("transports")]),
        (
            650,
            250,
            "who moves it, asyncio",
            "io",
            [(name, CAPTIONS.get(name, "")) for name in names("async_transports")],
        ),
    ]
    height = TOP + ROW * max(len(column[4]) for column in columns) + 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="t d" '
        'font-family="system-ui, sans-serif" font-size="15">',
        '<title id="t">Dialects, transports and waiting</title>',
        '<desc id="d">Any dialect is carried by any HTTP transport, blocking or with asyncio.</desc>',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" rx="10" fill="#ffffff"/>',
    ]
    for left, width, head, kind, boxes in columns:
        middle = left + width / 2
        parts.append(f'<text class="head" x="{middle}" y="34" text-anchor="middle">{escape(head)}</text>')
        call = {"pure": "the URL's scheme", "io": "transport="}[kind]
        parts.append(f'<text class="small mono" x="{middle}" y="56" text-anchor="middle">{escape(call)}</text>')
        for number, (name, caption) in enumerate(boxes):
            top = TOP + ROW * number
            parts.append(f'<rect class="box {kind}" x="{left}" y="{top}" width="{width}" height="{BOX}" rx="7"/>')
            parts.append(f'<text class="mono" x="{middle}" y="{top + 19}" text-anchor="middle">{escape(name)}</text>')
            parts.append(
                f'<text class="small" x="{middle}" y="{top + 37}" text-anchor="middle">{escape(caption)}</text>'
            )
    center = TOP + ROW * 1.5
    for offset, text, ends in ((-16, "Request", (280, 380)), (22, "Response", (380, 280))):
        y = center + offset
        tip = ends[1]
        back = tip - 8 if ends[1] > ends[0] else tip + 8
        parts.append(f'<path class="way" d="M{ends[0]} {y} H{back}"/>')
        parts.append(f'<path fill="#00796b" d="M{tip} {y} L{back} {y - 5} V{y + 5} z"/>')
        parts.append(f'<text class="small" x="330" y="{y - 8}" text-anchor="middle">{text}</text>')
    calls = (
        f'<text class="small" x="{x}" y="{height - 16}" text-anchor="middle"><tspan class="mono">{call}</tspan></text>'
        for x, call in ((515, "mesahub.connect(url)"), (775, "mesahub.aio.connect(url)"))
    )
    return "\n".join([*parts, *calls, "</svg>", ""])


def layers() -> str:
    """The table of layers."""
    contract = PROJECT["tool"]["importlinter"]["contracts"][0]
    lines = ["| modules of `mesahub` | what they are |", "|---|---|"]
    for layer in contract["layers"]:
        modules = [name.strip() for name in layer.split("|")]
        lines.append(f"| {', '.join(f'`{name}`' for name in modules)} | {LAYERS.get(modules[0], '')} |")
    return "\n".join(lines) + "\n"


def shown_layers() -> str:
    """The table that the page shows."""
    return PAGE.read_text("utf-8").partition(START)[2].partition(END)[0]


if __name__ == "__main__":
    AXES.write_text(axes(), "utf-8")
    before, _, rest = PAGE.read_text("utf-8").partition(START)
    PAGE.write_text(f"{before}{START}{layers()}{END}{rest.partition(END)[2]}", "utf-8")
