"""The result types, under the import path that mesahub 1.x had."""

from mesahub.results import ExecResult, FileRecord, QueryResult

__all__ = ["ExecResult", "FileRecord", "QueryResult"]
