"""The figure and the page of the number of components."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.rank import ComponentEdge, NoiseEdge, RankChoice, RankScore
from unmixel.report.rank import figure_rank, write_rank


def choice(*, stability: float = 0.8, physics: bool = True) -> RankChoice:
    plain = NoiseEdge(np.array([300.0, 40.0, 20.0, 19.0]), 30.0, 1.0)
    seen = NoiseEdge(np.array([280.0, 35.0, 18.0, 4.0]), 9.0, 1.0, ("maps", "patterns"))
    scores = tuple(
        RankScore(k, held, se, shown, stability, 0.5)
        for k, held, se, shown in ((2, 900.0, 40.0, 2), (4, 0.0, 0.0, 3), (6, 30.0, 20.0, 3))
    )
    return RankChoice(
        3, "3: a <reason>.", 3, plain, seen if physics else plain, scores, "count splitting", ("A note.",)
    )


def lines_of(axes) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_ydata(), float) for line in axes.lines}


def shown(axes, values: list[float]) -> bool:
    """Return whether a curve of the axes goes through the values."""
    return any(np.array_equal(np.asarray(line.get_ydata(), float), values) for line in axes.lines)


def test_every_panel_shows_its_evidence() -> None:
    edges, held, confirmed, stability = figure_rank(choice()).axes
    assert "data as they are: 2 above" in lines_of(edges)
    assert "through the physics (maps, patterns): 3 above" in lines_of(edges)
    np.testing.assert_allclose(lines_of(edges)["data as they are: 2 above"][:2], [10, 4 / 3])
    assert shown(held, [900, 0, 30])
    assert shown(confirmed, [2, 3, 3])
    assert shown(stability, [0.8, 0.8, 0.8])


def test_components_are_shown_over_the_edge_of_the_best_piece_of_noise() -> None:
    left = ComponentEdge(np.array([30.0, 8.0, 3.0]), 3.6, 61, apart=1)
    _, _, panel, _ = figure_rank(replace(choice(), components=left)).axes
    assert shown(panel, [30, 8, 3])
    np.testing.assert_array_equal(panel.lines[0].get_xdata(), [2, 3, 4])
    np.testing.assert_array_equal(lines_of(panel)["best of 61 pieces of noise: 3.6"], [3.6, 3.6])


def test_one_restart_and_no_physics_are_said() -> None:
    figure = figure_rank(choice(stability=float("nan"), physics=False))
    assert "needs two restarts" in figure.axes[3].texts[0].get_text()
    assert not any("through the physics" in label for label in lines_of(figure.axes[0]))
    assert any(
        "Recommended: 3. The data do not support more than 3" in text.get_text() for text in figure.texts
    )


def test_nothing_is_drawn_outside_the_sheet() -> None:
    figure = figure_rank(choice())
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    width, height = figure.canvas.get_width_height()
    for axes in figure.axes:
        frame = axes.get_tightbbox(renderer)
        assert frame.x0 >= 0
        assert frame.y0 >= 0
        assert frame.x1 <= width
        assert frame.y1 <= height


def test_the_page_stands_alone_and_escapes_what_it_is_told(tmp_path: Path) -> None:
    page = write_rank(choice(), tmp_path / "rank.html", title="a<b>.h5").read_text(encoding="utf-8")
    assert "a&lt;b&gt;.h5" in page
    assert "3: a &lt;reason&gt;." in page
    assert page.count("<tr>") == 4
    assert "<li>A note.</li>" in page
    assert write_rank(choice(), tmp_path / "rank.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match=r"html or \.png"):
        write_rank(replace(choice()), tmp_path / "rank.svg")
