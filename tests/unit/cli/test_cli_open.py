"""``unmixel open``: one line with the address, an end by Ctrl-C, words where the extra is missing."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unmixel.cli.main import app

GLASS = "demo:glass?scan=9x11&detector=20x17&dose=20000&seed=1&precipitates=2"


def test_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("unmixel.web")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("fastapi", "uvicorn"):
        monkeypatch.setitem(sys.modules, name, None)
    done = CliRunner().invoke(app, ["open", GLASS])
    assert done.exit_code == 2
    assert 'pip install "unmixel[web]"' in done.output


def test_size_that_is_none_is_told() -> None:
    pytest.importorskip("fastapi")
    done = CliRunner().invoke(app, ["open", GLASS, "--memory", "much"])
    assert done.exit_code == 2
    assert "--memory" in done.output


@pytest.mark.slow
def test_address_answers_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    command = [sys.executable, "-m", "unmixel", "open", GLASS, "--no-browser", "--root-path", "/a/b"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        found = re.fullmatch(r"(http://127\.0\.0\.1:\d+/a/b/)#token=([\w-]{43})\n", line)
        assert found is not None, line
        asked = urllib.request.Request(found[1] + "api/session", headers={"X-Unmixel-Token": found[2]})
        with urllib.request.urlopen(asked) as reply:
            assert json.load(reply)["opened"][0]["kind"] == "scan"
        server.send_signal(signal.SIGINT)
        rest, said = server.communicate(timeout=30)
    assert server.returncode == 0
    assert rest == ""
    assert found[2] not in said
    assert list(tmp_path.iterdir()) == []
