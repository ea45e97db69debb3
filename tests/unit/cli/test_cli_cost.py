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


@pytest.fixture(scope="module")
def everyday(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user: Python keeps compiled modules (here: outside the tree)."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("compiled"))}


def cpu_seconds(environment: dict[str, str], *arguments: str) -> float:
    """Return user and system time of one child process."""
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4 for the usage of one child")
def test_help_takes_less_than_0_3_s_of_cpu(everyday: dict[str, str]) -> None:
    command = ("-m", "unmixel", "--help")
    cpu_seconds(everyday, *command)
    assert statistics.median(cpu_seconds(everyday, *command) for _ in range(5)) < 0.3


@pytest.mark.real
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4 for the usage of one child")
@pytest.mark.skipif(not MGO.exists(), reason="the shared MgO scan is not beside the repository")
@pytest.mark.slow
def test_info_takes_less_than_1_5_s_of_cpu(everyday: dict[str, str]) -> None:
    """Or, on a slow or busy machine, less than twice what importing zarr and dask alone takes there.

    The quietest of a few runs: neighbours on the machine can only add. The median is in benchmarks.
    """
    info, libraries = ("-m", "unmixel", "info", str(MGO)), ("-c", "import zarr, dask.array")
    for command in (info, libraries):
        cpu_seconds(everyday, *command)
    floor = min(cpu_seconds(everyday, *libraries) for _ in range(3))
    assert min(cpu_seconds(everyday, *info) for _ in range(4)) < max(1.5, 2 * floor)


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
