"""Choosing a transport by name: real packages on ``sys.path``, good ones and broken ones."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mesahub.errors import ConfigurationError
from mesahub.transport import Request, Response, TransportOptions
from mesahub.transport.registry import find_factory, installed_transports, open_transport

GOOD = """
class Mine:
    def __init__(self, options): self.options = options
    def send(self, request): ...
    def close(self): ...
"""

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package with one module as pip would: its code, and a dist-info folder beside it."""

    def install(distribution: str, entry_points: str, code: str = GOOD, *, folder: str = "site") -> Path:
        site = tmp_path / folder
        module = distribution.replace("-", "_")
        metadata = site / f"{module}-1.5.dist-info"
        metadata.mkdir(parents=True)
        (site / f"{module}.py").write_text(code)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
        (metadata / "entry_points.txt").write_text(entry_points)
        if str(site) not in sys.path:
            monkeypatch.syspath_prepend(site)
        return site

    return install


def transports(lines: str) -> str:
    return f"[console_scripts]\nmine = x:y\n\n[mesahub.transports]\n# a comment\n{lines}\n\n[other]\nz = x:y\n"


def test_those_that_come_along_are_found_and_load() -> None:
    found = {each.name: each for each in installed_transports()}
    assert {"urllib", "requests", "urllib3", "embedded", "recorder"} <= set(found)
    assert [each for each in found.values() if each.problem is not None] == []
    assert found["urllib"].package.startswith("mesahub ")


def test_a_stranger_s_is_found_like_ours(install: Install) -> None:
    install("mesahub-mine", transports("mine = mesahub_mine:Mine"))
    factory = find_factory("mine")
    assert factory.__name__ == "Mine"
    options = TransportOptions(base_url="http://127.0.0.1:9")
    assert open_transport("mine", options).options is options  # type: ignore[attr-defined]
    mine = next(each for each in installed_transports() if each.name == "mine")
    assert (mine.target, mine.package, mine.problem) == ("mesahub_mine:Mine", "mesahub-mine 1.5", None)


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigurationError, match=r"Unknown transport 'urlib'.*Did you mean 'urllib'\?.*requests"):
        find_factory("urlib")


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    # Of this environment, only mesahub itself is on the path: requests is not.
    program = (
        "import sys; sys.modules['requests'] = None\n"
        "from mesahub import connect\n"
        "from mesahub.errors import ConfigurationError\n"
        "try: connect('mh://shk_1@localhost:9/shop?transport=requests')\n"
        "except ConfigurationError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'mesahub[requests]'" in done.stdout
    assert "'requests', which is not installed" in done.stdout


def test_two_plugins_with_one_name_are_an_error(install: Install) -> None:
    install("first-plugin", transports("mine = first_plugin:Mine"))
    install("second-plugin", transports("mine = second_plugin:Mine"))
    with pytest.raises(ConfigurationError, match=r"first_plugin:Mine \(first-plugin\), second_plugin:Mine"):
        find_factory("mine")
    problems = [each.problem for each in installed_transports() if each.name == "mine"]
    assert len(problems) == 2
    assert all(problem and "uninstall one" in problem for problem in problems)


def test_one_of_ours_cannot_be_taken_over(install: Install) -> None:
    install("evil-plugin", transports("urllib = evil_plugin:Mine"))
    with pytest.raises(ConfigurationError, match="Two plugins"):
        find_factory("urllib")


def test_a_package_installed_twice_counts_once(install: Install) -> None:
    install("mesahub-mine", transports("mine = mesahub_mine:Mine"), folder="far")
    install("mesahub-mine", transports("mine = mesahub_mine:Mine"), folder="near")
    find_factory("mine")
    assert len([each for each in installed_transports() if each.name == "mine"]) == 1


@pytest.mark.parametrize(
    ("target", "code", "says"),
    [
        ("broken_plugin:Mine", "import no_such_package_at_all", "needs the package 'no_such_package_at_all'"),
        ("broken_plugin:Other", GOOD, "registered wrongly: .*Other"),
        ("broken_plugin:Mine", "raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("broken_plugin:Mine", "Mine = 3", "broken_plugin:Mine is of the type int"),
        ("no_such_module:Mine", GOOD, "needs the package 'no_such_module'"),
    ],
)
def test_one_that_does_not_load_says_why(install: Install, target: str, code: str, says: str) -> None:
    install("broken-plugin", transports(f"broken = {target}"), code)
    sys.modules.pop("broken_plugin", None)
    with pytest.raises(ConfigurationError, match=says):
        find_factory("broken")
    broken = next(each for each in installed_transports() if each.name == "broken")
    assert broken.problem
    assert callable(find_factory("urllib")), "a broken one must not spoil the others"


def test_a_package_in_an_archive_is_found(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = install("zipped-plugin", transports("zipped = zipped_plugin:Mine"))
    archive = tmp_path / "plugins.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for path in site.rglob("*"):
            target.write(path, path.relative_to(site))
    monkeypatch.setattr(sys, "path", [str(archive), *(each for each in sys.path if each != str(site))])
    assert find_factory("zipped").__module__ == "zipped_plugin"
    assert callable(find_factory("urllib"))


def test_what_is_no_transport_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not int"):
        open_transport(3, TransportOptions())


def test_an_instance_takes_no_options() -> None:
    class Own:
        def send(self, request: Request) -> Response:
            return Response(200)

        def close(self) -> None: ...

    own = Own()
    assert open_transport(own, TransportOptions()) is own
    with pytest.raises(ConfigurationError, match="cannot take the options session"):
        open_transport(own, TransportOptions(options={"session": 1}))
