"""Figures of plans: what is wanted stands out, and nothing leaves the sheet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from unmixel.dataset.planning import Acquisition, Curve, Goal, Outlook, Plan, Sample, Setup
from unmixel.report.canvas import png
from unmixel.report.planning import figure_outlook, figure_plan

DOSES = np.geomspace(10, 1e5, 9)
SHARES = np.linspace(0, 0.98, 9)


def plan() -> Plan:
    curves = tuple(Curve(size, DOSES, SHARES, SHARES / 2, np.sqrt(SHARES)) for size in (3.5, 7.0, 14.0))
    found = Acquisition(2e3, 1.5e3, 2.7e3, 20.0, 90, 33.0, 70_000_000, 8.1, 0.3)
    return Plan(
        Sample(("ZrO2", "/home/somebody/phase.cif")), Setup(), Goal(), found, curves, 0.98, 0.4, (), {}
    )


def test_plan_shows_every_size_and_the_recommended_point() -> None:
    figure = figure_plan(plan())
    (axes,) = figure.axes
    labels = axes.get_legend_handles_labels()[1]
    assert labels == ["3.5 nm", "7 nm", "14 nm", "recommended:\n2,000 electrons"]
    assert axes.get_xscale() == "log"
    assert len(axes.collections) == 1, "the wanted size has its error"
    told = " ".join(text.get_text() for text in figure.texts)
    assert "ZrO2, phase.cif on a zone axis" in told
    assert "somebody" not in told
    assert png(figure).startswith(b"\x89PNG")


def test_plan_without_a_recommendation_has_no_point() -> None:
    (axes,) = figure_plan(replace(plan(), acquisition=None)).axes
    assert axes.get_legend_handles_labels()[1] == ["3.5 nm", "7 nm", "14 nm"]


@pytest.mark.parametrize(("smallest", "clear", "lines"), [(5.0, 9.0, 2), (5.0, None, 1), (None, None, 0)])
def test_outlook_marks_what_is_found(smallest: float | None, clear: float | None, lines: int) -> None:
    seen = Outlook(
        "scan.h5", Sample(), Setup(), 900.0, 0.9, np.geomspace(1.5, 20, 9), SHARES, SHARES / 2, np.sqrt(SHARES),
        smallest, clear, 3, 20, (),
    )  # fmt: skip
    (axes,) = figure_outlook(seen).axes
    assert len(axes.get_legend_handles_labels()[1]) == lines
    assert axes.get_xlabel() == "diameter in nm"
