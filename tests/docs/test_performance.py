"""The performance page is a summary of the table of measurements, written by the benchmarks."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.groups import GROUPS, HEADLINES

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
