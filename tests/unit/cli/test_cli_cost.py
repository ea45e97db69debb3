"""What it costs to ask: CPU seconds of a child process, and what it loads."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

MGO = Path(__file__).parents[3] / ".." / "shared" / "data" / "mgo_sped" / "mgo_nanoparticles.zspy"
HEAVY = {"dask", "sklearn", "matplotlib", "torch", "scipy", "h5py", "zarr"}


def cpu_seconds(*arguments: str) -> float:
    """Return user and system time of one child process."""
    child = subprocess.Popen([sys.executable, "-m", "unmixel", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4 for the usage of one child")
def test_help_takes_less_than_0_3_s_of_cpu() -> None:
    assert statistics.median(cpu_seconds("--help") for _ in range(5)) < 0.3


@pytest.mark.real
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4 for the usage of one child")
@pytest.mark.skipif(not MGO.exists(), reason="the shared MgO scan is not beside the repository")
def test_info_takes_less_than_1_5_s_of_cpu() -> None:
    """The quietest of a few: neighbours on the machine can only add to it. The median is in benchmarks."""
    assert any(cpu_seconds("info", str(MGO)) < 1.5 for _ in range(4))


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_asking_for_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom unmixel.cli.main import main\n"
        f"sys.argv = ['unmixel', *{arguments!r}]\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "print('LOADED', *sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split()[1:])
    assert "typer" in loaded
    assert not loaded & HEAVY
