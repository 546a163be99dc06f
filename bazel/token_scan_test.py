"""The scan of what tests print, log and store is itself tried with planted tokens."""

import base64
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

PLANTS = {
    "print": "print(TOKEN)",
    "log": "import logging; logging.getLogger('x').warning('sent %s', TOKEN)",
    "file": "(tmp_path / 'left.log').write_text(f'bearer {TOKEN}')",
    "nested file": "(tmp_path / 'a').mkdir(); (tmp_path / 'a' / 'b').write_bytes(TOKEN.encode())",
}


def tokens() -> dict[str, str]:
    def drawn(size: int) -> str:
        return base64.urlsafe_b64encode(os.urandom(size)).rstrip(b"=").decode()

    issuer = base64.urlsafe_b64encode(b"oauth2.cdc.schwab.com").rstrip(b"=").decode()
    return {"access": f"I0.{issuer}.{drawn(32)}@", "refresh": f"{drawn(64)}@"}


def run(request: pytest.FixtureRequest, folder: Path, body: str, token: str) -> tuple[int, str]:
    plugins = request.config.pluginmanager.get_plugins()
    scan = next(each for each in plugins if hasattr(each, "files_with_tokens"))
    (folder / "conftest.py").write_text(Path(scan.__file__).read_text())
    # The token comes by the environment: in the folder itself it would be found.
    test = f"import os\n\ndef test_it(tmp_path):\n    TOKEN = os.environ['PLANTED']\n    {body}\n"
    (folder / "x_test.py").write_text(test)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            folder,
            "--basetemp",
            str(folder / "temporary"),
            str(folder / "x_test.py"),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PLANTED": token},
        cwd=folder,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("place", PLANTS)
def test_a_planted_token_turns_the_run_red_and_is_not_shown(
    request: pytest.FixtureRequest, place: str
) -> None:
    kind = "refresh" if place == "log" else "access"
    token = tokens()[kind]
    # Outside of this run's own temporary folder, which is scanned as well.
    with tempfile.TemporaryDirectory(prefix="at-scan-") as folder:
        code, said = run(request, Path(folder), PLANTS[place], token)
    assert code == 1
    assert "a token's value is in" in said
    assert token not in said


def test_what_holds_no_token_passes(request: pytest.FixtureRequest) -> None:
    body = "print('I0.short@', 'A' * 200, TOKEN[:-1])"
    with tempfile.TemporaryDirectory(prefix="at-scan-") as folder:
        assert run(request, Path(folder), body, "B" * 86 + "@")[0] == 0
