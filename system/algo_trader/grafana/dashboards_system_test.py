"""The dashboards are valid by the types that Grafana publishes (@grafana/schema, from npm)."""

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infrastructure.grafana.lint import panels_of
from infrastructure.simulators.docker_engine import require_program
from system.algo_trader.grafana.dashboards import load_dashboards

SCHEMA = "@grafana/schema@13.2.3"
TYPESCRIPT = "typescript@5.9"
PANEL_TYPES = {
    "barchart": "BarChartPanelCfg",
    "candlestick": "CandlestickPanelCfg",
    "stat": "StatPanelCfg",
    "table": "TablePanelCfg",
    "timeseries": "TimeSeriesPanelCfg",
}
# The published enums are TypeScript enums, which no literal fits: compare with their values.
PLAIN = (
    "type Plain<T> = T extends string ? `${T}` : T extends Array<infer U> ? Array<Plain<U>>"
    " : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;"
)


def program(models: list[dict[str, Any]]) -> str:
    """Return a TypeScript program that is correct if the dashboards fit the types."""
    lines = ["import type { Dashboard } from '@grafana/schema';", PLAIN]
    lines += [
        f"import type * as {kind} from '@grafana/schema/dist/esm/raw/composable/{kind}/panelcfg/x/"
        f"{name}_types.gen';"
        for kind, name in PANEL_TYPES.items()
    ]
    for index, model in enumerate(models):
        lines.append(f"export const d{index}: Plain<Dashboard> = {json.dumps(model)};")
        for panel in panels_of(model):
            name, kind = f"{index}_{panel['id']}", panel["type"]
            options = json.dumps(panel["options"])
            lines.append(f"export const o{name}: Plain<Partial<{kind}.Options>> = {options};")
            custom = panel["fieldConfig"]["defaults"].get("custom")
            if custom is not None:
                text = json.dumps(custom)
                lines.append(f"export const c{name}: Plain<Partial<{kind}.FieldConfig>> = {text};")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    npm = require_program("npm", "npm", "Install Node.js with npm (Debian: apt-get install npm).")
    place = tmp_path_factory.mktemp("schema")
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--no-save", SCHEMA, TYPESCRIPT],
        cwd=place,
        env={**os.environ, "npm_config_cache": str(place / "cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    yield place
    shutil.rmtree(place)


def errors(folder: Path, models: list[dict[str, Any]]) -> list[str]:
    (folder / "check.ts").write_text(program(models), encoding="utf-8")
    compiler = folder / "node_modules" / ".bin" / "tsc"
    words = "--noEmit --strict --moduleResolution bundler --module esnext --target es2022 check.ts"
    done = subprocess.run(
        [str(compiler), *words.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return [line for line in done.stdout.splitlines() if "error TS" in line]


def test_every_dashboard_fits_the_published_types(folder: Path) -> None:
    assert errors(folder, load_dashboards()) == []


def test_the_types_find_what_does_not_fit(folder: Path) -> None:
    models = copy.deepcopy(load_dashboards())
    candles = next(p for m in models for p in panels_of(m) if p["type"] == "candlestick")
    candles["options"]["mode"] = "candles and volume"
    models[0]["panels"][0]["heigth"] = 4
    models[0]["graphTooltip"] = "shared"
    found = "\n".join(errors(folder, models))
    assert "candles and volume" in found
    assert "heigth" in found
    assert "graphTooltip" in found or "DashboardCursorSync" in found
