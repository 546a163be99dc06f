"""An order desk's state, to values that a file keeps and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from infrastructure.matching.engine_state import EngineState
from infrastructure.simulators.schwab.account import START_CASH, Account
from infrastructure.simulators.schwab.account_store import SavedAccount, SavedDesk, SavedRecord
from infrastructure.simulators.schwab.order_record import OrderRecord


def saved_desk(
    market: str,
    now_ns: int,
    activities: int,
    accounts: Mapping[str, Account],
    engines: Mapping[str, EngineState],
    records: Iterable[OrderRecord],
) -> SavedDesk:
    """Return what a file is to keep; arguments as `SavedDesk`, and what is made into it."""
    return SavedDesk(
        market,
        now_ns,
        activities,
        [
            SavedAccount(
                account.number,
                account.cash,
                account.positions,
                account.trades,
                engines[account.number],
            )
            for account in accounts.values()
        ],
        [
            SavedRecord(
                record.order_id,
                record.account.number,
                dict(record.body),
                record.entered_ns,
                record.children,
                record.is_top,
            )
            for record in records
        ],
    )


def restored(
    saved: SavedDesk | None, accounts: Mapping[str, Account]
) -> tuple[dict[str, EngineState], list[OrderRecord]]:
    """Bring accounts to what was kept, and return the engines' states and the records.

    Args:
        saved: What was kept; new accounts when None.
        accounts: By number; changed in place.
    """
    kept = {} if saved is None else {each.number: each for each in saved.accounts}
    for number, account in accounts.items():
        found = kept.get(number)
        account.cash = START_CASH if found is None else found.cash
        account.positions = {} if found is None else found.positions
        account.trades = [] if found is None else found.trades
    records = [
        OrderRecord(
            each.order_id,
            accounts[each.account],
            each.body,
            each.entered_ns,
            each.children,
            each.is_top,
        )
        for each in ([] if saved is None else saved.records)
        if each.account in accounts
    ]
    return {number: each.engine for number, each in kept.items() if number in accounts}, records
