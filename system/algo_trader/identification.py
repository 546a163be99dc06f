"""Ask a server what it is, before anything is given to it."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from infrastructure.clients.redis_client import BaseRedisClient
from infrastructure.config import Secret
from infrastructure.errors import (
    CredentialsRejected,
    ForeignService,
    InputError,
    ServiceUnavailable,
    StackError,
)
from infrastructure.influxdb.failures import no_answer

LOOK_TIMEOUT_S = 0.5
NAMED_TIMEOUT_S = 5.0
OWNER_NAMESPACE = "algo_trader"
OWNER_KEY = "owner"


@dataclass(frozen=True, slots=True)
class Identified:
    """What a server says about itself.

    Attributes:
        product: Its product's name.
        version: That product's version.
        mark: The owner that it names, empty when it names none.
    """

    product: str
    version: str
    mark: str


def is_listening(url: str) -> bool:
    """Whether anything accepts a TCP connection at a URL."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname, parts.port or 0), LOOK_TIMEOUT_S):
            return True
    except OSError:
        return False


def identify_redis(url: str, timeout_s: float = LOOK_TIMEOUT_S) -> Identified:
    """Ask a Redis for its product and its owner.

    Raises:
        StackError: If it does not answer, refuses us, or is no Redis.
    """
    with BaseRedisClient(url, OWNER_NAMESPACE, timeout_s=timeout_s) as client:
        client.ping()
        identity = client.identity()
        return Identified(identity.product, identity.version, client.get(OWNER_KEY) or "")


def mark_redis(url: str, owner: str, timeout_s: float = NAMED_TIMEOUT_S) -> str:
    """Write an owner into a Redis that has none, and return the owner it has."""
    with BaseRedisClient(url, OWNER_NAMESPACE, timeout_s=timeout_s) as client:
        client.set(OWNER_KEY, owner, only_if_absent=True)
        return client.get(OWNER_KEY) or owner


def check_named_redis(url: str) -> None:
    """Make sure that the Redis that REDIS_URL names answers.

    Raises:
        StackError: The error of the failure, with the variable's name in front.
    """
    try:
        with BaseRedisClient(url, OWNER_NAMESPACE, timeout_s=NAMED_TIMEOUT_S) as client:
            client.ping()
    except StackError as error:
        raise _naming("REDIS_URL", error) from error


def identify_influxdb(
    url: str, token: Secret | None = None, timeout_s: float = LOOK_TIMEOUT_S
) -> Identified:
    """Ask an InfluxDB 3 for its product and, if it is an embedded one of ours, its owner.

    Args:
        url: Its base URL.
        token: Sent only to a server that a person has named.
        timeout_s: Seconds for connecting and for the answer.

    Raises:
        ServiceUnavailable: If it does not answer.
        CredentialsRejected: If it wants another token, or one at all.
        ForeignService: If it is something else.
    """
    import requests

    session = requests.Session()
    session.trust_env = urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1")
    headers = {} if token is None else {"Authorization": f"Bearer {token.reveal()}"}
    try:
        with session:
            answer = session.get(
                f"{url.rstrip('/')}/ping",
                headers=headers,
                timeout=timeout_s,
                allow_redirects=False,
            )
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
        raise InputError(f"{url!r} is no URL of a server") from error
    except requests.exceptions.RequestException as error:
        raise ServiceUnavailable(no_answer(url, error).message) from error
    if answer.status_code in (401, 403):
        raise CredentialsRejected(
            f"InfluxDB at {url} refuses the token",
            next_step="Set INFLUXDB3_AUTH_TOKEN to a token of that server.",
        )
    try:
        facts = answer.json()
    except ValueError:
        facts = None
    product = str(facts.get("product_name", "")) if isinstance(facts, dict) else ""
    if answer.status_code != 200 or "influxdb" not in product.lower():
        raise ForeignService(
            f"what answers at {url} is no InfluxDB 3",
            next_step="Check the host and port.",
        )
    return Identified(product, str(facts.get("version", "")), str(facts.get("ownership_key", "")))


def check_named_influxdb(url: str, token: Secret | None) -> None:
    """Make sure that the InfluxDB that INFLUXDB3_HOST_URL names answers.

    Raises:
        StackError: The error of the failure, with the variable's name in front.
    """
    try:
        identify_influxdb(url, token, NAMED_TIMEOUT_S)
    except StackError as error:
        raise _naming("INFLUXDB3_HOST_URL", error) from error


def _naming(variable: str, error: StackError) -> StackError:
    next_step = error.next_step or f"Start that server, or unset {variable} for an embedded one."
    return type(error)(f"{variable} is set, but {error.message}", next_step=next_step)
