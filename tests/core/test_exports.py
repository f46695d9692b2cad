"""The public surface, pinned: a name comes or goes on purpose."""

from __future__ import annotations

import importlib

import pytest

import mesahub

OF_1_X = {
    "MesahubClient",
    "MesahubManagementClient",
    "parse_mesahub_url",
    "DatabaseHandle",
    "TableHandle",
    "MesahubError",
    "AuthenticationError",
    "AuthorizationError",
    "NotFoundError",
    "RateLimitError",
    "ValidationError",
    "QueryResult",
    "ExecResult",
    "FileRecord",
}


NAMES = {
    "AmbiguousResultError",
    "ArgumentError",
    "AuthenticationError",
    "AuthorizationError",
    "ClientOptions",
    "ConfigurationError",
    "ConflictError",
    "ConnectionLostError",
    "DatabaseBusyError",
    "DatabaseHandle",
    "DatabaseInactiveError",
    "ExecResult",
    "FileList",
    "FileRecord",
    "IntegrityError",
    "MesahubClient",
    "MesahubError",
    "MesahubManagementClient",
    "NoSuchColumnError",
    "NoSuchTableError",
    "NotFoundError",
    "NotSentError",
    "Outcome",
    "QueryResult",
    "RateLimitError",
    "RequestTimeoutError",
    "RequestTooLargeError",
    "ResultError",
    "RetryPolicy",
    "Rows",
    "SQLError",
    "SQLSyntaxError",
    "ServerError",
    "TLSError",
    "TLSOptions",
    "TableHandle",
    "TransactionLostError",
    "TransportError",
    "TruncatedResultError",
    "UnrepresentableResultError",
    "UnsupportedError",
    "ValidationError",
    "all_of",
    "any_of",
    "col",
    "connect",
    "copy",
    "installed_transports",
    "not_",
    "parse_mesahub_url",
    "register_adapter",
    "stored",
}


def test_the_public_names_are_these() -> None:
    assert set(mesahub.__all__) == NAMES


def test_the_public_names_of_the_modules_are_these() -> None:
    modules = {
        "client": {"MesahubClient", "connect", "parse_mesahub_url"},
        "management": {"MesahubManagementClient"},
        "table": {"TableHandle"},
        "rows": {"Rows"},
        "stored": {
            "Adapter",
            "Mark",
            "blob",
            "column",
            "default",
            "generated",
            "iso",
            "json",
            "text",
            "unix",
            "unix_ms",
            "using",
            "value",
        },
        "types": {"ExecResult", "FileRecord", "QueryResult"},
        "where": {"build_where"},
        "admin": {"Admin", "ApiKeys", "Databases", "Scope"},
        "buckets": {"Bucket", "BucketFiles", "BucketRecord", "Buckets", "PresignedUpload"},
        "middleware": {
            "Attempt",
            "Details",
            "Handler",
            "Middleware",
            "RetryPolicy",
            "Target",
            "compose",
            "hooks",
            "inside_retry",
            "logging",
            "opentelemetry",
            "rate_limit",
        },
    }
    for name, names in modules.items():
        assert set(importlib.import_module(f"mesahub.{name}").__all__) == names, name


def test_every_name_of_1_x_is_here() -> None:
    assert set(mesahub.__all__) >= OF_1_X


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Client'"):
        _ = mesahub.Client  # type: ignore[attr-defined]


def test_every_exported_name_exists_and_is_listed_once() -> None:
    assert len(mesahub.__all__) == len(set(mesahub.__all__))
    assert all(getattr(mesahub, name) is not None for name in mesahub.__all__)
