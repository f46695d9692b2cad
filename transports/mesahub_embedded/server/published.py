"""What the published build of the server lacks, though SQLite may have it here (``mesahub serve --strict``)."""

from __future__ import annotations

__all__ = ["LACKING"]

_MATH = (
    "acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log log10 log2 mod pi pow power "
    "radians sin sinh sqrt tan tanh trunc"
)
_OTHERS = "soundex median percentile percentile_cont percentile_disc sqlite_offset"
_FTS5 = "fts5 fts5vocab fts5_source_id"

LACKING = frozenset(f"{_MATH} {_OTHERS} {_FTS5} dbstat".split())
"""Functions, modules and tables, in lower case: docs/protocol.md, end."""
