"""The status page's files as a server sends them, and the content policy that goes with them.

Plotly under this policy, as tried in Chromium: plotly.js writes two style elements into the page,
and the policy refuses both. It leaves the first out where an element of its id has the class
`no-inline-styles` (our `charts.css` holds those rules), the second, for maps, where any element of
its id exists. Markup in a chart's text would set style attributes; our charts have none. With
these no violation is left, so the policy needs no `unsafe-inline`, no hash and no nonce.
"""

from __future__ import annotations

import gzip
import hashlib
import html
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from threading import Lock
from typing import Final

from infrastructure.errors import NoDataError

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
PAGE_CONTENT_TYPE: Final = "text/html; charset=utf-8"
ASSET_NAMES: Final = (
    "ages.js",
    "calls.js",
    "candles.js",
    "charting.js",
    "charts.css",
    "completeness.js",
    "dialogs.js",
    "element.js",
    "errors.js",
    "favicon.svg",
    "feed.js",
    "figures.js",
    "gex.js",
    "header.js",
    "levels.js",
    "page.css",
    "page.js",
    "plotly.min.js",
    "services.js",
    "standing.js",
    "theme.js",
    "ticks.js",
    "words.js",
)
_CONTENT_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_TOKEN_PLACE: Final = '<meta name="csrf-token" content="">'
# Small enough for one packet: compressing it would gain nothing.
_SMALLEST_COMPRESSED: Final = 1_000

_loading = Lock()


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the page.

    Attributes:
        content: Its bytes.
        content_type: The value for `Content-Type`.
        etag: The value for `ETag`, quoted; it changes with the content.
        gzip: The content compressed, None where that gains nothing.
    """

    content: bytes
    content_type: str
    etag: str
    gzip: bytes | None


def asset(name: str) -> Asset:
    """Return a file of the page; it is read and compressed once.

    The first call for `plotly.min.js` takes some tenths of a second: a server makes it in a thread.

    Args:
        name: One of `ASSET_NAMES`.

    Raises:
        NoDataError: When the page has no such file.
    """
    if name not in ASSET_NAMES:
        raise NoDataError(
            f"The page has no file {name!r}.", next_step="Load the page anew from `/`."
        )
    # One thread compresses, the others wait for its outcome.
    with _loading:
        return _loaded(name)


def page(csrf_token: str) -> bytes:
    """Return the page with the token that its calls send back as `X-CSRF-Token`.

    Args:
        csrf_token: The session's token; whatever stands in it stays inside the attribute.
    """
    content = f'<meta name="csrf-token" content="{html.escape(csrf_token, quote=True)}">'
    return _page_source().replace(_TOKEN_PLACE, content, 1).encode()


@cache
def _page_source() -> str:
    return _folder().joinpath("page.html").read_text(encoding="utf-8")


@cache
def _loaded(name: str) -> Asset:
    content = _source(name).read_bytes()
    small = len(content) < _SMALLEST_COMPRESSED
    return Asset(
        content=content,
        content_type=_CONTENT_TYPES[name.rpartition(".")[2]],
        etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        gzip=None if small else gzip.compress(content, compresslevel=6, mtime=0),
    )


def _source(name: str) -> Traversable:
    if name != "plotly.min.js":
        return _folder() / name
    import plotly

    return resources.files(plotly) / "package_data" / name


def _folder() -> Traversable:
    return resources.files(__package__)
