"""`GET /trader/v1/userPreference`: where the streamer is and who its user is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from infrastructure.simulators.schwab.messages import Request, Response, json_response
from infrastructure.simulators.schwab.router import Router
from infrastructure.simulators.schwab.streamer.identity import StreamerIdentity
from infrastructure.simulators.schwab.wire_forms import WireForm

PATH: Final = "/trader/v1/userPreference"
SIMULATED_ACCOUNT: Final = "10000001"

Accounts = Callable[[], Sequence[str]]


class UserPreference:
    """Answer with ONE object, not with the array of Schwab's specification. [O]

    Args:
        url: Returns the streamer's address.
        identity: The ids that its commands must carry.
        accounts: Returns the account numbers, the primary one first.
    """

    def __init__(
        self,
        url: Callable[[], str],
        identity: StreamerIdentity,
        accounts: Accounts = lambda: (SIMULATED_ACCOUNT,),
    ) -> None:
        self._url = url
        self._identity = identity
        self._accounts = accounts
        self._account = WireForm("UserPreferenceAccount", "trader")
        self._streamer = WireForm("StreamerInfo", "trader")
        self._offer = WireForm("Offer", "trader")
        self._whole = WireForm("UserPreference", "trader")

    def add_to(self, router: Router) -> None:
        """Add the endpoint."""
        router.add("GET", PATH, self._answer, "trader")

    def _answer(self, request: Request, _: Mapping[str, str]) -> Response:
        identity = self._identity
        streamer = {
            "streamerSocketUrl": self._url(),
            "schwabClientCustomerId": identity.customer_id,
            "schwabClientCorrelId": identity.correlation_id,
            "schwabClientChannel": identity.channel,
            "schwabClientFunctionId": identity.function_id,
        }
        body = {
            "accounts": [
                self._account_of(number, account) for number, account in enumerate(self._accounts())
            ],
            "streamerInfo": [self._streamer(streamer)],
            "offers": [self._offer({"level2Permissions": True, "mktDataPermission": "NP"})],
        }
        return json_response(200, self._whole(body))

    def _account_of(self, number: int, account: str) -> dict[str, Any]:
        return self._account(
            {
                "accountNumber": account,
                "primaryAccount": number == 0,
                "type": "BROKERAGE",
                "nickName": "Simulated",
                "displayAcctId": f"...{account[-3:]}",
                "autoPositionEffect": True,
                "accountColor": "Green",
            }
        )
