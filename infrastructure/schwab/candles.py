"""A price history: typed candles, and their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from infrastructure.schwab.wire import Record, WireFormError, build_record

if TYPE_CHECKING:
    import numpy.typing as npt

NS_PER_MS = 1_000_000


class Candle(Record, frozen=True, kw_only=True, rename="camel"):
    """One candle.

    Attributes:
        open: First price.
        high: Highest price.
        low: Lowest price.
        close: Last price.
        volume: Shares.
        datetime: Start of the candle, milliseconds UTC.
    """

    open: float
    high: float
    low: float
    close: float
    volume: int
    datetime: int


class _PlainCandle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A candle with exactly the documented keys: nearly all of them, and decoded fast."""

    open: float
    high: float
    low: float
    close: float
    volume: int
    datetime: int


class CandleList(Record, frozen=True, kw_only=True, rename="camel"):
    """A price history.

    Attributes:
        symbol: As Schwab echoes it.
        empty: Whether there are no candles.
        candles: In the order of the answer.
        previous_close: Close before the first candle, None where not asked for.
        previous_close_date: Its time, milliseconds UTC.
        malformed: Candles with a missing or mistyped value, as decoded, in their order.
    """

    symbol: str
    empty: bool = False
    candles: tuple[Candle, ...] = ()
    previous_close: float | None = None
    previous_close_date: int | None = None
    malformed: tuple[Any, ...] = ()

    def __len__(self) -> int:
        return len(self.candles)

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Return the candles as columns of one length.

        Returns:
            `time` int64 nanoseconds UTC (the start), `open`, `high`, `low`, `close` float64,
            `volume` int64.
        """
        import numpy as np

        rows = self.candles
        return {
            "time": np.array([row.datetime for row in rows], dtype=np.int64) * NS_PER_MS,
            "open": np.array([row.open for row in rows], dtype=np.float64),
            "high": np.array([row.high for row in rows], dtype=np.float64),
            "low": np.array([row.low for row in rows], dtype=np.float64),
            "close": np.array([row.close for row in rows], dtype=np.float64),
            "volume": np.array([row.volume for row in rows], dtype=np.int64),
        }


def parse_candle_list(body: bytes) -> CandleList:
    """Return the price history of an answer's body.

    Raises:
        WireFormError: If the body is no candle list.
        msgspec.DecodeError: If it is no JSON.
    """
    parts = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    raw_candles = parts.pop("candles", msgspec.Raw(b"[]"))
    rest = {key: msgspec.json.decode(value) for key, value in parts.items()}
    for ours in ("malformed", "extra"):
        rest.pop(ours, None)
    head = build_record(CandleList, rest)
    candles, malformed = _parse_candles(raw_candles)
    return msgspec.structs.replace(
        head, candles=candles, malformed=malformed, empty=not candles and not malformed
    )


def _parse_candles(raw: msgspec.Raw) -> tuple[tuple[Candle, ...], tuple[Any, ...]]:
    try:
        plain = msgspec.json.decode(raw, type=list[_PlainCandle])
    except msgspec.ValidationError:
        return _parse_odd_candles(msgspec.json.decode(raw))
    return tuple(
        Candle(
            open=row.open,
            high=row.high,
            low=row.low,
            close=row.close,
            volume=row.volume,
            datetime=row.datetime,
        )
        for row in plain
    ), ()


def _parse_odd_candles(rows: Any) -> tuple[tuple[Candle, ...], tuple[Any, ...]]:
    if not isinstance(rows, list):
        raise WireFormError(f"$.candles: expected a list, got {type(rows).__name__}")
    candles: list[Candle] = []
    malformed: list[Any] = []
    for row in rows:
        try:
            candles.append(build_record(Candle, row))
        except WireFormError:
            malformed.append(row)
    return tuple(candles), tuple(malformed)
