"""Judge the turns of threads by what the interpreter says of itself."""

import gc
import sys

from system.algo_trader.pipeline.turns import TURN_S, short_turns


def test_turns_are_short_within_the_block_and_as_before_after_it() -> None:
    before = sys.getswitchinterval()
    with short_turns():
        assert abs(sys.getswitchinterval() - TURN_S) < 1e-6
        assert gc.get_freeze_count() > 0
    assert sys.getswitchinterval() == before
    assert gc.get_freeze_count() == 0
