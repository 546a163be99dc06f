"""What a service leaves for its owner's programs."""

from __future__ import annotations

from pathlib import Path

from system.algo_trader.client.local_door import DOOR_FILE, LocalDoor
from system.algo_trader.realm import Realm


def test_a_door_is_left_in_a_home_where_nothing_was_written_yet(tmp_path: Path) -> None:
    realm = Realm.sim(tmp_path / "home")
    door = LocalDoor.new("http://127.0.0.1:8877", None)
    door.leave(realm)
    assert LocalDoor.of(realm) == door
    assert (realm.root / DOOR_FILE).stat().st_mode & 0o777 == 0o600
    assert realm.root.stat().st_mode & 0o777 == 0o700


def test_a_door_does_not_show_its_secret() -> None:
    door = LocalDoor.new("http://127.0.0.1:8877", None)
    assert len(door.secret) >= 43
    assert door.secret not in repr(door)


def test_a_door_takes_away_its_own_file_only(tmp_path: Path) -> None:
    realm = Realm.sim(tmp_path)
    first, second = (LocalDoor.new("http://127.0.0.1:8877", None) for _ in range(2))
    first.leave(realm)
    second.leave(realm)
    first.remove(realm)
    assert LocalDoor.of(realm) == second
    second.remove(realm)
    assert LocalDoor.of(realm) is None
