"""Measures mesahub beside its peers and the physical limits, all in one run, and prints one table of ratios.

    make bench                                   # everything
    python tests/benchmarks/run.py find embedded # some groups
    python tests/benchmarks/run.py --json now.json --against before.json  # and what moved by more than the noise
    python tests/benchmarks/run.py --write       # also updates docs/performance.md and docs/measurements.md

Every contender runs in a process of its own, in an environment of its own (``.bench/``), and all wait while
one of them works: round by round in turn, so that whatever else the machine does hits all alike. A ratio is
the median over the rounds of ours divided by theirs in the same round; smaller is better.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ENVIRONMENTS = ROOT / ".bench"
sys.path.insert(0, str(ROOT))

from tests.benchmarks.contenders import workload  # noqa: E402
from tests.benchmarks.groups import GROUPS, HEADLINES, Comparison, Contender  # noqa: E402

PACKAGES = {
    "ours": [".[requests,urllib3,serve]"],
    "ours-bare": ["."],
    "ours-speed": [".[speed]"],
    "ours-all": [".[all]"],
    "ours-async": [".[aiohttp,httpx]"],
    "ours-telemetry": [".", "opentelemetry-sdk"],
    "mesahub-1.0.1": ["mesahub==1.0.1"],
    "requests": ["requests", "requests-toolbelt"],
    "sqlite-utils": ["sqlite-utils"],
    "dataset": ["dataset"],
    "sqlalchemy": ["sqlalchemy", "pypika"],
    "vcrpy": ["vcrpy", "requests", "responses"],
}
"""What is installed in each environment. Those of ours hold the working tree as it is."""


def python_of(environment: str) -> str:
    """The interpreter of an environment, which is made when it is missing or no longer what it should be."""
    folder = ENVIRONMENTS / environment
    stamp = folder / "installed"
    wanted = " ".join(PACKAGES[environment]) + (tree_hash() if environment.startswith("ours") else "")
    python = folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != wanted:
        say(f"installing {environment} ...")
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES[environment]], check=True, cwd=ROOT)
        if environment.startswith("ours"):
            subprocess.run([*pip, "--no-deps", "--force-reinstall", "."], check=True, cwd=ROOT)
        stamp.write_text(wanted)
    return str(python)


def tree_hash() -> str:
    """A hash of our sources, so that an environment is made anew when they change."""
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes())
    for folder in ("mesahub", "transports"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


FAR_MS = 20
"""Milliseconds to a server that is far away, and back."""

GIGABIT = 125
"""Megabytes in a second on a network of 1 Gbit/s."""

MEASURES = {"seconds": "", "cpu": ", CPU time", "peak": ", peak memory", "connections": ", connections opened"}


def _quiet(contender: Contender) -> dict[str, str]:
    # What other packages warn of is for their authors. (No contender closes what it measures.)
    ours = "default,ignore::ResourceWarning"
    return os.environ | {"PYTHONWARNINGS": ours if contender.environment.startswith("ours") else "ignore"}


class Worker:
    """One contender's process."""

    def __init__(self, contender: Contender, arguments: dict[str, Any]) -> None:
        command = [python_of(contender.environment), str(HERE / "worker.py")]
        command += [contender.module, contender.scenario, json.dumps(arguments | contender.arguments)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE, env=_quiet(contender)
        )
        if self._line() != "ready":
            raise SystemExit(f"{contender.name} did not start")

    def round(self, n: int) -> dict[str, float]:
        """Do the work ``n`` times."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{n}\n")
        self.process.stdin.flush()
        answer: dict[str, float] = json.loads(self._line() or "{}")
        return answer

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def responder(folder: Path, program: str = "responder.py") -> Iterator[str]:
    """The server that costs nothing; its URL."""
    bodies = {"one": 1, "thousand": 1000, "hundredthousand": 99_999}
    files = []
    for name, count in bodies.items():
        file = folder / f"{name}.json"
        file.write_bytes(workload.answer(count))
        files.append(str(file))
    command = [sys.executable, str(HERE / program), *files]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """`mesahub serve`; the URL of its database."""
    command = [python_of("ours"), "-m", "mesahub", "serve", "--data", str(folder / "data"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"mh://\S+", line):
                    yield found[0]
                    break
        finally:
            process.terminate()


@contextmanager
def far(url: str, *limits: float) -> Iterator[str]:
    """The same server, so many milliseconds away, and with so many megabytes in a second; its URL."""
    port = int(re.search(r":(\d+)/", url)[1])  # type: ignore[index]
    command = [sys.executable, str(HERE / "far.py"), str(port), *map(str, limits)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield url.replace(f":{port}/", f":{process.stdout.readline().strip()}/")
        finally:
            process.kill()


def connections(places: dict[str, Any]) -> int:
    """How many connections the responder has ever had, the one of this question included."""
    with urlopen(f"{places['responder']}/connections") as answer:
        return int(answer.read())


def measure(comparison: Comparison, places: dict[str, Any]) -> list[dict[str, Any]]:
    """Run one comparison; one result per pair with a goal."""
    workers: dict[str, Worker] = {}
    rounds: dict[str, list[dict[str, float]]] = {c.name: [] for c in comparison.contenders}
    try:
        if comparison.fresh:
            for _ in range(comparison.rounds):
                for contender in comparison.contenders:
                    worker = Worker(contender, comparison.given(places))
                    rounds[contender.name].append(worker.round(comparison.times))
                    worker.close()
        else:
            opened: dict[str, int] = {}
            for contender in comparison.contenders:
                before = connections(places)
                workers[contender.name] = Worker(contender, comparison.given(places))
                workers[contender.name].round(max(comparison.times // 4, 1))  # warm
                opened[contender.name] = connections(places) - before - 1
            for _ in range(comparison.rounds):
                for contender in comparison.contenders:
                    before = connections(places)
                    figures = workers[contender.name].round(comparison.times)
                    opened[contender.name] += connections(places) - before - 1
                    rounds[contender.name].append(figures | {"connections": opened[contender.name]})
    finally:
        for worker in workers.values():
            worker.close()
    results = []
    for ours, theirs, goal in comparison.pairs:
        for what in comparison.measures:
            pairs = zip(rounds[ours], rounds[theirs], strict=True)
            ratios = sorted(a[what] / max(b[what], 1e-9) for a, b in pairs)
            results.append(
                {
                    "what": comparison.what,
                    "measure": what,
                    "ours": ours,
                    "theirs": theirs,
                    "ratio": statistics.median(ratios),
                    # The middle half of the rounds: what the noise of the machine comes to.
                    "low": ratios[len(ratios) // 4],
                    "high": ratios[-1 - len(ratios) // 4],
                    "goal": goal,
                    "our_figure": statistics.median(a[what] for a in rounds[ours]) / comparison.divisor(what),
                    "their_figure": statistics.median(b[what] for b in rounds[theirs]) / comparison.divisor(what),
                }
            )
    return results


def figure(value: float, measure: str) -> str:
    """A figure with its unit."""
    if measure == "peak":
        return f"{value / 1e6:.1f} MB"
    if measure == "connections":
        return f"{value:.0f}"
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"


def table(results: list[dict[str, Any]]) -> str:
    """The results as a Markdown table."""
    lines = ["| what | ours | compared with | ratio | goal | |", "|---|---|---|---|---|---|"]
    for r in results:
        goal = "" if r["goal"] is None else f"≤ {r['goal']:g}"
        verdict = "" if r["goal"] is None else ("✓" if r["ratio"] <= r["goal"] else "missed")
        what = r["what"] + {"cpu": ", CPU time", "peak": ", peak memory", "connections": ", connections opened"}.get(
            r["measure"], ""
        )
        lines.append(
            f"| {what} | {r['ours']} {figure(r['our_figure'], r['measure'])} "
            f"| {r['theirs']} {figure(r['their_figure'], r['measure'])} "
            f"| {r['ratio']:.2f} | {goal} | {verdict} |"
        )
    return "\n".join(lines)


LEAST_MOVE = 0.03
"""A ratio that differs by less has not moved, however quiet the machine was."""


def moved(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> str:
    """What differs between two runs by more than the noise of both, as Markdown; better ones first."""
    known = {_name(r): r for r in before}
    found = []
    for r in now:
        old = known.get(_name(r))
        if old is None or "low" not in old:
            continue
        apart = r["low"] > old["high"] or r["high"] < old["low"]
        change = r["ratio"] / max(old["ratio"], 1e-9)
        if apart and abs(change - 1) > LEAST_MOVE:
            found.append((change, f"| {' | '.join(_name(r))} | {old['ratio']:.2f} | {r['ratio']:.2f} | {change:.2f} |"))
    lines = [line for _, line in sorted(found)]
    new = sum(_name(r) not in known for r in now)
    end = f"{len(found)} of {len(now) - new} ratios moved by more than the noise" + (
        f"; {new} are new." if new else "."
    )
    if not lines:
        return end
    head = "| what | measure | ours | compared with | before | now | change |\n|---|---|---|---|---|---|---|\n"
    return head + "\n".join(lines) + f"\n\n{end}"


def _name(result: dict[str, Any]) -> tuple[str, str, str, str]:
    return result["what"], result["measure"], result["ours"], result["theirs"]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def commit() -> str:
    """The commit that is measured, marked when the tree differs from it."""
    found = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


def summary(results: list[dict[str, Any]]) -> str:
    """The comparisons that the performance page shows, and how many goals are met, as Markdown."""
    lines = ["| what | ours | compared with | ratio |", "|---|---|---|---|"]
    for headline in HEADLINES:
        for r in results:
            if headline == (r["what"], r["measure"], r["ours"], r["theirs"]):
                lines.append(
                    f"| {r['what']} | {r['ours']} {figure(r['our_figure'], r['measure'])} "
                    f"| {r['theirs']} {figure(r['their_figure'], r['measure'])} | {r['ratio']:.2f} |"
                )
    goals = [r for r in results if r["goal"] is not None]
    met = sum(r["ratio"] <= r["goal"] for r in goals)
    return "\n".join(lines) + f"\n\n{met} of {len(goals)} goals are met."


def write(page: Path, mark: str, text: str) -> None:
    """Put a text into a page, between its marks."""
    old = page.read_text("utf-8")
    new, count = re.subn(
        rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", lambda m: f"{m[1]}\n{text}\n\n{m[2]}", old, flags=re.DOTALL
    )
    assert count == 1, f"{page} has lost its marks"
    page.write_text(new, "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("groups", nargs="*", help=f"some of: {', '.join(GROUPS)}")
    parser.add_argument("--write", action="store_true", help="update docs/performance.md and docs/measurements.md")
    parser.add_argument("--json", metavar="FILE", help="keep all figures")
    parser.add_argument("--against", metavar="FILE", help="show what moved since a run that was kept with --json")
    arguments = parser.parse_args()
    chosen = arguments.groups or list(GROUPS)
    before = json.loads(Path(arguments.against).read_text("utf-8")) if arguments.against else None
    results: list[dict[str, Any]] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "big.txt").write_bytes(os.urandom(1 << 20).hex().encode() * 48)  # 100 MB of text
        with (
            responder(folder) as quick,
            responder(folder, "event_responder.py") as many,
            server(folder) as url,
            far(url, FAR_MS) as distant,
            far(url, 1, GIGABIT) as wired,
        ):
            places = {
                "responder": quick,
                "event responder": many,
                "server": url,
                "far": distant,
                "gigabit": wired,
                "folder": str(folder),
                "big": str(folder / "big.txt"),
                "target": str(folder / "got.txt"),
            }
            for group in chosen:
                for comparison in GROUPS[group]:
                    say(f"{group}: {comparison.what} ...")
                    found = measure(comparison, places)
                    results += found
                    say(table(found).split("\n", 2)[2])
    head = (
        f"Commit {commit()}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{time.monotonic() - started:.0f} s in all.\n\n"
    )
    print(head + table(results))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=1))
    if before is not None:
        print("\n" + moved(before, results))
    if arguments.write:
        write(ROOT / "docs" / "measurements.md", "table", head + table(results))
        write(ROOT / "docs" / "performance.md", "summary", summary(results))


if __name__ == "__main__":
    main()
