"""From imports to Bazel targets: one library a module, one test a test file.

A package's `__init__.py` runs before any of its modules. So each module depends on its package's
target (named like the folder), and modules that an `__init__.py` imports belong to that target:
their own names become aliases of it. Modules of one folder that import each other in a circle
are one target, too; a circle over folders is an error.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from scripts.import_scan import Module, scan

# What pip calls a distribution, where that is not the name that is imported.
DISTRIBUTIONS = {
    "dotenv": "python_dotenv",
    "influxdb_client_3": "influxdb3_python",
    "schwab": "schwab_py",
    "yaml": "pyyaml",
}
# What a distribution speaks only if it is installed too, and does not ask for.
ALONG = {"uvicorn": ("websockets",)}
# Modules that are programs: the label is the program, the library is NAME_lib.
PROGRAMS = ("system.algo_trader.main", "system.algo_trader.clients.grafana")
# Labels that users know.
PUBLIC = frozenset(
    {
        "//infrastructure/clients:grafana_client",
        "//infrastructure/clients:influxdb_client",
        "//infrastructure/clients:redis_client",
        "//infrastructure/clients:schwab_client",
        "//infrastructure/logging:logger",
        "//system/algo_trader/clients:grafana",
        "//system/algo_trader:main",
    }
)
DATA_SUFFIXES = (
    *(".css", ".csv", ".example", ".html", ".js", ".json", ".jsonl"),
    *(".sh", ".sql", ".svg", ".toml", ".txt", ".yaml", ".yml"),
)
ROOT_FILES = (
    ".dockerignore",
    "Dockerfile",
    "deploy/systemd",
    "docker-compose.yml",
    "docs/api.md",
    "docs/data.md",
    "pyproject.toml",
    "requirements_runtime_lock.txt",
)
TEST_KINDS = ("integration", "system", "soak")
TEST_ONLY_IMPORTS = frozenset({"fakeredis", "hypothesis", "pytest", "requests_mock"})


class BuildError(Exception):
    """The sources cannot be described by BUILD files; the message says where and why."""


@dataclass(slots=True)
class Target:
    """One rule of a BUILD file. Labels are absolute here; rendering shortens local ones."""

    rule: str
    folder: Path
    name: str
    srcs: list[str] = field(default_factory=list)
    deps: set[str] = field(default_factory=set)
    data: set[str] = field(default_factory=set)
    globs: list[str] = field(default_factory=list)
    actual: str = ""
    testonly: bool = False
    visibility: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The target's absolute label."""
        return f"//{self.folder.as_posix()}:{self.name}"


def test_rule(file_name: str) -> str:
    """Name the macro for a test file by its suffix."""
    for kind in TEST_KINDS:
        if file_name.endswith(f"_{kind}_test.py"):
            return f"py_{kind}_test"
    return "py_unit_test"


def locked_distributions(root: Path) -> set[str]:
    """Read the normalised names that the lock pins."""
    text = (root / "requirements_lock.txt").read_text(encoding="utf-8")
    names = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", text, flags=re.MULTILINE)
    return {re.sub(r"[-_.]+", "_", name).lower() for name in names}


class Graph:
    """All targets of the project, made from its sources."""

    def __init__(self, root: Path) -> None:
        """Read the sources below a root and decide every target."""
        self.root = root
        self.modules = scan(root)
        self.locked = locked_distributions(root)
        self.unresolved = [line for module in self.modules.values() for line in module.missing]
        self.needs = {name: self._needs(module) for name, module in self.modules.items()}
        self._drop_named_circles()
        self.group = self._groups()
        self.data = self._data_globs()
        self.targets: dict[str, Target] = {}
        self._make_targets()
        self._settle_test_only()
        self._settle_visibility()

    # --- the graph of modules ----------------------------------------------------------------

    def _needs(self, module: Module) -> set[str]:
        wanted = {edge.imported for edge in module.edges if edge.kind != "typing"}
        for name in sorted(wanted):
            if self.modules[name].is_package and f"{name}.__main__" in self.modules:
                wanted.add(f"{name}.__main__")
        parent = module.name.rpartition(".")[0]
        if parent:
            wanted.add(parent)
        if module.is_test:
            wanted.update(self._conftests(module.folder))
        return (wanted & set(self.modules)) - {module.name}

    def _conftests(self, folder: Path) -> set[str]:
        places = [folder, *folder.parents]
        return {f"{'.'.join(place.parts)}.conftest" for place in places} & set(self.modules)

    def _drop_named_circles(self) -> None:
        """A string that names a module makes no circle over folders: such an edge is dropped."""
        for circle in _circles(self.needs):
            if len({self.modules[name].folder for name in circle}) == 1:
                continue
            for name in circle:
                firm = {edge.imported for edge in self.modules[name].edges if edge.kind == "import"}
                parent = name.rpartition(".")[0]
                named = {edge.imported for edge in self.modules[name].edges} - firm - {parent}
                dropped = named | {f"{one}.__main__" for one in named}
                self.needs[name] -= dropped & circle

    def _groups(self) -> dict[str, frozenset[str]]:
        groups = {name: frozenset({name}) for name in self.modules}
        for circle in _circles(self.needs):
            folders = {self.modules[name].folder for name in circle}
            if len(folders) > 1:
                lines = [self._needed_within(name, circle) for name in sorted(circle)]
                raise BuildError("\n  ".join(["imports go in a circle over folders:", *lines]))
            groups.update(dict.fromkeys(circle, circle))
        return groups

    def _needed_within(self, name: str, circle: frozenset[str]) -> str:
        return f"{self.modules[name].path} needs {', '.join(sorted(self.needs[name] & circle))}"

    # --- names -------------------------------------------------------------------------------

    def library(self, name: str) -> str:
        """Return the label of the library that holds a module."""
        group = self.group[name]
        folder = self.modules[name].folder
        package = ".".join(folder.parts)
        if package in group:
            return f"//{folder.as_posix()}:{self._package_name(package)}"
        return f"//{folder.as_posix()}:{self._own_name(min(group))}"

    def _package_name(self, package: str) -> str:
        base = package.rpartition(".")[2]
        twin = f"{package}.{base}"
        if twin in self.modules and twin not in self.group[package]:
            return f"{base}_package"
        return base

    def _own_name(self, name: str) -> str:
        stem = self.modules[name].path.stem
        return f"{stem}_lib" if name in PROGRAMS or self.modules[name].is_test else stem

    def distribution(self, imported: str, module: Module) -> str:
        """Return the label of the distribution that offers an imported name."""
        name = DISTRIBUTIONS.get(imported, re.sub(r"[-_.]+", "_", imported).lower())
        if name not in self.locked:
            line = module.third_party.get(imported, 0)
            self.unresolved.append(f"{module.path}:{line}: requirements_lock.txt has no {imported}")
            return ""
        return f"@pypi//{name}"

    # --- data --------------------------------------------------------------------------------

    def _data_globs(self) -> dict[Path, list[str]]:
        """For each package the patterns of its files that are no Python, subfolders included."""
        packages = {module.folder for module in self.modules.values()}
        found: dict[Path, set[str]] = {}
        for room in sorted({folder.parts[0] for folder in packages}):
            for path in sorted((self.root / room).rglob("*")):
                relative = path.relative_to(self.root)
                if path.suffix not in DATA_SUFFIXES or "__pycache__" in relative.parts:
                    continue
                home = next((place for place in relative.parents if place in packages), None)
                if home is not None:
                    inner = relative.parent.relative_to(home).as_posix()
                    prefix = "" if inner == "." else f"{inner}/"
                    found.setdefault(home, set()).add(f"{prefix}*{path.suffix}")
        return {folder: sorted(patterns) for folder, patterns in found.items()}

    def _data_packages(self, module: Module) -> set[str]:
        """Packages with data that this module reads: its own, or one whose folder it names."""
        if not module.reads_files:
            return set()
        words = {word for text in module.texts for word in text.split("/")}
        own = {module.folder} & set(self.data)
        related = {
            folder
            for folder in self.data
            if folder.name in words and folder.parent in module.path.parents
        }
        return {f"//{folder.as_posix()}:files" for folder in own | related}

    # --- targets -----------------------------------------------------------------------------

    def _make_targets(self) -> None:
        for folder, patterns in self.data.items():
            self._add(Target("filegroup", folder, "files", globs=patterns))
        imported = {need for needs in self.needs.values() for need in needs}
        for name, module in self.modules.items():
            if module.is_test:
                self._add_test(module)
                if name not in imported:
                    continue
            self._add_library(name, module)
            if name in PROGRAMS:
                self._add(
                    Target(
                        "py_binary",
                        module.folder,
                        module.path.stem,
                        srcs=[module.path.name],
                        deps={self.library(name)},
                    )
                )

    def _add(self, target: Target) -> None:
        if target.label in self.targets:
            raise BuildError(f"two targets would be named {target.label}")
        self.targets[target.label] = target

    def _add_test(self, module: Module) -> None:
        path = module.path
        target = Target(test_rule(path.name), path.parent, path.stem, srcs=[path.name])
        self._fill(target, [module.name])
        self._add(target)

    def _add_library(self, name: str, module: Module) -> None:
        label = self.library(name)
        own = f"//{module.folder.as_posix()}:{self._own_name(name)}"
        if label not in self.targets:
            members = sorted(self.group[name])
            target = Target("py_library", module.folder, label.partition(":")[2])
            target.srcs = sorted(self.modules[member].path.name for member in members)
            self._fill(target, members)
            self._add(target)
        if own != label and not module.is_package:
            self._add(Target("alias", module.folder, own.partition(":")[2], actual=label))

    def _fill(self, target: Target, members: list[str]) -> None:
        for member in members:
            module = self.modules[member]
            target.deps.update(self.library(need) for need in self.needs[member])
            target.deps.update(
                self.distribution(one, module)
                for name in module.third_party
                for one in (name, *ALONG.get(name, ()))
            )
            target.data.update(self._data_packages(module))
            target.data.update(
                f"//:{name}" for name in ROOT_FILES if module.reads_files and name in module.texts
            )
        target.deps -= {target.label, ""}

    # --- who may use them --------------------------------------------------------------------

    def _settle_test_only(self) -> None:
        known = {f"@pypi//{name}" for name in TEST_ONLY_IMPORTS}
        changed = True
        while changed:
            changed = False
            for target in self.targets.values():
                if target.rule not in ("py_library", "alias") or target.testonly:
                    continue
                uses = target.deps | {target.actual}
                if uses & known:
                    target.testonly = changed = True
                    known.add(target.label)

    def _settle_visibility(self) -> None:
        users: dict[str, set[str]] = {}
        for target in self.targets.values():
            for label in target.deps | target.data | ({target.actual} - {""}):
                used = self.targets.get(label)
                if used is not None and used.folder != target.folder:
                    users.setdefault(label, set()).add(target.folder.as_posix())
        for label, target in self.targets.items():
            if label in PUBLIC:
                target.visibility = ["//visibility:public"]
            else:
                target.visibility = _visible_to(target.folder, users.get(label, set()))


def label_order(label: str) -> tuple[int, list[str]]:
    """Order labels as buildifier does: local ones, this repository's, others."""
    phase = 1 if label.startswith(":") else 2 if label.startswith("//") else 3
    return phase, label.replace(":", ".").split(".")


def _visible_to(folder: Path, users: set[str]) -> list[str]:
    """Name the packages that use a target; where many of one room do, the room."""
    many = 4
    visible = set()
    inside = {user for user in users if user.startswith(f"{folder.as_posix()}/")}
    if inside:
        visible.add(f"//{folder.as_posix()}:__subpackages__")
    rest = users - inside
    for room in sorted({user.split("/")[0] for user in rest}):
        of_room = {user for user in rest if user.split("/")[0] == room}
        if len(of_room) >= many:
            visible.add(f"//{room}:__subpackages__")
        else:
            visible.update(f"//{user}:__pkg__" for user in of_room)
    return sorted(visible, key=label_order)


def _circles(needs: dict[str, set[str]]) -> list[frozenset[str]]:
    """Find the strongly connected components of more than one module (Tarjan 1972, iterative)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    circles = []
    for start in sorted(needs):
        if start in index:
            continue
        work = [(start, iter(sorted(needs[start])))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on_stack.add(start)
        while work:
            node, following = work[-1]
            for other in following:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(sorted(needs[other]))))
                    break
                if other in on_stack:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = set()
                    while node not in component:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.add(member)
                    if len(component) > 1:
                        circles.append(frozenset(component))
    return circles
