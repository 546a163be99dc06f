"""Read what each Python file of the project imports, without importing it.

Shared by `build_files.py`, which turns imports into Bazel's deps, and by the import-direction test.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOMS = ("infrastructure", "system")
# Calls whose first string argument names a module or a distribution.
NAMING_CALLS = frozenset(
    {"import_module", "find_spec", "importorskip", "metadata.version", "metadata.distribution"}
)
# pandas imports these late, so that no import statement of ours names them.
LATE_IMPORTS = {"read_parquet": "pyarrow", "to_parquet": "pyarrow", "read_feather": "pyarrow"}


@dataclass(frozen=True, slots=True)
class Edge:
    """One import: who, what, on which line, and how firmly.

    Attributes:
        kind: "import"; "typing" below `if TYPE_CHECKING`; "named" where a string names the module.
    """

    importer: str
    imported: str
    line: int
    kind: str


@dataclass(slots=True)
class Module:
    """One Python file: its dotted name, its path below the root, what it imports and mentions."""

    name: str
    path: Path
    is_package: bool
    edges: list[Edge] = field(default_factory=list)
    third_party: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    texts: frozenset[str] = frozenset()
    reads_files: bool = False

    @property
    def folder(self) -> Path:
        """The folder that holds the file, below the root."""
        return self.path.parent

    @property
    def is_test(self) -> bool:
        """Whether pytest collects this file."""
        return self.path.name.endswith("_test.py")


def module_name(path: Path) -> str:
    """Return the dotted name of a file below the root."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def python_files(root: Path) -> Iterator[Path]:
    """List the project's Python files below the root, sorted."""
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            yield path.relative_to(root)


def scan(root: Path) -> dict[str, Module]:
    """Read every file of the project.

    Args:
        root: the workspace's folder.

    Returns:
        The modules by dotted name.

    Raises:
        SyntaxError: a file is no Python.
    """
    modules = {}
    for path in python_files(root):
        name = module_name(path)
        modules[name] = Module(name, path, path.name == "__init__.py")
    for module in modules.values():
        tree = ast.parse((root / module.path).read_text(encoding="utf-8"), str(module.path))
        _Reader(module, modules).read(tree)
    return modules


class _Reader(ast.NodeVisitor):
    def __init__(self, module: Module, modules: dict[str, Module]) -> None:
        self.module = module
        self.modules = modules
        self.texts: set[str] = set()
        self.kind = "import"

    def read(self, tree: ast.Module) -> None:
        self.visit(tree)
        self.module.texts = frozenset(self.texts)
        for text in sorted(self.texts):
            named = text.split(":")[0]
            if "." in named and named in self.modules:
                self._first_party(named, 0, "named")

    def visit_If(self, node: ast.If) -> None:
        test = ast.unparse(node.test)
        if test not in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            self.generic_visit(node)
            return
        before, self.kind = self.kind, "typing"
        for statement in node.body:
            self.visit(statement)
        self.kind = before
        for statement in node.orelse:
            self.visit(statement)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._imported(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            parts = self.module.name.split(".")
            if not self.module.is_package:
                parts = parts[:-1]
            parts = parts[: len(parts) - (node.level - 1)]
            base = ".".join([*parts, base] if base else parts)
        for alias in node.names:
            deeper = f"{base}.{alias.name}"
            self._imported(deeper if deeper in self.modules else base, node.lineno)

    def visit_Call(self, node: ast.Call) -> None:
        called = ast.unparse(node.func).split(".")
        names = {called[-1], ".".join(called[-2:])}
        first = node.args[0] if node.args else None
        if names & NAMING_CALLS and isinstance(first, ast.Constant):
            text = first.value
            if isinstance(text, str) and text.split(".")[0] not in ROOMS:
                self.module.third_party.setdefault(text.split(".")[0], node.lineno)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and len(node.value) < 200:
            self.texts.add(node.value)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in ("__file__", "resources"):
            self.module.reads_files = True

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr == "resources":
            self.module.reads_files = True
        if node.attr in LATE_IMPORTS:
            self.module.third_party.setdefault(LATE_IMPORTS[node.attr], node.lineno)
        self.generic_visit(node)

    def _imported(self, name: str, line: int) -> None:
        top = name.split(".")[0]
        if top in ROOMS:
            self._first_party(name, line, self.kind)
        elif top == "zoneinfo":
            # The zone files come from the system or from this distribution.
            self.module.third_party.setdefault("tzdata", line)
        elif top not in sys.stdlib_module_names:
            self.module.third_party.setdefault(top, line)

    def _first_party(self, name: str, line: int, kind: str) -> None:
        if name not in self.modules:
            self.module.missing.append(f"{self.module.path}:{line}: {name} is no module here")
            return
        edge = Edge(self.module.name, name, line, kind)
        if name != self.module.name and edge not in self.module.edges:
            self.module.edges.append(edge)
