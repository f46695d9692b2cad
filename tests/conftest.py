"""What every test folder may use."""

from __future__ import annotations

import pytest
from hypothesis import settings

pytest_plugins = ["pytester", "tests.servers", "tests.engines.rqlite_cluster", "tests.engines.sqld_server"]

# A change is judged by the same examples every time; `make soak` looks for new ones.
# No deadline: a busy machine is not a failure.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("quick", derandomize=True, deadline=None, max_examples=5)
settings.register_profile("explore", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("repeatable")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests record with ``record_property("figure", text)``."""
    figures = [
        str(value)
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        for name, value in report.user_properties
        if name == "figure"
    ]
    if figures:
        terminalreporter.section("figures")
        for figure in figures:
            terminalreporter.line(figure)
