"""Planted beams: the truth of the tests of preparation."""

from __future__ import annotations

import numpy as np
import pytest


def planted_disk(shape, center, radius):
    """A disk whose edge pixels count by their covered part (6 x 6 samples a pixel)."""
    offsets = (np.arange(6) + 0.5) / 6 - 0.5
    v = np.arange(shape[0])[:, None] + offsets - center[0]
    u = np.arange(shape[1])[:, None] + offsets - center[1]
    inside = v[:, :, None, None] ** 2 + u[None, None] ** 2 <= radius**2
    return inside.mean(axis=(1, 3))


def planted_gaussian(shape, center, sigma):
    v, u = np.indices(shape)
    return np.exp(-((v - center[0]) ** 2 + (u - center[1]) ** 2) / (2 * sigma**2))


@pytest.fixture
def disk():
    return planted_disk


@pytest.fixture
def gaussian():
    return planted_gaussian
