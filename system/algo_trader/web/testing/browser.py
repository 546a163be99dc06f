"""A real Chromium without a window, as the tests of pages drive it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

DEADLINE_S: Final = 20.0
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def program(name: str, package: str) -> str:
    """Return the path of an installed program, or fail with how to get it."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"this test looks at the page in Chromium: apt-get install {package}")
    return found


@contextmanager
def chromium(folder: Path) -> Iterator[Chrome]:
    """Start Chromium and its driver; both end with the block.

    Args:
        folder: An empty folder for its profile and whatever it keeps at home.
    """
    options = ChromeOptions()
    options.binary_location = program("chromium", "chromium")
    for flag in (*_FLAGS, f"--user-data-dir={folder / 'profile'}", "--window-size=1440,1000"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
    driver = program("chromedriver", "chromium-driver")
    browser = Chrome(options=options, service=Service(driver, env={**os.environ, **home}))
    try:
        yield browser
    finally:
        browser.quit()


def until(wanted: Callable[[], Any], what: str) -> Any:
    """Wait until something is true and return it.

    Args:
        wanted: What is asked again and again.
        what: Its name in the failure.
    """
    deadline = time.monotonic() + DEADLINE_S
    while not (found := wanted()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {DEADLINE_S:.0f} s in vain until {what}")
        time.sleep(0.05)
    return found


def complaints(browser: Chrome) -> list[str]:
    """Return what the console has said since the last call: errors and violations of the policy."""
    return [str(entry["message"]) for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]


def prefer(browser: Chrome, scheme: str) -> None:
    """Let the system of this browser prefer "dark" or "light"."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


@contextmanager
def screen(browser: Chrome, width: int, height: int) -> Iterator[None]:
    """Show the page on a screen of this size for a while."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def module_value(browser: Chrome, module: str, expression: str) -> Any:
    """Return what an expression over a module's exports (as `it`) gives, as JSON sees it."""
    script = (
        f"const done = arguments[0]; import({json.dumps(module)})"
        f".then((it) => JSON.stringify({expression}))"
        ".then(done, (error) => done(JSON.stringify(String(error))));"
    )
    return json.loads(browser.execute_async_script(script))
