"""Decompositions side by side: every picture on one scale, 0 white where a row has negative values, all legible."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from test_report_figures import overlapping, written

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.report.canvas import MASKED, png
from unmixel.report.side_by_side import figure_side_by_side, write_side_by_side

SHAPES = {
    "patterns": ((13, 29), (31, 26)),
    "tall": ((90, 3), (31, 26)),
    "strip": ((3, 90), (31, 26)),
    "spectra": ((24, 22), (138,)),
    "line": ((40,), (31, 26)),
    "line of spectra": ((40,), (138,)),
    "three scan axes": ((2, 9, 8), (9, 8)),
}
UNITS = {"y": (3.03, "nm"), "x": (3.03, "nm"), "v": (0.02, "1/angstrom"), "u": (0.02, "1/angstrom")}
UNITS |= {"energy": (0.5, "eV"), "s": (1.0, "px")}


def axes_of(scan, pattern):
    names = ("s", "y", "x")[-len(scan) :], ("v", "u") if len(pattern) == 2 else ("energy",)
    pairs = [zip(n, shape, strict=True) for n, shape in zip(names, (scan, pattern), strict=True)]
    scan_axes, pattern_axes = (
        tuple(Axis(name, size, scale=UNITS[name][0], unit=UNITS[name][1]) for name, size in pair)
        for pair in pairs
    )
    return {"scan_axes": scan_axes, "pattern_axes": pattern_axes}


def factors(n, scan, pattern, *, signed=False, seed=0):
    rng = np.random.default_rng(seed)
    maps, patterns = rng.gamma(0.5, 800.0, (n, *scan)), rng.gamma(0.3, 1e-3, (n, *pattern))
    return (maps - maps.mean(), patterns - patterns.mean()) if signed else (maps, patterns)


def drawn(kind="patterns", n=3, **how):
    scan, pattern = SHAPES[kind]
    rows = {"PCA": factors(n, scan, pattern, signed=True), "NMF": factors(n, scan, pattern)}
    return figure_side_by_side(rows, **axes_of(scan, pattern), **how)


def pictures(figure):
    """Return the shown images without colour bars, in the order in which they were drawn."""
    return [axes.images[0] for axes in figure.axes if axes.images and not axes.yaxis.get_ticklabels()]


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("n", [1, 4])
def test_no_word_is_cut_off_or_lies_on_another(kind, n):
    notes = {"NMF": ["cos 0.97 · map −0.09"] * n}
    figure = drawn(kind, n, columns=["CuZr2 [100]\n7.3 nm"] * n, notes=notes)
    assert isinstance(figure, Figure)
    width, height = figure.get_size_inches() * figure.dpi
    pieces = written(figure)
    assert [t for t, b in pieces if b.x0 < 0 or b.y0 < 0 or b.x1 > width or b.y1 > height] == []
    assert overlapping(pieces) == []
    words = " ".join(" ".join(text.split()) for text, _ in pieces)
    assert all(word in words for word in ("PCA", "NMF", "CuZr2 [100]", "largest absolute value"))


def test_long_words_are_wrapped_not_cut():
    columns = ["a heading that is much longer than one column of the figure", "b", "c", "d"]
    notes = {"NMF": ["so is this note, which says far too much for its room", "", "", ""]}
    figure = drawn(n=4, columns=columns, notes=notes)
    assert overlapping(written(figure)) == []


@pytest.mark.parametrize("factor", [1e-12, 1.0, 1e9])
def test_what_is_shown_does_not_depend_on_the_scale_of_factors(factor):
    scan, pattern = SHAPES["patterns"]
    maps, patterns = factors(2, scan, pattern, signed=True)
    one = figure_side_by_side({"a": (maps, patterns)}, **axes_of(scan, pattern))
    other = figure_side_by_side({"a": (maps * factor, patterns / factor)}, **axes_of(scan, pattern))
    for first, second in zip(pictures(one), pictures(other), strict=True):
        np.testing.assert_allclose(first.get_array(), second.get_array(), rtol=1e-9)


def test_only_rows_with_negative_values_diverge_and_there_zero_is_white():
    shown = pictures(drawn(n=2))
    signed, plain = shown[:4], shown[4:]
    assert {image.cmap.name for image in signed} == {"PuOr_r"}
    assert not {image.cmap.name for image in plain} & {"PuOr_r"}
    for image in signed:
        assert (image.norm.vmin, image.norm.vmax) == (-1.0, 1.0)
        assert np.abs(image.get_array()).max() == pytest.approx(1.0)
        assert np.ptp(image.cmap(image.norm(0.0))[:3]) < 0.02  # no hue
        assert min(image.cmap(image.norm(0.0))[:3]) > 0.94
    for image in plain:
        assert (image.norm.vmin, image.norm.vmax) == (0.0, 1.0)


def test_rounding_below_zero_is_not_called_negative():
    scan, pattern = SHAPES["patterns"]
    maps, patterns = factors(1, scan, pattern)
    maps[0, 0, 0] = -1e-13 * maps.max()
    (first, second) = pictures(figure_side_by_side({"a": (maps, patterns)}, **axes_of(scan, pattern)))
    assert first.norm.vmin == second.norm.vmin == 0.0


def test_masked_pixels_are_grey_and_set_no_scale():
    scan, pattern = SHAPES["patterns"]
    maps, patterns = factors(2, scan, pattern)
    used = np.ones(pattern, bool)
    used[12:18, 10:16] = False
    patterns[:, ~used] = -1e6  # whatever stands there
    figure = figure_side_by_side({"a": (maps, patterns)}, used_pixels=used, **axes_of(scan, pattern))
    shown = pictures(figure)[:2]
    for image in shown:
        assert np.array_equal(np.ma.getmaskarray(image.get_array()), ~used)
        assert image.get_array().max() == pytest.approx(1.0)
        assert image.cmap.name == "magma"
    assert "Grey: masked." in " ".join(" ".join(text.split()) for text, _ in written(figure))
    pixels = np.asarray(Image.open(BytesIO(png(figure))).convert("RGB")).reshape(-1, 3)
    grey = [int(MASKED[i : i + 2], 16) for i in (1, 3, 5)]
    near = np.abs(pixels.astype(int) - grey).max(axis=1) < 8  # a palette rounds colours of no colour map
    assert near.sum() > 500


def test_a_component_that_a_method_lacks_says_so():
    scan, pattern = SHAPES["patterns"]
    maps, patterns = factors(2, scan, pattern)
    maps[1], patterns[1] = np.nan, np.nan
    figure = figure_side_by_side({"a": (maps, patterns)}, **axes_of(scan, pattern))
    assert [text for text, _ in written(figure)].count("none") == 2


def test_an_empty_component_is_drawn_as_zeros():
    scan, pattern = SHAPES["patterns"]
    maps, patterns = np.zeros((1, *scan)), np.zeros((1, *pattern))
    figure = figure_side_by_side({"a": (maps, patterns)}, **axes_of(scan, pattern))
    assert all(not image.get_array().any() for image in pictures(figure))


def test_input_is_not_touched():
    scan, pattern = SHAPES["patterns"]
    maps, patterns = factors(2, scan, pattern)
    before = maps.copy(), patterns.copy()
    figure_side_by_side({"a": (maps, patterns)}, **axes_of(scan, pattern))
    assert np.array_equal(maps, before[0])
    assert np.array_equal(patterns, before[1])


def test_the_file_has_a_palette_that_holds_all_three_colour_maps(tmp_path):
    scan, pattern = SHAPES["patterns"]
    rows = {"PCA": factors(5, scan, pattern, signed=True), "NMF": factors(5, scan, pattern)}
    path = write_side_by_side(rows, tmp_path / "methods.png", **axes_of(scan, pattern))
    image = Image.open(BytesIO(path.read_bytes()))
    assert image.mode == "P"
    assert image.width == pytest.approx(7.2 * 192, abs=2)


def refused(match, rows=None, **how):
    scan, pattern = SHAPES["patterns"]
    rows = {"a": factors(2, scan, pattern)} if rows is None else rows
    with pytest.raises(InputError, match=match):
        figure_side_by_side(rows, **{**axes_of(scan, pattern), **how})


def test_what_does_not_fit_is_refused_with_the_name_of_the_row(tmp_path):
    scan, pattern = SHAPES["patterns"]
    maps, patterns = factors(2, scan, pattern)
    refused("results", {})
    refused("results", {"a": (maps, patterns), "b": (maps[:1], patterns[:1])})
    refused("results", {"a": (maps[:0], patterns[:0])})
    refused("result 'swapped'", {"swapped": (patterns, maps)})
    refused("result 'b'", {"a": (maps, patterns), "b": (maps.reshape(2, -1), patterns)})
    refused("columns", columns=["one"])
    refused("notes of 'a'", notes={"a": ["one"]})
    refused("used_pixels", used_pixels=np.ones((3, 3), bool))
    refused("axes", {"a": (np.ones(2), patterns)}, scan_axes=())
    with pytest.raises(InputError, match=r"ends in \.png"):
        write_side_by_side({"a": (maps, patterns)}, tmp_path / "a.pdf", **axes_of(scan, pattern))
