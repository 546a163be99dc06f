from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from infrastructure.clock import rfc3339
from infrastructure.errors import NoDataError
from system.algo_trader.jobs.option_archive import archive_chain, archived_chain, chain_rows
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.gex import gex_report
from system.algo_trader.options.parity import RateCurve
from system.algo_trader.options.synthetic import NOW_NS, RATE, synthetic_chain
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import OPTION_QUOTES
from system.algo_trader.storage.upkeep import compact

SECOND = 1_000_000_000


def snapshot(as_of_ns: int = NOW_NS, *, spot: float = 100.0) -> Chain:
    # The archive knows how a class is exercised by its name, and this name is no index.
    made = synthetic_chain(expiries=3, strikes=15, half_spread=0.05, american=True)
    bid, gamma = made.bid.copy(), made.vendor_gamma.copy()
    bid[3], gamma[5] = np.nan, 0.01
    return replace(
        made, as_of_ns=as_of_ns, spot=spot, bid=bid, vendor_gamma=gamma,
        source="schwab", fetched_at_ns=None, is_synthetic=False,
    )  # fmt: skip


def keep(archive: Archive, chain: Chain, source: str = "schwab") -> int:
    return archive_chain(archive, chain, source=source, is_synthetic=False, request_id="test")


def test_a_chain_comes_back_to_the_bit_and_gives_the_same_report(tmp_path: Path) -> None:
    archive, chain = Archive(tmp_path), snapshot()
    assert keep(archive, chain) == len(chain)
    back = archived_chain(archive, chain.underlying)
    assert (back.source, back.is_synthetic) == ("schwab", False)
    for field in fields(Chain):
        ours, theirs = getattr(chain, field.name), getattr(back.chain, field.name)
        if isinstance(ours, np.ndarray):
            assert np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f"), field.name
        else:
            assert ours == theirs, field.name
    reports = [
        gex_report(each, now_ns=NOW_NS, curve=RateCurve.flat(RATE)).as_dict()
        for each in (chain, back.chain)
    ]
    assert reports[0] == reports[1]


def test_the_last_snapshot_that_was_true_at_a_moment_is_read(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    for step in range(4):
        keep(archive, snapshot(NOW_NS + step * 10 * SECOND, spot=100.0 + step))
    name = snapshot().underlying

    def spot(at_ns: int | None) -> float:
        return archived_chain(archive, name, at_ns).chain.spot

    for _ in range(2):
        assert spot(None) == 103.0
        assert spot(NOW_NS + 20 * SECOND) == 102.0
        assert spot(NOW_NS + 20 * SECOND - 1) == 101.0
        assert spot(NOW_NS) == 100.0
        with pytest.raises(NoDataError, match=f"first one is of {rfc3339(NOW_NS)}"):
            spot(NOW_NS - 1)
        # The same again with one part for the day.
        compact(archive)
    assert len(archive.parts(OPTION_QUOTES)) == 1


def test_a_snapshot_is_stored_once(tmp_path: Path) -> None:
    archive, chain = Archive(tmp_path), snapshot()
    assert (keep(archive, chain), keep(archive, chain)) == (len(chain), 0)
    assert archive.records(OPTION_QUOTES, chain.underlying).num_rows == len(chain)


def test_two_sources_of_one_moment_are_not_mixed(tmp_path: Path) -> None:
    archive, chain = Archive(tmp_path), snapshot()
    keep(archive, chain, "cboe")
    keep(archive, chain, "schwab")
    assert len(archived_chain(archive, chain.underlying).chain) == len(chain)


def test_what_is_missing_is_null_in_the_archive(tmp_path: Path) -> None:
    rows = chain_rows(snapshot(), source="schwab", is_synthetic=True)
    assert rows.column("bid").null_count == 1
    assert rows.column("vendor_gamma").null_count == rows.num_rows - 1
    assert set(rows.column("is_synthetic").to_pylist()) == {True}


def test_nothing_stored_says_how_to_store(tmp_path: Path) -> None:
    with pytest.raises(NoDataError, match=r"no chain of \$SPX") as told:
        archived_chain(Archive(tmp_path), "$SPX", NOW_NS)
    assert "options refresh '$SPX'" in str(told.value)
