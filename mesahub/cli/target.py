"""Which database a command is about."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

import mesahub
from mesahub import DatabaseHandle
from mesahub.cli.groups import Group
from mesahub.cli.profiles import profile_url
from mesahub.dialects.registry import is_database_url

__all__ = ["Command", "Group", "command", "connect", "given_url", "resolve", "with_key"]


class Command(click.Command):
    """A command that takes its database anywhere among its arguments: it is the one that is a URL or starts with @."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        places = self._target_places(args)
        if len(places) > 1:
            raise click.UsageError("More than one database was given.", ctx)
        ctx.meta["mesahub.target"] = args.pop(places[0]) if places else None
        return super().parse_args(ctx, args)

    def _target_places(self, args: list[str]) -> list[int]:
        """Where a database is named; values of options, and what follows --, are not looked at."""
        taken = {name: param.nargs for param in self.params if isinstance(param, click.Option) and not param.is_flag
                 for name in param.opts}  # fmt: skip
        places, skip = [], 0
        for place, argument in enumerate(args):
            if skip:
                skip -= 1
            elif argument == "--":
                break
            elif argument in taken:
                skip = taken[argument]
            elif is_database_url(argument) or _is_profile(argument):
                places.append(place)
        return places

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The usage line shows where the database goes."""
        pieces = super().collect_usage_pieces(ctx)
        return [*pieces[:1], "[DATABASE]", *pieces[1:]]


def _is_profile(argument: str) -> bool:
    return len(argument) > 1 and argument[0] == "@" and argument[1:].replace("-", "").replace("_", "").isalnum()


def command(name: str, **attributes: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """A click command with a target."""
    return click.command(name, cls=Command, **attributes)


def given_url() -> str | None:
    """The URL that the present command was given, ``None`` for that of the environment."""
    return resolve(click.get_current_context().meta.get("mesahub.target"))


def resolve(target: str | None) -> str | None:
    """The URL of a target: a profile's, or itself, with the key of MESAHUB_API_KEY where it has none."""
    if target is not None and target.startswith("@"):
        return profile_url(target[1:])
    url = target or os.environ.get("MESAHUB_URL")
    return with_key(url) if url else None


def with_key(url: str) -> str:
    """The URL, with the key of MESAHUB_API_KEY where it has none."""
    rest = url.removeprefix("mh://")
    key = os.environ.get("MESAHUB_API_KEY")
    if not key or not url.startswith("mh://") or rest.startswith("local/") or "@" in rest.partition("/")[0]:
        return url
    from urllib.parse import quote

    return f"mh://{quote(key, safe='')}@{rest}"


def connect(**options: Any) -> DatabaseHandle:
    """The database of the present command."""
    return mesahub.connect(given_url(), **options)


def connect_existing() -> DatabaseHandle:
    """The database of a command that only reads: a typo in its name makes no empty database in this process."""
    url = given_url()
    local = url is not None and url.startswith(("mh://local/", "sqlite:"))
    return mesahub.connect(url, create=False) if local else mesahub.connect(url)
