"""The group of all commands, and how errors end."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable

import click

import mesahub
from mesahub.cli.groups import LazyGroup
from mesahub.cli.plain import installed
from mesahub.cli.terminal import one_line, prepare_streams, without_keys
from mesahub.errors import MesahubError

HELP = """MesaHub databases from the command line.

The database is an argument mh://key@host/database or mh://local/name, a profile @NAME (see `mesahub profile`), or
MESAHUB_URL. A key in an argument can be seen by others on this machine and stays in the shell's history: prefer
a profile, or MESAHUB_URL, or a URL without a key and MESAHUB_API_KEY.
"""


_COMPLETE = "_MESAHUB_COMPLETE"
"""Set by a shell that asks for completions."""


_MODULES = {
    "sql": ("query", "exec", "tables", "schema", "rows"),
    "data": ("insert", "dump", "copy"),
    "files": ("files",),
    "databases": ("db", "keys", "buckets"),
    "profiles": ("profile",),
    "doctor": ("doctor",),
    "shell": ("shell",),
}
"""The commands, by the module that has them."""

_LAZY = {name: f"mesahub.cli.{module}" for module, names in _MODULES.items() for name in names}


@click.group(
    cls=LazyGroup,
    modules=_LAZY,
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(mesahub.__version__, prog_name="mesahub")
def group() -> None:
    """All commands."""


@group.command("transports")
def transports() -> None:
    """List installed transports, blocking and for asyncio, their packages, and why one cannot be loaded."""
    from mesahub.cli.output import print_rows

    print_rows(["name", "for", "package", "state"], installed(), None)


@group.command("completion")
@click.argument("shell_name", metavar="[bash|zsh|fish]", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell_name: str) -> None:
    """Print the script that completes commands and options: eval "$(mesahub completion bash)"."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell_name)
    assert found is not None
    click.echo(found(group, {}, "mesahub", _COMPLETE).source())


def _belongs_to_a_transport(name: str, what: str) -> None:
    @group.command(name, help=what, context_settings={"ignore_unknown_options": True})
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(arguments: tuple[str, ...]) -> None:  # noqa: ARG001
        raise SystemExit(f"{name} is found through the entry-point group mesahub.commands")


# Shown in the help; `mesahub.cli.main` finds and runs them before click is asked.
_belongs_to_a_transport("serve", "Run a server for development and tests (extra: serve).")
_belongs_to_a_transport("cassette", "Inspect recordings: show, stats, verify, prune, replay-into.")


def run(arguments: list[str]) -> int:
    """Run a command and return the exit code."""
    prepare_streams()
    instruction = os.environ.get(_COMPLETE)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(group, {}, "mesahub", _COMPLETE, instruction)

    def invoke() -> object:
        # Not group.main(): it has its own idea of what a closed pipe and Ctrl-C are worth.
        with group.make_context("mesahub", list(arguments)) as context:
            return group.invoke(context)

    return ending(invoke)


def ending(run_it: Callable[[], object]) -> int:
    """Run a function and return an exit code, without a traceback for expected errors."""
    try:
        code = run_it()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        usage = io.StringIO()
        error.show(usage)
        sys.stderr.write(without_keys(usage.getvalue()))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        print("Aborted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        raise  # for `mesahub.cli.main`
    except MesahubError as error:
        print(f"mesahub: {one_line(error)}", file=sys.stderr)
        return 1
    except OSError as error:
        text = f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
        print(f"mesahub: {without_keys(text)}", file=sys.stderr)
        return 1
    return code if isinstance(code, int) else 0
