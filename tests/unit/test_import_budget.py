"""What starting costs: importing the package and asking for help load nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "dask", "h5py", "hyperspy", "matplotlib", "numba", "pint", "rsciio", "scipy", "skimage", "sklearn",
    "torch", "zarr",
}  # fmt: skip


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after `statement`."""
    code = (
        f"{statement}\nimport sys, json\nprint(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "statement",
    [
        "import unmixel; dir(unmixel)",
        "import unmixel; unmixel.UnmixelError",
        "import unmixel; unmixel.Scan",
        "from unmixel.core import registry; assert registry.names('constraints')",
    ],
)
def test_light_statements_load_nothing_heavy(statement: str) -> None:
    assert not loaded_by(statement) & HEAVY


def test_help_loads_nothing_heavy() -> None:
    statement = (
        "import sys\n"
        "from unmixel.cli.main import main\n"
        "sys.argv = ['unmixel', '--help']\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code"
    )
    assert not loaded_by(statement) & HEAVY
