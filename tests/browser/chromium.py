"""Chromium without a window, driven by Selenium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver
    from selenium.webdriver.remote.webelement import WebElement

WIDE, PHONE = (1280, 800), (390, 844)


class Chromium:
    """A browser.

    Args:
        driver: Selenium's.
    """

    def __init__(self, driver: WebDriver) -> None:
        self.driver = driver

    def reset(self) -> None:
        """Forget cookies and messages, and go back to a wide window."""
        self.driver.get("about:blank")
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light"}]}
        )
        self.resize(*WIDE)
        self.messages()

    def resize(self, width: int, height: int) -> None:
        """Show pages in a window of this size."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def open(self, url: str) -> None:
        """Open a page and wait until it is loaded."""
        self.driver.get(url)

    def find(self, css: str) -> WebElement:
        """An element; waited for, as it may be made by a script or be on the page that a click opens."""
        return self.driver.find_element("css selector", css)

    def all(self, css: str) -> list[WebElement]:
        """All elements that are there now."""
        found: list[WebElement] = self.run("return Array.from(document.querySelectorAll(arguments[0]))", css)
        return found

    def click(self, what: str) -> None:
        """Click an element, or a link by its text, that leads to another page, and wait for that."""
        from selenium.webdriver.support.expected_conditions import staleness_of
        from selenium.webdriver.support.wait import WebDriverWait

        before = self.find("html")
        links = [link for link in self.all("a") if link.text == what]
        (links[0] if links else self.find(what)).click()
        WebDriverWait(self.driver, 10).until(staleness_of(before))

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a script."""
        return self.driver.execute_script(script, *arguments)

    def messages(self) -> list[str]:
        """Errors in the console since the last call, such as violations of a policy."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def loaded(self) -> list[str]:
        """The URLs of all that the page loaded."""
        found: list[str] = self.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
        return found

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        width: int = self.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return width

    def save(self, file: Path) -> None:
        """Save what the window shows as a PNG."""
        self.driver.save_screenshot(str(file))


@contextmanager
def start_chromium() -> Iterator[Chromium]:
    """Start it. Skips the test where it cannot be started, and says why."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs the package selenium")
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    program = shutil.which("chromedriver")
    if binary is None or program is None:
        pytest.skip("needs Chromium and chromedriver (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    # In containers, Chromium has neither a sandbox nor much shared memory.
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(program))
    driver.implicitly_wait(10)
    try:
        yield Chromium(driver)
    finally:
        driver.quit()
