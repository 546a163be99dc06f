"""The page in a real Chromium before a stub of the service: what it shows and what it sends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from system.algo_trader.web.testing import documents
from system.algo_trader.web.testing.browser import (
    chromium,
    complaints,
    module_value,
    until,
)
from system.algo_trader.web.testing.stub_service import CSRF_TOKEN, StubService


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture
def service(browser: Chrome) -> Iterator[StubService]:
    with StubService() as started:
        yield started
        # A page that is left alone would go on calling a service that is away.
        browser.get("about:blank")


@pytest.fixture
def opened(browser: Chrome, service: StubService) -> Chrome:
    complaints(browser)
    browser.get(service.url)
    until(lambda: text(browser, "#services"), "the services are shown")
    return browser


def one(browser: Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


SEEN_TEXT = """
const node = document.querySelector(arguments[0]);
return node?.checkVisibility() ? node.innerText : "";
"""


def text(browser: Chrome, selector: str) -> str:
    """Read what a person sees of an element; nothing of a hidden one."""
    return str(browser.execute_script(SEEN_TEXT, selector))


def count(browser: Chrome, selector: str) -> int:
    return len(browser.find_elements(By.CSS_SELECTOR, selector))


def choose(browser: Chrome, selector: str, value: str) -> None:
    """Type over what stands in a field and press Enter."""
    field = one(browser, selector)
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(value, Keys.ENTER)


def changed(**parts: Any) -> Callable[[], documents.Document]:
    return lambda: {**documents.status(), **parts}


def label_hovers(browser: Chrome, chart: str) -> Callable[[], int]:
    return lambda: count(browser, f"{chart} .hoverlayer > *")


def version_is_shown(browser: Chrome, version: str) -> Callable[[], bool]:
    return lambda: version in text(browser, "#version")


def wait_for_charts(browser: Chrome) -> None:
    until(lambda: count(browser, "#candles .boxlayer path.box"), "the candles are drawn")
    until(lambda: count(browser, "#gex .barlayer .point"), "the bars of gamma are drawn")


def test_the_page_and_both_charts_bring_no_error_and_no_violation_of_the_policy(
    opened: Chrome,
) -> None:
    wait_for_charts(opened)
    for chart in ("#candles", "#gex"):
        place = one(opened, chart)
        opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", place)
        ActionChains(opened).move_to_element(place).perform()
        until(label_hovers(opened, chart), "a label hovers")
        ActionChains(opened).click_and_hold(place).move_by_offset(40, 0).release().perform()
    assert complaints(opened) == []


def test_simulated_data_are_announced_with_the_markets_date(opened: Chrome) -> None:
    assert text(opened, "#realm") == "SIMULATED DATA - replay of 2013-02-28"
    assert "(simulated)" in opened.title
    assert text(opened, "#market") == "Market open, regular session until 16:00 ET"
    assert text(opened, "#clock-time") == "10:31:05 ET"
    assert text(opened, "#overall") == "degraded"


def test_live_data_carry_no_banner(browser: Chrome, service: StubService) -> None:
    service.status = changed(is_synthetic=False, realm="live")
    browser.get(service.url)
    until(lambda: text(browser, "#services"), "the services are shown")
    assert not one(browser, "#realm").is_displayed()
    assert "simulated" not in browser.title


def test_a_service_is_shown_with_state_age_counters_reasons_and_what_can_be_done(
    opened: Chrome,
) -> None:
    stream = text(opened, '#services [data-name="stream"]')
    assert "running, degraded" in stream
    assert "for 1 min, 2 restarts" in stream
    assert re.search(r"ticks in\s+4,812,345", stream)
    assert "p99 delay is 41 ms, wanted 5 ms" in stream
    stopped = text(opened, '#services [data-name="gex"]')
    assert "–" in stopped
    assert "null" not in text(opened, "body")
    assert "undefined" not in text(opened, "body")
    buttons = opened.find_elements(By.CSS_SELECTOR, '#services [data-name="gex"] button')
    assert [each.text for each in buttons] == ["Start"]
    assert text(opened, "#services-count") == "3 of 6 well"


def test_restart_asks_once_and_posts_the_token(opened: Chrome, service: StubService) -> None:
    one(opened, '[aria-label="Restart redis"]').click()
    until(lambda: one(opened, "#ask").is_displayed(), "the page asks")
    assert service.posts == []
    assert text(opened, "#ask-title") == "Restart redis?"
    one(opened, "#ask-yes").click()
    until(lambda: service.posts, "the service is asked")
    assert service.posts == [("/api/v1/services/redis/restart", CSRF_TOKEN, {})]
    until(lambda: "Done: restart." in text(opened, "#said"), "the outcome is said")


def test_enter_at_the_question_and_escape_change_nothing(
    opened: Chrome, service: StubService
) -> None:
    for key in (Keys.ENTER, Keys.ESCAPE):
        button = one(opened, '[aria-label="Stop redis"]')
        button.send_keys(Keys.ENTER)
        until(lambda: one(opened, "#ask").is_displayed(), "the page asks")
        ActionChains(opened).send_keys(key).perform()
        until(lambda: not one(opened, "#ask").is_displayed(), "the question is closed")
        assert opened.switch_to.active_element == button
    assert service.posts == []


def test_start_needs_no_question(opened: Chrome, service: StubService) -> None:
    one(opened, '[aria-label="Start gex"]').click()
    until(lambda: service.posts, "the service is asked")
    assert service.posts[0][0] == "/api/v1/services/gex/start"


def test_what_the_service_refuses_is_said_with_the_next_step(opened: Chrome) -> None:
    one(opened, '[aria-label="Restart archive"]').click()
    one(opened, "#ask-yes").click()
    said = until(lambda: text(opened, '#said [role="alert"]'), "the refusal is said")
    assert said.startswith("archive did not start: the disk is full. Free 2 GB.")


def test_an_error_is_resolved_with_a_note(opened: Chrome, service: StubService) -> None:
    assert "Free 2 GB below ALGO_TRADER_HOME, then restart archive." in text(opened, "#errors")
    one(opened, '#errors li:first-child [data-action="resolve"]').click()
    until(lambda: one(opened, "#ask-note").is_displayed(), "the page asks for a note")
    one(opened, "#ask-note").send_keys("old parts moved away")
    one(opened, "#ask-yes").click()
    until(lambda: service.posts, "the service is asked")
    assert service.posts == [
        ("/api/v1/errors/e-1/resolve", CSRF_TOKEN, {"note": "old parts moved away"})
    ]
    buttons = opened.find_elements(By.CSS_SELECTOR, "#errors li:last-child button")
    assert [each.text for each in buttons] == ["Resolve"]


def test_ticks_arrive_for_the_symbols_that_are_chosen(opened: Chrome, service: StubService) -> None:
    price = '#ticks tr:first-child [data-column="last"]'
    first = until(lambda: text(opened, price).strip("–"), "a tick is shown")
    until(lambda: text(opened, price) != first, "another tick is shown")
    choose(opened, "#ticks-symbols", "ibm msft")
    until(lambda: text(opened, "#ticks").startswith("IBM"), "the other symbols are shown")
    until(lambda: len(service.subscriptions) == 2, "they are subscribed")
    assert service.subscriptions[1] == {
        "action": "subscribe",
        "symbols": ["IBM", "MSFT"],
        "conflate_ms": 500,
    }
    until(lambda: text(opened, price).strip("–"), "a tick of them is shown")
    assert count(opened, "#ticks tr") == 2
    assert "simulated" in text(opened, "#ticks-state")


def test_paused_ticks_stand_still(opened: Chrome, service: StubService) -> None:
    until(lambda: "ticks" in text(opened, "#ticks-state"), "ticks are counted")
    one(opened, "#ticks-pause").click()
    shown = text(opened, "#ticks")
    # Ticks come more often than the status does: one would have arrived by then.
    for version in ("2.0", "2.1"):
        service.status = changed(version=version)
        until(version_is_shown(opened, version), "a status arrives")
    assert text(opened, "#ticks-state") == "paused"
    assert text(opened, "#ticks") == shown
    one(opened, "#ticks-pause").click()
    until(lambda: text(opened, "#ticks") != shown, "they go on")


def test_the_candles_are_all_there_with_their_gap_and_their_source(opened: Chrome) -> None:
    wait_for_charts(opened)
    assert count(opened, "#candles .boxlayer path.box") == 240
    assert count(opened, "#candles .shapelayer path") == 2
    assert "441.40" in text(opened, "#candles-last")
    assert text(opened, "#candles-caption").startswith("simulated")
    label = one(opened, "#candles").get_attribute("aria-label")
    assert label == "Candlestick chart of AAPL, 240 bars of 1m, last close 441.40"
    one(opened, "#candles-timeframe option:nth-child(8)").click()
    until(lambda: text(opened, "#candles-title") == "Candles AAPL 1d", "days are shown")


def test_gamma_is_drawn_with_spot_flip_and_walls(opened: Chrome) -> None:
    wait_for_charts(opened)
    marks = opened.find_elements(By.CSS_SELECTOR, "#gex .annotation-text")
    names = [each.get_attribute("textContent") for each in marks]
    assert names == ["spot 151.60", "flip 150.42", "call wall 155.00", "put wall 145.00"]
    assert "$123.36 M" in text(opened, "#gex-summary")


def test_where_no_chain_is_stored_the_services_sentence_is_shown(opened: Chrome) -> None:
    wait_for_charts(opened)
    choose(opened, "#gex-symbol", "xyz")
    message = until(lambda: text(opened, "#gex-message"), "the message is shown")
    assert message == "No option chain of XYZ is stored. Run `algo-trader options gex XYZ` once."
    assert not one(opened, "#gex").is_displayed()
    choose(opened, "#gex-symbol", "SPY")
    until(lambda: one(opened, "#gex").is_displayed(), "the chart is back")
    assert text(opened, "#gex-message") == ""


def test_the_first_view_waits_for_no_chart(opened: Chrome, service: StubService) -> None:
    wait_for_charts(opened)
    library = service.fetched.index("/assets/plotly.min.js")
    assert service.fetched.index("/api/v1/status") < library
    assert "/assets/page.css" in service.fetched[:library]


def test_a_lost_connection_is_said_and_ages_go_on_until_it_is_back(
    opened: Chrome, service: StubService
) -> None:
    wait_for_charts(opened)
    service.stop()
    words = until(lambda: text(opened, "#connection"), "the loss is said")
    assert re.fullmatch(r"no connection since \d\d:\d\d:\d\d", words)
    before = text(opened, "#figures")
    until(lambda: text(opened, "#figures") != before, "the ages go on")
    age = one(opened, "#figures .age")
    assert age.value_of_css_property("font-style") == "italic"
    service.start()
    until(lambda: not text(opened, "#connection"), "the connection is back")
    until(lambda: "0.4 s ago" in text(opened, "#figures"), "the figures are new")


def test_a_silent_connection_is_a_lost_one(opened: Chrome, service: StubService) -> None:
    service.is_silent = True
    until(lambda: text(opened, "#connection"), "the loss is said")
    service.is_silent = False
    until(lambda: not text(opened, "#connection"), "the connection is back")


def test_a_session_that_is_over_is_said_and_nothing_more_is_called(
    opened: Chrome, service: StubService
) -> None:
    service.session_is_over = True
    service.stop()
    service.start()
    words = until(lambda: text(opened, "#session-over"), "it is said")
    assert words == "This session is over. Run algo-trader serve --open."
    assert not one(opened, "#connection").is_displayed()


def test_text_of_a_document_is_never_html(browser: Chrome, service: StubService) -> None:
    nasty = documents.NASTY
    status = documents.status()
    status["services"].append(
        documents.service(
            nasty,
            nasty,
            nasty,
            url="javascript:globalThis.hacked=1",
            reasons=[nasty],
            counters={nasty: 1},
        )
    )
    status["errors"]["recent"][0] |= {"message": nasty, "next_step": nasty, "id": "../x"}
    status["coverage"][0]["symbol"] = nasty
    status["gaps"]["recent"][0] |= {"symbols": [nasty], "reason": nasty}
    status["health"]["checks"][0] |= {"name": nasty, "detail": nasty}
    status["sign_in"]["state"] = nasty
    status["market"]["session"] = nasty
    status["version"] = nasty
    service.status = lambda: status
    browser.get(service.url)
    until(lambda: nasty in text(browser, "#services"), "the text is shown as it is")
    wait_for_charts(browser)
    assert nasty in text(browser, "#errors")
    assert browser.execute_script("return globalThis.hacked") is None
    assert count(browser, "img") == 0
    assert count(browser, 'a[href^="javascript"]') == 0


def test_a_document_that_lacks_parts_leaves_the_others_shown(
    browser: Chrome, service: StubService
) -> None:
    complaints(browser)
    service.status = lambda: {"now": None, "services": documents.services()}
    browser.get(service.url)
    until(lambda: "redis" in text(browser, "#services"), "the services are shown")
    assert text(browser, "#coverage-none") == "Nothing is stored yet."
    assert text(browser, "#clock-time") == "– ET"
    assert complaints(browser) == []


def test_a_part_that_cannot_be_read_leaves_the_others_shown(
    browser: Chrome, service: StubService
) -> None:
    service.status = changed(errors={"recent": 7})
    browser.get(service.url)
    until(lambda: "redis" in text(browser, "#services"), "the services are shown")
    assert "showErrors" in complaints(browser)[0]


def test_the_focus_stays_on_its_button_while_documents_arrive(
    opened: Chrome, service: StubService
) -> None:
    button = one(opened, '[aria-label="Restart bars"]')
    opened.execute_script("arguments[0].focus()", button)
    status = documents.status()
    status["services"] = [documents.service("new", "running", "ok"), *status["services"]]
    service.status = lambda: status
    until(lambda: "new" in text(opened, "#services"), "a service is added")
    assert opened.switch_to.active_element == button


SPANS = "[null, 0, 0.44, 3.9, 59, 60, 150, 3600, 11100, 86400, 97200]"
TIMES = "['2013-03-01T03:00:00Z', null, '2013-07-01T13:30:00Z']"


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        (
            f"{SPANS}.map(it.span)",
            "– | 0.0 s | 0.4 s | 3 s | 59 s | 1 min | 2 min | 1 h | 3 h 5 min | 1 d | 1 d 3 h",
        ),
        ("[null, 1, 0.999999, 0.5, 0].map(it.percent)", "– | 100 % | 99.99 % | 50.00 % | 0.00 %"),
        ("[null, -1.2345e9, 999, 0].map(it.dollars)", "– | −$1.23 B | $999.00 | $0.00"),
        ("[null, 1234567, NaN, -5].map((value) => it.number(value))", "– | 1,234,567 | – | -5"),
        (f"{TIMES}.map(it.exchangeDate)", "2013-02-28 | – | 2013-07-01"),
        (f"{TIMES}.map(it.exchangeTime)", "22:00:00 | – | 09:30:00"),
    ],
)
def test_values_are_written_as_people_read_them(
    opened: Chrome, expression: str, words: str
) -> None:
    assert module_value(opened, "/assets/words.js", expression) == words.split(" | ")
