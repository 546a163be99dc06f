"""Read the figures that a process of this system shows for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import requests
from prometheus_client.parser import text_string_to_metric_families

from system.algo_trader.processes.run_figures import PREFIX

_ASK_S: Final = 2.0
_SHOWN: Final[Mapping[str, str]] = {
    f"{PREFIX}_received": "updates in",
    f"{PREFIX}_published": "updates out",
    f"{PREFIX}_rejected": "rejected",
    f"{PREFIX}_stored": "rows stored",
    f"{PREFIX}_gaps": "gaps",
    f"{PREFIX}_reconnects": "reconnects",
    f"{PREFIX}_write_errors": "write errors",
    f"{PREFIX}_held_back": "held back",
}


def counters_at(url: str) -> dict[str, float]:
    """Return the counters of a process under the names that people read, none without an answer.

    Args:
        url: Where the process shows its health and figures.
    """
    try:
        with requests.Session() as session:
            session.trust_env = False
            text = session.get(f"{url}/metrics", timeout=_ASK_S).text
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            name = _SHOWN.get(family.name)
            if name is not None:
                samples = [each.value for each in family.samples if each.name.endswith("_total")]
                found[name] = sum(samples)
    except (requests.RequestException, ValueError):
        return {}
    return found
