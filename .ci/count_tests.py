"""Count test cases in Bazel's reports: `count_tests.py REPORTS STAMP` prints "N passed, N failed".

Only reports younger than the file STAMP count; the rest are of an earlier run.
"""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def count(reports: Path, since: float) -> tuple[int, int]:
    """Return how many test cases passed and failed in the reports written since a time."""
    passed = failed = 0
    for report in sorted(reports.rglob("test.xml")):
        if report.stat().st_mtime < since:
            continue
        for case in ET.parse(report).getroot().iter("testcase"):
            bad = any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
            failed += bad
            passed += not bad
    return passed, failed


def main(arguments: list[str]) -> int:
    """Print the counts of one run."""
    reports, stamp = Path(arguments[0]), Path(arguments[1])
    passed, failed = count(reports, stamp.stat().st_mtime) if reports.is_dir() else (0, 0)
    print(f"{passed} passed, {failed} failed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
