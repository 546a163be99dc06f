"""The page's files: what a server sends, and what the policy promises."""

import gzip
import re
from html.parser import HTMLParser
from pathlib import Path

import plotly
import pytest

from infrastructure.errors import NoDataError
from system.algo_trader.web.assets import ASSET_NAMES, CONTENT_SECURITY_POLICY, asset, page

OWN = [name for name in ASSET_NAMES if name != "plotly.min.js"]
# The name of SVG's language, which no browser fetches.
SVG_NAMESPACE = b"http://www.w3.org/2000/svg"
FOLDER = Path(__file__).parent


class Attributes(HTMLParser):
    """Collect each element's attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def elements(source: bytes) -> list[tuple[str, dict[str, str | None]]]:
    parser = Attributes()
    parser.feed(source.decode())
    return parser.elements


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    directives = dict(one.split(" ", 1) for one in CONTENT_SECURITY_POLICY.split("; "))
    assert directives["default-src"] == "'none'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert set(" ".join(directives.values()).split()) == {"'none'", "'self'", "data:"}
    assert directives["img-src"] == "'self' data:"


def test_every_file_of_the_folder_is_served_and_every_served_file_is_there() -> None:
    present = {path.name for path in FOLDER.iterdir() if path.suffix in (".css", ".js", ".svg")}
    assert present == set(OWN)


@pytest.mark.parametrize("name", OWN)
def test_an_asset_names_no_address_outside(name: str) -> None:
    content = asset(name).content.replace(SVG_NAMESPACE, b"")
    assert not re.search(rb"(https?:)?//[\w.-]+\.\w{2,}/?", content)
    assert b"@import" not in content


@pytest.mark.parametrize("name", [name for name in OWN if name.endswith(".js")])
def test_no_script_parses_text_as_html_or_code(name: str) -> None:
    written = asset(name).content
    for word in (b"innerHTML", b"outerHTML", b"insertAdjacentHTML", b"document.write", b"eval("):
        assert word not in written


@pytest.mark.parametrize("name", [name for name in OWN if name.endswith(".js")])
def test_every_module_that_a_script_imports_is_served(name: str) -> None:
    imported = re.findall(rb'from "\./([\w.]+)"', asset(name).content)
    assert {each.decode() for each in imported} <= set(ASSET_NAMES)


def test_the_page_loads_its_own_assets_only_and_has_nothing_inline() -> None:
    for tag, attributes in elements(page("token")):
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "style"
        assert tag != "script" or attributes["src"] is not None
        address = attributes.get("src") or attributes.get("href") or "#"
        assert address.startswith("#") or address.removeprefix("/assets/") in OWN


def test_the_library_of_charts_is_not_loaded_by_the_page_itself() -> None:
    assert b"plotly" not in page("token")


@pytest.mark.parametrize(
    "token", ["plain", '"><script>alert(1)</script>', "a'b&c<d", "", "\\1 \\g<0>"]
)
def test_the_token_stays_inside_its_attribute(token: str) -> None:
    found = elements(page(token))
    metas = [attributes for tag, attributes in found if tag == "meta"]
    assert [each["content"] for each in metas if each.get("name") == "csrf-token"] == [token]
    assert len(found) == len(elements(page("plain")))


def test_the_labels_and_descriptions_lead_to_elements() -> None:
    found = [attributes for _, attributes in elements(page("token"))]
    identities = [each["id"] for each in found if each.get("id")]
    assert len(identities) == len(set(identities))
    for name in ("aria-labelledby", "aria-describedby", "list"):
        assert {each[name] for each in found if name in each} <= set(identities)


@pytest.mark.parametrize("name", ASSET_NAMES)
def test_the_compressed_form_is_the_same_file(name: str) -> None:
    found = asset(name)
    assert found.gzip is None or gzip.decompress(found.gzip) == found.content
    assert (found.gzip is None) == (len(found.content) < 1_000)


def test_an_asset_is_loaded_once_and_its_tag_follows_its_content() -> None:
    assert asset("plotly.min.js") is asset("plotly.min.js")
    assert len({asset(name).etag for name in ASSET_NAMES}) == len(ASSET_NAMES)
    assert re.fullmatch(r'"[0-9a-f]{32}"', asset("page.js").etag)


def test_the_types_are_those_that_browsers_ask() -> None:
    types = {name: asset(name).content_type for name in ("page.js", "page.css", "favicon.svg")}
    assert types == {
        "page.js": "text/javascript; charset=utf-8",
        "page.css": "text/css; charset=utf-8",
        "favicon.svg": "image/svg+xml",
    }


@pytest.mark.parametrize("name", ["page.html", "assets.py", "../realm.py", "", "PAGE.JS"])
def test_what_is_not_on_the_list_is_not_there(name: str) -> None:
    with pytest.raises(NoDataError, match="no file"):
        asset(name)


def test_the_chart_library_is_the_one_of_the_wheel_and_has_the_hooks_that_we_use() -> None:
    content = asset("plotly.min.js").content
    assert content == (Path(plotly.__file__).parent / "package_data/plotly.min.js").read_bytes()
    # Without these two it would write style elements, which the policy refuses.
    assert b'"plotly.js-style-"' in content
    assert b'matches(".no-inline-styles")' in content
    written = set(re.findall(rb'getElementById\("([0-9a-f]{64})"\)', content))
    ours = set(re.findall(rb'"([0-9a-f]{64})"', asset("charting.js").content))
    assert written == ours
