"""Make the pictures of the documentation anew from the runs of `make demo`:  python examples/make_pictures.py"""

from __future__ import annotations

from pathlib import Path

import unmixel
from unmixel.report.figures import figure_overview

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Write docs/images/overview.png and glass.png."""
    for run, picture in (("mgo", "overview.png"), ("glass", "glass.png")):
        path = ROOT / "docs" / "images" / picture
        figure_overview(unmixel.load(ROOT / "demo-runs" / run)).savefig(path, dpi=120)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
