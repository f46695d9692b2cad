"""Groups of commands whose help shows whole summaries."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from importlib import import_module
from typing import Any

import click

__all__ = ["Group", "LazyGroup", "summary"]


class Group(click.Group):
    """A group that wraps the summaries of its commands; click would cut them."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, each with its whole summary."""
        rows = []
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                rows.append((name, summary(command)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class LazyGroup(Group):
    """A group whose commands are imported when they are first asked for: most runs use one.

    Args:
        modules: from the name of a command to the module that has it in its ``COMMANDS``.
        **attributes: as `click.Group` takes them.
    """

    def __init__(self, *, modules: Mapping[str, str], **attributes: Any) -> None:
        self._modules = dict(modules)
        self._known: dict[str, click.Command] = {}
        super().__init__(**attributes)

    @property
    def commands(self) -> MutableMapping[str, click.Command]:
        """All of them, imported."""
        for name in list(self._modules):
            self._import(name)
        return self._known

    @commands.setter
    def commands(self, given: Mapping[str, click.Command]) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._known.update(given)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command. The others are not imported for it."""
        self._known[name or cmd.name or ""] = cmd

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of this name, ``None`` if there is none."""
        if cmd_name in self._modules:
            self._import(cmd_name)
        return self._known.get(cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Their names; nothing is imported."""
        return sorted({*self._known, *self._modules})

    def _import(self, name: str) -> None:
        module = self._modules.pop(name, None)
        if module is not None:
            try:
                found = import_module(module).COMMANDS
            except ImportError:
                self._modules[name] = module
                raise
            for command in found:
                self._modules.pop(command.name, None)
                self._known[command.name] = command


def summary(command: click.Command) -> str:
    """The first paragraph of a command's help, in one line."""
    return " ".join((command.help or "").strip().partition("\n\n")[0].split())
