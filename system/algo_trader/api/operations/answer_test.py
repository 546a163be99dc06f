"""Facts are those of the rows, however many sources made them."""

import pyarrow as pa
import pytest

from system.algo_trader.api.operations.answer import facts_of


@pytest.mark.parametrize(
    ("named", "sources"),
    [
        (["file", "file"], ("file",)),
        (["file+schwab-sim-live", "file"], ("file", "schwab-sim-live")),
        ([None], ()),
        ([], ()),
    ],
)
def test_a_row_of_several_sources_names_each(
    named: list[str | None], sources: tuple[str, ...]
) -> None:
    made_up = pa.array([False] * len(named), pa.bool_())
    table = pa.table({"source": pa.array(named, pa.string()), "is_synthetic": made_up})
    facts = facts_of(table, sampled=["schwab-sim-live"])
    assert facts.sources == sources
    assert facts.is_sampled is ("schwab-sim-live" in sources)
    said = facts.as_dict()
    assert said["is_simulated"] is ("schwab-sim-live" in sources)
    assert "not known" not in (said["licence"] or "")
