"""Make the databases and tables of a realm where they are missing."""

from __future__ import annotations

from infrastructure.clock import Clock
from infrastructure.config import Secret
from infrastructure.influxdb.session import InfluxSession
from system.algo_trader.storage.tables import PRIVATE_TABLES, TABLES, private_database


def set_up_tables(
    url: str, database: str, token: Secret | None = None, *, clock: Clock | None = None
) -> list[str]:
    """Make both databases and all declared tables by `/api/v3/configure`; return what is new.

    Args:
        url: The InfluxDB server.
        database: The realm's database; the private one is named after it.
        token: The server's token; None where it asks for none.
        clock: Measures the waits between attempts.

    Returns:
        New tables as `database.table`.

    Raises:
        StackError: As every request to the server.
    """
    new = []
    for name, tables in ((database, TABLES), (private_database(database), PRIVATE_TABLES)):
        session = InfluxSession(url, name, token=token, clock=clock)
        session.create_database()
        new += [f"{name}.{table.name}" for table in tables if session.create_table(table)]
    return new
