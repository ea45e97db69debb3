"""Makes bundle-vN.nxs, the result bundle of the present layout that every later version must read.

Run once when a layout is fixed; a golden file is never written again. Those of earlier layouts were written by the
unmixel of their time: ``bundle-v1.nxs`` when layout 1 was fixed, ``bundle-v1-all-nouns.nxs`` by the last unmixel that
wrote it, from the same nouns as ``bundle-v2.nxs``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from unmixel.io.store import write_bundle
from unmixel.io.upgrade import SCHEMA

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "unit" / "io"))

if __name__ == "__main__":
    from whole_result import whole

    target = HERE / f"bundle-v{SCHEMA}.nxs"
    if target.exists():
        raise SystemExit(f"{target.name} is there; a golden file is never written again")
    write_bundle(target, whole())
