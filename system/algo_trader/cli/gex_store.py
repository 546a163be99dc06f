"""`gex SYMBOL --store`: keep a report where the dashboards and the next report find it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    import typer

    from system.algo_trader.options.chain import Chain
    from system.algo_trader.options.gex import GexReport
    from system.algo_trader.realm import Realm
    from system.algo_trader.runtime import Runtime
    from system.algo_trader.storage.archive import Archive


def store(
    context: typer.Context,
    report: GexReport,
    source: str,
    chain: Chain,
    runtime: Runtime | None = None,
    realm: Realm | None = None,
) -> dict[str, Any]:
    """Write a report and its chain into their realm and return what was stored.

    The archive comes first: it needs no server, and the rows can be made of it again.

    Args:
        context: The command's, for its settings.
        report: What is written.
        source: Where its quotes come from.
        chain: The whole snapshot, with what had expired.
        runtime: The run that asked for them, whose realm they belong to. Without it they come out
            of a file, whose quotes are real unless --sim says otherwise, or out of the archive.
        realm: Whose archive they come out of; None for a file.

    Raises:
        StackError: If a service cannot be had, or refuses.
    """
    from system.algo_trader.cli.gex_realm import realm_of
    from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
    from system.algo_trader.jobs.option_archive import archive_chain
    from system.algo_trader.jobs.option_store import store_report
    from system.algo_trader.services import Services
    from system.algo_trader.storage.archive import Archive
    from system.algo_trader.storage.set_up import set_up_tables

    def archived(realm: Realm, archive: Archive) -> int:
        made_up = realm.is_simulated
        return archive_chain(
            archive, chain, source=source, is_synthetic=made_up, request_id=f"gex-{source}"
        )

    if runtime is not None:
        new = archived(runtime.realm, runtime.archive)
        runtime.influxdb.ensure_tables()
        told = store_report(runtime.influxdb, report, source=source).as_dict()
        return {**told, "archived": new}
    settings = current(context).settings()
    if realm is None:
        realm = realm_of(context)
    new = archived(realm, Archive(realm.archive))
    with Services(settings, realm) as services:
        url, token = services.influxdb_url(), services.influxdb_token()
        set_up_tables(url, realm.database, token)
        with AlgoTraderInfluxDBClient(url, realm, token) as client:
            return {**store_report(client, report, source=source).as_dict(), "archived": new}
