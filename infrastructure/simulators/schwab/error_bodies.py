"""Schwab's error answers, word for word where somebody has seen them."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, Final
from uuid import uuid4

from infrastructure.simulators.schwab.messages import Response, html_response, json_response

RESOURCE_VERSION: Final = "1"
_TITLES: Final = {400: "Bad Request", 404: "Not Found", 500: "Internal Server Error"}


def market_error(status: int, detail: str | None = None, **source: Any) -> Response:
    """Answer as market data does: `{"errors":[{id, status, title, detail?, source?}]}`. [S][O]

    Args:
        status: 400, 404 or 500; it stands in the body as a string.
        detail: What is wrong, left out when None.
        **source: `header`, `parameter` or `pointer`.
    """
    error: dict[str, Any] = {
        "id": str(uuid4()),
        "status": str(status),
        "title": _TITLES[status],
    }
    if detail is not None:
        error["detail"] = detail
    if source:
        error["source"] = source
    return _versioned(json_response(status, {"errors": [error]}))


def market_unauthorized() -> Response:
    """Answer an invalid or expired access token: 401 with the status as a number. [O]"""
    error = {
        "id": str(uuid4()),
        "status": 401,
        "title": "Unauthorized",
        "detail": "Client not authorized",
    }
    return _versioned(json_response(401, {"errors": [error]}))


def market_missing_header() -> Response:
    """Answer a request without `Authorization`. [S]"""
    return market_error(400, "Missing header", header="Authorization")


def too_many_requests(retry_after_s: int | None = None) -> Response:
    """Answer past the rate limit; neither the body nor Retry-After is documented. [?]"""
    response = json_response(429, {"fault": {"faultstring": "Rate limit quota violation"}})
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def body_too_big() -> Response:
    """Answer as the gateway does when a body passes about 10 MB. [O]"""
    fault = {
        "faultstring": "Body buffer overflow",
        "detail": {"errorcode": "protocol.http.TooBigBody"},
    }
    return json_response(502, {"fault": fault})


def trader_error(status: int, message: str, *errors: str) -> Response:
    """Answer as the trader side does: `{"message", "errors"}`. [S]"""
    return json_response(status, {"message": message, "errors": list(errors)})


def edge_access_denied(url: str) -> Response:
    """Answer as the network edge in front of Schwab does on a bad day. [O]"""
    return html_response(
        403,
        "<HTML><HEAD>\n<TITLE>Access Denied</TITLE>\n</HEAD><BODY>\n<H1>Access Denied</H1>\n"
        f"You don't have permission to access &quot;{url}&quot; on this server.\n"
        "</BODY>\n</HTML>\n",
    )


def oauth_error(status: int, error: str, description: str) -> Response:
    """Answer as the token endpoint does: `{"error", "error_description"}`. [O]"""
    return json_response(status, {"error": error, "error_description": description})


def bad_client() -> Response:
    """Answer a wrong app key or secret. [O, wording ?]"""
    return oauth_error(401, "invalid_client", "Unauthorized")


def dead_refresh_token(token: str) -> Response:
    """Answer an unknown or superseded refresh token: the real error nested as text. [O]"""
    digest = base64.b64encode(hashlib.sha256(token.encode()).digest()).decode()
    cause = f"Failed refresh token authentication [tokenDigest={digest}]"
    return _nested(
        f"Exception while authenticating refresh token [tokenDigest={digest}, Exception={cause}]",
        "refresh_token_authentication_error",
    )


def expired_refresh_token() -> Response:
    """Answer a refresh token past its seven days, as seen in 2026. [O]"""
    return _nested("Refresh token is invalid, expired or revoked", "invalid_grant")


def _nested(description: str, error: str) -> Response:
    inner = json.dumps({"error_description": description, "error": error}, separators=(",", ":"))
    return oauth_error(400, "unsupported_token_type", f'400 Bad Request: "{inner}"')


def _versioned(response: Response) -> Response:
    response.headers["Schwab-Resource-Version"] = RESOURCE_VERSION
    return response
