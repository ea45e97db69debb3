"""From older layouts of the bundle to the present one: one small function a version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from unmixel.dataset.distortion import NO_DISTORTION
from unmixel.io.nexus import put


def _from_1(file: Any) -> None:
    """Phases got a distortion, particles fitted diameters, aspect ratios and a volume fraction; there was no seal."""
    phases, particles = (file["entry"].get(name) for name in ("phases", "particles"))
    if phases is not None:
        put(phases, "distortion", NO_DISTORTION.coefficients)
    if particles is None:
        return
    unknown = np.full(particles["table/id"].shape, np.nan)
    for name in ("fit_diameter", "aspect_ratio"):
        if name not in particles["table"]:  # files of the first months lack them
            put(particles["table"], name, unknown)
    particles.attrs.setdefault("volume_fraction", np.nan)


UPGRADES: Mapping[int, Callable[[Any], None]] = {1: _from_1}
"""Version of a layout -> what makes it the next one, on an HDF5 file held in memory."""

SCHEMA = len(UPGRADES) + 1
"""Version of the layout that is written; all older ones are read."""


def upgrade(file: Any, schema: int) -> None:
    """Bring an HDF5 file in memory from an older layout to the present one, step by step.

    Parameters
    ----------
    file : h5py.File
        Open for writing; the file on disk is never touched.
    schema : int
        The version that it has.
    """
    for version in range(schema, SCHEMA):
        UPGRADES[version](file)
