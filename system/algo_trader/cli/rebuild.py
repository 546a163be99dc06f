"""What `store rebuild influx` does."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from infrastructure.errors import UsageError
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.projection import project
from system.algo_trader.storage.tables import CANDLES, OPTION_QUOTES, QUOTES, TABLES, TRADES
from system.algo_trader.storage.tape_projection import project_records

if TYPE_CHECKING:
    from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient

PROJECTED: Final = (CANDLES.name, TRADES.name, QUOTES.name, OPTION_QUOTES.name)
_NS_PER_DAY: Final = 86_400_000_000_000
"""The tables that the archive holds the truth of."""


def checked_datasets(names: list[str]) -> tuple[str, ...]:
    """Return the tables to rebuild, all of them when none is named.

    Raises:
        UsageError: If the archive does not hold the truth of one.
    """
    for name in names:
        if name not in PROJECTED:
            known = any(table.name == name for table in TABLES)
            raise UsageError(
                f"{name} is written to InfluxDB when it is measured, and the archive has none of it"
                if known
                else f"{name!r} is no table",
                next_step=f"Rebuild {', '.join(PROJECTED)}.",
            )
    return tuple(dict.fromkeys(names)) or PROJECTED


def run(
    archive: Archive,
    client: AlgoTraderInfluxDBClient,
    datasets: tuple[str, ...],
    since_ns: int | None,
) -> list[dict[str, Any]]:
    """Project tables anew, and return per series what the archive has and InfluxDB then holds.

    Args:
        archive: The truth.
        client: Where to project to.
        datasets: Of `checked_datasets`.
        since_ns: Without it the tables are emptied first. With it nothing is removed, and what is
            of that UTC day or later is written: of candles what is missing, unless one of them
            was corrected; then all candles are written anew.

    Raises:
        StackError: As projecting.
    """
    rows: list[dict[str, Any]] = []
    day_ns = None if since_ns is None else since_ns // _NS_PER_DAY * _NS_PER_DAY
    for name in datasets:
        if name != CANDLES.name:
            with archive.projecting():
                if name == OPTION_QUOTES.name:
                    from system.algo_trader.jobs.option_projection import project_option_quotes

                    done = project_option_quotes(archive, client, since_ns=since_ns)
                else:
                    done = project_records(archive, client, name, since_ns=since_ns)
            rows += [{"table": each.dataset, "symbol": each.symbol, "timeframe": None,
                      **_counts(asdict(each))} for each in done]  # fmt: skip
            continue
        if since_ns is None:
            with archive.projecting():
                client.reset_candles()
        rows += [
            {"table": name, "symbol": each.symbol, "timeframe": str(each.timeframe),
             "expected": each.expected, "written": each.written, "read_back": each.read_back}
            for each in project(archive, client, since_ns=day_ns).series
        ]  # fmt: skip
    return rows


def _counts(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in ("expected", "written", "read_back")}
