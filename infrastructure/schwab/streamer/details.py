"""Where a user's stream is: out of `GET /userPreference`."""

from __future__ import annotations

from infrastructure.errors import ProviderUnavailable
from infrastructure.schwab.accounts import UserPreference
from infrastructure.schwab.streamer.commands import StreamerInfo

_KEYS = (
    "streamerSocketUrl",
    "schwabClientCustomerId",
    "schwabClientCorrelId",
    "schwabClientChannel",
    "schwabClientFunctionId",
)


def streamer_info(preference: UserPreference) -> StreamerInfo:
    """Return the stream's address and who asks there.

    Raises:
        ProviderUnavailable: If Schwab named no streamer for the user.
    """
    for entry in preference.streamer_info:
        values = [entry.get(key) for key in _KEYS]
        if all(isinstance(value, str) and value for value in values):
            return StreamerInfo(*map(str, values))
    raise ProviderUnavailable(
        "Schwab's answer for the user's preference names no streamer",
        next_step="Look whether the account may stream at schwab.com, and try again later.",
    )
