"""Who listens: the subscriptions of the hour, and how they are changed in the middle of it."""

from __future__ import annotations

import random
from typing import Final

from infrastructure.errors import RetryableError
from infrastructure.schwab.streamer.services import SPECS, Service
from infrastructure.schwab.streamer.streamer import SchwabStreamer

OPTION: Final = "AAPL  130316C00430000"
WANTED: Final = {
    Service.LEVELONE_EQUITIES: ("AAPL", "IBM"),
    Service.LEVELONE_OPTIONS: (OPTION,),
    Service.LEVELONE_FUTURES: ("/ES",),
    Service.LEVELONE_FUTURES_OPTIONS: ("./OZCZ23C565",),
    Service.LEVELONE_FOREX: ("EUR/USD",),
    Service.NYSE_BOOK: ("IBM",),
    Service.NASDAQ_BOOK: ("AAPL",),
    Service.OPTIONS_BOOK: (OPTION,),
    Service.CHART_EQUITY: ("AAPL", "IBM"),
    Service.CHART_FUTURES: ("/ES",),
    Service.SCREENER_EQUITY: ("EQUITY_ALL_VOLUME_0",),
    Service.SCREENER_OPTION: ("OPTION_ALL_PERCENT_CHANGE_UP_5",),
    Service.ACCT_ACTIVITY: ("Account Activity",),
}
SPARE: Final = {
    Service.LEVELONE_EQUITIES: ("MSFT", "GOOG", "FB"),
    Service.LEVELONE_OPTIONS: ("IBM   130316C00200000", "AAPL  130420P00430000"),
    Service.LEVELONE_FUTURES: ("/NQ", "/CL"),
    Service.LEVELONE_FOREX: ("USD/JPY", "GBP/USD"),
    Service.CHART_EQUITY: ("MSFT", "GOOG"),
    Service.NASDAQ_BOOK: ("MSFT", "GOOG"),
}


class User:
    """Change subscriptions by chance, and know what must be streaming.

    Args:
        stream: Whose.
        chance: Chooses.
    """

    def __init__(self, stream: SchwabStreamer, chance: random.Random) -> None:
        self._stream = stream
        self._chance = chance
        self.unanswered = 0

    async def change(self, how: str) -> None:
        """Change the subscription of one service; without an answer it is wanted all the same."""
        service = self._chance.choice(list(SPARE))
        held, spare = WANTED[service], SPARE[service]
        try:
            if how == "add keys":
                await self._stream.add(service, self._chance.sample(spare, 1))
            elif how == "remove keys":
                keys = self._stream.subscriptions[service].keys
                gone = [key for key in keys if key not in held]
                if gone:
                    await self._stream.unsubscribe(service, gone[:1])
            elif how == "change fields":
                numbers = SPECS[service].all_numbers
                count = self._chance.randint(3, len(numbers))
                # A book or bar without its first fields is none, so those stay.
                chosen = {*numbers[:3], *self._chance.sample(numbers, count)}
                await self._stream.view(service, sorted(chosen))
            else:
                keys = (*held, *self._chance.sample(spare, self._chance.randint(0, len(spare))))
                await self._stream.subscribe(service, keys)
        except RetryableError:
            self.unanswered += 1
