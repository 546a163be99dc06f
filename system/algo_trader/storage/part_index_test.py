"""Whatever is added and removed, the index finds what looking at every part finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from system.algo_trader.storage.commit import SEVERAL, Commit, Part
from system.algo_trader.storage.part_index import PartIndex

DATASETS, SYMBOLS = ("bars_1d", "trades"), ("A", "B", SEVERAL)


def part(dataset: str, symbol: str, name: int) -> Part:
    return Part(
        dataset=dataset, symbol=symbol, path=f"{dataset}/{symbol}/{name}", sha256="", bytes=1,
        rows=1, first_ns=0, last_ns=0, shared=symbol == SEVERAL,
    )  # fmt: skip


PARTS = st.builds(part, st.sampled_from(DATASETS), st.sampled_from(SYMBOLS), st.integers(0, 4))


@given(st.lists(st.tuples(st.lists(PARTS, max_size=4), st.lists(PARTS, max_size=3)), max_size=12))
def test_the_index_finds_what_a_look_at_every_part_finds(
    steps: list[tuple[list[Part], list[Part]]],
) -> None:
    index, plain = PartIndex(), dict[str, Part]()
    for number, (added, removed) in enumerate(steps):
        paths = tuple(each.path for each in removed)
        index.count(
            Commit(sequence=number + 1, committed_at_ns=0, request_id="", parts=tuple(added),
                   removed=paths)
        )  # fmt: skip
        for path in paths:
            plain.pop(path, None)
        plain.update((each.path, each) for each in added)
    assert index.parts() == list(plain.values())
    for dataset in DATASETS:
        for symbol in ("A", "B", "C"):
            wanted = [each for each in plain.values()
                      if each.dataset == dataset and each.symbol in (symbol, SEVERAL)]  # fmt: skip
            assert index.of(dataset, symbol) == wanted
