"""Maps of orientations show the colours of their key, grey where nothing is known, and words that can be read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from test_report_figures import overlapping, written

from unmixel.core.errors import InputError
from unmixel.dataset.orientations import PhaseCell
from unmixel.interpret.grains import grain_boundaries
from unmixel.report.canvas import MASKED, png
from unmixel.report.orientations import SampleDirection, X, Y, Z, figure_orientations, orientation_colours
from unmixel.testing.crystals import bicrystal

CELLS = {
    "-1": ("P -1", (3.0, 4.0, 5.0), (80.0, 95.0, 110.0)),
    "2/m": ("P 1 21/c 1", (5.1, 5.2, 5.3), (90.0, 99.0, 90.0)),
    "mmm": ("P n m a", (5.4, 7.6, 5.3), (90.0, 90.0, 90.0)),
    "4/m": ("I 41/a", (5.2, 5.2, 11.4), (90.0, 90.0, 90.0)),
    "4/mmm": ("I 4/m m m", (3.22, 3.22, 11.18), (90.0, 90.0, 90.0)),
    "-3": ("R -3", (5.5, 5.5, 14.0), (90.0, 90.0, 120.0)),
    "-3m": ("R -3 m", (4.5, 4.5, 11.8), (90.0, 90.0, 120.0)),
    "6/m": ("P 63/m", (9.4, 9.4, 6.9), (90.0, 90.0, 120.0)),
    "6/mmm": ("P 63/m m c", (3.232, 3.232, 5.147), (90.0, 90.0, 120.0)),
    "m-3": ("P a -3", (5.4, 5.4, 5.4), (90.0, 90.0, 90.0)),
    "m-3m": ("F m -3 m", (3.6, 3.6, 3.6), (90.0, 90.0, 90.0)),
}  # fmt: skip


def of_class(laue: str):
    group, lengths, angles = CELLS[laue]
    return replace(bicrystal(20.0), phases=(PhaseCell("phase", lengths, angles, group, laue),))


def with_hole():
    plain = bicrystal(45.0, 8)
    phase = plain.phase.copy()
    phase[2:4, 2:4] = -1
    return replace(
        plain, phase=phase, matrices=np.where((phase < 0)[..., None, None], np.nan, plain.matrices)
    )


@pytest.mark.parametrize("laue", list(CELLS))
def test_no_word_is_cut_off_or_lies_on_another(laue: str) -> None:
    figure = figure_orientations(of_class(laue), directions=(X, Z))
    width, height = figure.get_size_inches() * figure.dpi
    pieces = written(figure)
    outside = [t for t, b in pieces if b.x0 < -1 or b.y0 < -1 or b.x1 > width + 1 or b.y1 > height + 1]
    assert outside == []
    assert overlapping(pieces) == []
    assert {"IPF-X (to the right)", "IPF-Z (along the beam)", f"phase: {laue}", "2 nm"} <= {
        t for t, _ in pieces
    }


def test_the_map_has_the_colours_of_its_key_and_grey_where_nothing_is_known() -> None:
    given = with_hole()
    figure = figure_orientations(given, directions=(X,))
    shown = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(shown[2:4, 2:4], np.broadcast_to(to_rgb(MASKED), (2, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(shown[0, 0], [1, 0, 0], atol=1e-6)  # [100] to the right
    np.testing.assert_allclose(shown[0, -1], [0, 1, 0], atol=1e-6)  # [110] after 45 degrees
    assert "grey: no orientation" in {text for text, _ in written(figure)}
    assert np.isnan(orientation_colours(given, X)[2, 2]).all()


def test_right_and_up_are_told_apart_and_opposites_are_not() -> None:
    given = bicrystal(30.0)
    right, up, left = (
        orientation_colours(given, SampleDirection("d", vector))
        for vector in ((1, 0, 0), (0, 1, 0), (-1, 0, 0))
    )
    np.testing.assert_allclose(right, left, atol=1e-9)
    np.testing.assert_allclose(orientation_colours(given, Y), up)
    np.testing.assert_allclose(orientation_colours(given, Z)[..., 0], 1)


def test_boundaries_are_drawn_where_grains_end() -> None:
    given = bicrystal(20.0, 6)
    figure = figure_orientations(given, grains=grain_boundaries(given))
    lines = figure.axes[0].collections
    assert [len(some.get_segments()) for some in lines] == [6, 0]
    assert all(x == 2.5 for segment in lines[0].get_segments() for x, _ in segment)


def test_it_is_a_png_with_all_colours() -> None:
    assert png(figure_orientations(bicrystal(20.0))).startswith(b"\x89PNG")


def test_a_map_without_any_orientation_is_grey() -> None:
    plain = bicrystal(0.0, 4)
    nothing = replace(plain, phase=np.full((4, 4), -1), matrices=np.full((4, 4, 3, 3), np.nan))
    assert len(figure_orientations(nothing).axes) == 1


def test_what_is_no_map_is_refused() -> None:
    plain = bicrystal(0.0, 4)
    with pytest.raises(InputError, match="two axes"):
        figure_orientations(replace(plain, axes=plain.axes[:1]))
    with pytest.raises(InputError, match="0 directions"):
        figure_orientations(plain, directions=())
