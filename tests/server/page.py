"""The README of the page of mesahub 1.0 as a script, for whatever `mesahub` the interpreter that runs it has.

Run as ``python page.py README BASE_URL KEY``, in a folder that holds ``report.pdf``. It pastes the blocks one after
the other, with the server's address and key in place of the page's examples, and prints what came out, as JSON.
Where an expression's value is dropped on the page, it is kept here. It must run with either package, so it imports
nothing of this project.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
import sys
from pathlib import Path
from typing import Any


def blocks(readme: str, base_url: str, key: str) -> list[str]:
    """The page's Python, aimed at a server."""
    host = base_url.removeprefix("http://")
    aimed = []
    for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL):
        for theirs, ours in (
            ("https://api.mesahub.app", base_url),
            ("http://localhost:4004", base_url),
            ("shs_abc@mycore.railway.app/mydb", f"{key}@{host}/mydb"),
            ("shs_your_api_key", key),
            ("shs_...", key),
            ("your-admin-token", key),
        ):
            block = block.replace(theirs, ours)
        aimed.append(block)
    return aimed


def paste(block: str, names: dict[str, Any]) -> list[Any]:
    """Run a block; the values of its bare expressions."""
    values = []
    for statement in ast.parse(block).body:
        if isinstance(statement, ast.Expr):
            values.append(eval(compile(ast.Expression(statement.value), "page", "eval"), names))
        else:
            exec(compile(ast.Module([statement], []), "page", "exec"), names)
    return values


def run(readme: str, base_url: str, key: str) -> dict[str, Any]:
    """Paste the page, and tell what it gave."""
    quick, context, connection, where, options, many, files, errors, hosting = blocks(readme, base_url, key)
    names: dict[str, Any] = {}
    told: dict[str, Any] = {}
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        paste(quick, names)
        told["all_rows"] = names["all_rows"]
        told["alice"] = names["alice"]
        told["count"] = names["count"]
        told["new_row"] = names["new_row"]
        told["result"] = dict(names["result"], query_duration_ms=None)
        paste(context, names)
        told["orders"] = names["rows"]
        # The first block's client is closed; the page means an open one.
        names["client"] = names["MesahubClient"](api_key=key, api_url=base_url)
        names["db"] = names["client"].db("my-app-db")
        names["users"] = names["db"].table("users")
        told["where"] = paste(where, names)
        told["options"] = paste(options, names)
        told["many"] = [dict(value, query_duration_ms=None) if value else value for value in paste(many, names)]
        told["logs"] = names["db"].table("logs").find(order_by=[{"column": "rowid", "direction": "asc"}])
        paste(files, names)
        told["data"] = names["data"].decode("latin-1")
        told["record"] = {name: names["record"][name] for name in ("filename", "content_type", "size_bytes")}
        names["client"].close()
        paste(connection, names)
        told["connected"] = names["db"].query("SELECT 1 AS one")["rows"]
        paste(errors, names)
        names["client"].close()
        paste(hosting, names)
        names["db"] = names["client"].db("nosuch")
        paste(errors, names)
        names["client"].close()
    told["printed"] = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "<id>", output.getvalue())
    return told


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]).read_text(encoding="utf-8"), sys.argv[2], sys.argv[3])))
