"""The pages: databases, tables, rows, files, keys."""

from __future__ import annotations

import json
import time
from typing import Any

from mesahub_embedded.server.page import layout
from mesahub_embedded.server.page.cells import grid, short, size
from mesahub_embedded.server.page.layout import link
from mesahub_embedded.server.page.markup import Child, Markup, element
from mesahub_embedded.server.page.query_box import query_form
from mesahub_embedded.server.page.tables import COUNTED, SQL, Table, count, list_tables, read_rows, table_named
from mesahub_embedded.server.page.visit import Visit
from mesahub_embedded.server.reply import Reply
from mesahub_embedded.server.request import Running
from mesahub_embedded.server.routes.buckets import bucket_namespace, find_bucket, list_buckets
from mesahub_embedded.server.routes.files import send_file

__all__ = ["database", "databases", "file", "files", "keys", "rows"]

LIST = 100
"""Databases, tables, files or keys on a page."""
COUNT_SECONDS = 1.0
"""Seconds in which the tables of a page are counted; the others show no number."""


def databases(visit: Visit) -> Reply:
    """All databases and buckets."""
    request = visit.request
    shown, more = _part(visit, request.store.catalog.list_databases())
    cells = [
        [
            element("td", link(record["slug"], "ui/database", db=record["slug"])),
            element("td", short(record["description"] or "")),
            element("td", record["status"]),
            element("td", size(record["size_bytes"]), class_="number"),
            element("td", record["created_at"]),
        ]
        for record in shown
    ]
    buckets, more_buckets = _part(visit, list_buckets(request).payload)
    bucket_cells = [
        [
            element("td", link(bucket["slug"], "ui/files", bucket=bucket["id"])),
            element("td", short(bucket["description"] or "")),
            element("td", size(bucket["size_bytes"]), class_="number"),
        ]
        for bucket in buckets
    ]
    content: list[Child] = [
        grid(["Database", "Description", "Status", "Size", "Created"], cells) if cells else _nothing("databases")
    ]
    if bucket_cells:
        content += [element("h2", "Buckets"), grid(["Bucket", "Description", "Size"], bucket_cells)]
    content.append(layout.pages("./", visit.number, more or more_buckets))
    return layout.render("Databases", element("h1", "Databases"), content, base="", form_token=visit.form_token)


def database(visit: Visit) -> Reply:
    """The tables of a database, and the query box."""
    slug, engine = visit.slug, visit.engine
    running = visit.request.running()
    found = list_tables(engine, running, LIST + 1, visit.number * LIST)
    ends = time.monotonic() + COUNT_SECONDS
    cells = [_table_cells(visit, slug, table, ends) for table in found[:LIST]]
    return layout.render(
        slug,
        element("h1", slug),
        grid(["Table", "Kind", "Rows"], cells) if cells else _nothing("tables"),
        layout.pages("database", visit.number, len(found) > LIST, db=slug),
        element("p", link("Files of this database", "files", db=slug)),
        element("h2", "Query"),
        query_form(visit, slug),
        base="../",
        form_token=visit.form_token,
        crumbs=[link("Databases", "../")],
    )


def _table_cells(visit: Visit, slug: str, table: Table, ends: float) -> list[Markup]:
    left = ends - time.monotonic()
    running: Running = {"timeout": max(left, 0.001), "alive": visit.request.running()["alive"]}
    number = count(visit.engine, table, running) if left > 0 else None
    shown = "" if number is None else f"{COUNTED:,}+" if number > COUNTED else f"{number:,}"
    return [
        element("td", link(_name(table.name), "rows", db=slug, table=table.name)),
        element("td", table.kind),
        element("td", shown, class_="number"),
    ]


def rows(visit: Visit) -> Reply:
    """A page of a table's rows."""
    slug, engine = visit.slug, visit.engine
    running = visit.request.running()
    table = table_named(engine, visit.request.query.get("table", ""), running)
    names, cells, hidden, more = read_rows(engine, table, visit.number, running)
    content: list[Child] = [grid(names, cells), None if cells else _nothing("rows")]
    if hidden:
        content.append(element("p", f"{hidden:,} more columns are not shown. Select them with a query.", class_="soft"))
    content.append(layout.pages("rows", visit.number, more, db=slug, table=table.name))
    content += [element("h2", "Schema"), element("pre", table.sql, "…" if len(table.sql) == SQL else None)]
    return layout.render(
        f"{_name(table.name)} · {slug}",
        element("h1", _name(table.name)),
        content,
        base="../",
        form_token=visit.form_token,
        crumbs=[link("Databases", "../"), link(slug, "database", db=slug)],
    )


def files(visit: Visit) -> Reply:
    """The files of a database or bucket."""
    place, name, query, crumb = _place(visit)
    found, total, _, _ = visit.request.store.files.list(
        place, {"limit": str(LIST), "offset": str(visit.number * LIST), "sort": "filename", "order": "asc"}
    )
    cells = [
        [
            element("td", link(short(record["filename"]), "file", **query, id=record["id"])),
            element("td", short(record["folder_path"] or "")),
            element("td", record["content_type"] or ""),
            element("td", size(record["size_bytes"]), class_="number"),
            element("td", record["uploaded_at"]),
        ]
        for record in found
    ]
    more = (visit.number + 1) * LIST < total
    return layout.render(
        f"Files · {name}",
        element("h1", f"Files of {name}"),
        grid(["File", "Folder", "Type", "Size", "Uploaded"], cells) if cells else _nothing("files"),
        layout.pages("files", visit.number, more, **query),
        base="../",
        form_token=visit.form_token,
        crumbs=[link("Databases", "../"), crumb],
    )


def file(visit: Visit) -> Reply:
    """Download a file: a browser saves it, and never shows it as a page of this server."""
    place, _, _, _ = _place(visit)
    store = visit.request.store.files
    reply = send_file(visit.request, store, store.get(place, visit.request.query.get("id", "")), "attachment")
    reply.headers.append(("Cache-Control", "no-store"))
    return reply


def _place(visit: Visit) -> tuple[str, str, dict[str, str], Markup]:
    """Whose files: where they are kept, its name, the query that names it, and a link to it."""
    wanted = visit.request.query.get("bucket")
    if wanted is None:
        slug = visit.slug
        return slug, slug, {"db": slug}, link(slug, "database", db=slug)
    bucket = find_bucket(visit.request.store, wanted)
    return bucket_namespace(bucket), bucket["slug"], {"bucket": wanted}, link("Buckets", "../")


def keys(visit: Visit) -> Reply:
    """The API keys. Their text is not stored, so it cannot be shown."""
    shown, more = _part(visit, visit.request.store.catalog.list_keys())
    cells = [
        [
            element("td", short(key["name"])),
            element("td", element("code", "••••••••")),
            element("td", short(", ".join(map(str, json.loads(key["scopes"]))))),
            element("td", key["created_at"]),
            element("td", key["last_used_at"] or "never"),
        ]
        for key in shown
    ]
    return layout.render(
        "API keys",
        element("h1", "API keys"),
        grid(["Name", "Key", "Scopes", "Created", "Last used"], cells) if cells else _nothing("API keys"),
        layout.pages("keys", visit.number, more),
        element("p", "Only a hash of each key is stored. A key is shown once, when it is created.", class_="soft"),
        base="../",
        form_token=visit.form_token,
        crumbs=[link("Databases", "../")],
    )


def _part(visit: Visit, records: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    start = visit.number * LIST
    return records[start : start + LIST], len(records) > start + LIST


def _nothing(what: str) -> Markup:
    return element("p", f"There are no {what} here.", class_="soft")


def _name(table: str) -> str:
    return short(table) if table.strip() else repr(short(table))
