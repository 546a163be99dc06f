"""The owner opens the page of the real service in a real Chromium, and uses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from infrastructure.clock import SystemClock
from infrastructure.errors import ServiceUnavailable
from system.algo_trader.clients.redis_client import AlgoTraderRedisClient
from system.algo_trader.health.error_registry import ErrorRegistry
from system.algo_trader.health.occurrence import Occurrence
from system.algo_trader.services import Services
from system.algo_trader.settings import load
from system.algo_trader.testing.running_service import RunningService, running_service
from system.algo_trader.web.testing.browser import chromium, complaints, until


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, service: RunningService) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as started:
        started.set_window_size(1440, 2400)
        started.get(service.link())
        until(lambda: text(started, "#services"), "the services are shown")
        yield started
        started.get("about:blank")


def text(browser: Chrome, selector: str) -> str:
    found = browser.find_elements(By.CSS_SELECTOR, selector)
    return found[0].text if found else ""


def press(browser: Chrome, label: str) -> None:
    until(
        lambda: browser.find_elements(By.CSS_SELECTOR, f'[aria-label="{label}"]:enabled'),
        f"{label} can be pressed",
    )[0].click()


def are_drawn(browser: Chrome) -> bool:
    charts = ("#candles .main-svg", "#gex .main-svg")
    return all(browser.find_elements(By.CSS_SELECTOR, chart) for chart in charts)


def test_the_first_view_stands_and_the_charts_follow(browser: Chrome, tmp_path: Path) -> None:
    assert browser.current_url.endswith("/")
    assert "token" not in browser.current_url
    assert "SIMULATED DATA" in text(browser, "body")
    assert "redis" in text(browser, "#services")
    until(lambda: are_drawn(browser), "both charts are drawn")
    assert "$SPX" in text(browser, "#gex-title")
    paint = browser.execute_script(
        "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    assert paint > 0
    assert complaints(browser) == []
    browser.save_screenshot(str(tmp_path / "page.png"))


def test_a_process_is_started_and_stopped_by_its_buttons(browser: Chrome) -> None:
    row = '#services [data-name="keep-fresh"]'
    assert "stopped" in text(browser, row)
    press(browser, "Start keep-fresh")
    until(lambda: "running" in text(browser, row), "the process runs")
    press(browser, "Stop keep-fresh")
    until(lambda: browser.find_elements(By.CSS_SELECTOR, "dialog[open]"), "it asks")
    browser.find_element(By.ID, "ask-yes").click()
    until(lambda: "stopped" in text(browser, row), "the process has ended")
    assert complaints(browser) == []


def test_an_error_of_any_process_is_shown_and_acknowledged(
    browser: Chrome, service: RunningService
) -> None:
    settings = load({}, environment={"ALGO_TRADER_HOME": str(service.home)}, workspace=service.home)
    with (
        Services(settings, service.realm) as services,
        AlgoTraderRedisClient(services.redis_url(), service.realm) as redis,
    ):
        registry = ErrorRegistry(redis, SystemClock())
        seen = Occurrence.of(ServiceUnavailable("nobody answers"), "stream", SystemClock().now_ns())
        entry = registry.record(seen)
        until(lambda: "nobody answers" in text(browser, "#errors"), "the error is shown")
        browser.find_element(By.CSS_SELECTOR, '#errors [data-action="acknowledge"]').click()
        until(lambda: browser.find_elements(By.CSS_SELECTOR, "dialog[open]"), "it asks for a note")
        browser.find_element(By.ID, "ask-yes").click()
        until(lambda: registry.entry(entry.id).state == "acknowledged", "it is acknowledged")


def test_a_link_opens_once_and_its_cookie_is_out_of_reach_of_scripts(
    browser: Chrome, service: RunningService
) -> None:
    assert browser.execute_script("return document.cookie") == ""
    (cookie,) = browser.get_cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    path = service.link().removeprefix(service.url)
    codes = [service.get(path, key="", allow_redirects=False).status_code for _ in range(2)]
    assert codes == [303, 401]
