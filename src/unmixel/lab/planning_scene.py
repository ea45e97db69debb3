"""The scene that a plan is about: the phantom that stands for a sample, and the patterns of its crystals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.planning import Sample, Setup
from unmixel.dataset.truth import Truth
from unmixel.io.glass import GlassSpec, glass_truth, smooth_patterns, spots_image
from unmixel.physics.cells import structures
from unmixel.physics.crystal import Crystal, Float, Reflections
from unmixel.physics.kinematic import excited, frame
from unmixel.physics.probe import FWHM_PER_SIGMA, convergence_for
from unmixel.physics.wavelength import wavelength

ORIENTATIONS = 400
"""Random orientations over which the mean scattering of a structure is taken."""

LEAST_SPOT = 0.5
"""Least standard deviation of a spot in px: a camera's own point spread."""

LEAST = 1e-3
"""Spots below this share of the strongest reflection of a structure are not drawn."""


def spot_sigma(setup: Setup) -> float:
    """Return the standard deviation of the direct beam along an axis, in detector px.

    That of a disk is half its radius, ``alpha / lambda`` over the pixel.

    Examples
    --------
    >>> round(spot_sigma(Setup(probe_nm=1.0, pixel=0.01)), 2)
    2.57
    """
    if setup.spot_px is not None:
        return setup.spot_px
    angle = 1e-3 * convergence_for(10 * setup.probe_nm, setup.voltage_kV)
    return max(angle / wavelength(setup.voltage_kV) / setup.pixel / 2, LEAST_SPOT)


def spec_of(sample: Sample, setup: Setup, **keys: Any) -> GlassSpec:
    """Return the phantom that stands for a sample: precipitates of one size, the foil as thick as it is.

    Parameters
    ----------
    sample : Sample
    setup : Setup
    **keys
        Further keys of ``demo:glass``: ``scan``, ``dose``, ``precipitates``, ``seed``, ``thickness``.
    """
    return GlassSpec(
        detector=setup.detector,
        diameter=sample.diameter_nm / setup.step_nm,
        spread=0.0,
        foil=sample.foil_nm / sample.diameter_nm,
        scattered=sample.scattered,
        diffuse=sample.diffuse,
        halo=sample.halo,
        sampling=setup.pixel,
        blur=setup.probe_nm / setup.step_nm / FWHM_PER_SIGMA,
        spot=spot_sigma(setup),
        spots=setup.spots,
        gain=setup.gain,
        step=setup.step_nm,
        **keys,
    )


@dataclass(frozen=True, eq=False)
class Lattice:
    """One structure as it scatters: its reflections, and the orientations that it takes.

    Parameters
    ----------
    crystal : Crystal
    reflections : Reflections
    zone : bool
        Whether crystals stand on low-index axes.
    thickness : float
        Along the beam, in angstrom.
    voltage_kV : float
    """

    crystal: Crystal
    reflections: Reflections
    zone: bool
    thickness: float
    voltage_kV: float  # noqa: N815

    def orientation(self, random: np.random.Generator) -> Float:
        """Return an orientation, shape (3, 3), as `unmixel.physics.kinematic.spot_pattern` takes it."""
        from scipy.spatial.transform import Rotation

        if not self.zone:
            return np.asarray(Rotation.random(random_state=random).as_matrix())
        rows = self.frames[int(random.integers(len(self.frames)))]
        turn = random.uniform(0, 2 * np.pi)
        spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        return np.concatenate([spin @ rows[:2], rows[2:]])

    def spots(self, orientation: Float) -> tuple[Float, Float]:
        """Return places (v, u) in 1/angstrom and kinematic strengths of the spots, shapes (n, 2) and (n,)."""
        places, strength, _ = excited(
            self.reflections, orientation, voltage_kV=self.voltage_kV, thickness=self.thickness
        )
        kept = strength > LEAST * self.reflections.intensity.max(initial=0.0)
        return np.stack([-places[kept, 1], places[kept, 0]], axis=1), strength[kept]

    @cached_property
    def frames(self) -> list[Float]:
        """Frames of the low-index axes, one of each set that symmetry makes equal."""
        return [frame(self.crystal, axis) for axis in self.crystal.zone_axes(1)]

    @cached_property
    def mean_strength(self) -> float:
        """Mean over orientations of the sum of all strengths: what scatters as much as the glass does."""
        random = np.random.default_rng(0)
        return float(np.mean([self.spots(self.orientation(random))[1].sum() for _ in range(ORIENTATIONS)]))


def lattices(sample: Sample, setup: Setup) -> list[Lattice]:
    """Return the structures of a sample, reaching to the corners of the detector.

    Raises
    ------
    InputError
        When a structure is neither a file nor a built-in cell.
    """
    reach = setup.pixel * math.hypot(*setup.detector) / 2
    return [
        Lattice(
            crystal,
            crystal.reflections(reach),
            sample.orientations == "zone",
            10 * sample.diameter_nm,
            setup.voltage_kV,
        )
        for crystal in structures(sample.structures)
    ]


def crystal_patterns(
    spec: GlassSpec, of: list[Lattice], n: int, random: np.random.Generator
) -> tuple[Float, Float]:
    """Return patterns of `n` crystals, structures dealt in turn, and how much each scatters.

    On a zone axis every crystal scatters as much as glass of its thickness would, as in ``demo:glass``. At random, the
    mean over all orientations does: a crystal far from an axis has weak spots, and its missing electrons stay in the
    direct beam.

    Returns
    -------
    patterns : ndarray, shape (n, *detector)
        Each of sum 1.
    yields : ndarray, shape (n,)
        Electrons in it over those of glass as thick; 0 for a crystal without any (its pattern is diffuse).
    """
    diffuse = smooth_patterns(spec)[-1]
    area = np.pi * spec.spot**2 * (2 if spec.spots == "gaussian" else 4)
    patterns, yields = np.tile(diffuse, (n, 1, 1)), np.zeros(n)
    for index in range(n):
        lattice = of[index % len(of)]
        g, strength = lattice.spots(lattice.orientation(random))
        image = spots_image(spec, g, strength) / area
        whole = image.sum() if lattice.zone else lattice.mean_strength
        image = (1 - spec.diffuse) * image / whole if whole > 0 else image
        image += spec.diffuse * diffuse
        yields[index] = image.sum()
        if yields[index] > 0:
            patterns[index] = image / yields[index]
    return patterns, yields


def scene(sample: Sample, setup: Setup, **keys: Any) -> Truth:
    """Return the truth of a phantom whose crystals are of the sample's structures.

    Parameters
    ----------
    sample : Sample
    setup : Setup
    **keys
        As for `spec_of`.
    """
    spec = spec_of(sample, setup, **keys)
    truth = glass_truth(spec)
    chosen = truth.crystals
    of = lattices(sample, setup)
    random = np.random.default_rng([spec.seed, 6])
    drawn, yields = crystal_patterns(spec, of, len(chosen), random)
    maps, patterns = truth.maps.copy(), truth.patterns.copy()
    maps[chosen] *= yields[:, None, None]
    patterns[chosen] = drawn
    phases = list(truth.phases)
    for place, index in enumerate(chosen):
        phases[index] = of[place % len(of)].crystal.name
    blank: NDArray[np.float64] = np.where(np.isin(np.arange(len(maps)), chosen), np.nan, truth.rotation_deg)
    return replace(
        truth, maps=maps, patterns=patterns, phases=tuple(phases), rotation_deg=blank, symmetry_deg=blank
    )
