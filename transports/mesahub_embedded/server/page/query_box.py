"""The query box: a statement of a person's, run by the engine as a read, or as a write where that is allowed."""

from __future__ import annotations

import time

from mesahub.sql import analyze
from mesahub_embedded.engine.errors import RefusedError, TimedOutError
from mesahub_embedded.engine.execution import Outcome
from mesahub_embedded.server.limits import ROW_LIMIT
from mesahub_embedded.server.page import layout
from mesahub_embedded.server.page.cells import COLUMNS, cell, grid
from mesahub_embedded.server.page.layout import link
from mesahub_embedded.server.page.markup import Child, Markup, element, exact
from mesahub_embedded.server.page.visit import Visit
from mesahub_embedded.server.reply import Reply
from mesahub_embedded.server.routes.data import SQL_BYTES

__all__ = ["query", "query_form"]

ROWS = 200
"""Rows of a result that are shown."""
_READ = "this page only reads. Start the server with --page write to allow writes here."
_WRITE = "Run only reads. Use Run and write."


def query_form(visit: Visit, slug: str, sql: str = "") -> Markup:
    """The form of a statement."""
    writes = visit.mode == "write"
    return element(
        "form",
        layout.hidden(visit.form_token),
        element("label", "One SQL statement", for_="sql", class_="soft"),
        # A browser drops the first line feed of a text area.
        element("textarea", "\n", exact(sql), id="sql", name="sql", spellcheck="false", required=True),
        element(
            "div",
            element("button", "Run", name="run", value="read"),
            element("button", "Run and write", name="run", value="write", class_="second") if writes else None,
            element("span", None if writes else "Read-only.", class_="soft"),
            class_="actions",
        ),
        method="post",
        action=layout.path("query", db=slug),
        class_="query",
    )


def query(visit: Visit) -> Reply:
    """Run the statement of the form, and show what it gave."""
    slug = visit.slug
    sql = visit.form.get("sql", "").replace("\r\n", "\n")
    writes = visit.form.get("run") == "write"
    status, text = 200, ""
    result: list[Child] = []
    started = time.perf_counter()
    try:
        if writes and visit.mode != "write":
            raise RefusedError(403, "")
        outcome = _run(visit, sql, writes)
        result = _shown(outcome, time.perf_counter() - started)
    except RefusedError as refused:
        status, text = refused.status, refused.text
        if status == 403:
            text = "This statement writes, and " + (_WRITE if visit.mode == "write" else _READ)
    except TimedOutError as error:
        status, text = 504, str(error)
    if text:
        result = [element("p", text, class_="error", role="alert")]
    return layout.render(
        f"Query · {slug}",
        element("h1", "Query"),
        query_form(visit, slug, sql),
        element("h2", "Result"),
        result,
        base="../",
        form_token=visit.form_token,
        crumbs=[link("Databases", "../"), link(slug, "database", db=slug)],
        status=status,
    )


def _run(visit: Visit, sql: str, writes: bool) -> Outcome:
    if len(sql.encode("utf-8", "replace")) > SQL_BYTES:
        raise RefusedError(400, f"The statement is longer than {SQL_BYTES:,} bytes.")
    parts = analyze(sql).parts
    if len(parts) != 1:
        raise RefusedError(400, "Enter one statement." if not parts else f"Enter one statement, not {len(parts)}.")
    statement = sql[parts[0].start : parts[0].end]
    # Not the text decides whether it writes: a reading connection is one that cannot.
    run = visit.engine.execute if writes else visit.engine.query
    return run(statement, **visit.request.running())


def _shown(outcome: Outcome, seconds: float) -> list[Child]:
    took = f"{seconds * 1000:,.0f} ms"
    if outcome.plan is None:
        return [element("p", f"Done: {_rows(outcome.affected or 0)} changed, {took}.")]
    names = list(outcome.plan.names)
    cells = [[cell(value) for value in row[:COLUMNS]] for row in outcome.rows[:ROWS]]
    number = len(outcome.rows)
    text = _rows(number)
    if number > ROW_LIMIT:
        text = f"The first {ROWS} of more than {ROW_LIMIT:,} rows"
    elif number > ROWS:
        text = f"The first {ROWS} of {number:,} rows"
    if len(names) > COLUMNS:
        text += f" and the first {COLUMNS} of {len(names):,} columns"
    return [element("p", f"{text}, {took}.", class_="soft"), grid(names[:COLUMNS], cells)]


def _rows(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"
