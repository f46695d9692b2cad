"""What every test folder may use."""

from __future__ import annotations

pytest_plugins = ["pytester", "tests.servers"]
