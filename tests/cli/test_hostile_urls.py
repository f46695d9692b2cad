"""URLs with keys in the wrong place: no command repeats them."""

from __future__ import annotations

import pytest

from mesahub.cli import main
from mesahub.cli.terminal import without_keys

KEY = "T0pS3cret"


@pytest.mark.parametrize(
    "url",
    [
        f"mh://{KEY}@host.invalid/db",
        f"mh://a/{KEY}@host.invalid/db",
        f"mh://user:{KEY}@host.invalid/db",
        f"mh://{KEY}#x@host.invalid/db",
        f"mh://{KEY}?x@host.invalid/db",
        f"mh://a@{KEY}@host.invalid/db",
        f"mh://a b{KEY}\n@host.invalid/db",
        f"mh://host.invalid/db?api_key={KEY}",
    ],
    ids=ascii,
)
def test_no_command_repeats_a_key(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MESAHUB_URL", raising=False)
    for arguments in (
        [url],
        [url, "query", "SELECT 1"],
        ["files", url],
        ["db", url, "ls"],
        ["query", url, url, "SELECT 1"],
        ["query", f"--format={url}", "SELECT 1"],
        [f"--{url}"],
        ["profile", "add", url, "x"],
        ["profile", "add", "x", url],
        ["insert", "mh://local/db", "t", url],
        ["completion", url],
    ):
        assert main(arguments) != 0, arguments
        out, err = capsys.readouterr()
        assert KEY not in out + err, arguments


def test_without_keys_leaves_other_text_alone() -> None:
    assert without_keys("No such command 'x@y'.") == "No such command 'x@y'."
    assert without_keys("Got mh://host/db and no more.") == "Got mh://host/db and no more."
    assert without_keys("Got 'mh://a/k@host/db?x=1'.") == "Got 'mh://***@host/db?***'."
