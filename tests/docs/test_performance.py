"""The performance page is a summary of the table of measurements, written by the benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.benchmarks.groups import GROUPS, HEADLINES
from tests.benchmarks.run import moved

DOCS = Path(__file__).parents[2] / "docs"


def rows(page: str, mark: str) -> list[list[str]]:
    """The cells of the table between a page's marks, without its head."""
    text = (DOCS / page).read_text("utf-8").partition(f"<!-- {mark} -->")[2].partition(f"<!-- /{mark} -->")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_performance_page_shows_rows_of_the_measurements() -> None:
    shown, measured = rows("performance.md", "summary"), [row[:4] for row in rows("measurements.md", "table")]
    assert len(shown) > 5
    assert [row for row in shown if row not in measured] == []


def test_performance_page_counts_the_goals_that_are_met() -> None:
    goals = [row for row in rows("measurements.md", "table") if row[4]]
    met = sum(row[5] == "✓" for row in goals)
    assert f"{met} of {len(goals)} goals are met." in (DOCS / "performance.md").read_text("utf-8")


def test_headlines_are_measured() -> None:
    measured = {
        (comparison.what, measure, ours, theirs)
        for group in GROUPS.values()
        for comparison in group
        for ours, theirs, _ in comparison.pairs
        for measure in comparison.measures
    }
    assert set(HEADLINES) <= measured


def test_performance_page_fits_on_a_screen() -> None:
    assert len((DOCS / "performance.md").read_text("utf-8").splitlines()) < 45


def result(what: str, low: float, ratio: float, high: float) -> dict[str, Any]:
    return {"what": what, "measure": "seconds", "ours": "a", "theirs": "b", "low": low, "ratio": ratio, "high": high}


def test_two_runs_show_what_moved_by_more_than_the_noise() -> None:
    before = [
        result("noisy", 0.8, 1.0, 1.4),
        result("better", 0.9, 1.0, 1.1),
        result("worse", 0.9, 1.0, 1.1),
        result("little", 0.999, 1.0, 1.001),
    ]
    now = [
        result("noisy", 0.5, 0.7, 0.9),
        result("better", 0.4, 0.5, 0.6),
        result("worse", 1.9, 2.0, 2.1),
        result("little", 1.009, 1.01, 1.011),
        result("another", 1.0, 1.0, 1.0),
    ]
    lines = moved(before, now).splitlines()
    assert lines[2:4] == [
        "| better | seconds | a | b | 1.00 | 0.50 | 0.50 |",
        "| worse | seconds | a | b | 1.00 | 2.00 | 2.00 |",
    ]
    assert lines[-1] == "2 of 4 ratios moved by more than the noise; 1 are new."
    assert moved(before, before) == "0 of 4 ratios moved by more than the noise."
