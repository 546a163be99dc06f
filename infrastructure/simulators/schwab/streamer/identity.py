"""The ids by which a streamer knows its one user."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from uuid import NAMESPACE_URL, uuid5

_USER: Final = "simulated user of the local Schwab"


@dataclass(frozen=True, slots=True)
class StreamerIdentity:
    """What userPreference tells of the streamer beside its address. [S][O]

    Attributes:
        customer_id: 64 hexadecimal digits.
        correlation_id: A UUID.
        channel: Schwab's name of the channel.
        function_id: Schwab's name of the kind of client.
        server: The server's name in the answer to LOGIN, which a connection's number follows.
    """

    customer_id: str = sha256(_USER.encode()).hexdigest()
    correlation_id: str = str(uuid5(NAMESPACE_URL, _USER))
    channel: str = "N9"
    function_id: str = "APIAPP"
    server: str = "simulated"
