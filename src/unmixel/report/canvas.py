"""Sheets to draw on: matplotlib figures measured in inches, without pyplot and without a display."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1f2933"
FAINT = "#6b7680"
RULE = "#c5ccd3"
MASKED = "#9aa2aa"
TEXT_PT = 8.0
_MOST_SHADES = 210  # of 256, so that enough colours are left for smooth letters

# Okabe and Ito's colours, told apart with every common colour vision; yellow is left out: too pale for lines.
_GROUP_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#555555")


def group_colour(group: int) -> str:
    """Return the colour of a group; colours repeat after seven, so the number stands beside it always."""
    return _GROUP_COLOURS[group % len(_GROUP_COLOURS)]


def sheet(width: float, height: float) -> Figure:
    """Return an empty white figure of `width` x `height` inches with an Agg canvas.

    Examples
    --------
    >>> sheet(3.0, 2.0).get_size_inches().tolist()
    [3.0, 2.0]
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def box(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes that fill a rectangle given in inches from the sheet's upper left corner."""
    sheet_width, sheet_height = figure.get_size_inches()
    rectangle = (
        left / sheet_width,
        1 - (top + height) / sheet_height,
        width / sheet_width,
        height / sheet_height,
    )
    axes = figure.add_axes(rectangle)
    axes.tick_params(labelsize=TEXT_PT - 0.5, colors=INK, length=2.5, width=0.6, pad=2)
    for spine in axes.spines.values():
        spine.set(color=RULE, linewidth=0.8)
    return axes


def write(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    """Write plain text, never parsed as mathematics, at a place in inches from the upper left corner."""
    sheet_width, sheet_height = figure.get_size_inches()
    settings = {"fontsize": TEXT_PT, "color": INK, "va": "top", "ha": "left", **style}
    figure.text(left / sheet_width, 1 - top / sheet_height, text, parse_math=False, **settings)


def label_axes(axes: Axes, x: str = "", y: str = "") -> None:
    """Name the two axes of a curve in plain text."""
    axes.set_xlabel(x, fontsize=TEXT_PT, color=INK, labelpad=2, parse_math=False)
    axes.set_ylabel(y, fontsize=TEXT_PT, color=INK, labelpad=3, parse_math=False)


def open_frame(axes: Axes) -> None:
    """Keep only the left and lower edge of a curve's frame, with a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=RULE, linewidth=0.5, alpha=0.6)
    axes.set_axisbelow(True)


def png(figure: Figure, *, dpi: int = 192) -> bytes:
    """Return a figure as PNG, with a palette of 256 colours where that keeps every shade of its pictures.

    The palette holds the shades of the colour maps in use and blends for the edges of letters. Such a file is
    a third of the size.

    Parameters
    ----------
    figure : Figure
    dpi : int
        Dots per inch; pages show an inch as 96 dots, so 192 stays sharp on dense screens and paper.
    """
    from PIL import Image

    figure.set_dpi(dpi)
    canvas: Any = figure.canvas
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    shades = _shades(figure)
    if len(shades) > _MOST_SHADES:
        image = Image.fromarray(np.ascontiguousarray(pixels))
    else:
        palette, indices = _palette(pixels, shades)
        image = Image.fromarray(indices, mode="P")
        image.putpalette(palette.tobytes())
    memory = BytesIO()
    image.save(memory, format="PNG", compress_level=7)
    return memory.getvalue()


def svg(figure: Figure) -> bytes:
    """Return a figure as SVG: pictures as pixels, letters as text, no date and no names of files in it."""
    from matplotlib import rc_context

    memory = BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "unmixel"}):
        figure.savefig(memory, format="svg", metadata={"Date": None, "Creator": None})
    return memory.getvalue()


def _shades(figure: Figure) -> NDArray[np.uint32]:
    """Return all colours that the colour maps of a figure's pictures can give, as 24-bit numbers."""
    maps = {image.cmap.name: image.cmap for axes in figure.axes for image in axes.images}
    colours = [cmap(np.arange(cmap.N), bytes=True)[:, :3] for cmap in maps.values()]
    return np.unique(_codes(np.concatenate(colours))) if colours else np.empty(0, np.uint32)


def _codes(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    return pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)


def _palette(
    pixels: NDArray[np.uint8], shades: NDArray[np.uint32]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return at most 256 colours, shape (n, 3), `shades` among them, and each pixel's nearest one."""
    codes = _codes(pixels)
    colours = np.unique(codes)
    inverse = np.searchsorted(colours, codes.ravel())  # three times as fast as unique's own inverse
    counts = np.bincount(inverse)
    # blends at the edges of letters need fewer levels: five bits a channel, white stays white
    blends = (colours & 0xF8F8F8) | (colours >> 5 & 0x070707)
    known = np.where(np.isin(colours, shades), colours, blends)
    palette, place = np.unique(known, return_inverse=True)
    order = np.lexsort((-np.bincount(place, weights=counts), ~np.isin(palette, shades)))
    channels = np.stack([palette >> 16, palette >> 8 & 255, palette & 255], axis=1).astype(np.int32)[order]
    kept = channels[:256]
    lookup = np.empty(palette.size, np.uint8)
    # |a - b|^2 less |a|^2, which is the same for all b
    lookup[order] = np.argmin((kept**2).sum(axis=1) - 2 * (channels @ kept.T), axis=1)
    return kept.astype(np.uint8), lookup[place[inverse]].reshape(codes.shape)
