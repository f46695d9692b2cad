"""Limits of MesaHub's server (docs/protocol.md, sections 2 and 5)."""

ROW_LIMIT = 100_000
"""Rows at which the server cuts a result, with status 200 and no sign of it."""
MAX_BODY = 10 * 1024 * 1024
"""Bytes of a request that the server reads."""
MAX_SQL = 100_000
"""Bytes of the longest statement that the server takes."""
MAX_BINDINGS = 5_000
"""Values that the server takes for one statement."""
