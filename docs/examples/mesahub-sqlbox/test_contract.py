import pytest
from mesahub_sqlbox import SqlboxDialect

from mesahub.testing.dialect_contract import DialectContract, Exchange


class TestSqlbox(DialectContract):
    urls = ("sqlbox://shk_1234@localhost:9/notes",)
    exchanges = (
        Exchange(
            "SELECT 1 AS a, 1.0 AS a",
            {"cols": ["a", "a"], "rows": [[1, 1.0]], "changes": 0, "last": None},
            columns=["a", "a"],
            rows=[(1, 1.0)],
        ),
        Exchange("INSERT INTO t VALUES (1)", {"cols": [], "rows": [], "changes": 1, "last": 7}, affected=1, rowid=7),
    )

    @pytest.fixture
    def dialect(self):
        return SqlboxDialect({})
