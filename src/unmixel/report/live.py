"""One picture of a scan that is still being acquired: virtual images above, components as they stand below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.results import Factors
from unmixel.report.canvas import FAINT, sheet, write
from unmixel.report.panels import Panel
from unmixel.report.scales import Scale, spread_scale
from unmixel.report.views import MAP_COLOURS, RATIO_COLOURS, flat, map_panel, pattern_panel
from unmixel.report.words import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMN, _PANEL, _TALLEST, _SHOWN = 2.06, 1.98, 1.7, 6
_TITLES = {
    "bright_field": "Bright field",
    "annular_dark_field": "Annular dark field",
    "com_v": "Centre of mass, v (down)",
    "com_u": "Centre of mass, u (right)",
}


def figure_live(images: Mapping[str, NDArray[Any]], factors: Factors, *, n_frames: int) -> Figure:
    """Return images and up to six components of a scan as it stands; grey is what has not come.

    Parameters
    ----------
    images : mapping of str to ndarray, shape scan_shape
        Virtual images, NaN where no frame has come; ``com_v`` and ``com_u`` in px, the others in counts.
    factors : Factors
        Maps are not looked at where the images are NaN.
    n_frames : int
        Frames that have come.
    """
    first = next(iter(images.values()))
    missing = ~np.isfinite(first)
    shown = min(_SHOWN, factors.n_components)
    tops = [_image_panel(name, image, factors) for name, image in images.items()]
    patterns = [
        pattern_panel(factors.patterns[k], factors, used=factors.used_pixels, fill=factors.fill)
        for k in range(shown)
    ]
    maps = [map_panel(np.where(missing, np.nan, factors.maps[k]), factors.scan_axes) for k in range(shown)]
    rows = [max(panel.height(_PANEL, tallest=_TALLEST) for panel in row) for row in (tops, patterns, maps)]
    figure = sheet(0.3 + max(len(tops), shown, 4) * _COLUMN, 1.0 + sum(rows) + 0.35)
    share = percent(1 - missing.mean())
    write(figure, 0.15, 0.1, "While the scan is acquired", fontsize=13, fontweight="bold")
    count = f"the {shown} strongest of {factors.n_components}" if factors.n_components > shown else f"{shown}"
    told = f"{n_frames} of {missing.size} frames ({share}) · components: {count} · grey: not acquired yet"
    write(figure, 0.15, 0.4, told, color=FAINT, fontsize=8.5)
    top = 0.7
    for place, panel in enumerate(tops):
        panel.draw(figure, 0.15 + place * _COLUMN, top, _PANEL, tallest=_TALLEST)
    top += rows[0] + 0.15
    for place in range(shown):
        left = 0.15 + place * _COLUMN
        write(
            figure, left, top, f"Component {place} · {percent(factors.strengths[place])}", fontweight="bold"
        )
        patterns[place].draw(figure, left, top + 0.22, _PANEL, tallest=_TALLEST)
        maps[place].draw(figure, left, top + 0.27 + rows[1], _PANEL, tallest=_TALLEST)
    return figure


def _image_panel(name: str, values: NDArray[Any], factors: Factors) -> Panel:
    values, axes, _ = flat(values, factors.scan_axes)
    title = _TITLES.get(name, name)
    if name.startswith("com_"):
        finite = np.abs(values[np.isfinite(values)])
        most = float(np.percentile(finite, 99.5)) if finite.size else 0.0
        scale = Scale("linear", -(most or 1.0), most or 1.0)
        return Panel(values, axes, "px from the mean", scale=scale, colours=RATIO_COLOURS, title=title)
    return Panel(values, axes, "counts", scale=spread_scale(values), colours=MAP_COLOURS, title=title)
