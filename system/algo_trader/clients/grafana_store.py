"""The store that Grafana is to show: the named one, or our own, started and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infrastructure.clients.influxdb_client import BaseInfluxDBClient
from system.algo_trader.clients.grafana_client import Store
from system.algo_trader.realm import Realm
from system.algo_trader.services import INFLUXDB, Services
from system.algo_trader.storage.tables import TABLES

if TYPE_CHECKING:
    from system.algo_trader.settings import AppSettings


def keep_store(settings: AppSettings) -> Store:
    """Return the InfluxDB of the settings; start it where it is ours, and keep it running.

    Both realms' databases and tables are made where they are missing, so that a dashboard over
    an empty store says what to do and shows no error.

    Raises:
        StackError: The store cannot be reached or started.
    """
    realms = [Realm.live(settings.home), Realm.sim(settings.home)]
    with Services(settings) as services:
        services.start([INFLUXDB])
        store = Store(services.influxdb_url(), services.influxdb_token())
    for realm in realms:
        with BaseInfluxDBClient(store.url, realm.database, token=store.token) as client:
            client.create_database()
            for table in TABLES:
                client.create_table(table)
    return store
