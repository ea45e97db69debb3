"""The scans on which answers are judged. Imports nothing but the standard library."""

from __future__ import annotations

import math

from inputs import ROOT

DOSE = 40_000
TILTS = {"0": "on zone axes", "3": "tilted by up to 3 degrees"}
DYNAMICAL = {"0": "kinematic", "0.3": "intensities scattered by 30 %"}
DIAMETERS = ("5", "7", "10")
PROBE_FWHM = 1.0  # nm; the scan step is 1 nm
FWHM_PER_SIGMA = math.sqrt(8 * math.log(2))
GRAINS = ROOT.parent / "shared" / "data" / "orient4d_grains" / "scan_32.npz"
SIDES = {"5": 46, "7": 64, "10": 91}  # positions along an edge: particles cover the same share of each


def tilted(tilt: str, seed: str) -> str:
    """Return the address of the yardstick with crystals tilted by up to `tilt` degrees in any direction.

    Examples
    --------
    >>> tilted("0", "4"), tilted("3", "1")
    ('demo:glass?dose=40000&seed=4', 'demo:glass?dose=40000&seed=1&tilt=52.3599&tilts=even')
    """
    plain = f"demo:glass?dose={DOSE}&seed={seed}"
    return f"{plain}&tilt={1000 * math.radians(float(tilt)):.6g}&tilts=even" if float(tilt) else plain


def sized(diameter: str, seed: str) -> str:
    """Return the address of 20 particles of a mean diameter in nm, at 1 nm step and 1 nm probe.

    Examples
    --------
    >>> sized("5", "1")
    'demo:glass?dose=40000&seed=1&scan=46x46&diameter=5&blur=0.424661'
    """
    side = SIDES[diameter]
    blur = f"{PROBE_FWHM / FWHM_PER_SIGMA:.6g}"
    return f"demo:glass?dose={DOSE}&seed={seed}&scan={side}x{side}&diameter={diameter}&blur={blur}"
