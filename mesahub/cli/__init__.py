"""The command line.

This file and `mesahub.cli.plain` need no extra: they find the commands of transports
(``serve``, ``cassette``), and run ``query`` and ``transports`` with plain output if click is missing.
"""

from __future__ import annotations

import os
import sys

__all__ = ["main"]

EXTRA = 'The command line needs its extra: pip install "mesahub[cli]" (or pip install click rich prompt-toolkit)'


def main(argv: list[str] | None = None) -> int:
    """Run a command and give the exit code.

    Args:
        argv: the arguments; default: those of the process.

    Returns:
        0 (also when the reader closes the pipe), 1 for an error (one line on stderr), 2 for wrong usage, 130
        after Ctrl-C.
    """
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _run(arguments: list[str]) -> int:
    if arguments:
        from mesahub._util.built_in import remedy
        from mesahub._util.entry_points import find_plugins

        for plugin in find_plugins("mesahub.commands"):
            if plugin.name == arguments[0]:
                try:
                    command = plugin.load()
                except ImportError as error:
                    what = f"`mesahub {plugin.name}`"
                    print(f"mesahub: {remedy(what, plugin.target, plugin.distribution, error)}", file=sys.stderr)
                    return 1
                code: int = command(arguments[1:])
                return code
    try:
        from mesahub.cli import app

        return app.run(arguments)
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("click", "rich", "prompt_toolkit"):
            raise
        from mesahub.cli import plain

        return plain.run(arguments, EXTRA)
