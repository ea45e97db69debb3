"""What a phantom really holds: the truth that results are judged against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import EMPTY

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Truth:
    """Every component of a phantom: noise-free data are ``sum_k maps[k] (x) patterns[k]``.

    Parameters
    ----------
    maps : ndarray of float, shape (k, *scan_shape), >= 0
        Electrons (counts) per position that component k scatters into its pattern, blurred by the probe.
    patterns : ndarray of float, shape (k, *pattern_shape), >= 0
        Each sums to 1 over the detector.
    kinds : tuple of str, length k
        ``"beam"``, ``"matrix"`` or ``"crystal"``; ``"component"`` where the phantom has no such meaning.
    phases : tuple of str, length k
        Crystal phase and zone axis; ``""`` for beam and matrix.
    rotation_deg : ndarray of float, shape (k,)
        In-plane rotation, counter-clockwise as displayed (v down, u right); NaN where it has none.
    symmetry_deg : ndarray of float, shape (k,)
        Smallest rotation that leaves the pattern as it is; NaN where it has none.
    diameters : ndarray of float, shape (k,)
        Diameter of each precipitate before blurring, in the unit of the scan axes; NaN for others.
    centers : ndarray of float, shape (k, 2)
        (y, x) of each precipitate in the unit of the scan axes; NaN for others.
    on_border : ndarray of bool, shape (k,)
        Whether the edge of the scan cuts the precipitate.
    scan_axes, pattern_axes : tuple of Axis
    beam_center : tuple of float
        (v, u) of the direct beam in px without descan; () where there is none.
    beam_radius : float
        Radius in px that holds the direct beam; 0 where there is none. The yardstick masks it.
    probe_sigma : float
        Standard deviation of the probe in scan px.
    spot_sigma : float
        Standard deviation of a spot along an axis in detector px.
    spot_shape : str
        ``"gaussian"`` or ``"disk"`` (radius ``2 spot_sigma``); ``""`` where there are no spots.
    thickness : ndarray of float, shape scan_shape
        Relative specimen thickness, mean 1.
    descan : ndarray of float, shape (*scan_shape, 2)
        Shift (v, u) in px of the pattern at each position; the factors describe the data before this shift.
    settings : mapping
        Every key of the phantom's address, JSON-safe.

    Raises
    ------
    InputError
        When shapes do not fit.
    """

    maps: Array
    patterns: Array
    kinds: tuple[str, ...]
    phases: tuple[str, ...]
    rotation_deg: Array
    symmetry_deg: Array
    diameters: Array
    centers: Array
    on_border: Array
    scan_axes: tuple[Axis, ...]
    pattern_axes: tuple[Axis, ...]
    beam_center: tuple[float, ...]
    beam_radius: float
    probe_sigma: float
    spot_sigma: float
    spot_shape: str
    thickness: Array
    descan: Array
    settings: Mapping[str, Any] = field(default_factory=lambda: EMPTY)

    def __post_init__(self) -> None:
        k = len(self.maps)
        scan = tuple(axis.size for axis in self.scan_axes)
        pattern = tuple(axis.size for axis in self.pattern_axes)
        wanted = {
            "maps": (k, *scan), "patterns": (k, *pattern), "rotation_deg": (k,), "symmetry_deg": (k,),
            "diameters": (k,), "centers": (k, 2), "on_border": (k,), "thickness": scan, "descan": (*scan, 2),
        }  # fmt: skip
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise InputError(
                    f"truth.{name}", expected=f"shape {shape}", got=f"{getattr(self, name).shape}"
                )
        if len(self.kinds) != k or len(self.phases) != k:
            raise InputError("truth.kinds, truth.phases", expected=f"{k} words", got=f"{len(self.kinds)}")

    @property
    def n_components(self) -> int:
        """Number of components, beam and matrix included."""
        return len(self.maps)

    @property
    def crystals(self) -> NDArray[np.intp]:
        """Indices of the precipitates (of all components where the phantom has no precipitates)."""
        wanted = "crystal" if "crystal" in self.kinds else "component"
        return np.array([i for i, kind in enumerate(self.kinds) if kind == wanted], np.intp)

    @property
    def beam_pixels(self) -> NDArray[np.bool_]:
        """Detector pixels within `beam_radius` of the direct beam, shape pattern_shape."""
        shape = tuple(axis.size for axis in self.pattern_axes)
        if len(self.beam_center) != 2 or self.beam_radius <= 0:
            return np.zeros(shape, bool)
        v, u = (np.arange(n) - c for n, c in zip(shape, self.beam_center, strict=True))
        return np.asarray(np.hypot(v[:, None], u[None, :]) < self.beam_radius)

    @property
    def expected(self) -> NDArray[np.float64]:
        """Noise-free data without descan, unfolded: shape (n_positions, n_pixels). Large for large phantoms."""
        k = self.n_components
        return np.asarray(self.maps.reshape(k, -1).T @ self.patterns.reshape(k, -1), np.float64)

    def arrays(self) -> dict[str, Array]:
        """Return everything as plain arrays by name, ready for ``numpy.savez``."""
        names = (
            "maps", "patterns", "rotation_deg", "symmetry_deg", "diameters", "centers", "on_border",
            "thickness", "descan",
        )  # fmt: skip
        plain: dict[str, Array] = {name: np.asarray(getattr(self, name)) for name in names}
        plain |= {
            "kinds": np.array(self.kinds),
            "phases": np.array(self.phases),
            "beam_center": np.array(self.beam_center, np.float64),
            "beam_radius": np.array(self.beam_radius),
            "probe_sigma": np.array(self.probe_sigma),
            "spot_sigma": np.array(self.spot_sigma),
            "spot_shape": np.array(self.spot_shape),
        }
        return plain
