"""Read Grafana's provisioning files into the stand-in's state, by the rules that Grafana has."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from infrastructure.simulators.grafana.state import GrafanaState

VARIABLE = re.compile(r"\$\$|\$\{(\w+)\}|\$(\w+)")


def expand(value: Any, environment: Mapping[str, str]) -> Any:
    """Replace `$NAME` and `${NAME}` by the environment, `$$` by a dollar, in every string."""
    if isinstance(value, str):
        return VARIABLE.sub(
            lambda match: (
                "$" if match[0] == "$$" else environment.get(match[1] or match[2] or "", "")
            ),
            value,
        )
    if isinstance(value, list):
        return [expand(item, environment) for item in value]
    if isinstance(value, dict):
        return {key: expand(item, environment) for key, item in value.items()}
    return value


def _documents(folder: Path) -> list[dict[str, Any]]:
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    return [yaml.safe_load(file.read_text(encoding="utf-8")) or {} for file in files]


def load_datasources(
    state: GrafanaState, root: Path, environment: Mapping[str, str], log: list[str]
) -> None:
    """Read datasources/*.yaml."""
    for document in _documents(root / "datasources"):
        for entry in expand(document.get("datasources") or [], environment):
            if entry.get("access") == "direct":
                log.append(f"datasource {entry.get('name')}: access direct is refused")
                continue
            uid = str(entry.get("uid", entry["name"]))
            state.datasources.pop(uid, None)
            state.save_datasource(
                {**entry, "uid": uid, "readOnly": not entry.get("editable", False)}
            )


def load_dashboards(
    state: GrafanaState, root: Path, environment: Mapping[str, str], log: list[str]
) -> None:
    """Read dashboards/*.yaml and the bare dashboard objects of the folders that they name."""
    for document in _documents(root / "dashboards"):
        for provider in expand(document.get("providers") or [], environment):
            _load_provider(state, provider, log)


def _load_provider(state: GrafanaState, provider: dict[str, Any], log: list[str]) -> None:
    path = Path(provider["options"]["path"])
    if not path.is_dir():
        log.append(f"provider {provider['name']}: cannot read directory {path}")
        return
    models: list[tuple[Path, dict[str, Any]]] = []
    for file in sorted(path.rglob("*.json")):
        model = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(model, dict) or not model.get("title"):
            log.append(f"{file.name}: Dashboard title cannot be empty")
            continue
        models.append((file, model))
    uids = [model.get("uid") for _, model in models]
    clashes = {uid for uid in uids if uid is not None and uids.count(uid) > 1}
    if clashes:
        log.append(f"provider {provider['name']}: the same UID is used more than once: {clashes}")
        return
    folder = provider.get("folderUid", "") if provider.get("folder") else ""
    if folder and folder not in state.folders:
        state.save_folder({"uid": folder, "title": provider["folder"]})
    for _, model in models:
        state.save_dashboard(
            {"dashboard": model, "folderUid": folder, "overwrite": True}, provisioned=True
        )
