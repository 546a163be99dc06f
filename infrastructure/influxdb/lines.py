"""Split a line-protocol body into its logical lines, as InfluxDB's own scanner does."""

from __future__ import annotations

import re

_TOKEN = re.compile(r'\\.?|[ "=,]', re.DOTALL)


def split_lines(body: str) -> list[tuple[int, str]]:
    """Return the lines that hold something, each with its number in the body, from 1.

    Blank lines and comments (`#`) are left out. A newline inside a quoted string or after a
    backslash belongs to its line.
    """
    physical = body.split("\n")
    if '"' not in body and "\\" not in body:
        return [
            (number, line.lstrip(" \t"))
            for number, line in enumerate(physical, 1)
            if line and not line.isspace() and line.lstrip(" \t")[0] != "#"
        ]
    lines = []
    number = 0
    while number < len(physical):
        line = physical[number].lstrip(" \t")
        first = number + 1
        number += 1
        if not line or line[0] == "#":
            continue
        while number < len(physical) and is_open(line):
            line = f"{line}\n{physical[number]}"
            number += 1
        lines.append((first, line))
    return lines


def count_lines(block: bytes) -> int:
    """Return how many lines hold something: fast for blocks without text or comments."""
    if b'"' in block or b"#" in block or b"\\" in block or b"\n\n" in block:
        return len(split_lines(block.decode(errors="replace")))
    return block.count(b"\n") + (not block.endswith(b"\n"))


def is_open(line: str) -> bool:
    """Tell whether a line ends inside a quoted string or in the middle of an escape."""
    if "\\" not in line:
        _, _, fields = line.partition(" ")
        if fields.count('"') % 2 == 0:
            return False
    quoted = in_fields = False
    equals = commas = 0
    for token in _TOKEN.findall(line):
        if token == "\\":
            return True
        if token == " ":
            in_fields = True
        elif in_fields and token == '"':
            if equals > commas:
                quoted = not quoted
        elif in_fields and not quoted:
            equals += token == "="
            commas += token == ","
    return quoted
