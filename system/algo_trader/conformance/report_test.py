"""A report holds no word that turned out to be personal, and overwrites nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infrastructure.errors import UsageError
from system.algo_trader.conformance.probe import Findings
from system.algo_trader.conformance.report import Report, check_report_file, write_report


def test_a_word_that_turns_out_to_be_personal_later_is_masked() -> None:
    findings = Findings()
    findings.check("c", "trader", {"orderStrategyType": "SINGLE", "WIDGETCO": 1}, "Order")
    findings.check("c", "trader", {"orderStrategyType": "WIDGETCO"}, "Order")
    findings.words.learn({"symbol": "WIDGETCO"})
    report = Report.of("schwab", 0, findings)
    assert len(report.differences) == 2
    assert "WIDGETCO" not in json.dumps(report.as_dict())


def test_a_report_is_written_once(tmp_path: Path) -> None:
    report = Report.of("simulator", 0, Findings())
    path = tmp_path / "report.json"
    write_report(report, path)
    assert json.loads(path.read_text())["is_simulated"] is True
    with pytest.raises(UsageError, match="exists"):
        write_report(report, path)


def test_a_folder_that_is_not_there_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        check_report_file(tmp_path / "nowhere" / "report.json")
