"""`gex SYMBOL --archive`: the chain that was stored, as of a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import typer

    from system.algo_trader.options.chain import Chain
    from system.algo_trader.realm import Realm


class Archived(NamedTuple):
    """What the archive says.

    Attributes:
        chain: The snapshot.
        facts: What the report says of its origin.
        now_ns: The moment to which ages count: the one that was asked for, else now.
        realm: Whose archive it is.
    """

    chain: Chain
    facts: dict[str, Any]
    now_ns: int
    realm: Realm


def moment_of(text: str | None) -> int | None:
    """Return the moment of `--at`, nanoseconds UTC; None for None.

    Raises:
        UsageError: If it is no moment.
    """
    from infrastructure.clock import parse_rfc3339
    from infrastructure.errors import UsageError

    if text is None:
        return None
    try:
        return parse_rfc3339(text)
    except ValueError:
        raise UsageError(
            f"--at {text!r} is no moment", next_step="Write it as 2026-01-16T20:00:00Z."
        ) from None


def from_archive(context: typer.Context, symbol: str, at_ns: int | None) -> Archived:
    """Return the last snapshot of a symbol that was true at a moment.

    Raises:
        StackError: As `archived_chain`, and if the symbol cannot be one.
    """
    from infrastructure.clock import SystemClock
    from infrastructure.schwab.symbols import checked_symbol
    from system.algo_trader.cli.store import stored_realm
    from system.algo_trader.jobs.option_archive import archived_chain
    from system.algo_trader.storage.archive import Archive

    realm = stored_realm(context)
    found = archived_chain(Archive(realm.archive), checked_symbol(symbol), at_ns)
    facts = {
        "name": "Archive, simulator's replay of the past" if realm.is_simulated else "Archive",
        "source": found.source,
        "is_synthetic": found.is_synthetic,
        "archived": True,
    }
    now_ns = SystemClock().now_ns() if at_ns is None else at_ns
    return Archived(found.chain, facts, now_ns, realm)
