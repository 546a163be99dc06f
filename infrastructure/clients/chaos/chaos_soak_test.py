"""As many hours of bad weather as one likes: `CHAOS_SEEDS=100 pytest -m soak ...`, in a row."""

import os

from infrastructure.clients.chaos.hour import play_hour


def test_every_seed_ends_with_the_client_having_what_the_simulator_has() -> None:
    first = int(os.environ.get("CHAOS_FIRST_SEED", "1000"))
    for seed in range(first, first + int(os.environ.get("CHAOS_SEEDS", "100"))):
        play_hour(seed)
