"""`gex SYMBOL --store`: keep a report where the dashboards and the next report find it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    import typer

    from system.algo_trader.options.gex import GexReport
    from system.algo_trader.runtime import Runtime


def store(
    context: typer.Context, report: GexReport, source: str, runtime: Runtime | None = None
) -> dict[str, Any]:
    """Write a report into its realm and return what was stored.

    Args:
        context: The command's, for its settings.
        report: What is written.
        source: Where its quotes come from.
        runtime: The run that asked for them, whose realm they belong to. Without it they come out
            of a file, whose quotes are real unless --sim says otherwise.

    Raises:
        StackError: If a service cannot be had, or refuses.
    """
    from system.algo_trader.cli.gex_standing import realm_of
    from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
    from system.algo_trader.jobs.option_store import store_report
    from system.algo_trader.services import Services
    from system.algo_trader.storage.set_up import set_up_tables

    if runtime is not None:
        runtime.influxdb.ensure_tables()
        return store_report(runtime.influxdb, report, source=source).as_dict()
    settings, realm = current(context).settings(), realm_of(context)
    with Services(settings, realm) as services:
        url, token = services.influxdb_url(), services.influxdb_token()
        set_up_tables(url, realm.database, token)
        with AlgoTraderInfluxDBClient(url, realm, token) as client:
            return store_report(client, report, source=source).as_dict()
