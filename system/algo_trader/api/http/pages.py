"""The status page's files, for the owner's browser only."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from infrastructure.errors import NoDataError
from system.algo_trader.api.access.caller import caller_of
from system.algo_trader.api.operations.problem import Problem
from system.algo_trader.web.assets import (
    CONTENT_SECURITY_POLICY,
    PAGE_CONTENT_TYPE,
    asset,
    page,
)

_FOR_BROWSERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}
_PAGE_HEADERS: Final = {**_FOR_BROWSERS, "cache-control": "no-store"}


def page_routes() -> list[BaseRoute]:
    """Return the routes of the page and its files."""
    return [
        Route("/", _page),
        Route("/status.html", _page),
        Route("/assets/{name}", _asset),
    ]


async def _page(request: Request) -> Response:
    caller = caller_of(request.scope)
    if not caller.is_browser:
        raise Problem(403, "the page is for the owner's browser",
                      next_step="Run `algo-trader serve --open`.")  # fmt: skip
    content = page(caller.csrf_token)
    return Response(content, headers=_PAGE_HEADERS, media_type=PAGE_CONTENT_TYPE)


async def _asset(request: Request) -> Response:
    try:
        # The first look at the charts' library takes a while: it is packed then.
        found = await asyncio.to_thread(asset, request.path_params["name"])
    except NoDataError as error:
        raise Problem(404, str(error)) from None
    headers = {
        "etag": found.etag,
        "cache-control": "private, no-cache",
        "vary": "Accept-Encoding",
        **_FOR_BROWSERS,
    }
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers=headers)
    content = found.content
    if found.gzip is not None and "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["content-encoding"] = found.gzip, "gzip"
    return Response(content, headers=headers, media_type=found.content_type)
