"""The public surface, pinned: a name comes or goes on purpose."""

from __future__ import annotations

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


def test_every_name_of_1_x_is_here() -> None:
    assert set(mesahub.__all__) >= OF_1_X


def test_every_exported_name_exists_and_is_listed_once() -> None:
    assert len(mesahub.__all__) == len(set(mesahub.__all__))
    assert all(getattr(mesahub, name) is not None for name in mesahub.__all__)
