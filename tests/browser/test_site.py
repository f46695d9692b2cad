"""The documentation, built and opened from its folder, without a server: it can be searched, and nothing is cut off."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.chromium import PHONE, WIDE, Chromium

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    pytest.importorskip("material", reason="needs mkdocs-material")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def pages(site: Path) -> list[str]:
    return sorted(str(file.relative_to(site)) for file in site.rglob("*.html") if file.name != "404.html")


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("insert_many", "guides/bulk-loading.html"),
        ("AmbiguousResultError", "reference/errors.html"),
        ("nginx", "guides/deployment.html"),
        ("could not be reached", "troubleshooting.html"),
        ("queue", "cookbook.html"),
    ],
)
def test_search_finds_pages(chromium: Chromium, site: Path, words: str, page: str) -> None:
    chromium.open((site / "index.html").as_uri())
    if not chromium.find("[data-md-component=search-query]").is_displayed():
        chromium.find("label[for=__search]").click()
    chromium.find("[data-md-component=search-query]").send_keys(words)
    chromium.find(".md-search-result__item a")
    found = chromium.run(
        "return Array.from(document.querySelectorAll('.md-search-result__item a.md-search-result__link'), a => a.href)"
    )
    assert any(f"/{page}" in link for link in found), found


def test_search_results_open_their_page(chromium: Chromium, site: Path) -> None:
    chromium.open((site / "index.html").as_uri())
    chromium.find("[data-md-component=search-query]").send_keys("cookbook")
    chromium.find(".md-search-result__item a")
    link = chromium.run("return document.querySelector('.md-search-result__item a').href")
    chromium.open(link)
    assert chromium.find("article h1").text


def test_pages_load_nothing_from_elsewhere_and_have_no_errors(chromium: Chromium, site: Path) -> None:
    for page in pages(site):
        chromium.open((site / page).as_uri())
        loaded = [url for url in chromium.loaded() if not url.startswith(("file:", "blob:", "data:"))]
        assert (page, loaded, chromium.messages()) == (page, [], [])


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_pages_are_not_wider_than_the_window(chromium: Chromium, site: Path, size: tuple[int, int]) -> None:
    chromium.resize(*size)
    wide = {}
    for page in pages(site):
        chromium.open((site / page).as_uri())
        if chromium.overflow() > 0:
            wide[page] = chromium.overflow()
    assert wide == {}


@pytest.mark.parametrize("page", ["index.html", "tutorial.html"])
def test_samples_of_first_pages_are_not_cut(chromium: Chromium, site: Path, page: str) -> None:
    chromium.open((site / page).as_uri())
    cut = chromium.run(
        "return Array.from(document.querySelectorAll('article pre > code'))"
        ".filter(code => code.scrollWidth > code.clientWidth).map(code => code.innerText)"
    )
    assert cut == []


def test_performance_summary_fits_on_a_screen(chromium: Chromium, site: Path) -> None:
    chromium.open((site / "performance.html").as_uri())
    bottom = chromium.run("return document.querySelector('article details').getBoundingClientRect().top")
    assert bottom < WIDE[1]


def test_signatures_have_an_argument_per_line(chromium: Chromium, site: Path) -> None:
    for page in (page for page in pages(site) if page.startswith("reference/")):
        chromium.open((site / page).as_uri())
        texts = chromium.run(
            "return Array.from(document.querySelectorAll('.doc-signature code'), code => code.innerText)"
        )
        for text in texts:
            crowded = [line for line in text.splitlines() if re.search(r"^    \w.*, \w+: ", line)]
            one_line = len(text.splitlines()) == 1
            assert (one_line and len(text) <= 80) or not crowded, f"{page}\n{text}"


def test_images_are_shown_and_described(chromium: Chromium, site: Path) -> None:
    for page in ("architecture.html", "guides/errors-and-retries.html", "guides/self-hosting.html"):
        chromium.open((site / page).as_uri())
        images = chromium.run(
            "return Array.from(document.querySelectorAll('article img'), i => [i.alt, i.complete && i.naturalWidth])"
        )
        assert images
        assert all(len(alt) > 10 and width for alt, width in images), (page, images)


def test_pages_show_no_markup_as_text(site: Path) -> None:
    raw = re.compile(r"<p>\s*::|::\s*</p>|<p>[^<]*```|<p>[^<]*&gt;&gt;&gt; ")
    found = [(page, raw.search((site / page).read_text("utf-8"))) for page in pages(site)]
    assert [(page, match[0]) for page, match in found if match] == []
