"""Write or check every BUILD.bazel below infrastructure/ and system/ from the sources' imports.

python scripts/build_files.py --write
python scripts/build_files.py --check
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from scripts.build_graph import BuildError, Graph, Target, label_order  # noqa: E402
from scripts.import_scan import ROOMS  # noqa: E402

HEADER = (
    "# Written by scripts/build_files.py from the imports; change those and run it with --write.\n"
)


def shortened(label: str, folder: Path) -> str:
    """Write a label as buildifier wants it inside a package."""
    package, _, name = label.partition(":")
    if package == f"//{folder.as_posix()}":
        return f":{name}"
    if package.rpartition("/")[2] == name:
        return package
    return label


def listed(values: list[str], indent: str = "    ") -> str:
    """Write a list of strings in buildifier's layout."""
    if len(values) == 1:
        return f'["{values[0]}"]'
    lines = "".join(f'{indent}    "{value}",\n' for value in values)
    return f"[\n{lines}{indent}]"


def labels(values: set[str], folder: Path) -> list[str]:
    """Shorten and order labels."""
    return sorted({shortened(value, folder) for value in values}, key=label_order)


def render_target(target: Target) -> str:
    """Write one rule."""
    lines = [f'name = "{target.name}"']
    if target.testonly:
        lines.append("testonly = True")
    if target.rule.endswith("_test"):
        lines.append(f'src = "{target.srcs[0]}"')
    elif target.srcs:
        lines.append(f"srcs = {listed(target.srcs)}")
    if target.globs:
        lines.append(f"srcs = glob({listed(target.globs)})")
    if target.actual:
        lines.append(f'actual = "{shortened(target.actual, target.folder)}"')
    if target.data:
        lines.append(f"data = {listed(labels(target.data, target.folder))}")
    if target.visibility:
        lines.append(f"visibility = {listed(target.visibility)}")
    if target.deps:
        lines.append(f"deps = {listed(labels(target.deps, target.folder))}")
    body = "".join(f"    {line},\n" for line in lines)
    return f"{target.rule}(\n{body})\n"


def render(targets: list[Target]) -> str:
    """Write one BUILD file."""
    loaded = sorted({target.rule for target in targets if target.rule.startswith("py_")})
    parts = [HEADER]
    if loaded:
        names = ", ".join(f'"{rule}"' for rule in loaded)
        parts.append(f'load("//bazel:python.bzl", {names})\n')
    order = {"filegroup": 0, "py_library": 1, "alias": 1, "py_binary": 2}
    ordered = sorted(targets, key=lambda one: (order.get(one.rule, 3), one.name))
    parts += [render_target(target) for target in ordered]
    return "\n".join(parts)


def build_files(graph: Graph) -> dict[Path, str]:
    """Return the text of every BUILD file by its path below the root."""
    by_folder: dict[Path, list[Target]] = {}
    for target in graph.targets.values():
        by_folder.setdefault(target.folder, []).append(target)
    return {
        folder / "BUILD.bazel": render(targets) for folder, targets in sorted(by_folder.items())
    }


def differences(root: Path, wanted: dict[Path, str]) -> list[str]:
    """Say which BUILD files are missing, outdated or without sources."""
    found = []
    for path, text in wanted.items():
        file = root / path
        if not file.is_file():
            found.append(f"{path} is missing")
        elif file.read_text(encoding="utf-8") != text:
            found.append(f"{path} is not what the imports say")
    for room in ROOMS:
        present = [file.relative_to(root) for file in sorted((root / room).rglob("BUILD.bazel"))]
        found += [
            f"{path} stands in a folder without sources" for path in present if path not in wanted
        ]
    return found


def write(root: Path, wanted: dict[Path, str]) -> None:
    """Write the files that differ and remove those in folders without sources."""
    for path, text in wanted.items():
        file = root / path
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
    for room in ROOMS:
        for file in (root / room).rglob("BUILD.bazel"):
            if file.relative_to(root) not in wanted:
                file.unlink()


def main(arguments: list[str] | None = None) -> int:
    """Write or check.

    Returns:
        0 when all is well, 1 when a check found differences, 2 when an import leads nowhere.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="write the files that differ")
    action.add_argument("--check", action="store_true", help="change nothing, name what differs")
    parser.add_argument("--root", type=Path, default=ROOT, help="the workspace")
    chosen = parser.parse_args(arguments)
    try:
        graph = Graph(chosen.root)
    except (BuildError, SyntaxError) as error:
        print(f"build_files: {error}", file=sys.stderr)
        return 2
    wanted = build_files(graph)
    found = differences(chosen.root, wanted)
    if chosen.write:
        write(chosen.root, wanted)
        print(f"build_files: {len(wanted)} files, {len(found)} differed")
        found = []
    for line in graph.unresolved:
        print(f"build_files: {line}", file=sys.stderr)
    for line in found:
        print(f"build_files: {line}; run scripts/build_files.py --write", file=sys.stderr)
    if graph.unresolved:
        return 2
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
