import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from infrastructure.simulators.schwab.command import run

ROOT = Path(__file__).resolve().parents[3]


def served(arguments: list[str], endpoint_file: Path) -> tuple[list[str], dict[str, Any]]:
    """Run the command in a thread until it answers; return its banner and its status."""
    ended = threading.Event()
    shown: list[str] = []
    codes: list[int] = []
    thread = threading.Thread(
        target=lambda: codes.append(
            run([*arguments, "--endpoint-file", str(endpoint_file)], show=shown.append, ended=ended)
        )
    )
    thread.start()
    deadline = time.monotonic() + 30
    while not endpoint_file.exists() and thread.is_alive() and time.monotonic() < deadline:
        thread.join(0.02)
    url = json.loads(endpoint_file.read_text())["url"]
    status = requests.get(f"{url}/simulator/status", verify=False, timeout=10).json()
    ended.set()
    thread.join(10)
    assert codes == [0]
    return shown, status


def test_banner_says_simulated_the_date_and_how_to_point_a_client_at_it(tmp_path: Path) -> None:
    shown, status = served([], tmp_path / "endpoint.json")
    text = "\n".join(shown)
    assert text.startswith("SIMULATED SCHWAB: no real account")
    assert "2013-03-01" in text
    for name in (
        "SCHWAB_BASE_URL=http://127.0.0.1:",
        "SCHWAB_API_KEY=simulated-",
        "SCHWAB_SECRET=",
    ):
        assert name in text
    assert status["product"] == "schwab-simulator"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_file_date_and_tls_are_taken_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(
        "date,open,high,low,close,volume\n"
        "2019-02-14,273.78,275.64,272.87,274.38,83234396\n"
        "2019-02-15,276.36,277.41,276.13,277.37,97088659\n"
    )
    shown, status = served(
        ["--replay", str(file), "--symbol", "SPY", "--as-of", "2019-02-14", "--tls", str(tmp_path)],
        tmp_path / "endpoint.json",
    )
    assert status["symbols"] == ["SPY"]
    assert status["market_date"] == "2019-02-14"
    assert f"SSL_CERT_FILE={tmp_path / 'simulator.crt'}" in "\n".join(shown)


def test_wrong_input_is_one_sentence_on_standard_error_and_is_announced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint = tmp_path / "endpoint.json"
    missing = str(tmp_path / "nothing.csv")
    code = run(["--replay", missing, "--endpoint-file", str(endpoint)])
    assert code == 2
    assert capsys.readouterr() == ("", f"error: there is no file {missing}\n")
    assert json.loads(endpoint.read_text())["failure"]["error"] == "InputError"
    assert run(["--symbol", "SPY"]) == 2


def test_module_runs_by_itself_and_ends_on_sigterm_and_sigint(tmp_path: Path) -> None:
    for number, code in ((signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 0)):
        endpoint = tmp_path / f"{number}.json"
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "infrastructure.simulators.schwab",
                "--endpoint-file",
                str(endpoint),
            ],
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            stdout=subprocess.PIPE,
        )
        try:
            deadline = time.monotonic() + 30
            while not endpoint.exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            assert json.loads(endpoint.read_text())["pid"] == process.pid
            process.send_signal(number)
            shown = process.communicate(timeout=10)[0].decode()
        finally:
            process.kill()
            process.wait()
        assert process.returncode == code
        assert shown.startswith("SIMULATED SCHWAB")


@pytest.mark.parametrize("port", ["65536", "-1", "many"])
def test_a_port_that_none_is_ends_as_wrong_usage(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run([f"--port={port}"])
    assert caught.value.code == 2
    assert "is no port from 0 to 65535" in capsys.readouterr().err
