"""Regions of a map: where it rises above its background, each cut at half of its own height."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.interpret.blur import CORE

Float = NDArray[np.floating[Any]]
Bool = NDArray[np.bool_]

SIGMAS = 4.0  # a region stands out of the background's noise by this much
BIMODAL = 0.7  # Otsu's separability from which a map counts as two classes; one Gaussian has 0.64
SPLIT = 0.3  # a dip deeper than this share of the map's height splits a region
FOOT = 0.1  # lowest level a region may reach, as a share of the map's height


@dataclass(frozen=True, eq=False)
class Region:
    """One region of a map.

    Parameters
    ----------
    mask : ndarray of bool, shape (y, x)
    height : float
        Plateau above the background, in the map's unit.
    """

    mask: Bool
    height: float


@dataclass(frozen=True)
class Background:
    """What a map is where nothing is: its level and noise.

    Parameters
    ----------
    level, noise : float
        Median and robust standard deviation of the background.
    height : float
        Highest value above the level that four neighbouring pixels reach.
    """

    level: float
    noise: float
    height: float


def background(image: Float) -> Background:
    """Return level and noise of a map's background.

    Where Otsu's threshold separates two classes (it explains 70 % of the variance), the lower one is the
    background, so that a map that is mostly particle is read rightly; otherwise the whole map is. The noise
    comes from the half below the level, which no particle reaches.

    Parameters
    ----------
    image : ndarray, shape (y, x)
    """
    from scipy.ndimage import rank_filter
    from skimage.filters import threshold_otsu

    values = image.ravel().astype(np.float64)
    total = float(values.var())
    if total > 0:
        threshold = threshold_otsu(image)
        low = values[values <= threshold]
        share = len(low) / len(values)
        between = (
            share * (1 - share) * (low.mean() - values[values > threshold].mean()) ** 2 if share < 1 else 0
        )
        if between >= BIMODAL * total:
            values = low
    level = float(np.median(values))
    below = level - values[values <= level]
    noise = 1.4826 * float(np.median(below)) if below.size else 0.0
    # the fourth highest of nine neighbours: fewer pixels than that are no region
    top = float(rank_filter(image, rank=-4, size=3, mode="nearest").max())
    return Background(level, noise, max(top - level, 0.0))


def find_regions(
    image: Float, *, least_contrast: float, least_pixels: float, lost: float = 0.0
) -> tuple[Region, ...]:
    """Return the regions of a map, the highest first.

    A region starts where the map exceeds its background by 4 times the noise and by `least_contrast` of its
    height. Regions that a dip of more than 30 % of the map's height parts are told apart (watershed). Each is
    then cut at half of its own plateau (the median of what exceeds 0.7 of its peak), so that a faint particle
    is measured like a strong one; holes are filled.

    Parameters
    ----------
    image : ndarray, shape (y, x)
    least_contrast : float
        In (0, 1).
    least_pixels : float
        Smallest area, in pixels.
    lost : float
        What was taken off every value that is not 0 (`shrinkage`): plateau and half of it are those of the map with
        it put back.
    """
    ground = background(image)
    if ground.height <= 0:
        return ()
    above = image.astype(np.float64) - ground.level
    seed = max(SIGMAS * ground.noise, least_contrast * ground.height)
    foot = max(0.5 * SIGMAS * ground.noise, FOOT * ground.height)
    basins = _basins(above, seed, foot, max(SIGMAS * ground.noise, SPLIT * ground.height))
    found = [_cut(above, basins == number, lost) for number in range(1, int(basins.max(initial=0)) + 1)]
    kept = [region for region in found if region.height >= seed and region.mask.sum() >= least_pixels]
    return tuple(sorted(kept, key=lambda region: -region.height))


def _basins(above: Float, seed: float, foot: float, dip: float) -> NDArray[np.int64]:
    """Return one label per separate maximum, spreading down to the foot."""
    from scipy.ndimage import label
    from skimage.morphology import local_maxima, reconstruction
    from skimage.segmentation import watershed

    whole = above > foot
    flooded = reconstruction(above - dip, above, method="dilation")
    # on a flat top every pixel is a maximum: joined neighbours make one marker
    peaks, _ = label(local_maxima(flooded, allow_borders=True) & (above > seed), np.ones((3, 3)))
    basins = np.asarray(watershed(-above, peaks, mask=whole), np.int64)
    # maxima shallower than the dip that stand alone
    alone, n_alone = label(whole & (basins == 0), np.ones((3, 3)))
    for number in range(1, n_alone + 1):
        if above[alone == number].max() > seed:
            basins[alone == number] = basins.max() + 1
    return basins


def _cut(above: Float, basin: Bool, lost: float) -> Region:
    from scipy.ndimage import binary_fill_holes, label

    values = np.where(basin, above + lost, -np.inf)
    peak = float(values.max())
    plateau = float(np.median(values[values >= CORE * peak]))
    # what lies at the background has nothing put back
    parts, _ = label((values >= plateau / 2) & (above > 0), np.ones((3, 3)))
    mask = parts == parts[np.unravel_index(int(values.argmax()), values.shape)]
    return Region(np.asarray(binary_fill_holes(mask), bool), plateau - lost)
