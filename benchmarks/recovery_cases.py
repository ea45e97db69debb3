"""The scans on which recovery is judged: the yardstick, and one harder thing at a time.

Imports nothing but the standard library: the parent of measured children holds no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DOSES = (3e3, 1e4, 4e4, 1.6e5, 3e5)
SEEDS = tuple(range(1, 9))


@dataclass(frozen=True)
class Case:
    """One kind of phantom, and what is said wrongly of the microscope.

    Parameters
    ----------
    name, meaning : str
    keys : mapping of str to str
        Keys of ``demo:glass`` that differ from the yardstick's.
    probe, spot : float
        Factors on the widths of the probe's and of the spot's kernel, as the run knows or measures them.
    descan : bool
        Whether the microscope is known to move the beam: the step ``descan`` goes before every recipe.
    components : int
        Components of the recipes that are told a number.
    """

    name: str
    meaning: str
    keys: Mapping[str, str] = field(default_factory=dict)
    probe: float = 1.0
    spot: float = 1.0
    descan: bool = False
    components: int = 40

    def address(self, dose: float, seed: int) -> str:
        """Return the address of the phantom.

        Examples
        --------
        >>> CASES["disk"].address(3e3, 2)
        'demo:glass?dose=3000&seed=2&spots=disk'
        """
        keys = {"dose": f"{dose:.15g}", "seed": str(seed), **self.keys}
        return "demo:glass?" + "&".join(f"{name}={value}" for name, value in keys.items())


CASES = {
    case.name: case
    for case in (
        Case("base", "the yardstick: 20 precipitates of 7 px, Gaussian spots"),
        Case("stacked", "half of the precipitates overlap another by half", {"stacked": "0.5"}),
        Case("matrices", "two glasses in two regions", {"matrices": "2"}),
        Case(
            "sizes",
            "diameters evenly from 4 to 12 px",
            {"diameter": "8", "spread": "0.288675", "sizes": "even"},
        ),
        Case("disk", "spots are disks, images of the aperture", {"spots": "disk"}),
        Case(
            "dynamical",
            "intensity of each spot of each crystal times exp(0.7 n - 0.245), n normal",
            {"dynamical": "0.7"},
        ),
        Case("wide", "kernels of probe and spot 40 % too wide", probe=1.4, spot=1.4),
        Case("narrow", "kernels of probe and spot 40 % too narrow", probe=0.6, spot=0.6),
        Case("descan", "the pattern drifts by 3 px from corner to corner", {"descan": "3"}, descan=True),
        Case("ellipse", "rings elliptic by 2 %", {"ellipticity": "0.02"}),
        Case("gain", "3 counts per electron", {"gain": "3"}),
        Case(
            "all",
            "stacked, two glasses, disks, dynamical, drift, ellipse, gain; kernels 20 % too wide",
            {
                "stacked": "0.3", "matrices": "2", "spots": "disk", "dynamical": "0.7", "descan": "3",
                "ellipticity": "0.02", "gain": "3",
            },
            probe=1.2,
            spot=1.2,
            descan=True,
        ),
        Case(
            "tiny",
            "3 precipitates, for trying the benchmark",
            {"scan": "22x20", "detector": "36x32", "precipitates": "3", "spot": "1.4"},
            components=6,
        ),
        Case(
            "tiny-all",
            "the same with everything at once",
            {
                "scan": "22x20", "detector": "36x32", "precipitates": "3", "spot": "1.4", "stacked": "0.4",
                "matrices": "2", "dynamical": "0.7", "descan": "2", "ellipticity": "0.02", "gain": "3",
            },
            probe=1.4,
            spot=0.6,
            descan=True,
            components=6,
        ),
    )
}  # fmt: skip
USUAL = tuple(name for name in CASES if not name.startswith("tiny"))
