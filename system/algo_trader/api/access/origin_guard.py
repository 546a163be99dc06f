"""Whether a request was meant for this service, and whether a page of this service sent it."""

from __future__ import annotations

from typing import Final

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")


def allowed_hosts(host: str, port: int, names: tuple[str, ...] = ()) -> frozenset[str]:
    """Return the values of the header Host that are meant for a service.

    A page whose name an attacker lets point at this machine sends its own name: it is refused.

    Args:
        host: The address that the service listens at.
        port: Its port.
        names: Further names that the owner gave it.
    """
    bare = f"[{host}]" if ":" in host and not host.startswith("[") else host
    known = {*LOOPBACK_NAMES, *names}
    if host not in ("0.0.0.0", "::", ""):
        known.add(bare)
    found = {f"{name.lower()}:{port}" for name in known}
    if port in _DEFAULT_PORTS.values():
        found |= {name.lower() for name in known}
    return frozenset(found)


def host_is_allowed(value: str | None, allowed: frozenset[str]) -> bool:
    """Return whether the header Host names this service; one that is missing does not."""
    return value is not None and value.strip().lower() in allowed


def origin_is_ours(origin: str | None, site: str | None, host: str, scheme: str) -> bool:
    """Return whether a page of this service sent a request, or no page at all.

    Args:
        origin: The header Origin; None without it: not a page's script, form or socket.
        site: The header Sec-Fetch-Site.
        host: The header Host, allowed before.
        scheme: "http" or "https".
    """
    if site is not None and site.strip().lower() not in ("same-origin", "none"):
        return False
    return origin is None or origin.strip().lower() == f"{scheme}://{host.strip().lower()}"
