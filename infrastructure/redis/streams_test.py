"""Judge the order of entries."""

import pytest

from infrastructure.redis.streams import entry_key


@pytest.mark.parametrize(("entry", "key"), [("0", (0, 0)), ("5-3", (5, 3)), ("10-0", (10, 0))])
def test_ids_sort_as_numbers(entry: str, key: tuple[int, int]) -> None:
    assert entry_key(entry) == key
