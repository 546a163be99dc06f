"""Check that a sequenced service applies nothing twice and counts every hole."""

from __future__ import annotations

import random

import pytest

from infrastructure.schwab.streamer.continuity import Continuity, GapReason
from infrastructure.schwab.streamer.services import SPECS, Delivery
from infrastructure.schwab.streamer.state import Update

SEQUENCED = [spec for spec in SPECS.values() if spec.delivery is Delivery.SEQUENCE]


@pytest.mark.parametrize("seed", range(20))
def test_gaps_equal_what_was_withheld_and_nothing_is_applied_twice(seed: int) -> None:
    """Updates withheld and doubled at random: the gaps add up to the withheld ones."""
    rng = random.Random(seed)
    watch = Continuity(SEQUENCED[0])
    withheld = {seq for seq in range(1, 199) if rng.random() < 0.2}
    doubled = 0
    applied: list[object] = []
    missing = 0
    for seq in range(200):
        if seq in withheld:
            continue
        copies = 2 if rng.random() < 0.2 else 1
        doubled += copies - 1
        frame: list[Update] = [{"key": "A", "seq": seq} for _ in range(copies)]
        kept, gaps = watch.take(frame, seq + 1)
        applied += [update["seq"] for update in kept]
        assert all(gap.reason is GapReason.SEQUENCE for gap in gaps)
        missing += sum(gap.missing or 0 for gap in gaps)
    assert applied == [seq for seq in range(200) if seq not in withheld]
    assert missing == len(withheld)
    assert watch.duplicates == doubled
