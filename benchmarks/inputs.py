"""The tables that are factorised: which scan, how many components, how many runs.

As a program it writes one of them:  python benchmarks/inputs.py SIZE FILE.npy
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MGO = ROOT.parent / "shared" / "data" / "mgo_sped" / "mgo_nanoparticles.zspy"
GLASS = "demo:glass?scan={scan}&detector={detector}&dose=40000&seed=1"


@dataclass(frozen=True)
class Size:
    """One table: `address` opens with ``unmixel.open``; `k` components; `runs` pairs by default."""

    name: str
    address: str
    k: int
    runs: int

    @property
    def missing(self) -> bool:
        """Whether the scan is a file that is not here."""
        return not self.address.startswith("demo:") and not Path(self.address).exists()


SIZES = {
    size.name: size
    for size in (
        Size("tiny", "demo:glass?scan=8x8&detector=12x12&dose=2000&seed=1&precipitates=1", k=2, runs=1),
        Size("small", GLASS.format(scan="32x32", detector="64x64"), k=12, runs=5),
        Size("medium", GLASS.format(scan="64x64", detector="64x64"), k=24, runs=3),
        Size("large", GLASS.format(scan="128x128", detector="128x128"), k=30, runs=1),
        Size("mgo", str(MGO), k=12, runs=1),
    )
}
USUAL = ("small", "medium", "large", "mgo")


def write(size: Size, file: Path) -> None:
    """Write the scan as positions x pixels of uint16, so that everybody reads the same bytes."""
    # imported here: the parent of measured children holds nothing but the standard library
    import numpy as np

    import unmixel

    data = np.asarray(unmixel.open(size.address).data)
    table = data.reshape(data.shape[0] * data.shape[1], -1)
    counts = table.astype(np.uint16)
    if not np.array_equal(counts, table):
        raise SystemExit(f"{size.address} does not hold whole numbers from 0 to 65535")
    np.save(file, counts)


if __name__ == "__main__":
    write(SIZES[sys.argv[1]], Path(sys.argv[2]))
