"""The conftest of SQLAlchemy's suite for dialects; copied next to it as ``conftest.py``."""

import json
import os
import re
from pathlib import Path

import pytest
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite import provision as sqlite_provision  # noqa: F401 - registers what is copied below

pytest.register_assert_rewrite("sqlalchemy.testing.assertions")

from sqlalchemy.testing import provision  # noqa: E402
from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402, F403

registry.register("mesahub.asyncio", "suite_asyncio", "Dialect")

# What tests of SQLite need, found by the name in the URL. ATTACH, which is refused, is left out.
for name in ("stop_test_class_outside_fixtures", "temp_table_keyword_args", "upsert", "post_configure_testing_engine"):
    registered = getattr(provision, name)
    registered.fns["mesahub"] = registered.fns["sqlite"]

passed = 0
failures: dict[str, str] = {}


def pytest_runtest_logreport(report):
    """Note how a test ended; an error in its fixtures is one of its own."""
    global passed
    passed += report.passed and report.when == "call"
    if report.failed:
        test = re.sub(r"^(\w+?)_sqlite\+\w+::", r"\1::", report.nodeid.partition("::")[2])
        failures[test] = str(report.longrepr)[-400:]


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """Write them, by test without the name of the database."""
    Path(os.environ["OUTCOMES"]).write_text(json.dumps({"passed": passed, "failures": failures}, indent=1))
