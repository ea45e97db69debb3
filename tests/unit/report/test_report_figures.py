"""Figures are legible: no word is cut off, none lies on another, every picture has its scale."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from itertools import combinations

import numpy as np
import pytest
from fake_result import make_result
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from unmixel.dataset.axes import Axis
from unmixel.report import figures
from unmixel.report.canvas import png, sheet
from unmixel.report.components import figure_panel
from unmixel.report.panels import Panel
from unmixel.report.particles import figure_size_histogram
from unmixel.report.views import flat, kept_panel

SMALL = {"scan": (13, 29), "detector": (31, 26)}
KINDS = {
    "patterns": {"k": 4, **SMALL},
    "spectra": {"k": 2, "scan": (24, 22), "detector": (138,), "pattern_unit": (0.5, "eV")},
    "line": {"k": 2, "scan": (40,), "detector": (31, 26), "fill": "zero"},
    "strip": {"k": 2, "scan": (3, 90), "scan_unit": "px", "pattern_unit": (1.0, "px")},
    "one": {"k": 1, "scan": (9, 8), "detector": (9, 8)},
    "alone": {"k": 2, "with_groups": False, **SMALL},
}
DRAW = [getattr(figures, name) for name in figures.__all__]


def written(figure):
    """Return every piece of text that is really drawn, with its rectangle on the sheet."""
    drawn, draw = [], Text.draw

    def note(text, renderer):
        drawn.append(text)
        draw(text, renderer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", note)
        figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    shown = [text for text in drawn if text.get_visible() and text.get_text().strip()]
    return [(text.get_text(), text.get_window_extent(renderer)) for text in shown]


def overlapping(pieces):
    return [
        (one, other)
        for (one, a), (other, b) in combinations(pieces, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1
    ]


@pytest.fixture(scope="module", params=list(KINDS))
def result(request):
    return make_result(**KINDS[request.param])


@pytest.mark.parametrize("draw", DRAW, ids=lambda draw: draw.__name__)
def test_no_word_is_cut_off_or_lies_on_another(draw, result):
    figure = draw(result)
    assert isinstance(figure, Figure)
    width, height = figure.get_size_inches() * figure.dpi
    pieces = written(figure)
    outside = [t for t, b in pieces if b.x0 < -1 or b.y0 < -1 or b.x1 > width + 1 or b.y1 > height + 1]
    assert outside == []
    assert overlapping(pieces) == []


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ((), "no values kept"),
        ((5.0,), "needs two sweeps"),
        ((5.0, 5.0, 5.0), "needs two sweeps"),
        ((3.0, -1.0), ""),
    ],
)
def test_short_and_odd_objectives_are_drawn(objective, words):
    base = make_result(k=1, scan=(9, 8), detector=(9, 8), with_groups=False)
    ended = replace(base.factors.convergence, objective=objective)
    figure = figures.figure_convergence(replace(base, factors=replace(base.factors, convergence=ended)))
    assert words in " ".join(text for text, _ in written(figure))


def test_the_objective_of_a_short_fall_is_labelled_with_enough_digits():
    base = make_result(k=1, scan=(9, 8), detector=(9, 8), with_groups=False)
    ended = replace(base.factors.convergence, objective=(1.7535e8, 1.75345e8, 1.75344e8))
    figure = figures.figure_convergence(replace(base, factors=replace(base.factors, convergence=ended)))
    labels = [text for text, _ in written(figure)]
    assert len(labels) > 8
    assert sum(text.startswith("1.753") for text in labels) >= 3
    assert any(text.startswith("10⁸ objective") for text in labels)


def test_pyplot_and_a_display_are_never_needed():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from fake_result import make_result\n"
        "import unmixel.report.page, unmixel.report.figures\n"
        "assert 'matplotlib' not in sys.modules\n"
        "unmixel.report.figures.figure_residual(make_result(k=1, scan=(9, 8), detector=(9, 8)))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    folder = __file__.rsplit("/", 1)[0]
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("shape", "steps", "ratio"),
    [((20, 10), (1.0, 1.0), 2.0), ((20, 10), (0.5, 2.0), 0.5), ((10, 30), (3.0, 1.0), 1.0)],
)
def test_pictures_keep_their_physical_aspect(shape, steps, ratio):
    axes = tuple(Axis(n, s, scale=d, unit="nm") for n, s, d in zip("yx", shape, steps, strict=True))
    figure = figure_panel(Panel(np.random.default_rng(0).random(shape), axes, "counts"))
    box = figure.axes[0].get_window_extent()
    assert box.height / box.width == pytest.approx(ratio, rel=1e-3)


def test_the_scale_bar_is_as_long_as_it_says():
    axes = (Axis("y", 50, scale=0.7, unit="nm"), Axis("x", 80, scale=0.7, unit="nm"))
    figure = figure_panel(Panel(np.ones((50, 80)), axes, "counts"))
    (line,) = figure.artists
    (text,) = [t for t, _ in written(figure) if t.endswith(" nm")]
    width = figure.get_size_inches()[0] * figure.dpi
    drawn = (line.get_xdata()[1] - line.get_xdata()[0]) * width
    picture = figure.axes[0].get_window_extent().width
    assert drawn / picture * 80 * 0.7 == pytest.approx(float(text.split()[0]), rel=1e-6)


def test_every_picture_says_unit_scale_and_mask():
    result = make_result(k=2, fill="zero", **SMALL)
    words = " | ".join(text for text, _ in written(figures.figure_components(result)))
    for piece in ("Å⁻¹", " nm", "√ scale", "counts", "share per pixel", "grey: masked", "% of counts"):
        assert piece in words


def test_masked_pixels_are_grey_only_where_the_fit_left_zeros():
    for fill, expected in (("zero", True), ("model", False)):
        result = make_result(k=1, fill=fill, **SMALL)
        image = figures.figure_components(result).axes[0].images[0]
        hidden = np.ma.getmaskarray(image.get_array())
        assert np.array_equal(hidden, ~result.factors.used_pixels) == expected


def test_a_palette_changes_no_pixel_of_a_picture():
    figure = figure_panel(
        Panel(np.random.default_rng(1).random((40, 50)), (Axis("y", 40), Axis("x", 50)), "counts")
    )
    image = Image.open(BytesIO(png(figure, dpi=100)))
    assert image.mode == "P"
    full = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
    box = figure.axes[0].get_window_extent()
    inside = (
        slice(int(full.shape[0] - box.y1) + 2, int(full.shape[0] - box.y0) - 2),
        slice(int(box.x0) + 2, int(box.x1) - 2),
    )
    kept = np.asarray(image.convert("RGB")).astype(int)
    assert np.array_equal(kept[inside], full[inside])
    assert np.abs(kept - full).max() < 60


def test_an_empty_sheet_is_a_png():
    assert png(sheet(1.0, 0.5), dpi=50)[:4] == b"\x89PNG"


def test_scans_of_three_axes_are_shown_by_their_mean():
    values = np.arange(24.0).reshape(2, 3, 4)
    axes = tuple(Axis(f"s{i}", n) for i, n in enumerate(values.shape))
    shown, kept, words = flat(values, axes)
    assert np.array_equal(shown, values.mean(0))
    assert (len(kept), words) == (2, "mean over s0")
    result = make_result(k=1, scan=(2, 5, 4), detector=(9, 8), with_groups=False)
    assert "mean over s0" in " ".join(text for text, _ in written(figures.figure_components(result)))


def test_a_single_pattern_has_maps_of_one_number():
    panel = Panel(np.array(7.5), (), "counts")
    assert any("7.5 counts" in text for text, _ in written(figure_panel(panel)))


def test_kept_images_are_told_apart_by_name_where_shapes_agree():
    factors = make_result(k=1, scan=(12, 12), detector=(12, 12), with_groups=False).factors
    assert kept_panel("mean_pattern", np.ones((12, 12)), factors).axes[0].unit == "1/angstrom"
    assert kept_panel("mean_map", np.ones((12, 12)), factors).axes[0].unit == "nm"
    assert kept_panel("beam", np.ones((5, 5)), factors).axes[0].unit == "1/angstrom"
    assert kept_panel("raw_pattern", np.ones((40, 40)), factors).axes[0].unit == "px"


def test_the_histogram_counts_every_whole_particle():
    result = make_result(k=12, scan=(64, 72), detector=(31, 26))
    axes = figure_size_histogram(result).axes[0]
    bars = [patch for container in axes.containers for patch in container.patches]
    assert sum(patch.get_height() for patch in bars) == result.particles.diameters.size
