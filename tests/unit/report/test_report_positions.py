"""The figure of every position: legible, its colours those of the groups, rotation in a period, chance in the bar."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image
from test_report_figures import overlapping, written

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.positions import PositionMatches
from unmixel.report.canvas import MASKED, group_colour
from unmixel.report.positions import figure_positions, write_positions


def made(shape=(13, 29), symmetry=(60.0, 90.0), *, seed=0, none=0.3):
    rng = np.random.default_rng(seed)
    n = len(symmetry)
    best = rng.integers(0, n, shape)
    group = np.where(rng.random(shape) < none, -1, best)
    similarity = rng.uniform(0.1, 0.9, shape)
    return PositionMatches(
        group=group,
        best=best,
        rotation_deg=rng.uniform(-180, 180, shape),
        similarity=similarity,
        runner_up=similarity / 2,
        p_value=rng.uniform(1e-9, 1, shape),
        chance=rng.uniform(0.2, 0.25, shape),
        agreement=similarity,
        unrelated=np.full(n, 0.6),
        mirrored=np.zeros(shape, bool),
        electrons=np.full(shape, 1000.0),
        significance=0.01,
        symmetry_deg=np.array(symmetry),
        scan_axes=tuple(Axis(f"a{i}", size, scale=3.0, unit="nm") for i, size in enumerate(shape)),
    )


def pictures(figure):
    return [axes for axes in figure.axes if axes.images and not axes.yaxis.get_ticklabels()]


@pytest.mark.parametrize("shape", [(13, 29), (90, 12), (12, 90), (40,), (1, 1)])
@pytest.mark.parametrize("symmetry", [(60.0, 90.0), (360.0,), (np.nan, 60.0, 60.0), (90.0,) * 9])
def test_no_word_is_cut_off_or_lies_on_another(shape, symmetry) -> None:
    figure = figure_positions(made(shape, symmetry))
    width, height = figure.get_size_inches() * figure.dpi
    pieces = written(figure)
    assert [t for t, b in pieces if b.x0 < 0 or b.y0 < 0 or b.x1 > width or b.y1 > height] == []
    assert overlapping(pieces) == []
    words = " ".join(text for text, _ in pieces)
    assert all(
        word in words for word in ("Group", "Rotation", "Similarity", "nm", "exceeded by chance in 1.0 %")
    )


def test_positions_have_the_colour_of_their_group_and_none_is_grey() -> None:
    matches = made()
    image = pictures(figure_positions(matches))[0].images[0]
    shown = image.cmap(image.norm(image.get_array()))
    for place in np.ndindex(matches.group.shape):
        group = int(matches.group[place])
        assert to_hex(shown[place]) == (MASKED if group < 0 else group_colour(group))


@pytest.mark.parametrize(("symmetry", "high"), [((60.0, 60.0), 60.0), ((360.0,), 360.0), ((60.0, 90.0), 1.0)])
def test_rotation_is_shown_within_its_group_s_period(symmetry, high) -> None:
    matches = made(symmetry=symmetry)
    image = pictures(figure_positions(matches))[1].images[0]
    values = image.get_array()
    assert np.array_equal(np.ma.getmaskarray(values), matches.group < 0)
    assert (image.norm.vmin, image.norm.vmax) == (0.0, high)
    own = np.array(symmetry)[np.maximum(matches.group, 0)]
    expected = np.mod(matches.rotation_deg, own) * (1 / own if high == 1.0 else 1.0)
    np.testing.assert_allclose(values.compressed(), expected[matches.group >= 0])
    # cyclic: both ends look alike
    first, last = image.cmap(0.0), image.cmap(1.0)
    assert np.abs(np.subtract(first, last)).max() < 0.03


def test_chance_is_marked_where_it_lies() -> None:
    matches = made()
    bar = figure_positions(matches).axes[-1]
    levels = sorted({float(line.get_ydata()[0]) for line in bar.lines})
    assert levels == pytest.approx([matches.chance.min(), matches.chance.max()])
    blank = made()
    object.__setattr__(blank, "chance", np.full((13, 29), np.nan))
    assert not figure_positions(blank).axes[-1].lines


def test_nothing_matched_is_drawn() -> None:
    figure = figure_positions(made(none=1.1))
    assert "–: 100 %" in [text for text, _ in written(figure)]


def test_the_file_is_a_picture_and_other_endings_are_refused(tmp_path) -> None:
    path = write_positions(made(), tmp_path / "positions.png")
    assert Image.open(BytesIO(path.read_bytes())).width > 1500
    with pytest.raises(InputError, match=r"ends in \.png"):
        write_positions(made(), tmp_path / "positions.pdf")
    with pytest.raises(InputError, match="one or two axes"):
        figure_positions(made((2, 3, 4)))
