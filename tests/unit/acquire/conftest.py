"""What tests of an acquisition share."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def counts() -> np.ndarray:
    """Frames of a scan of 6 x 7, not square: a disk and a ring, counted."""
    rng = np.random.default_rng(3)
    v, u = np.meshgrid(np.arange(20) - 9.5, np.arange(24) - 11.5, indexing="ij")
    radius = np.hypot(v, u)
    disk, ring = 40.0 * (radius < 3), 6.0 * (np.abs(radius - 7) < 1.5)
    share = np.linspace(0, 1, 42)[:, None, None]
    return rng.poisson(disk + ring * share + 0.5).astype(np.uint16)
