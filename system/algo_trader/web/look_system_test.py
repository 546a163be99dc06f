"""How the page looks in a real Chromium: themes, contrast, a phone's width, the keyboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from system.algo_trader.web.testing.browser import chromium, prefer, screen, until
from system.algo_trader.web.testing.stub_service import StubService

LEAST_CONTRAST = 4.5
"""Of text on its ground, by WCAG 2.2, success criterion 1.4.3 at level AA."""
CONTRASTS = """
const curve = (s) => (s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4);
const channel = (value) => curve(value / 255);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const parts = (text) => [...text.match(/[\\d.]+/g).map(Number), 1].slice(0, 4);
const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
const ground = (node) => {
  const layers = [];
  for (let at = node; at !== null; at = at.parentElement) {
    layers.push(parts(getComputedStyle(at).backgroundColor));
  }
  return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
};
const others = "svg, script, .skip, datalist, noscript";
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  const text = walker.currentNode.data.trim();
  if (!text || !node.checkVisibility() || node.closest(others)) continue;
  const back = ground(node);
  const front = over(parts(getComputedStyle(node).color), back);
  const [a, b] = [light(front), light(back)];
  found.push([text.slice(0, 40), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
}
return found;
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(scope="module")
def service() -> Iterator[StubService]:
    with StubService() as started:
        yield started


@pytest.fixture
def fresh(browser: Chrome, service: StubService) -> Iterator[Chrome]:
    """The page as a first visit finds it, on a system that prefers light."""
    prefer(browser, "light")
    show(browser, service)
    browser.execute_script("localStorage.clear()")
    show(browser, service)
    yield browser
    browser.get("about:blank")


def show(browser: Chrome, service: StubService) -> None:
    browser.get(service.url)
    until(
        lambda: (
            browser.find_elements(By.CSS_SELECTOR, "#gex .barlayer .point")
            and browser.find_elements(By.CSS_SELECTOR, "#candles .boxlayer path.box")
        ),
        "the charts are drawn",
    )


def theme(browser: Chrome) -> str:
    return str(browser.execute_script("return document.documentElement.dataset.theme"))


def ground(browser: Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")


def test_the_theme_follows_the_system_until_a_person_chooses(
    fresh: Chrome, service: StubService
) -> None:
    light = ground(fresh)
    assert theme(fresh) == "light"
    prefer(fresh, "dark")
    until(lambda: theme(fresh) == "dark", "the theme follows")
    dark = ground(fresh)
    assert dark != light
    fresh.find_element(By.ID, "theme").click()
    assert (theme(fresh), ground(fresh)) == ("light", light)
    show(fresh, service)
    assert (theme(fresh), ground(fresh)) == ("light", light)


def test_the_charts_take_the_themes_colours_even_without_a_connection(
    fresh: Chrome, service: StubService
) -> None:
    def colour() -> str:
        mark = fresh.find_element(By.CSS_SELECTOR, "#candles .ytick text")
        return mark.value_of_css_property("fill")

    service.stop()
    lost = fresh.find_element(By.ID, "connection")
    until(lost.is_displayed, "the loss is said")
    before = colour()
    fresh.find_element(By.ID, "theme").click()
    until(lambda: colour() != before, "the chart is drawn anew")
    service.start()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_text_stands_out_from_its_ground(fresh: Chrome, scheme: str) -> None:
    prefer(fresh, scheme)
    until(lambda: theme(fresh) == scheme, "the theme follows")
    found = fresh.execute_script(CONTRASTS)
    assert len(found) > 150
    assert [each for each in found if each[1] < LEAST_CONTRAST] == []


@pytest.mark.parametrize("width", [320, 375, 768, 1024, 1440])
def test_the_page_does_not_scroll_sideways(fresh: Chrome, service: StubService, width: int) -> None:
    with screen(fresh, width, 812):
        show(fresh, service)
        widest = fresh.execute_script("return document.documentElement.scrollWidth")
        assert widest <= fresh.execute_script("return innerWidth") == width


def test_every_control_has_a_name_and_is_reached_by_the_keyboard(fresh: Chrome) -> None:
    controls = fresh.find_elements(
        By.CSS_SELECTOR, "main button, main input, main select, header button"
    )
    assert len(controls) > 20
    for each in controls:
        assert each.accessible_name
        assert each.get_property("tabIndex") == 0
