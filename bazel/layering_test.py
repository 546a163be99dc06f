"""Imports and BUILD visibility point downwards: component < infrastructure < system."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.import_scan import Edge, Module, scan

# The file itself, not Bazel's link to it: the sources that are judged stand around it.
ROOT = Path(__file__).resolve().parent.parent

COMPONENTS = frozenset(
    {
        *(
            f"infrastructure.{room}"
            for room in ("caching", "clock", "compiling", "errors", "exchange", "matching")
        ),
        *(f"system.algo_trader.{room}" for room in ("levels", "market", "options", "tape")),
    }
)
# From the ground up. A room imports from layers below its own; rooms of one layer are siblings.
INFRASTRUCTURE_LAYERS = (
    ("caching",),
    ("clock", "compiling", "errors", "exchange", "matching"),
    ("config", "logging"),
    ("supervision",),
    ("recording",),
    ("grafana", "influxdb", "notification", "redis", "schwab", "simulators"),
    ("clients",),
)
SYSTEM_LAYERS = (
    ("levels", "market", "options", "tape"),
    (
        *("deployment", "grafana", "identification", "ownership", "realm", "settings"),
        *("terminal", "web"),
    ),
    ("client", "quality", "sign_in", "storage"),
    ("feeds",),
    ("schwab_handler", "services"),
    ("clients",),
    ("jobs", "pipeline", "research", "runtime", "trading"),
    ("conformance", "export", "planted_faults", "processes"),
    ("health",),
    ("api",),
    ("benchmarks",),
    ("recording",),
    ("cli",),
    ("main",),
)
TOPS = ("system.algo_trader.cli", "system.algo_trader.main")
BASE_CLIENTS = tuple(
    f"infrastructure.clients.{name}_client" for name in ("grafana", "influxdb", "redis", "schwab")
)
PUBLIC = {
    "//infrastructure/clients:grafana_client",
    "//infrastructure/clients:influxdb_client",
    "//infrastructure/clients:redis_client",
    "//infrastructure/clients:schwab_client",
    "//infrastructure/logging:logging",
    "//infrastructure/logging:logger",
    "//system/algo_trader/clients:grafana",
    "//system/algo_trader:main",
}


def ranks() -> dict[str, int]:
    """Number every room's layer, infrastructure below the system."""
    rooms = [[f"infrastructure.{room}" for room in layer] for layer in INFRASTRUCTURE_LAYERS]
    rooms += [[f"system.algo_trader.{room}" for room in layer] for layer in SYSTEM_LAYERS]
    return {room: rank for rank, layer in enumerate(rooms) for room in layer}


def room_of(module: str) -> str:
    """Return the room of a module; "" for the packages that hold rooms."""
    parts = module.split(".")
    depth = 2 if parts[0] == "infrastructure" else 3
    return ".".join(parts[:depth]) if len(parts) >= depth else ""


def is_for_tests(module: Module) -> bool:
    """Whether only tests use the file: they look at several rooms on purpose."""
    return module.is_test or bool({"conftest", "testing"} & set(module.name.split(".")))


def imports(modules: dict[str, Module]) -> Iterator[tuple[Module, Edge]]:
    """List every import statement, those for type checkers included."""
    for module in modules.values():
        for edge in module.edges:
            if edge.kind != "named":
                yield module, edge


def complaint(module: Module, edge: Edge) -> str | None:
    """Say what is wrong with an import, if anything is."""
    where = f"{module.path}:{edge.line} imports {edge.imported}"
    source, target = room_of(module.name), room_of(edge.imported)
    if source.startswith("infrastructure") and edge.imported.startswith("system"):
        return f"{where}: infrastructure knows no system"
    judge = source == "infrastructure.simulators" and not is_for_tests(module)
    if judge and target in ("infrastructure.schwab", "infrastructure.clients"):
        return f"{where}: the simulator is the judge and shares no code with what it judges"
    if is_for_tests(module) or source == target or not target:
        return None
    if target in TOPS and source not in TOPS:
        return f"{where}: nothing imports main or cli"
    if source in COMPONENTS:
        return None if target in COMPONENTS else f"{where}: a component imports components only"
    rank = ranks()
    for room in (source, target):
        if room not in rank:
            return f"{where}: {room} has no layer; give it one in bazel/layering_test.py"
    if rank[target] > rank[source]:
        return f"{where}: upwards"
    return f"{where}: sideways" if rank[target] == rank[source] else None


def complaints(root: Path) -> list[str]:
    """Judge every import below a root."""
    found = [complaint(module, edge) for module, edge in imports(scan(root))]
    return [text for text in found if text is not None]


def visibilities(root: Path) -> Iterator[tuple[str, str]]:
    """List (label, who may use it) for every target of every BUILD file."""
    for room in ("infrastructure", "system"):
        for file in sorted((root / room).rglob("BUILD.bazel")):
            package = file.parent.relative_to(root).as_posix()
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                words = {word.arg: word.value for word in node.keywords if word.arg}
                if "name" not in words or "visibility" not in words:
                    continue
                for who in ast.literal_eval(words["visibility"]):
                    yield f"//{package}:{ast.literal_eval(words['name'])}", who


def write(root: Path, name: str, text: str) -> None:
    """Write one module with the packages around it."""
    path = root / (name.replace(".", "/") + ".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in path.relative_to(root).parents:
        if folder != Path("."):
            (root / folder / "__init__.py").touch()
    path.write_text(text, encoding="utf-8")


def test_imports_point_downwards() -> None:
    assert complaints(ROOT) == []


def test_the_base_clients_are_siblings() -> None:
    found = [
        f"{module.path}:{edge.line} imports {edge.imported}"
        for module, edge in imports(scan(ROOT))
        if module.name in BASE_CLIENTS and edge.imported in BASE_CLIENTS
    ]
    assert found == []


def test_every_build_file_opens_targets_downwards_only() -> None:
    wrong = []
    for label, who in visibilities(ROOT):
        if who == "//visibility:public" and label not in PUBLIC:
            wrong.append(f"{label} is public")
        if label.startswith("//system") and who.startswith("//infrastructure"):
            wrong.append(f"{label} is open to {who}")
        if label.startswith("//infrastructure/schwab") and who.startswith("//infrastructure/sim"):
            wrong.append(f"{label} is open to its judge {who}")
    assert wrong == []


def test_every_build_file_is_read() -> None:
    assert {label for label, _ in visibilities(ROOT)} >= {
        "//infrastructure/clock:clock",
        "//system/algo_trader:main",
    }


@pytest.mark.parametrize(
    ("importer", "imported", "words"),
    [
        ("infrastructure.clock.clock", "infrastructure.config.home", "components only"),
        ("infrastructure.errors.tree", "system.algo_trader.realm", "knows no system"),
        ("infrastructure.influxdb.encode", "infrastructure.clients.influxdb_client", "upwards"),
        ("infrastructure.redis.embedded", "infrastructure.influxdb.schema", "sideways"),
        ("infrastructure.simulators.schwab.app", "infrastructure.schwab.models", "judge"),
        ("system.algo_trader.storage.tables", "system.algo_trader.feeds.history", "upwards"),
        ("system.algo_trader.jobs.history", "system.algo_trader.cli.app", "main or cli"),
        ("system.algo_trader.attic.box", "system.algo_trader.realm", "has no layer"),
    ],
)
def test_a_planted_import_is_named(
    tmp_path: Path, importer: str, imported: str, words: str
) -> None:
    package, _, name = imported.rpartition(".")
    write(tmp_path, imported, "")
    write(tmp_path, importer, f"def late() -> None:\n    from {package} import {name}\n")
    (tmp_path / "system").mkdir(exist_ok=True)
    found = complaints(tmp_path)
    assert len(found) == 1
    assert words in found[0]
    assert f"{importer.rpartition('.')[2]}.py:2 imports {imported}" in found[0]


def test_an_import_for_type_checkers_counts(tmp_path: Path) -> None:
    write(tmp_path, "system.algo_trader.realm", "")
    text = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import system.algo_trader.realm\n"
    )
    write(tmp_path, "infrastructure.errors.tree", text)
    assert len(complaints(tmp_path)) == 1
