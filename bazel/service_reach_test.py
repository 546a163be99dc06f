"""Nothing that the service is made of can trade: by what it imports and calls."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

from scripts.import_scan import scan

ROOT: Final = Path(__file__).resolve().parent.parent
API: Final = "system.algo_trader.api"
TRADING: Final = ("order", "trading", "account", "portfolio", "arming")
HANDLER: Final = ("system.algo_trader.schwab_handler", "infrastructure.clients.schwab_client")
WORDS: Final = ("schwab", "handler", "place_order", "replace_order", "cancel_order", "accounts",
                "positions", "orders", "arm")  # fmt: skip
HARMLESS: Final = frozenset({"system.algo_trader.processes.order"})
"""How a process was asked for; no order to a broker."""


def trades(module: str) -> bool:
    last = module.rpartition(".")[2]
    return module not in HARMLESS and (
        module in HANDLER or ".orders" in module or any(word in last for word in TRADING)
    )


@pytest.fixture(scope="module")
def sources() -> list[Path]:
    found = [path for path in (ROOT / API.replace(".", "/")).rglob("*.py")
             if not path.name.endswith("_test.py")]  # fmt: skip
    assert len(found) > 20
    return found


def test_no_module_of_the_service_imports_what_trades() -> None:
    modules = scan(ROOT)
    mine = [each for name, each in modules.items() if name.startswith(API) and not each.is_test]
    assert len(mine) > 20
    assert any(map(trades, modules))
    found = [(each.name, edge.imported) for each in mine for edge in each.edges]
    assert [pair for pair in found if trades(pair[1])] == []


def test_no_module_of_the_service_names_a_call_that_trades(sources: list[Path]) -> None:
    for path in sources:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not called & set(WORDS), path
