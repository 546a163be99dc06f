"""Accounts and orders that outlive the simulator's process, and two processes at once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import CorruptStore, StoreNewer
from infrastructure.matching.status import Status
from infrastructure.simulators.schwab.account import START_CASH, Account
from infrastructure.simulators.schwab.account_store import AccountStore, remove_accounts
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.option_book import OptionBook
from infrastructure.simulators.schwab.order_desk import OrderDesk, OrderPace
from infrastructure.simulators.schwab.order_reading import OrderRefused


class Run:
    """One process' desk on the replay of one day."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.clock = VirtualClock(0)
        self.market = ReplayMarket.from_bokeh(
            as_of=date(2012, 10, 24), from_open=True, seed=seed, clock=self.clock
        )
        self.store = AccountStore(folder, self.market.identity)
        saved = self.store.peek()
        if saved is not None:
            self.market.go_on_from(saved.now_ns)
        self.account = Account("10000001", "MARGIN", "Simulated Individual")
        options = OptionBook(self.market)
        pace = OrderPace(cancel_s=2.0)
        self.desk = OrderDesk(self.market, options, [self.account], pace, self.store)

    def status(self, order_id: int) -> Status:
        self.desk.catch_up()
        live = self.desk.live(self.account, order_id)
        assert live is not None
        return live.status


def body(quantity: int, price: str, instruction: str = "BUY") -> dict[str, Any]:
    instrument = {"symbol": "IBM", "assetType": "EQUITY"}
    leg = {"instruction": instruction, "quantity": quantity, "instrument": instrument}
    return {
        "session": "NORMAL",
        "duration": "DAY",
        "orderType": "LIMIT",
        "price": price,
        "orderStrategyType": "SINGLE",
        "orderLegCollection": [leg],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "simulator"


def test_a_filled_and_a_working_order_are_there_in_the_next_run(folder: Path) -> None:
    first = Run(folder)
    first.clock.advance(seconds=600)
    filled = first.desk.place(first.account, body(10, "300"))
    working = first.desk.place(first.account, body(7, "100"))
    assert first.status(filled) is Status.FILLED
    second = Run(folder)
    assert [r.order_id for r in second.desk.records(second.account)] == [working, filled]
    assert second.status(working) is Status.WORKING
    [trade] = second.account.trades
    assert trade == first.account.trades[0]
    assert second.account.cash == START_CASH - 10 * trade.price
    assert second.account.positions["IBM"].quantity == 10
    assert second.market.now_ns >= trade.ns


def test_a_cancel_on_its_way_lands_in_the_next_run(folder: Path) -> None:
    first = Run(folder)
    order = first.desk.place(first.account, body(7, "100"))
    first.desk.cancel(first.account, order)
    assert first.status(order) is Status.PENDING_CANCEL
    second = Run(folder)
    assert second.status(order) is Status.PENDING_CANCEL
    second.clock.advance(seconds=2)
    assert second.status(order) is Status.CANCELED


def test_two_runs_at_once_see_each_others_orders_and_number_them_apart(folder: Path) -> None:
    first, second = Run(folder), Run(folder)
    numbers = [
        run.desk.place(run.account, body(quantity, "100"))
        for quantity, run in enumerate((first, second, first, second), 1)
    ]
    assert len(set(numbers)) == 4
    for run in (first, second):
        assert [r.order_id for r in run.desk.records(run.account)] == numbers[::-1]
    second.desk.cancel(second.account, numbers[0])
    assert first.status(numbers[0]) is Status.PENDING_CANCEL


def test_another_market_has_accounts_of_its_own(folder: Path) -> None:
    first, other = Run(folder), Run(folder, seed=1)
    first.desk.place(first.account, body(1, "100"))
    assert other.desk.records(other.account) == []
    assert first.store.path != other.store.path


def test_after_a_reset_a_running_desk_too_begins_anew(folder: Path) -> None:
    run = Run(folder)
    run.clock.advance(seconds=600)
    run.desk.place(run.account, body(10, "300"))
    assert run.account.cash < START_CASH
    assert remove_accounts(folder) == 1
    assert run.desk.records(run.account) == []
    assert (run.account.cash, run.account.positions) == (START_CASH, {})
    assert remove_accounts(folder) == 0


def test_the_file_is_private_and_says_that_it_is_simulated(folder: Path) -> None:
    run = Run(folder)
    run.desk.place(run.account, body(1, "100"))
    assert run.store.path.stat().st_mode & 0o777 == 0o600
    saved = run.store.read()
    assert saved is not None
    assert saved.is_simulated
    assert saved.accounts[0].cash == Decimal(100_000)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_refused_order_changes_nothing_that_is_kept(folder: Path) -> None:
    run = Run(folder)
    with pytest.raises(OrderRefused, match="not found"):
        run.desk.place(run.account, body(1, "100") | {"orderLegCollection": [_unknown()]})
    assert run.store.peek() is None


@pytest.mark.parametrize(("text", "error"), [("{", CorruptStore), (None, StoreNewer)])
def test_a_file_that_cannot_be_read_is_named(
    folder: Path, text: str | None, error: type[Exception]
) -> None:
    run = Run(folder)
    run.desk.place(run.account, body(1, "100"))
    kept = run.store.path.read_text()
    run.store.path.write_text(kept.replace('"version":1', '"version":2') if text is None else text)
    with pytest.raises(error, match="sim reset"):
        Run(folder)


def _unknown() -> dict[str, Any]:
    instrument = {"symbol": "NOSUCH", "assetType": "EQUITY"}
    return {"instruction": "BUY", "quantity": 1, "instrument": instrument}
