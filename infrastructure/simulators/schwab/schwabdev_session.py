"""A session of schwabdev, unmodified: run by its judge's interpreter, talking over pipes.

The first line of standard input says where the simulator is; the address that schwabdev would open
in a browser goes out as a line, and the address that a browser would end at comes back. What each
method answered goes out as the last line. It imports schwabdev and the standard library only.
"""

import importlib
import json
import socket
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

HOST = "api.schwabapi.com"
DEADLINE_S = 20.0
SERVICES = {
    "LEVELONE_EQUITIES": ("level_one_equities", "AAPL,MSFT", "0,1,2,3"),
    "LEVELONE_FUTURES": ("level_one_futures", "/ES", "0,1,2,3"),
    "LEVELONE_FOREX": ("level_one_forex", "EUR/USD", "0,1,2,3"),
    "NYSE_BOOK": ("nyse_book", "IBM", "0,1,2,3"),
    "NASDAQ_BOOK": ("nasdaq_book", "AAPL", "0,1,2,3"),
    "CHART_EQUITY": ("chart_equity", "AAPL", "0,1,2,3,4,5,6,7,8"),
    "SCREENER_EQUITY": ("screener_equity", "$SPX_VOLUME_0", "0,1,2,3,4"),
    "ACCT_ACTIVITY": ("account_activity", "Account Activity", "0,1,2,3"),
}


def lead_to_loopback(port: int) -> None:
    """Make the name of Schwab's host mean the simulator's port."""
    look_up: Any = socket.getaddrinfo

    def led(host: Any, service: Any, *rest: Any, **more: Any) -> Any:
        if host in (HOST, HOST.encode()):
            return look_up("127.0.0.1", port, *rest, **more)
        return look_up(host, service, *rest, **more)

    setattr(socket, "getaddrinfo", led)  # noqa: B010


def ask_browser(url: str) -> str:
    """Send an address out and return the one that comes back."""
    print(json.dumps({"open": url}), flush=True)
    return sys.stdin.readline().strip()


def asked(client: Any) -> dict[str, Any]:
    """Return status and body of every method."""
    now = datetime.now(UTC)
    long_ago = now - timedelta(days=50)
    told: dict[str, Any] = {}

    def tell(name: str, answer: Any) -> Any:
        body = answer.json() if answer.content else None
        told[name] = {"status": answer.status_code, "body": body}
        return body

    accounts = tell("linked_accounts", client.linked_accounts())
    whose = accounts[0]["hashValue"]
    tell("account_details_all", client.account_details_all(fields="positions"))
    tell("account_details", client.account_details(whose))
    tell("preferences", client.preferences())
    tell("quotes", client.quotes(["AAPL", "MSFT", "NOPE"]))
    tell("quote", client.quote("AAPL"))
    tell("option_chains", client.option_chains("AAPL", strikeCount=2, contractType="CALL"))
    tell("option_expiration_chain", client.option_expiration_chain("AAPL"))
    tell("price_history", client.price_history("AAPL", "year", 1, "daily", 1))
    tell("movers", client.movers("$DJI"))
    tell("market_hours", client.market_hours(["equity", "option"]))
    tell("market_hour", client.market_hour("equity"))
    found = tell("instruments", client.instruments("AAPL", "symbol-search"))
    tell("instrument_cusip", client.instrument_cusip(found["instruments"][0]["cusip"]))
    leg = {"instruction": "BUY", "quantity": 1}
    order = {
        "orderType": "LIMIT",
        "session": "NORMAL",
        "duration": "DAY",
        "orderStrategyType": "SINGLE",
        "price": "10.00",
        "orderLegCollection": [{**leg, "instrument": {"symbol": "AAPL", "assetType": "EQUITY"}}],
    }
    tell("preview_order", client.preview_order(whose, order))
    placed = client.place_order(whose, order)
    tell("place_order", placed)
    first = placed.headers["location"].split("/")[-1]
    tell("order_details", client.order_details(whose, first))
    replaced = client.replace_order(whose, first, {**order, "price": "11.00"})
    tell("replace_order", replaced)
    second = replaced.headers["location"].split("/")[-1]
    tell("cancel_order", client.cancel_order(whose, second))
    tell("account_orders", client.account_orders(whose, long_ago, now))
    tell("account_orders_all", client.account_orders_all(long_ago, now))
    tell("transactions", client.transactions(whose, long_ago, now, "TRADE"))
    return told


def streamed(schwabdev: Any, client: Any) -> list[str]:
    """Return the services of which data came, within the deadline."""
    seen: set[str] = set()
    all_there = threading.Event()

    def receive(text: str) -> None:
        for item in json.loads(text).get("data", []):
            seen.add(item["service"])
        if seen >= SERVICES.keys():
            all_there.set()

    stream = schwabdev.Stream(client)
    stream.start(receive)
    # What is sent earlier it repeats as ADD, which account activity does not take (Schwabdev #14).
    ready_by = time.monotonic() + DEADLINE_S
    while not stream.active and time.monotonic() < ready_by:
        all_there.wait(0.01)
    for method, keys, fields in SERVICES.values():
        stream.send(getattr(stream, method)(keys, fields))
    all_there.wait(DEADLINE_S)
    stream.stop()
    return sorted(seen)


def main() -> None:
    """Sign in, ask, refresh, stream, and tell."""
    where = json.loads(sys.stdin.readline())
    lead_to_loopback(where["port"])
    schwabdev: Any = importlib.import_module(where["library"])  # only the judge has it
    client = schwabdev.Client(
        where["key"],
        where["secret"],
        where["callback"],
        tokens_db=where["tokens"],
        call_on_auth=ask_browser,
        open_browser_for_auth=False,
    )
    told = asked(client)
    before = client.tokens.access_token
    client.update_tokens(force_access_token=True)
    refreshed = client.tokens.access_token != before
    again = client.quote("AAPL").status_code
    started = time.monotonic()
    services = streamed(schwabdev, client)
    document = {
        "told": told,
        "refreshed": refreshed,
        "again": again,
        "services": services,
        "streamed_s": time.monotonic() - started,
    }
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    main()
