"""A terabyte opens in about a second, costs megabytes, and one pattern of it is read at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SHAPE = (2000, 2000, 512, 512)

CODE = """
import json, resource, sys, time
import unmixel, numpy as np
start = time.process_time()
scan = unmixel.open(sys.argv[1])
opened = time.process_time() - start
pattern = np.asarray(scan.data[(-1,) * len(scan.scan_shape)])
done = time.process_time() - start
print(json.dumps({
    "opened": opened, "read": done - opened, "bytes": scan.n_bytes, "pattern": pattern.shape,
    "MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, "parts": scan.data.npartitions,
}))
"""


def measured(path: Path) -> dict:
    """Return what opening a file in a fresh interpreter costs."""
    done = subprocess.run([sys.executable, "-c", CODE, str(path)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def sparse(path: Path, head: bytes, n_bytes: int) -> Path:
    """Write a file that takes no room on the disk."""
    with path.open("wb") as file:
        file.write(head)
        try:
            file.truncate(n_bytes)
        except OSError:
            pytest.skip("the file system has no files of a terabyte")
    return path


def npy(folder: Path, write_zspy) -> Path:
    head = folder / "head.npy"
    np.lib.format.open_memmap(head, mode="w+", dtype="u1", shape=(1, 1, 1, 1))
    with (folder / "head").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": SHAPE})
    head_bytes = (folder / "head").read_bytes()
    return sparse(folder / "huge.npy", head_bytes, len(head_bytes) + int(np.prod(SHAPE, dtype=np.int64)))


def hspy(folder: Path, write_hspy) -> Path:
    return write_hspy(SHAPE, dtype="u1", chunks=(1, 1, 512, 512))


def h5(folder: Path, write_hspy) -> Path:
    import h5py

    with h5py.File(folder / "huge.h5", "w") as file:
        file.create_dataset("frames", shape=SHAPE, dtype="u1", chunks=(1, 1, 512, 512))
    return folder / "huge.h5"


def mib(folder: Path, write_hspy) -> Path:
    text = "MQ1,000001,00384,01,0256,0256,U08,   1x1,01,2024-07-02 13:46:44.035393,0.001000,0,0,0,1.2E+2,"
    head = (text + ",MQ1A,2024-07-02T13:46:44.035393000Z,1000000ns,6,").encode().ljust(384, b"\x00")
    return sparse(folder / "huge.mib", head, (384 + 65536) * 15_000_000)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Return what opening a small file costs here and now: mostly the imports."""
    folder = tmp_path_factory.mktemp("small")
    np.save(folder / "small.npy", np.zeros((3, 4, 5, 6), np.uint8))
    return measured(folder / "small.npy")


def check(cost: dict, small: dict) -> None:
    assert cost["bytes"] > 0.95e12
    assert cost["pattern"] in ([512, 512], [256, 256])
    assert cost["opened"] < 3 * small["opened"] + 1.0
    assert cost["read"] < 3 * small["opened"] + 1.0
    assert cost["MB"] < small["MB"] + 100
    assert cost["parts"] < 20_000


@pytest.mark.parametrize("make", [npy, hspy, h5, mib])
def test_a_terabyte_opens_at_once(make, tmp_path: Path, write_hspy, small: dict) -> None:
    check(measured(make(tmp_path, write_hspy)), small)


def test_a_terabyte_of_zarr_opens_at_once(tmp_path: Path, write_zspy, small: dict) -> None:
    check(measured(write_zspy(SHAPE, chunks=(1, 4, 512, 512))), small)
