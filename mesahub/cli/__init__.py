"""The command line. What stands here needs no extra; the rest is click's (`mesahub[cli]`)."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run a command and give the exit code: 0, 1 for an error, 2 for wrong usage."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments:
        from mesahub._plugins import find_plugins

        # Commands that belong to a transport are found as the transports are.
        for plugin in find_plugins("mesahub.commands"):
            if plugin.name == arguments[0]:
                code: int = plugin.load()(arguments[1:])
                return code
    print('The command line needs its extra: pip install "mesahub[cli]"', file=sys.stderr)
    return 2
