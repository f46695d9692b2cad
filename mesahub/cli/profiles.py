"""Named databases, with their keys, in a file that only its owner can read."""

from __future__ import annotations

import json
import os
import re
import stat
from typing import TYPE_CHECKING

import click

from mesahub.cli.groups import Group
from mesahub.errors import ConfigurationError
from mesahub.url import parse_url

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["COMMANDS", "profile_url", "shown"]


def path() -> Path:
    """``profiles.toml`` in the user's configuration folder (XDG_CONFIG_HOME)."""
    from pathlib import Path  # most commands need no profile

    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "mesahub" / "profiles.toml"


def load() -> dict[str, dict[str, str]]:
    """All profiles.

    Raises:
        ConfigurationError: others may read the file, or it is damaged.
    """
    file = path()
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        return {}
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise ConfigurationError(f"{file} contains keys and can be read by others. Run: chmod 600 {file}")
    import tomllib  # only who has profiles pays for it

    try:
        found: dict[str, dict[str, str]] = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file} is not valid TOML: {error}.") from None
    return found


def save(profiles: dict[str, dict[str, str]]) -> None:
    """Write all profiles, readable by their owner alone."""
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = []
    for name, fields in sorted(profiles.items()):
        lines.append(f"[{name}]")
        # A JSON string is a TOML string.
        lines += [f"{field} = {json.dumps(value)}" for field, value in fields.items()]
        lines.append("")
    temporary = file.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write("\n".join(lines))
    temporary.replace(file)


def profile_url(name: str) -> str:
    """The URL of a profile, with its key."""
    profiles = load()
    if name not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise ConfigurationError(f"There is no profile {name!r} in {path()}; there are: {known}.")
    url, key = profiles[name]["url"], profiles[name].get("key")
    if not key:
        return url
    from urllib.parse import quote

    return f"mh://{quote(key, safe='')}@{url.removeprefix('mh://')}"


def shown(url: str) -> str:
    """A URL without its key, and without the values of its options."""
    scheme, separator, rest = url.partition("://")
    if not separator or "@" in scheme:
        return "***"  # not a URL, so it may be anything
    # A key with an unencoded '/', '?' or '@' ends at the last '@'.
    _, at, place = rest.rpartition("@")
    place, query, _ = place.partition("?")
    return f"{scheme}://{'***@' if at else ''}{place}{'?***' if query else ''}"


@click.group("profile", cls=Group)
def profile() -> None:
    """Named databases: use them as @NAME."""


@profile.command("add")
@click.argument("name")
@click.argument("url", metavar="mh://HOST/DATABASE")
def add(name: str, url: str) -> None:
    """Add a profile. The key is asked for, or taken from MESAHUB_API_KEY; it is never an argument."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise click.UsageError("A profile's name consists of letters, digits, '-' and '_'.")
    rest = url.removeprefix("mh://")
    if "@" in rest:
        raise click.UsageError(
            "Omit the key from the URL: it would stay in the shell's history. You will be prompted for it."
        )
    fields = {"url": url}
    if not rest.startswith("local/"):
        parse_url(f"mh://key@{rest}")  # before the key is asked for
        key = os.environ.get("MESAHUB_API_KEY") or click.prompt("API key", hide_input=True, err=True)
        from urllib.parse import quote

        parse_url(f"mh://{quote(key, safe='')}@{rest}")
        fields["key"] = key
    else:
        parse_url(url)
    save({**load(), name: fields})
    click.echo(f"@{name} is {shown(url)}", err=True)


@profile.command("ls")
def ls() -> None:
    """List the profiles, without their keys."""
    for name, fields in sorted(load().items()):
        click.echo(f"@{name}\t{shown(fields['url'])}")


@profile.command("rm")
@click.argument("name")
def rm(name: str) -> None:
    """Remove a profile."""
    profiles = load()
    if profiles.pop(name, None) is None:
        raise ConfigurationError(f"There is no profile {name!r}.")
    save(profiles)


COMMANDS = [profile]
