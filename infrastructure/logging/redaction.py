"""Take every known secret out of a text before it is written anywhere."""

from __future__ import annotations

import re
import threading
from urllib.parse import quote, quote_plus

MASK = "********"
SHORTEST = 6
"""A shorter text would mask ordinary words; such secrets are refused elsewhere."""

_known: set[str] = set()
_pattern: re.Pattern[str] | None = None
_lock = threading.Lock()

_SHAPES = re.compile(
    r"""(?ix)
    (authorization["']?\s*[:=]\s*["']?(?:bearer|basic|token)\s+)[^\s"',;]+
    | ((?:access_token|refresh_token|id_token|client_secret|code_verifier|password)
        ["']?\s*[:=]\s*["']?)[^\s"',;&}]+
    | ([?&]code=)[^&\s"']+
    | (://[^/\s:@]*:)[^@\s/]+(?=@)
    """
)


def register_secret(text: str) -> None:
    """Remember a secret, so that no log line of this process shows it.

    The text is also found in its URL-encoded forms. Texts shorter than six characters are
    passed over.
    """
    global _pattern
    if len(text) < SHORTEST:
        return
    with _lock:
        before = len(_known)
        _known.update({text, quote(text, safe=""), quote_plus(text)})
        if len(_known) != before:
            longest_first = sorted(_known, key=len, reverse=True)
            _pattern = re.compile("|".join(map(re.escape, longest_first)))


def redact(text: str) -> str:
    """Return the text with known secrets and secret-shaped values masked."""
    pattern = _pattern
    if pattern is not None:
        text = pattern.sub(MASK, text)
    return _SHAPES.sub(_keep_label, text)


def _keep_label(match: re.Match[str]) -> str:
    label = next(group for group in match.groups() if group is not None)
    return f"{label}{MASK}"
