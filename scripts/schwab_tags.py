"""Count the tags of the local Schwab's behaviours, and keep the list in docs/schwab.md true.

python scripts/schwab_tags.py           # fail if the document differs
python scripts/schwab_tags.py --write   # write it anew
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "infrastructure/simulators/schwab"
DOCUMENT = ROOT / "docs/schwab.md"
BEGIN, END = "<!-- tags: begin -->", "<!-- tags: end -->"
KINDS = ("S", "O", "C", "D", "?")

# Not after a word: that would be an index or a type, such as datetime64[D].
_TAG = re.compile(r"(?<!\w)\[([SOCD?](?:[,:] [^\]\n]{0,40})?|\?)\]")
_BOUNDARY = re.compile(r"[.;] |\n\n|\] ?")


def tags_of(text: str) -> list[str]:
    """Return the kinds of every tag in a source, two for one like [O, wording ?]."""
    found: list[str] = []
    for match in _TAG.finditer(text):
        inside = match.group(1)
        found.append(inside[0])
        if "?" in inside[1:]:
            found.append("?")
    return found


def prose(source: str) -> list[str]:
    """Return the docstrings of a source, and its runs of comment lines."""
    blocks: list[str] = []
    last_comment = -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            text = token.string.lstrip("# ")
            if token.start[0] == last_comment + 1:
                blocks[-1] += "\n" + text
            else:
                blocks.append(text)
            last_comment = token.start[0]
        elif token.type == tokenize.STRING and token.string.startswith('"""'):
            lines = token.string.strip('"').splitlines()
            blocks.append("\n".join(line.strip() for line in lines))
    return blocks


def open_questions(source: str) -> list[str]:
    """Return the sentences that end with a tag of what is not established."""
    found = []
    for block in prose(source):
        for match in _TAG.finditer(block):
            if "?" not in match.group(1):
                continue
            before = re.sub(r"(?:\s*\[[^\]\n]*\]|[\s.;,])+$", "", block[: match.start()])
            start = max((each.end() for each in _BOUNDARY.finditer(before)), default=0)
            found.append(" ".join(before[start:].split()).lstrip(", "))
    return found


def section(sources: Path) -> str:
    """Return the generated part of the document."""
    totals = dict.fromkeys(KINDS, 0)
    questions: list[str] = []
    for path in sorted(sources.rglob("*.py")):
        if path.name.endswith("_test.py") or path.name == "conftest.py":
            continue
        text = path.read_text(encoding="utf-8")
        for kind in tags_of(text):
            totals[kind] += 1
        name = path.relative_to(sources).as_posix()
        questions += [f"- `{name}`: {question}" for question in open_questions(text)]
    counts = " | ".join(str(totals[kind]) for kind in KINDS)
    return "\n".join(
        [
            BEGIN,
            "| S | O | C | D | ? |",
            "|---|---|---|---|---|",
            f"| {counts} |",
            "",
            f"Not established, {len(questions)} places:",
            "",
            *questions,
            END,
        ]
    )


def with_section(document: str, generated: str) -> str:
    """Return the document with its generated part replaced."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + generated + after


def main(arguments: list[str]) -> int:
    """Check the document or write it, and return the exit code."""
    document = DOCUMENT.read_text(encoding="utf-8")
    wanted = with_section(document, section(SOURCES))
    if arguments == ["--write"]:
        DOCUMENT.write_text(wanted, encoding="utf-8")
        return 0
    if document != wanted:
        print("docs/schwab.md differs: run python scripts/schwab_tags.py --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
